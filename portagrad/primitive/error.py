"""An array library's error, saying in which call it arose."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from portagrad.backend import UnknownArrayError, active_line, explained
from portagrad.errors import AxisError, MissingFunctionError, MixedBackendsError, PortagradError

if TYPE_CHECKING:
    from portagrad.primitive.record import Primitive


def located(
    primitive: Primitive, error: Exception, operands: Sequence[Any], static: dict[str, Any]
) -> Exception:
    """The error with the call in its text: function, arguments, shapes."""
    ours = isinstance(error, PortagradError)
    if hasattr(error, "located") or (
        ours and not isinstance(error, MixedBackendsError | UnknownArrayError)
    ):
        return error
    if isinstance(error, AttributeError):
        return _missing(primitive, error)
    given = zip(_names(primitive, operands), operands)
    call = ", ".join(_described(*each) for each in (*given, *static.items()))
    said = str(error).removeprefix(f"{primitive.name}: ")
    text = f"{primitive.name}: {said} [{call}]"
    if isinstance(error, IndexError) and isinstance(error, ValueError):
        return AxisError(text).with_traceback(error.__traceback__)
    if not ours and (told := explained(error, text, operands)) is not None:
        return told
    with contextlib.suppress(Exception):
        # The same object: whoever catches LinAlgError, or torch's own error, still does.
        error.args = (text, *error.args[1:])
        error.located = True  # type: ignore[attr-defined]
    return error


def _names(primitive: Primitive, operands: Sequence[Any]) -> list[str]:
    if primitive.starred:
        return [f"{primitive.operands[0]}[{i}]" for i in range(len(operands))]
    return [*primitive.operands, *primitive.statics]


def _missing(primitive: Primitive, error: AttributeError) -> Exception:
    """An AttributeError of an array namespace, said as what it is."""
    owner = error.obj
    if inspect.ismodule(owner) and error.name is not None:
        return MissingFunctionError(
            f"{primitive.name}: the array library {owner.__name__} has no {error.name}. "
            f"{active_line()}"
        )
    return error


def _described(name: str, value: Any) -> str:
    """An argument of a failed call: an array by shape and dtype."""
    if isinstance(value, (list, tuple)) and any(hasattr(x, "dtype") for x in value):
        return f"{name}: [{', '.join(_described('', x).lstrip(': ') for x in value)}]"
    if hasattr(value, "dtype") and not isinstance(value, type):  # NumPy's dtypes have one too
        return f"{name}: {tuple(value.shape)} {str(value.dtype).rpartition('.')[2]}"
    text = repr(value)
    return f"{name}={text if len(text) < 60 else text[:57] + '...'}"

"""NumPy's own functions on traced values: `np.exp(t)`, `ndarray + t`, `np.sum(t)`.

NumPy asks its operands what to do before it touches them; the answers here lead
to the functions of the standard, so that nothing is converted on the way and the
gradient stays connected.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dis import opname
from typing import Any

import numpy

from portagrad.errors import NotDifferentiableError

#: Where NumPy's name, or the name of a parameter, is not the standard's.
NAMES = {
    "absolute": "abs",
    "fabs": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "amax": "max",
    "amin": "min",
    "around": "round",
    "concatenate": "concat",
    "conjugate": "conj",
    "cumprod": "cumulative_prod",
    "cumsum": "cumulative_sum",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "mod": "remainder",
    "power": "pow",
    "right_shift": "bitwise_right_shift",
    "rint": "round",
    "transpose": "permute_dims",
    "true_divide": "divide",
}
KEYWORDS = {"ddof": "correction", "a_min": "min", "a_max": "max", "newshape": "shape"}
#: Parameters that say what the library would do anyway, or ask for what it never does.
IGNORED = {"order", "casting", "subok", "like", "where", "initial"}


def _chapters() -> Any:
    from portagrad import array_api

    return array_api


def _standard(name: str) -> Any:
    """The standard's function for a name of NumPy's, or None."""
    return getattr(_chapters(), NAMES.get(name, name), None)


def array_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
    """Do what `numpy.<ufunc>(...)` asks for, without leaving the trace."""
    function = _standard(ufunc.__name__)
    if "out" in keywords:
        raise NotDifferentiableError(
            f"numpy.{ufunc.__name__} cannot write a value that is being differentiated into an "
            f"ndarray: its gradient would be lost. Use `x = x + y` instead of `x += y`"
        )
    if function is None and method == "__call__":
        function = _special(ufunc.__name__)
    if function is None or method != "__call__" or keywords:
        return NotImplemented
    return function(*inputs)


def _special(name: str) -> Any:
    """A ufunc of SciPy's."""
    special = getattr(_chapters(), "special", None)
    return None if special is None else getattr(special, name, None)


def refuse_assignment(frame: Any) -> None:
    """Raise where `frame` is at `ndarray[i] = t`.

    NumPy asks such a t for its `float()` and for nothing else, so the instruction
    that the asking program is at is all that tells it from `float(t)`, which is
    allowed: the first would lose a part of a gradient without a word.
    """
    code = frame.f_code.co_code
    if opname[code[frame.f_lasti]].startswith("STORE_SUBSCR"):
        raise NotDifferentiableError(
            "a value that is being differentiated cannot be assigned to an element of an ndarray: "
            "its gradient would be lost. Make the array with portagrad.array_api, or stack the "
            "values"
        )


def array_function(self: Any, function: Any, types: Any, args: Any, keywords: Any) -> Any:
    """Do what `numpy.<function>(...)` asks for, without leaving the trace."""
    name = function.__name__
    home: Any = _chapters()
    for part in function.__module__.split(".")[1:]:
        home = getattr(home, part, home)
    standard = getattr(home, NAMES.get(name, name), None) or _standard(name)
    adapted = ADAPTED.get(name)
    if adapted is not None:
        return adapted(*args, **keywords)
    if standard is None:
        raise NotDifferentiableError(
            f"numpy.{name} has no counterpart in portagrad.array_api, and converting its argument "
            f"to an ndarray would lose the gradient. .detach() it first if that is not wanted"
        )
    bound = inspect.signature(function).bind(*args, **keywords)
    parameters = list(bound.arguments.items())
    arrays, rest = _split(function, parameters)
    return standard(*arrays, **rest)


def _split(function: Any, parameters: list[tuple[str, Any]]) -> tuple[list[Any], dict[str, Any]]:
    """The leading array arguments, and the others under the standard's names."""
    first = [value for name, value in parameters if name in ARRAY_PARAMETERS]
    rest = {
        KEYWORDS.get(name, name): value
        for name, value in parameters
        if name not in ARRAY_PARAMETERS and value is not numpy._NoValue
    }
    given = {name for name in rest if name in IGNORED and rest[name] not in (None, "K", "C", True)}
    if given or rest.get("out") is not None:
        raise NotDifferentiableError(
            f"numpy.{function.__name__} on a value that is being differentiated does not take "
            f"{', '.join(sorted(given)) or 'out'}"
        )
    return first, {k: v for k, v in rest.items() if k not in IGNORED and k != "out"}


ARRAY_PARAMETERS = {
    "a",
    "x",
    "x1",
    "x2",
    "b",
    "arr",
    "arrays",
    "m",
    "ar",
    "condition",
    "y",
    "array",
}


def _transpose(a: Any, axes: Any = None) -> Any:
    order = tuple(reversed(range(a.ndim))) if axes is None else tuple(axes)
    return _chapters().permute_dims(a, order)


def _dot(a: Any, b: Any) -> Any:
    xp = _chapters()
    if a.ndim == 0 or b.ndim == 0:
        return xp.multiply(a, b)
    if b.ndim == 1:
        return xp.tensordot(a, b, axes=((-1,), (0,)))
    return xp.tensordot(a, b, axes=((-1,), (-2,)))


def _ravel(a: Any, order: str = "C") -> Any:
    return _chapters().reshape(a, (-1,))


def _concatenate(arrays: Any, axis: Any = 0) -> Any:
    return _chapters().concat(list(arrays), axis=axis)


def _stack(arrays: Any, axis: int = 0) -> Any:
    return _chapters().stack(list(arrays), axis=axis)


ADAPTED: dict[str, Callable[..., Any]] = {
    "concatenate": _concatenate,
    "dot": _dot,
    "ravel": _ravel,
    "stack": _stack,
    "transpose": _transpose,
}

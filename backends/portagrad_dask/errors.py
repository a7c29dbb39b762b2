"""What dask cannot do, said by name: at the call, not somewhere in a graph of tasks."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from portagrad.errors import BackendError, MissingFunctionError

#: How dask says in a ValueError or TypeError that it has not implemented something.
_NOT_IMPLEMENTED = re.compile(
    "not supported|only support|Input must have the following properties|must be an integer"
    "|unexpected keyword|rechunk|Array must be 2D|[Dd]imension must be 2|must be 1 or 2 dimensional"
)


class UnknownShapeError(BackendError, ValueError):
    """A shape that dask knows only once it has computed the values (it writes nan for it)."""


@contextmanager
def said_by_dask(name: str) -> Iterator[None]:
    """Around a call of dask: what it has not implemented is a `MissingFunctionError`."""
    try:
        yield
    except (NotImplementedError, ValueError, TypeError) as error:
        if isinstance(error, BackendError):
            raise
        if not (isinstance(error, NotImplementedError) or _NOT_IMPLEMENTED.search(str(error))):
            raise  # a mistake of the caller's
        reason = " ".join(str(error).split()) or "it is not implemented"
        raise MissingFunctionError(f"{name}: dask's arrays cannot do this: {reason}") from error


def require_known(name: str, result: Any) -> None:
    """Raise `UnknownShapeError` where the shape of an array depends on values."""
    shape = getattr(result, "shape", ())
    if any(isinstance(length, float) and math.isnan(length) for length in shape):
        raise UnknownShapeError(
            f"{name}: dask knows this shape only once it has computed the values, and says "
            f"{shape}; no gradient can be laid out in it. Choose with where(mask, x, 0) instead "
            f"of x[mask], or have the shape computed first, with x.compute_chunk_sizes()"
        )

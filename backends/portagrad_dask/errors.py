"""What dask cannot do, said by name: at the call, not somewhere in a graph of tasks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from portagrad.errors import BackendError, MissingFunctionError


class UnknownShapeError(BackendError, ValueError):
    """A shape that dask knows only once it has computed the values (it writes nan for it)."""


@contextmanager
def said_by_dask(name: str) -> Iterator[None]:
    """Around a call of dask: what it has not implemented is a `MissingFunctionError`."""
    try:
        yield
    except MissingFunctionError:
        raise
    except NotImplementedError as error:
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

"""Functions that move elements about without changing them."""

from __future__ import annotations

from portagrad.array import Array, Arrays, Shape
from portagrad.backend import namespace
from portagrad.errors import ShapeError
from portagrad.primitive import primitive


@primitive
def broadcast_arrays(*arrays: Array) -> tuple[Array, ...]:
    """Broadcast arrays against one another."""
    return tuple(namespace(*arrays).broadcast_arrays(*arrays))


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape that arrays of these shapes broadcast to. Raises `ShapeError` where there is none.

    >>> broadcast_shapes((3, 1), (2,))
    (3, 2)
    """
    rank = max(map(len, shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    lengths = [{n for n in column if n != 1} or {1} for column in zip(*padded, strict=True)]
    if any(len(each) > 1 for each in lengths):
        shown = " and ".join(str(tuple(shape)) for shape in shapes)
        raise ShapeError(f"broadcast_shapes: the shapes {shown} do not broadcast together")
    return tuple(n for (n,) in lengths)


@primitive
def broadcast_to(x: Array, /, shape: Shape) -> Array:
    """Broadcast an array to a shape."""
    return namespace(x).broadcast_to(x, shape)


@primitive
def concat(arrays: Arrays, /, *, axis: int | None = 0) -> Array:
    """Join arrays along an axis they have; `None` flattens them first."""
    return namespace(*arrays).concat(list(arrays), axis=axis)


@primitive
def expand_dims(x: Array, /, axis: int | tuple[int, ...]) -> Array:
    """Insert axes of length one."""
    return namespace(x).expand_dims(x, axis=axis)


@primitive
def flip(x: Array, /, *, axis: int | tuple[int, ...] | None = None) -> Array:
    """Reverse the order of elements along axes; all of them by default."""
    return namespace(x).flip(x, axis=axis)


@primitive
def moveaxis(
    x: Array, source: int | tuple[int, ...], destination: int | tuple[int, ...], /
) -> Array:
    """Move axes to other places."""
    return namespace(x).moveaxis(x, source, destination)


@primitive
def permute_dims(x: Array, /, axes: tuple[int, ...]) -> Array:
    """Put the axes in another order."""
    return namespace(x).permute_dims(x, axes)


@primitive
def repeat(x: Array, repeats: int | Array, /, *, axis: int | None = None) -> Array:
    """Repeat each element, along an axis or of the flattened array."""
    return namespace(x, repeats).repeat(x, repeats, axis=axis)


@primitive
def reshape(x: Array, /, shape: Shape, *, copy: bool | None = None) -> Array:
    """Give the same elements another shape; one length may be -1."""
    return namespace(x).reshape(x, shape, copy=copy)


@primitive
def roll(
    x: Array, /, shift: int | tuple[int, ...], *, axis: int | tuple[int, ...] | None = None
) -> Array:
    """Shift elements along axes; those pushed out come back in at the other end."""
    return namespace(x).roll(x, shift, axis=axis)


@primitive
def squeeze(x: Array, /, axis: int | tuple[int, ...]) -> Array:
    """Remove axes of length one."""
    return namespace(x).squeeze(x, axis)


@primitive
def stack(arrays: Arrays, /, *, axis: int = 0) -> Array:
    """Join arrays along a new axis."""
    return namespace(*arrays).stack(list(arrays), axis=axis)


@primitive
def tile(x: Array, repetitions: tuple[int, ...], /) -> Array:
    """Repeat the whole array along each axis."""
    return namespace(x).tile(x, repetitions)


@primitive
def unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    """Split an array into the slices along an axis."""
    return tuple(namespace(x).unstack(x, axis=axis))

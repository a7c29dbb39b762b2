"""NumPy's functions that join, split and rearrange arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.numpy_protocol.operands import arrays, lifted


def ravel(a: Any) -> Any:
    """All elements in one row."""
    return xp.reshape(lifted(a), (-1,))


def _at_least(count: int) -> Callable[..., Any]:
    def raise_rank(*arys: Any) -> Any:
        raised = tuple(_with_axes(lifted(x), count) for x in arys)
        return raised[0] if len(raised) == 1 else raised

    return raise_rank


def _with_axes(x: Any, count: int) -> Any:
    """x with at least `count` axes, where NumPy adds them: (n,) is (1, n) and (1, n, 1)."""
    if x.ndim == 0:
        return xp.reshape(x, (1,) * count)
    if x.ndim == 1 and count > 1:
        x = xp.expand_dims(x, axis=0)
    if x.ndim == 2 and count > 2:
        x = xp.expand_dims(x, axis=2)
    return x


def _append(arr: Any, values: Any, axis: int | None = None) -> Any:
    return _concatenate([arr, values], axis=axis)


def _column_stack(tup: Sequence[Any]) -> Any:
    parts = arrays(*tup)
    return xp.concat([_with_axes(x, 2).mT if x.ndim < 2 else x for x in parts], axis=1)


def _concatenate(arrays: Sequence[Any], axis: int | None = 0, *, dtype: Any = None) -> Any:
    joined = xp.concat([lifted(x) for x in arrays], axis=axis)
    return joined if dtype is None else xp.astype(joined, dtype)


def _dstack(tup: Sequence[Any]) -> Any:
    return xp.concat([_with_axes(x, 3) for x in arrays(*tup)], axis=2)


def _hstack(tup: Sequence[Any]) -> Any:
    parts = [_with_axes(x, 1) for x in arrays(*tup)]
    return xp.concat(parts, axis=0 if parts[0].ndim == 1 else 1)


def _stack(arrays: Sequence[Any], axis: int = 0, *, dtype: Any = None) -> Any:
    joined = xp.stack([lifted(x) for x in arrays], axis=axis)
    return joined if dtype is None else xp.astype(joined, dtype)


def _vstack(tup: Sequence[Any]) -> Any:
    return xp.concat([_with_axes(x, 2) for x in arrays(*tup)], axis=0)


def _array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    length = ary.shape[axis]
    if isinstance(indices_or_sections, int):
        size, longer = divmod(length, indices_or_sections)
        sizes = [size + 1] * longer + [size] * (indices_or_sections - longer)
        edges = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    else:
        edges = [0, *map(int, indices_or_sections), length]
    before = (slice(None),) * (axis % ary.ndim)
    return [ary[(*before, slice(start, stop), ...)] for start, stop in pairwise(edges)]


def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    if isinstance(indices_or_sections, int) and ary.shape[axis] % indices_or_sections:
        raise ValueError("array split does not result in an equal division")
    return _array_split(ary, indices_or_sections, axis)


def _hsplit(ary: Any, indices_or_sections: Any) -> Any:
    return _split(ary, indices_or_sections, axis=0 if ary.ndim == 1 else 1)


def _fliplr(m: Any) -> Any:
    return xp.flip(m, axis=1)


def _flipud(m: Any) -> Any:
    return xp.flip(m, axis=0)


def _pad(array: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Any:
    return xp.pad(array, pad_width, mode=mode, constant_values=constant_values)


def _rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    for _ in range(k % 4):
        m = xp.flip(_swapaxes(m, *axes), axis=axes[0])
    return m


def _squeeze(a: Any, axis: Any = None) -> Any:
    ones = tuple(i for i, n in enumerate(a.shape) if n == 1)
    return xp.squeeze(a, axis=ones if axis is None else axis)


def _swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    order = list(range(a.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return xp.permute_dims(a, tuple(order))


def _tile(A: Any, reps: Any) -> Any:
    return xp.tile(A, (reps,) if isinstance(reps, int) else tuple(reps))


def _transpose(a: Any, axes: Sequence[int] | None = None) -> Any:
    order = tuple(reversed(range(a.ndim))) if axes is None else tuple(axes)
    return xp.permute_dims(a, order)


def _block(arrays: Any) -> Any:
    """Lists within lists, joined along the last axis at the deepest level, and so outwards."""

    def depth(x: Any) -> int:
        return 1 + depth(x[0]) if isinstance(x, list) else 0

    levels = depth(arrays)

    def rank(x: Any) -> int:
        return max(map(rank, x)) if isinstance(x, list) else int(lifted(x).ndim)

    count = max(levels, rank(arrays))

    def join(x: Any, level: int) -> Any:
        if isinstance(x, list):
            return xp.concat([join(part, level - 1) for part in x], axis=-level)
        x = lifted(x)
        return xp.reshape(x, (*(1,) * (count - x.ndim), *x.shape))

    return join(arrays, levels)


def _delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    arr = ravel(arr) if axis is None else arr
    axis = (axis or 0) % arr.ndim
    gone = set(range(arr.shape[axis])[obj] if isinstance(obj, slice) else _integers(obj))
    length = arr.shape[axis]
    kept = [i for i in range(length) if i not in {g % length for g in gone}]
    return xp.take(arr, lifted(kept), axis=axis)


def _integers(x: Any) -> list[int]:
    several = isinstance(x, (list, tuple)) or bool(getattr(x, "shape", ()))
    return [int(each) for each in (x if several else [x])]


def _rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    axis, start = axis % a.ndim, start + a.ndim if start < 0 else start
    return xp.moveaxis(a, axis, start - 1 if axis < start else start)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "append": _append,
    "array_split": _array_split,
    "atleast_1d": _at_least(1),
    "atleast_2d": _at_least(2),
    "atleast_3d": _at_least(3),
    "block": _block,
    "column_stack": _column_stack,
    "concatenate": _concatenate,
    "delete": _delete,
    "dsplit": lambda ary, indices_or_sections: _split(ary, indices_or_sections, axis=2),
    "dstack": _dstack,
    "fliplr": _fliplr,
    "flipud": _flipud,
    "hsplit": _hsplit,
    "hstack": _hstack,
    "pad": _pad,
    "ravel": ravel,
    "rollaxis": _rollaxis,
    "rot90": _rot90,
    "split": _split,
    "squeeze": _squeeze,
    "stack": _stack,
    "swapaxes": _swapaxes,
    "tile": _tile,
    "transpose": _transpose,
    "vsplit": lambda ary, indices_or_sections: _split(ary, indices_or_sections, axis=0),
    "vstack": _vstack,
}

"""What optimizers do to all parameters: a launch for as many as fit into a kernel's arguments.

Parameters are taken by dtype and device, each with all that belongs to it. Nothing is read
on the device: the norm by which gradients are cut goes from one kernel to the next there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cupy

from portagrad.backend.protocol import may_decline
from portagrad_cupy.source import TYPES, function
from portagrad_cupy.tables import tables

THREADS = 256
#: Elements for a block: eight for each thread, two at a time.
PART = 8 * THREADS

Arrays = Sequence[Any]


def launch(name: str, kind: str, lists: Sequence[Arrays], *rest: Any) -> None:
    """Run a kernel over lists of contiguous arrays of one dtype."""
    kernel = function("updates", f"{name}<{TYPES[kind]}>")
    for blocks, made in tables(lists, PART):
        kernel((blocks,), (THREADS,), (made, cupy.int32(PART), *rest))


@may_decline
def sgd_update(
    parameters: Arrays,
    gradients: Arrays,
    velocities: Arrays,
    learning_rate: float,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> Any:
    """θ - η v with v = μ v + g + λ θ."""
    if not _fit(parameters, gradients, velocities):
        return NotImplemented
    updated, remembered, nothing = ([None] * len(parameters) for _ in range(3))
    lists = (parameters, gradients, velocities if momentum else nothing, updated, remembered)
    numbers = tuple(map(cupy.float64, (learning_rate, momentum, weight_decay)))
    for (kind, device), chosen in _groups(parameters).items():
        with cupy.cuda.Device(device):
            for results in (updated, remembered) if momentum else (updated,):
                _make(results, parameters, chosen)
            launch("sgd_update", kind, _contiguous(lists, chosen), *numbers)
    return updated, remembered if momentum else []


@may_decline
def adam_update(
    parameters: Arrays,
    gradients: Arrays,
    means: Arrays,
    squares: Arrays,
    steps: Sequence[int],
    learning_rate: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> Any:
    """θ - η m̂ / (√v̂ + ε); those of one step together."""
    if not _fit(parameters, gradients, means, squares):
        return NotImplemented
    first, second = betas
    made: list[list[Any]] = [[None] * len(parameters) for _ in range(3)]
    lists = (parameters, gradients, means, squares, *made)
    keep = 1 - learning_rate * weight_decay if decoupled else 1.0
    decay = 0.0 if decoupled else weight_decay
    fixed = (first, 1 - first, second, 1 - second, eps, decay, keep)
    for (kind, device, step), chosen in _groups(parameters, steps).items():
        sizes = learning_rate / (1 - first**step), 1 / math.sqrt(1 - second**step)
        with cupy.cuda.Device(device):
            for results in made:
                _make(results, parameters, chosen)
            numbers = map(cupy.float64, (*sizes, *fixed))
            launch("adam_update", kind, _contiguous(lists, chosen), *numbers)
    return tuple(made)


@may_decline
def clip_norm(gradients: Arrays, max_norm: float, norm_type: float = 2.0) -> Any:
    """Two stages of sums, whose result the kernel that scales reads on the device."""
    groups = _groups(gradients) if norm_type == 2 and _fit(gradients) else {}
    if len(groups) != 1:
        return NotImplemented
    ((kind, device),) = groups
    with cupy.cuda.Device(device):
        clipped = [cupy.empty(g.shape, g.dtype) for g in gradients]
        norm, factor = cupy.empty((), gradients[0].dtype), cupy.empty(())
        gradients = [cupy.ascontiguousarray(g) for g in gradients]
        count = sum(-(-g.size // PART) for g in gradients)
        sums = cupy.empty(count)
        squares = function("updates", f"sums_of_squares<{TYPES[kind]}>")
        done = 0
        for blocks, made in tables([gradients], PART):
            squares((blocks,), (THREADS,), (made, cupy.int32(PART), sums[done:]))
            done += blocks
        finish = function("updates", f"norm_and_factor<{TYPES[kind]}>")
        limit = cupy.float64(max_norm)
        finish((1,), (THREADS,), (sums, cupy.int32(count), limit, norm, factor))
        launch("scale", kind, [gradients, clipped], factor)
    return clipped, norm


def _make(results: list[Any], like: Arrays, chosen: list[int]) -> None:
    """Room for the chosen results."""
    for i in chosen:
        results[i] = cupy.empty(like[i].shape, like[i].dtype)


def _fit(parameters: Arrays, *others: Arrays) -> bool:
    """Arrays of CuPy's; what belongs to one is like it and where it is, or None."""
    for x in parameters:
        if type(x) is not cupy.ndarray or x.dtype.name not in TYPES:
            return False
    for arrays in others:
        for x, y in zip(parameters, arrays, strict=True):
            if y is not None and not (
                type(y) is cupy.ndarray
                and y.dtype == x.dtype
                and y.data.device_id == x.data.device_id
            ):
                return False
    return True


def _groups(parameters: Arrays, *keys: Sequence[Any]) -> dict[tuple[Any, ...], list[int]]:
    """Which parameters can go together: by dtype, device, and whatever else is given."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, (x, *rest) in enumerate(zip(parameters, *keys, strict=True)):
        groups.setdefault((x.dtype.name, x.data.device_id, *rest), []).append(number)
    return groups


def _contiguous(lists: Sequence[Arrays], chosen: list[int]) -> list[list[Any]]:
    """The chosen of each list, stored by rows."""
    return [[None if x[i] is None else cupy.ascontiguousarray(x[i]) for i in chosen] for x in lists]

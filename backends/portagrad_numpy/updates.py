"""What optimizers do to all parameters, as few calls of NumPy as there are operations.

Each result is the memory that its computation goes on in, so that hardly anything temporary is
made; a large one comes out of the pool, where the step before has left its last. Numbers are
arrays of no axes: beside a Python number a ufunc takes twice the time on small arrays, with
the same result. The results equal the definitions' bit for bit, but for `clip_norm`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy
from numpy import add, asarray, divide, multiply, ndarray, sqrt, subtract

from portagrad.backend.protocol import LARGE
from portagrad_numpy.constants import FLOAT32, FLOAT64, LONGEST, number
from portagrad_numpy.pool import POOL

#: Keeps a quotient finite where every gradient is 0, as in the definition.
TINY = 1e-6
#: Bytes up to which a ufunc that writes over its operand takes three times as long: one element.
TINIEST = 8

#: Bytes of an array that is done in parts, where more than two operations follow one another,
#: and the elements of a part.
CACHE, PART = 1 << 22, 1 << 15

Arrays = Sequence[Any]


def place(x: Any) -> Any:
    """Where a result like x goes."""
    return numpy.empty(x.shape, x.dtype) if x.nbytes < LARGE else POOL.take(x.shape, x.dtype)


def sgd_update(
    parameters: Arrays,
    gradients: Arrays,
    velocities: Arrays,
    learning_rate: float,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> Any:
    """θ - η v with v = μ v + g + λ θ."""
    if momentum or weight_decay:
        numbers = learning_rate, momentum, weight_decay
        return _sgd_with_memory(parameters, gradients, velocities, numbers)
    updated = []
    dtype = None
    for x, g in zip(parameters, gradients):
        if x.dtype is not dtype:
            dtype = x.dtype
            if dtype is not FLOAT32 and dtype is not FLOAT64:
                return NotImplemented
            rate = number(learning_rate, dtype.char)
        if not (type(x) is type(g) is ndarray and g.dtype is dtype):
            return NotImplemented
        if TINIEST < x.nbytes < LARGE:
            new = multiply(g, rate)
            subtract(x, new, new)
        elif x.nbytes < LARGE:
            new = asarray(subtract(x, multiply(g, rate)))  # without axes NumPy makes a scalar
        else:
            new = multiply(g, rate, POOL.take(x.shape, dtype))
            subtract(x, new, new)
        updated.append(new)
    return updated, []


def _sgd_with_memory(
    parameters: Arrays, gradients: Arrays, velocities: Arrays, values: tuple[float, ...]
) -> Any:
    if not _plain(parameters, gradients, velocities):
        return NotImplemented
    updated, remembered = [], []
    dtype = None
    for x, g, v in zip(parameters, gradients, velocities):
        if x.dtype is not dtype:
            dtype = x.dtype
            numbers = [number(value, dtype.char) for value in values]
        new = place(x)
        velocity = place(x) if values[1] else None
        for part in _parts(x, g, v, new, velocity):
            _sgd(*part, numbers=numbers, decays=values[2] != 0)
        updated.append(new)
        remembered.append(velocity)
    return updated, remembered if values[1] else []


def _sgd(x: Any, g: Any, v: Any, new: Any, velocity: Any, *, numbers: Any, decays: bool) -> None:
    """One parameter into `new` and, where there is one, `velocity`."""
    rate, momentum, decay = numbers
    if decays:
        total = new if velocity is None else velocity
        g = add(g, multiply(x, decay, total), total)
    if velocity is not None:
        if v is None:
            numpy.copyto(velocity, g)
        else:
            add(multiply(v, momentum, new), g, velocity)
        g = velocity
    subtract(x, multiply(g, rate, new), new)


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
    """θ - η m̂ / (√v̂ + ε)."""
    if not _plain(parameters, gradients, means, squares):
        return NotImplemented
    first, second = betas
    keep = 1 - learning_rate * weight_decay if decoupled else 1.0
    values = 0.0 if decoupled else weight_decay, keep, first, 1 - first, second, 1 - second, eps
    decays, shrinks = weight_decay != 0 and not decoupled, weight_decay != 0 and decoupled
    lists: tuple[list[Any], ...] = ([], [], [])
    shared: Any = None
    for x, g, mean, square, step in zip(parameters, gradients, means, squares, steps):
        if shared != (x.dtype, step):
            shared = x.dtype, step
            sizes = learning_rate / (1 - first**step), 1 / math.sqrt(1 - second**step)
            numbers = [number(value, x.dtype.char) for value in (*sizes, *values)]
        made = place(x), place(x), place(x)
        for part in _parts(x, g, mean, square, *made):
            _adam(*part, numbers=numbers, decays=decays, shrinks=shrinks)
        for results, result in zip(lists, made):
            results.append(result)
    return lists


def _adam(
    x: Any,
    g: Any,
    mean: Any,
    square: Any,
    new: Any,
    m: Any,
    v: Any,
    *,
    numbers: Any,
    decays: bool,
    shrinks: bool,
) -> None:
    """One parameter into `new`, `m` and `v`."""
    size, correction, decay, keep, first, rest_first, second, rest_second, eps = numbers
    if decays:
        g = add(g, multiply(x, decay, new), new)
    multiply(g, rest_first, m)
    multiply(multiply(g, g, v), rest_second, v)
    if mean is not None:
        add(multiply(mean, first, new), m, m)
        add(multiply(square, second, new), v, v)
    multiply(sqrt(v, new), correction, new)
    multiply(divide(m, add(new, eps, new), new), size, new)
    subtract(multiply(x, keep, place(x)) if shrinks else x, new, new)


def clip_norm(gradients: Arrays, max_norm: float, norm_type: float = 2.0) -> Any:
    """The squares are added up by products; where nothing is cut, nothing is multiplied."""
    dtype = gradients[0].dtype
    if norm_type != 2 or not _plain(gradients) or any(g.dtype is not dtype for g in gradients):
        return NotImplemented
    norm = math.sqrt(sum(map(_sum_of_squares, gradients)))
    factor = min(max_norm / (norm + TINY), 1.0)  # nan stays nan
    if factor != 1.0:
        scale = number(factor, dtype.char)
        gradients = [multiply(g, scale, place(g)) for g in gradients]
    return list(gradients), numpy.asarray(norm, dtype)


def _sum_of_squares(g: Any) -> float:
    flat = g.ravel("K")
    if flat.size <= LONGEST:
        return float(flat.dot(flat))
    whole = flat.size - flat.size % LONGEST
    rows, rest = flat[:whole].reshape(-1, LONGEST), flat[whole:]
    return float(numpy.vecdot(rows, rows).sum(dtype=FLOAT64)) + float(rest.dot(rest))


def _parts(x: Any, *others: Any) -> Iterable[Any]:
    """Arrays that belong together, or slices of them, one cacheful after another."""
    arrays = x, *others
    if x.nbytes < CACHE or not all(y is None or y.flags.c_contiguous for y in arrays):
        return (arrays,)
    flat = [None if y is None else y.reshape(-1) for y in arrays]
    return (
        [None if y is None else y[start : start + PART] for y in flat]
        for start in range(0, x.size, PART)
    )


def _plain(parameters: Arrays, *others: Arrays) -> bool:
    """Arrays of NumPy's, in float32 or float64; what belongs to one is like it, or None."""
    for x in parameters:
        if type(x) is not ndarray or (x.dtype is not FLOAT32 and x.dtype is not FLOAT64):
            return False
    for arrays in others:
        for x, y in zip(parameters, arrays):
            if y is not None and not (type(y) is ndarray and y.dtype is x.dtype):
                return False
    return True

"""What optimizers do to all parameters, as few calls of NumPy as there are operations.

Each result is the memory that its computation goes on in, so that hardly anything temporary is
made; a large one comes out of the pool, where the step before has left its last. Numbers are
arrays of no axes: beside a Python number a ufunc takes twice the time on small arrays, with
the same result. The results equal the definitions' bit for bit, but for `clip_norm`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy
from numpy import add, divide, multiply, ndarray, sqrt, subtract

from portagrad.backend.protocol import LARGE
from portagrad_numpy.pool import POOL

FLOAT32, FLOAT64 = numpy.dtype("float32"), numpy.dtype("float64")
#: Keeps a quotient finite where every gradient is 0, as in the definition.
TINY = 1e-6
#: Squares that are added up in their own precision.
LONGEST = 4096

Arrays = Sequence[Any]


@lru_cache(256)
def number(value: float, kind: str) -> Any:
    """A Python number as an array of no axes, rounded as a ufunc would round it."""
    return numpy.asarray(value, kind)


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
        small = x.nbytes < LARGE and x.ndim
        new = multiply(g, rate) if small else multiply(g, rate, place(x))
        updated.append(subtract(x, new, new))
    return updated, []


def _sgd_with_memory(
    parameters: Arrays, gradients: Arrays, velocities: Arrays, numbers: tuple[float, ...]
) -> Any:
    if not _plain(parameters, gradients, velocities):
        return NotImplemented
    _, momentum, weight_decay = numbers
    updated, remembered = [], []
    for x, g, v in zip(parameters, gradients, velocities):
        rate, mu, decay = (number(each, x.dtype.char) for each in numbers)
        new = place(x)
        total = place(x) if momentum else new
        if weight_decay:
            g = add(g, multiply(x, decay, total), total)
        if momentum:
            if v is None:
                numpy.copyto(total, g)
            else:
                add(multiply(v, mu, new), g, total)
            remembered.append(g := total)
        updated.append(subtract(x, multiply(g, rate, new), new))
    return updated, remembered


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
    numbers = first, 1 - first, second, 1 - second, eps, weight_decay
    keep = 1 - learning_rate * weight_decay
    updated, new_means, new_squares = [], [], []
    for x, g, mean, square, step in zip(parameters, gradients, means, squares, steps):
        kind = x.dtype.char
        b1, c1, b2, c2, epsilon, decay = (number(each, kind) for each in numbers)
        new, m, v = place(x), place(x), place(x)
        if weight_decay and not decoupled:
            g = add(g, multiply(x, decay, new), new)
        multiply(g, c1, m)
        multiply(multiply(g, g, v), c2, v)
        if mean is not None:
            add(multiply(mean, b1, new), m, m)
            add(multiply(square, b2, new), v, v)
        multiply(sqrt(v, new), number(1 / math.sqrt(1 - second**step), kind), new)
        add(new, epsilon, new)
        multiply(divide(m, new, new), number(learning_rate / (1 - first**step), kind), new)
        if weight_decay and decoupled:
            x = multiply(x, number(keep, kind), place(x))
        updated.append(subtract(x, new, new))
        new_means.append(m)
        new_squares.append(v)
    return updated, new_means, new_squares


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

"""Initial values of parameters, drawn on the host.

NumPy's generator draws in float64, the numbers are then rounded to the dtype
and moved to the backend: one seed gives the same network everywhere, which the
libraries' own generators would not. Shapes are (in, out) for a weight.
"""

from __future__ import annotations

import math
import operator
from typing import Any, TypeAlias

import numpy as np

from portagrad.array import Array, Device, DType, Shape
from portagrad.backend import asarray
from portagrad.backend.dtype import dtype_name
from portagrad.errors import ArgumentError, DtypeError

#: An int, a NumPy Generator to go on drawing from, or None for the process-wide one.
Seed: TypeAlias = int | np.random.Generator | None


class _Default:
    """The generator used where no seed is given."""

    generator: np.random.Generator = np.random.default_rng()


def manual_seed(seed: int) -> None:
    """Restart the process-wide generator, which draws wherever no seed is given."""
    _Default.generator = _generator(seed)


def _generator(seed: Seed) -> np.random.Generator:
    if seed is None:
        return _Default.generator
    if isinstance(seed, np.random.Generator):
        return seed
    number = _integer(seed)
    if number is None or number < 0:
        raise ArgumentError(
            f"seed must be an integer of 0 or more, a numpy.random.Generator or None, got {seed!r}"
        )
    return np.random.default_rng(number)


def uniform(
    shape: Shape,
    low: float = 0.0,
    high: float = 1.0,
    *,
    seed: Seed = None,
    dtype: DType | None = None,
    device: Device | None = None,
    backend: str | None = None,
) -> Array:
    """Numbers drawn uniformly from [low, high)."""
    return _place(_generator(seed).uniform(low, high, _shape(shape)), dtype, device, backend)


def normal(
    shape: Shape,
    mean: float = 0.0,
    deviation: float = 1.0,
    *,
    seed: Seed = None,
    dtype: DType | None = None,
    device: Device | None = None,
    backend: str | None = None,
) -> Array:
    """Numbers drawn from a normal distribution of that mean and standard deviation."""
    return _place(_generator(seed).normal(mean, deviation, _shape(shape)), dtype, device, backend)


def constant(
    shape: Shape,
    value: float,
    *,
    dtype: DType | None = None,
    device: Device | None = None,
    backend: str | None = None,
) -> Array:
    """One value everywhere."""
    return _place(np.full(_shape(shape), float(value)), dtype, device, backend)


def zeros(shape: Shape, **place: Any) -> Array:
    """Zeros; keywords dtype, device and backend as for `constant`."""
    return constant(shape, 0.0, **place)


def ones(shape: Shape, **place: Any) -> Array:
    """Ones; keywords dtype, device and backend as for `constant`."""
    return constant(shape, 1.0, **place)


def xavier_uniform(shape: Shape, *, gain: float = 1.0, **options: Any) -> Array:
    """Uniform in ±gain √(6 / (in + out)), for a weight of shape (in, out).

    Keywords seed, dtype, device and backend as for `uniform`. Glorot and
    Bengio, "Understanding the difficulty of training deep feedforward neural
    networks" (2010), equation 16.
    """
    fan_in, fan_out = _fans(shape)
    bound = gain * math.sqrt(6 / (fan_in + fan_out))
    return uniform(shape, -bound, bound, **options)


def xavier_normal(shape: Shape, *, gain: float = 1.0, **options: Any) -> Array:
    """Normal with standard deviation gain √(2 / (in + out)), otherwise as `xavier_uniform`."""
    fan_in, fan_out = _fans(shape)
    return normal(shape, 0.0, gain * math.sqrt(2 / (fan_in + fan_out)), **options)


def kaiming_uniform(shape: Shape, *, gain: float = math.sqrt(2), **options: Any) -> Array:
    """Uniform in ±gain √(3 / in), for a weight of shape (in, out).

    The gain √2 is for ReLU. Keywords seed, dtype, device and backend as for
    `uniform`. He et al., "Delving deep into rectifiers" (2015), equation 10.
    """
    bound = gain * math.sqrt(3 / _fans(shape)[0])
    return uniform(shape, -bound, bound, **options)


def kaiming_normal(shape: Shape, *, gain: float = math.sqrt(2), **options: Any) -> Array:
    """Normal with standard deviation gain / √in, otherwise as `kaiming_uniform`."""
    return normal(shape, 0.0, gain / math.sqrt(_fans(shape)[0]), **options)


def linear(
    in_features: int,
    out_features: int,
    bias: bool = True,
    *,
    seed: Seed = None,
    dtype: DType | None = None,
    device: Device | None = None,
    backend: str | None = None,
) -> tuple[Array, Array | None]:
    """Weight (in, out) and bias (out,) of a linear layer, uniform in ±1/√in.

    The same distribution as in `torch.nn.Linear`. Both wings' layers start here,
    so one seed gives both the same network.
    """
    fan_in = size("Linear", "in_features", in_features)
    fan_out = size("Linear", "out_features", out_features)
    bound = 1 / math.sqrt(fan_in)
    generator = _generator(seed)

    def draw(shape: Shape) -> Array:
        return _place(generator.uniform(-bound, bound, shape), dtype, device, backend)

    return draw((fan_in, fan_out)), draw((fan_out,)) if bias else None


def size(layer: str, argument: str, value: Any) -> int:
    """A layer's size as an int of 1 or more, else an `ArgumentError` that names both."""
    number = _integer(value)
    if number is None or number < 1:
        raise ArgumentError(f"{layer}: {argument} must be an integer of 1 or more, got {value!r}")
    return number


def _integer(value: Any) -> int | None:
    """An int of any kind (NumPy's too); None for a bool or anything else."""
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _shape(shape: Any) -> Shape:
    lengths = shape if isinstance(shape, (tuple, list)) else (shape,)
    numbers = tuple(_integer(length) for length in lengths)
    if any(number is None or number < 0 for number in numbers):
        raise ArgumentError(f"a shape is a tuple of integers of 0 or more, got {shape!r}")
    return tuple(number for number in numbers if number is not None)


def _fans(shape: Shape) -> tuple[int, int]:
    """How many inputs each output has, and the other way round."""
    lengths = _shape(shape)
    if len(lengths) != 2 or 0 in lengths:
        raise ArgumentError(f"the shape of a weight is (in, out), both 1 or more, got {shape!r}")
    return lengths[0], lengths[1]


def _place(
    drawn: np.ndarray[Any, Any], dtype: DType | None, device: Device | None, backend: str | None
) -> Array:
    """Round on the host (a device may have no float64), then create on the backend."""
    wanted = "float32" if dtype is None else dtype_name(dtype)
    if wanted is None or "float" not in wanted:
        raise DtypeError(f"parameters are real floating-point numbers, got dtype {dtype!r}")
    # NumPy has no bfloat16: the library rounds that one itself, from float32.
    host = drawn.astype(wanted if hasattr(np, wanted) else "float32")
    return asarray(host, dtype=wanted, device=device, backend=backend)

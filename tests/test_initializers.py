"""Initial values: the same numbers on every backend, from the right distribution."""

import math

import numpy as np
import pytest

import portagrad as pg
from portagrad import initializers, manual, nn
from portagrad.errors import ArgumentError, DtypeError

each_wing = pytest.mark.parametrize("wing", [manual, nn], ids=["manual", "nn"])
DRAWN = [
    initializers.uniform,
    initializers.normal,
    initializers.xavier_uniform,
    initializers.xavier_normal,
    initializers.kaiming_uniform,
    initializers.kaiming_normal,
]


@pytest.mark.parametrize("draw", DRAWN)
@pytest.mark.usefixtures("backend")
def test_one_seed_gives_the_same_numbers_everywhere(draw):
    here = draw((4, 3), seed=5)
    there = draw((4, 3), seed=5, backend="numpy")
    assert str(here.dtype).endswith("float32")
    assert pg.to_numpy(here).tolist() == there.tolist()
    assert draw((4, 3), seed=6, backend="numpy").tolist() != there.tolist()


@pytest.mark.parametrize(
    ("draw", "deviation"),
    [
        (initializers.uniform, math.sqrt(1 / 12)),
        (initializers.normal, 1),
        (initializers.xavier_uniform, math.sqrt(2 / (400 + 100))),
        (initializers.xavier_normal, math.sqrt(2 / (400 + 100))),
        (initializers.kaiming_uniform, math.sqrt(2 / 400)),
        (initializers.kaiming_normal, math.sqrt(2 / 400)),
    ],
)
def test_spread(draw, deviation):
    assert np.std(draw((400, 100), seed=0)) == pytest.approx(deviation, rel=0.02)


@pytest.mark.usefixtures("backend")
def test_constants():
    assert pg.to_numpy(initializers.zeros((2,))).tolist() == [0, 0]
    assert pg.to_numpy(initializers.ones((1, 2), dtype="float32")).tolist() == [[1, 1]]
    assert pg.to_numpy(initializers.constant((1,), 0.5)).tolist() == [0.5]


def test_generator_goes_on():
    generator = np.random.default_rng(0)
    first, second = (initializers.uniform((3,), seed=generator) for _ in range(2))
    assert first.tolist() != second.tolist()


def test_manual_seed():
    initializers.manual_seed(3)
    first, second = (initializers.uniform((3,)) for _ in range(2))
    initializers.manual_seed(3)
    assert initializers.uniform((3,)).tolist() == first.tolist()
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize("dtype", ["float64", np.float64, float])
@pytest.mark.usefixtures("float64")
def test_dtype(dtype):
    drawn = initializers.uniform((3,), seed=0, dtype=dtype)
    assert str(drawn.dtype).endswith("float64")


# --- layers ------------------------------------------------------------------


@pytest.mark.usefixtures("backend")
def test_both_wings_start_from_the_same_numbers():
    one, other = manual.Linear(4, 3, seed=0), nn.Linear(4, 3, seed=0)
    for name in ("weight", "bias"):
        mine, yours = (pg.to_numpy(getattr(layer, name).data) for layer in (one, other))
        assert mine.tolist() == yours.tolist()


@each_wing
def test_linear_is_drawn_as_in_torch(wing):
    """Uniform in ±1/√in, weight and bias alike."""
    layer = wing.Linear(100, 400, seed=0)
    assert layer.weight.data.shape == (100, 400)
    assert layer.bias.data.shape == (400,)
    for array in (layer.weight.data, layer.bias.data):
        assert 0.095 < np.abs(array).max() <= 0.1
        assert np.std(array) == pytest.approx(0.1 / math.sqrt(3), rel=0.1)


@each_wing
def test_layers_without_a_seed_differ(wing):
    assert wing.Linear(3, 3).weight.data.tolist() != wing.Linear(3, 3).weight.data.tolist()


# --- wrong arguments ---------------------------------------------------------


@each_wing
@pytest.mark.parametrize("wrong", [0, -1, 2.0, "3", None, True])
@pytest.mark.parametrize("argument", ["in_features", "out_features"])
def test_sizes_that_are_none(wing, argument, wrong):
    sizes = {"in_features": 2, "out_features": 2, argument: wrong}
    with pytest.raises(
        ArgumentError, match=rf"Linear: {argument} must be an integer of 1 or more, got {wrong!r}"
    ):
        wing.Linear(**sizes)


def test_sizes_may_be_numpys():
    assert nn.Linear(np.int64(2), np.int32(3)).weight.shape == (2, 3)


@pytest.mark.parametrize("wrong", [-1, 0.5, "a", True])
def test_seeds_that_are_none(wrong):
    with pytest.raises(ArgumentError, match="seed must be an integer of 0 or more"):
        nn.Linear(2, 2, seed=wrong)


@pytest.mark.parametrize("wrong", ["int32", "bool", "complex64", "no such"])
def test_dtypes_that_are_none(wrong):
    with pytest.raises(DtypeError, match="real floating-point numbers"):
        nn.Linear(2, 2, dtype=wrong)


@pytest.mark.parametrize("wrong", [(2,), (2, 0), (2, 3, 4)])
def test_shapes_that_are_no_weights(wrong):
    with pytest.raises(ArgumentError, match=r"shape of a weight is \(in, out\)"):
        initializers.kaiming_uniform(wrong)


def test_shapes_that_are_none():
    with pytest.raises(ArgumentError, match="a shape is a tuple of integers"):
        initializers.zeros((2.5,))

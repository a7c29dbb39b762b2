"""Random numbers under jit: every call draws what eager work would have drawn."""

import functools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad.errors import JitError


def test_a_generator_as_an_argument() -> None:
    ours, eager = (np.random.default_rng(0) for _ in range(2))
    compiled = pg.jit(lambda x, generator: x * generator.normal(size=3))
    for _ in range(4):
        np.testing.assert_array_equal(compiled(np.ones(3), ours), eager.normal(size=3))


def test_a_call_that_is_recorded_twice_draws_once() -> None:
    def step_of(generator: np.random.Generator) -> Callable[..., Any]:
        state = {"count": 0}

        def step(x: Any) -> Any:
            state["count"] += 1  # an input, which is seen when the call has been recorded
            return x * generator.random(3) + state["count"]

        return step

    compiled, step = pg.jit(step_of(np.random.default_rng(0))), step_of(np.random.default_rng(0))
    for _ in range(4):
        np.testing.assert_array_equal(compiled(np.ones(3)), step(np.ones(3)))


def test_a_call_that_fails_has_drawn_nothing() -> None:
    generator = np.random.default_rng(0)
    before = generator.bit_generator.state
    with pytest.raises(JitError):
        pg.jit(lambda x: float(x[0]) * generator.random())(np.ones(3))
    assert generator.bit_generator.state == before


OURS = np.random.default_rng(0)
LEGACY, PYTHON = np.random.RandomState(0), random.Random(0)


def inside(generator: np.random.Generator, x: Any) -> Any:
    return x * generator.random()


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * LEGACY.rand(),
        lambda x: x * PYTHON.random(),
        lambda x, generators=(OURS,): x * generators[0].random(),
        functools.partial(inside, OURS),
    ],
)
def test_what_a_replay_cannot_draw_from_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(JitError, match="random numbers from"):
        pg.jit(function)(np.ones(3))


def test_shuffling_in_place_is_refused() -> None:
    generator = np.random.default_rng(0)

    def shuffled(x: Any) -> Any:
        order = np.arange(3)
        generator.shuffle(order)
        return x[order]

    with pytest.raises(JitError, match=r"Generator\.shuffle at .*test_random_numbers\.py"):
        pg.jit(shuffled)(np.ones(3))

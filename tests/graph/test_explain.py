"""What explain() says of a plan."""

from typing import Any

import numpy as np

import portagrad as pg
from portagrad import array_api as xp


def test_before_the_first_call() -> None:
    assert "no plan yet" in pg.jit(xp.exp).explain()


def test_after_the_first_call() -> None:
    compiled = pg.jit(lambda x: xp.exp(x))
    compiled(np.ones(3))
    assert "second call" in compiled.explain()


def test_numbers_of_a_plan() -> None:
    compiled = pg.jit(lambda x, w: xp.sum(xp.tanh(xp.matmul(x, w)), axis=0))
    for _ in range(2):
        compiled(np.ones((8, 4)), np.ones((4, 2)))
    text = compiled.explain()
    for expected in ("3 operations recorded", "inputs   2", "2 dot", "buffers", "FLOP", "peak"):
        assert expected in text
    assert "def run(x0, x1):" in text


def test_on_another_library() -> None:
    strict = pg.asarray([1.0, 2.0], backend="array_api_strict")
    compiled = pg.jit(lambda x: xp.exp(x) + xp.exp(x))
    for _ in range(2):
        compiled(strict)
    text = compiled.explain()
    assert "each primitive as it is" in text
    assert text.count("= exp(") == 1


def test_what_keeps_a_plan_from_being_used_again() -> None:
    state: dict[str, Any] = {"parameters": None}
    compiled = pg.jit(lambda x: state["parameters"](x).detach())
    for i in range(4):
        state["parameters"] = pg.nn.Linear(2, 2, seed=i, dtype="float64")
        compiled(np.ones((1, 2)))
    assert "another object in every call" in compiled.explain()
    assert "state['parameters']" in compiled.explain()


def test_what_another_transform_has_taken_over() -> None:
    compiled = pg.jit(lambda x: x * 2)
    compiled(pg.tensor(np.ones(2), requires_grad=True))
    assert "ran as it is written" in compiled.explain()
    pg.vmap(compiled)(np.ones((2, 3)))
    assert "on batches" in compiled.explain()

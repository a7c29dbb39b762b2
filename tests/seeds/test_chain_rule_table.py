"""Seed 4, row 4.4: the chain-rule table of a network, as text and HTML."""

import numpy as np
import pytest

import portagrad as pg


@pytest.mark.parametrize("wing", [pg.manual, pg.nn], ids=["manual", "nn"])
def test_4_4_the_table_has_the_transposes_and_sums_that_the_seed_leaves_out(wing):
    x, y = np.random.default_rng(0).normal(size=(6, 3)), np.ones((6, 2))
    network = wing.Sequential(
        wing.Linear(3, 5, seed=0), wing.Sigmoid(), wing.Linear(5, 2, seed=1), wing.Softmax()
    )
    table = pg.trace_table(network, x, wing.MSELoss(), y)
    linear, sigmoid, _, softmax, _ = table.stages
    # The seed writes dW = dZ * A, db = dZ * 1 and dA = dZ * W, and an element-wise g'(Z).
    assert [g.formula for g in linear.gradients] == ["dX = g Wᵀ", "dW = Xᵀ g", "db = Σ g"]
    assert [g.shape for g in linear.gradients] == [(6, 3), (3, 5), (5,)]
    assert sigmoid.gradients[0].formula == "dX = g ⊙ Y ⊙ (1 - Y)"
    assert softmax.gradients[0].formula == "dX = Y ⊙ (g - Σ g ⊙ Y)"
    for text in (str(table), table.markdown(), table._repr_html_()):
        for formula in ("dX = g Wᵀ", "dW = Xᵀ g", "db = Σ g"):
            assert formula in text


@pytest.mark.parametrize("wing", [pg.manual, pg.nn], ids=["manual", "nn"])
def test_4_4_the_formulas_of_the_table_give_its_norms(wing):
    """Every formula carried out in NumPy: the table says what it shows."""
    x, t = np.random.default_rng(1).normal(size=(6, 3)), np.zeros((6, 2))
    first, last = wing.Linear(3, 4, seed=0), wing.Linear(4, 2, seed=1)
    table = pg.trace_table(wing.Sequential(first, wing.Tanh(), last), x, wing.MSELoss(), t)
    w1, b1, w2, b2 = (p.data for p in (first.weight, first.bias, last.weight, last.bias))
    y1 = x @ w1 + b1
    y2 = np.tanh(y1)
    y3 = y2 @ w2 + b2
    g3 = 2 * (y3 - t) / y3.size
    g2 = g3 @ w2.T
    g1 = g2 * (1 - y2**2)
    right = [
        [g1 @ w1.T, x.T @ g1, g1.sum(axis=0)], [g2 * (1 - y2**2)],
        [g3 @ w2.T, y2.T @ g3, g3.sum(axis=0)], [g3],
    ]  # fmt: skip
    for stage, arrays in zip(table.stages, right, strict=True):
        for gradient, array in zip(stage.gradients, arrays, strict=True):
            assert gradient.shape == array.shape
            assert gradient.norm == pytest.approx(float(np.linalg.norm(array)))

"""Functions beyond the standard: what they refuse, and how."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp

V = np.asarray([1.0, 2.0, 3.0])
M = np.arange(6.0).reshape(2, 3)

REFUSED = {
    "einsum: too few operands": (lambda: xp.einsum("ij,jk", M), "names 2 operand"),
    "einsum: a rank that does not fit": (lambda: xp.einsum("ijk", M), r"shape \(2, 3\)"),
    "einsum: two lengths for one letter": (lambda: xp.einsum("ij,ik", M, M.T), "lengths 2 and 3"),
    "einsum: two lengths on one diagonal": (lambda: xp.einsum("ii", M), "lengths 2 and 3"),
    "einsum: a result from nowhere": (lambda: xp.einsum("ij->ik", M), "each once"),
    "einsum: a letter twice in the result": (lambda: xp.einsum("ij->ii", M), "each once"),
    "einsum: other signs": (lambda: xp.einsum("i;j", V), "letters, commas"),
    "pad: an unknown mode": (lambda: xp.pad(V, 1, mode="odd"), "constant, edge"),
    "pad: a width below 0": (lambda: xp.pad(V, -1), "0 or more"),
    "pad: too many widths": (lambda: xp.pad(V, ((1, 1), (1, 1))), "1 axes"),
    "pad: nothing to repeat": (lambda: xp.pad(V[:0], 1, mode="edge"), "nothing to repeat"),
    "interp: points of two lengths": (lambda: xp.interp(V, V, V[:2]), r"\(3,\) and \(2,\)"),
    "convolve: a matrix": (lambda: xp.convolve(M, V), r"\(2, 3\)"),
    "convolve: no elements": (lambda: xp.convolve(V[:0], V), r"\(0,\)"),
    "convolve: an unknown mode": (lambda: xp.convolve(V, V, mode="odd"), "full, same, valid"),
    "quantile: outside": (lambda: xp.quantile(V, 1.5), r"in \[0, 1\], got 1.5"),
    "quantile: an unknown method": (lambda: xp.quantile(V, 0.5, method="odd"), "hazen"),
    "median: no elements": (lambda: xp.median(V[:0]), r"shape \(0,\)"),
    "bincount: negative": (lambda: xp.bincount(np.asarray([-1])), "0 or more"),
    "scatter_add: shapes": (
        lambda: xp.scatter_add(V, np.asarray([0, 1]), V),
        r"values of shape \(3,\).*indices of shape \(2,\)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        call()


def test_einsum_takes_the_cheap_product_first():
    """100 × 1 by 1 × 100 by 100 × 1: from the left that is a matrix of 10,000 elements."""
    shapes = []

    def watched(x, y):
        out = np.matmul(x, y)
        shapes.append(out.size)
        return out

    column, row = np.ones((100, 1)), np.ones((1, 100))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xp, "matmul", watched)
        xp.einsum("ij,jk,kl->il", column, row, column)
    assert max(shapes) == 100


def test_bincount_is_long_enough():
    x = np.asarray([3, 0, 3])
    assert xp.bincount(x).tolist() == [1, 0, 0, 2]
    assert xp.bincount(x, minlength=6).tolist() == [1, 0, 0, 2, 0, 0]
    assert xp.bincount(x[:0]).tolist() == []


def test_nothing_is_written_to_an_operand():
    x, v = V.copy(), np.asarray([9.0, 9.0])
    put = xp.put(x, np.asarray([0, 2]), v)
    added = xp.scatter_add(x, np.asarray([0, 2]), v)
    assert put.tolist() == [9, 2, 9]
    assert added.tolist() == [10, 2, 12]
    assert x.tolist() == V.tolist()


def test_a_quantile_of_many_is_read_once_per_array():
    x = pg.tensor(V, requires_grad=True)
    xp.sum(xp.quantile(x, np.asarray([0.0, 0.5, 1.0]))).backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


def test_stop_gradient():
    assert pg.grad(lambda x: xp.sum(x * xp.stop_gradient(x)))(V).tolist() == V.tolist()

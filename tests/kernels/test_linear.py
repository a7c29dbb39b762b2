"""The affine map for any leading axes, and what it says to wrong shapes."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels
from portagrad.errors import ArgumentError, DtypeError, MixedBackendsError, ShapeError


def ones(*shape, dtype="float32"):
    return pg.asarray(np.ones(shape, dtype=dtype))


@pytest.mark.parametrize("leading", [(), (1,), (5,), (2, 3), (2, 1, 3), (0,), (2, 0)])
@pytest.mark.usefixtures("backend")
def test_any_leading_axes(leading):
    random = np.random.default_rng(0)
    x, w, b = (
        random.normal(size=shape).astype("float32") for shape in ((*leading, 4), (4, 2), (2,))
    )
    y = kernels.linear(*map(pg.asarray, (x, w, b)))
    assert tuple(y.shape) == (*leading, 2)
    assert pg.to_numpy(y) == pytest.approx(x @ w + b, abs=1e-5)

    def total(x, w, b):
        return xp.sum(kernels.linear(x, w, b))

    dx, dw, db = pg.grad(total, argnums=(0, 1, 2))(*map(pg.asarray, (x, w, b)))
    rows = x.reshape(-1, 4)
    assert pg.to_numpy(dx) == pytest.approx(np.broadcast_to(w.sum(axis=1), x.shape), abs=1e-5)
    assert pg.to_numpy(dw) == pytest.approx(np.outer(rows.sum(axis=0), [1, 1]), abs=1e-5)
    assert pg.to_numpy(db).tolist() == [len(rows)] * 2


@pytest.mark.parametrize(("inner", "outer"), [(0, 3), (3, 0)])
@pytest.mark.usefixtures("backend")
def test_no_features(inner, outer):
    x, w = ones(2, inner), ones(inner, outer)
    assert tuple(kernels.linear(x, w).shape) == (2, outer)
    gradients = pg.grad(lambda x, w: xp.sum(kernels.linear(x, w)), argnums=(0, 1))(x, w)
    assert [tuple(g.shape) for g in gradients] == [(2, inner), (inner, outer)]
    assert not any(pg.to_numpy(g).any() for g in gradients)


@pytest.mark.usefixtures("float64")
def test_gradients_keep_the_dtype_of_their_operand():
    x, w, b = ones(3, 2, dtype="float64"), ones(2, 2), ones(2)
    gradients = pg.grad(lambda *a: xp.sum(kernels.linear(*a)), argnums=(0, 1, 2))(x, w, b)
    assert [g.dtype for g in gradients] == [x.dtype, w.dtype, b.dtype]


def test_gradients_share_no_memory():
    """For one row, dX and db look like g: they are arrays of their own."""
    x, w, b = ones(2), ones(2, 2), ones(2)
    gradients = pg.grad(lambda *a: xp.sum(kernels.linear(*a)), argnums=(0, 1, 2))(x, w, b)
    arrays = [*gradients, x, w, b]
    for i, one in enumerate(arrays):
        assert not any(np.shares_memory(one, other) for other in arrays[i + 1 :])


def test_bias_by_keyword_and_without():
    x, w = ones(3, 2), ones(2, 2)
    assert kernels.linear(x, w, bias=ones(2))[0, 0] == 3
    assert kernels.linear(x, w, bias=None)[0, 0] == 2


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        (
            [(5, 3), (4, 2)],
            r"linear: x has shape \(5, 3\), but weight of shape \(4, 2\) takes 4 features: "
            r"x must have shape \(\.\.\., 4\)",
        ),
        ([(), (4, 2)], r"linear: x has shape \(\), .* takes 4 features"),
        ([(5, 4), (4,)], r"linear: weight must have shape \(in, out\), got \(4,\)"),
        (
            [(5, 4), (4, 2), (1, 2)],
            r"linear: bias has shape \(1, 2\), but weight of shape \(4, 2\) gives 2 features: "
            r"bias must have shape \(2,\)",
        ),
        ([(5, 4), (4, 2), (3,)], r"linear: bias has shape \(3,\)"),
    ],
)
@pytest.mark.usefixtures("backend")
def test_wrong_shapes(shapes, said):
    with pytest.raises(ShapeError, match=said):
        kernels.linear(*(ones(*shape) for shape in shapes))


@pytest.mark.usefixtures("backend")
def test_integer_data():
    with pytest.raises(DtypeError, match=r"linear: x has dtype .*int64 and weight .*float32"):
        kernels.linear(ones(5, 3, dtype="int64"), ones(3, 2))


def test_no_array():
    with pytest.raises(ArgumentError, match="linear: expected an array, got list"):
        kernels.linear([[1.0, 2.0]], ones(2, 2))


def test_two_libraries():
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(MixedBackendsError, match=r"numpy.*array_api_strict"):
        kernels.linear(ones(2, 2), strict.ones((2, 2), dtype=strict.float32))

"""Operands of different kinds in one call: each gradient is of its own operand's dtype."""

import math

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.testing.table.reference import directions_of, slopes_of

REAL = np.asarray([[0.7, 1.3], [1.9, 0.4]])
COMPLEX = np.asarray([[0.5 + 1j, 1.5 - 0.5j], [2.0 + 0.3j, 0.8 + 0.9j]])
TWO = {
    "add": xp.add,
    "subtract": xp.subtract,
    "multiply": xp.multiply,
    "divide": xp.divide,
    "pow": xp.pow,
    "matmul": xp.matmul,
    "vecdot": xp.vecdot,
    "tensordot": xp.tensordot,
    "where": lambda x, y: xp.where(pg.asarray([[True, False], [False, True]]), x, y),
    "concat": lambda x, y: xp.concat([x, y]),
    "stack": lambda x, y: xp.stack([x, y], axis=1),
    "einsum": lambda x, y: xp.einsum("ij,jk->ki", x, y),
    "convolve": lambda x, y: xp.convolve(x[:, 0], y[:, 1]),
    "scatter_add": lambda x, y: xp.scatter_add(
        xp.astype(x, xp.result_type(x, y)), pg.asarray([1, 1]), y
    ),
}


def check(function, operands):
    """Each gradient against differences of NumPy's value, along its own operand's axes.

    Not of the backend's own, which is held to NumPy's: JAX and dask are slow to take many steps.
    """
    argnums = tuple(range(len(operands)))

    def total(*arrays):
        out = function(*arrays)
        weights = pg.asarray(np.linspace(1, 2, math.prod(out.shape)).reshape(out.shape) + 0j)
        return xp.sum(xp.real(xp.multiply(xp.astype(out, weights.dtype), weights * (1 - 0.5j))))

    def value(*host):
        return float(total(*map(pg.asarray, host)))

    def on_numpy(*host):
        with pg.use_backend("numpy"):
            return value(*host)

    assert value(*operands) == pytest.approx(on_numpy(*operands), rel=1e-12)
    found = pg.grad(total, argnums)(*map(pg.asarray, operands))
    for place, (g, x) in enumerate(zip(found, operands, strict=True)):
        assert pg.to_numpy(g).dtype == x.dtype

        def along(moved, place=place):
            return on_numpy(*(moved if i == place else each for i, each in enumerate(operands)))

        for (direction,), rate in slopes_of(along, [x], directions_of([x], None)):
            actual = np.real(np.conj(pg.to_numpy(g)) * direction).sum()
            assert actual == pytest.approx(rate, rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize("swapped", [False, True])
def test_real_and_complex(name, swapped, backend, float64):
    if backend.name == "torch" and name in ("matmul", "vecdot", "tensordot", "convolve", "einsum"):
        pytest.skip("torch multiplies matrices of one dtype only")
    operands = (COMPLEX, REAL) if swapped else (REAL, COMPLEX)
    check(TWO[name], operands)


@pytest.mark.parametrize("name", ["add", "multiply", "divide", "pow", "where", "concat", "stack"])
def test_single_and_double_precision(name, backend, float64):
    x, y = pg.asarray(REAL.astype("float32")), pg.asarray(REAL.T.copy())
    for first, second in ((x, y), (y, x)):
        gx, gy = pg.grad(lambda a, b: xp.sum(TWO[name](a, b)), (0, 1))(first, second)
        assert (gx.dtype, gy.dtype) == (first.dtype, second.dtype)


@pytest.mark.parametrize("constant", [2, 2.5, True, np.float64(2.5), np.int64(2), np.asarray(2.5)])
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "pow"])
def test_constants_leave_single_precision_alone(name, constant):
    x = REAL.astype("float32")
    for function in (lambda x: TWO[name](x, constant), lambda x: TWO[name](constant, x)):
        g = pg.grad(lambda x, f=function: xp.sum(f(x)))(x)
        assert g.dtype == np.float32
        second = pg.grad(lambda x, f=function: xp.sum(pg.grad(lambda x: xp.sum(f(x)))(x)))(x)
        assert second.dtype == np.float32


def test_integers_beside_floats():
    x, n = REAL, np.asarray([[1, 2], [3, 0]])
    for name in ("add", "multiply", "pow", "where", "concat"):
        g = pg.grad(lambda x, f=TWO[name]: xp.sum(f(x, n)))(x)
        assert g.dtype == np.float64
        assert np.isfinite(g).all()


@pytest.mark.parametrize("scalar", [np.float64(1.5), np.float32(1.5), np.int64(2)], ids=repr)
@pytest.mark.parametrize(
    "name",
    ["add", "multiply", "divide", "pow", "maximum", "hypot", "atan2", "logaddexp", "xlogy"],
)
def test_a_numpy_scalar_goes_with_every_library(name, scalar, backend):
    function = getattr(xp, name)
    x = pg.asarray(np.asarray([0.5, 1.5]), dtype="float32")
    number = scalar.item()
    for call, same in (
        (lambda x: function(x, scalar), lambda x: function(x, number)),
        (lambda x: function(scalar, x), lambda x: function(number, x)),
    ):
        found, expected = (pg.grad(lambda x, f=f: xp.sum(f(x)))(x) for f in (call, same))
        assert found.dtype == x.dtype
        np.testing.assert_allclose(pg.to_numpy(found), pg.to_numpy(expected), rtol=1e-6)
        moved = pg.jvp(call, (x,), (xp.ones_like(x),))[1]
        np.testing.assert_allclose(pg.to_numpy(moved), pg.to_numpy(expected), rtol=1e-6)

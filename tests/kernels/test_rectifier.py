"""Relatives of relu: their values everywhere, their ends, and what they refuse."""

import math

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels
from portagrad.errors import ArgumentError

inf, nan = math.inf, math.nan
ALL = [kernels.leaky_relu, kernels.elu, kernels.softplus, kernels.silu, kernels.gelu]


def by_tanh(x):
    return kernels.gelu(x, approximate="tanh")


def float32(values):
    return pg.asarray(np.asarray(values, dtype="float32"))


def slope(function, x):
    """The derivative, element by element; no sum is taken, which may be inf - inf."""
    _, pullback = pg.vjp(function, x)
    return pg.to_numpy(pullback(xp.ones_like(x))[0])


def phi(x):
    """Φ by the C library."""
    return math.erfc(-x / math.sqrt(2)) / 2


DEFINITIONS = {
    kernels.leaky_relu: lambda x: x if x > 0 else 0.01 * x,
    kernels.elu: lambda x: x if x > 0 else math.expm1(x),
    kernels.softplus: lambda x: math.log1p(math.exp(x)),
    kernels.silu: lambda x: x / (1 + math.exp(-x)),
    kernels.gelu: lambda x: x * phi(x),
    kernels.normal_cdf: phi,
    by_tanh: lambda x: x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))),
}


@pytest.mark.parametrize("function", DEFINITIONS)
def test_values(function, backend):
    points = [-30, -9.5, -3, -1, -0.25, -1e-3, 0, 1e-3, 0.5, 2, 7, 30]
    dtype, tolerance = ("float64", 1e-13), ("float32", 2e-6)
    name, rel = tolerance if backend.device_name() == "no_float64" else dtype
    # Far out exp(-x²/2) is rounded x²/2 times; by tanh there is 1 - 1 to lose digits in.
    rel *= 500 if function in (kernels.gelu, kernels.normal_cdf) else 1
    found = pg.to_numpy(function(pg.asarray(np.asarray(points, dtype=name))))
    expected = [DEFINITIONS[function](x) for x in points]
    assert found == pytest.approx(expected, rel=rel, abs=1e-16 if name == "float64" else 1e-7)


@pytest.mark.parametrize("function", [*ALL, by_tanh])
@pytest.mark.usefixtures("backend")
def test_the_ends_are_silent_and_nan_stays_nan(function):
    x = float32([-inf, -1e30, -1000, 1000, 1e30, inf])
    value, gradient = pg.to_numpy(function(x)), slope(function, x)
    assert value[3:].tolist() == pg.to_numpy(x)[3:].tolist()
    assert gradient[3:].tolist() == [1, 1, 1]
    if function is kernels.leaky_relu:
        assert gradient[:3] == pytest.approx(0.01)
    else:
        assert value[:3].tolist() == [-1 if function is kernels.elu else 0] * 3
        assert gradient[:3].tolist() == [0, 0, 0]
    assert np.isnan(pg.to_numpy(function(float32([nan]))))[0]
    assert np.isnan(slope(function, float32([nan])))[0] or function in (
        kernels.leaky_relu,
        kernels.elu,
    )


def test_softplus_in_16_bits(backend):
    if not hasattr(backend.xp, "float16"):
        pytest.skip("the library has no float16")
    points = [-1000, -4, 0, 10, 11, 12, 1000, 60000]
    found = kernels.softplus(pg.asarray(np.asarray(points, dtype="float16")))
    exact = np.logaddexp(0.0, points)
    assert pg.to_numpy(found) == pytest.approx(exact, rel=2e-3, abs=1e-7)
    assert pg.to_numpy(found)[-4:].tolist() == points[-4:]


@pytest.mark.usefixtures("backend")
def test_slopes_at_0():
    zero = float32([0.0, -0.0])
    assert slope(kernels.leaky_relu, zero) == pytest.approx(0.01)
    assert slope(kernels.elu, zero).tolist() == [1, 1]
    for function in (kernels.softplus, kernels.silu, kernels.gelu, by_tanh):
        assert slope(function, zero) == pytest.approx(0.5)


def test_the_normal_distribution_is_that_of_the_c_library_everywhere():
    x = np.linspace(-37, 9, 20_001)
    exact = np.asarray([phi(v) for v in x])
    found = kernels.normal_cdf(x)
    error = np.abs(found / exact - 1)
    assert np.max(error / (1 + x * x / 2)) < 3e-15
    assert found.dtype == np.float64
    assert np.max(np.abs(kernels.normal_cdf(x.astype("float32")) - exact)) < 2e-7


def test_torch_agrees():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=1000) * 4
    functional = torch.nn.functional
    for mine, peer in [
        (kernels.leaky_relu, functional.leaky_relu),
        (kernels.elu, functional.elu),
        (kernels.softplus, functional.softplus),
        (kernels.silu, functional.silu),
        (kernels.gelu, functional.gelu),
        (by_tanh, lambda x: functional.gelu(x, approximate="tanh")),
    ]:
        theirs = torch.asarray(x.copy(), requires_grad=True)
        value = peer(theirs)
        value.sum().backward()
        # torch's softplus is x itself above 20, off by 2e-9.
        assert mine(x) == pytest.approx(value.detach().numpy(), rel=1e-8, abs=1e-14)
        assert slope(mine, x) == pytest.approx(theirs.grad.numpy(), rel=1e-8, abs=1e-14)


def test_what_is_refused():
    x = np.zeros(2)
    with pytest.raises(ArgumentError, match=r"leaky_relu: negative_slope must be 0 or more"):
        kernels.leaky_relu(x, negative_slope=-0.1)
    with pytest.raises(ArgumentError, match=r"elu: alpha must be 0 or more, got nan"):
        kernels.elu(x, alpha=nan)
    with pytest.raises(ArgumentError, match=r"gelu: approximate must be one of 'none', 'tanh'"):
        kernels.gelu(x, approximate="sigmoid")

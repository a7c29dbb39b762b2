"""grad and value_and_grad: functions of functions on plain arrays."""

import dataclasses

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.errors import ArgumentError, DtypeError


def test_plain_arrays_in_plain_arrays_out(backend, xp):
    x = pg.asarray([1.0, 2.0, 3.0], backend=backend, dtype="float32")
    value, gradient = pg.value_and_grad(lambda x: (x * x).sum())(x)
    assert type(gradient) is type(x)
    assert gradient.dtype == x.dtype
    assert backend.device_of(gradient) == backend.device_of(x)
    np.testing.assert_allclose(pg.to_numpy(gradient), [2.0, 4.0, 6.0])
    assert type(value) is type(x)
    assert pg.to_numpy(value) == 14.0


def test_second_and_third_derivative():
    f = lambda x: x**4  # noqa: E731
    assert float(pg.grad(pg.grad(f))(2.0)) == 48.0
    assert float(pg.grad(pg.grad(pg.grad(f)))(2.0)) == 48.0


def test_argnums():
    f = lambda a, b, c: (a * b).sum() + c  # noqa: E731
    a, b = np.asarray([1.0, 2.0]), np.asarray([3.0, 4.0])
    np.testing.assert_array_equal(pg.grad(f, 1)(a, b, 5.0), a)
    first, last = pg.grad(f, (0, -1))(a, b, 5.0)
    np.testing.assert_array_equal(first, b)
    assert float(last) == 1.0
    with pytest.raises(ValueError, match="argnums=3"):
        pg.grad(f, 3)(a, b, 5.0)


@dataclasses.dataclass(frozen=True)
class Weights:
    w: np.ndarray
    b: np.ndarray


def test_containers_come_back_as_they_were():
    tree = {"layers": [Weights(np.ones((2, 2)), np.zeros(2)), (np.ones(2), None)]}

    def f(tree):
        layer, (scale, _) = tree["layers"]
        return xp.sum((np.ones(2) @ layer.w + layer.b) * scale)

    gradient = pg.grad(f)(tree)
    assert isinstance(gradient["layers"][0], Weights)
    np.testing.assert_array_equal(gradient["layers"][0].w, np.ones((2, 2)))
    np.testing.assert_array_equal(gradient["layers"][1][0], [2.0, 2.0])
    assert gradient["layers"][1][1] is None


def test_has_aux():
    (value, aux), gradient = pg.value_and_grad(lambda x: (x * x, {"y": x + 1}), has_aux=True)(2.0)
    assert (float(value), float(aux["y"]), float(gradient)) == (4.0, 3.0, 4.0)
    assert not isinstance(aux["y"], pg.Tensor)
    gradient, aux = pg.grad(lambda x: (x * x, "note"), has_aux=True)(2.0)
    assert aux == "note"


def test_unused_inputs_get_zeros():
    x, y = np.ones(3, "float32"), np.ones((2, 2))
    gx, gy = pg.grad(lambda x, y: x.sum(), (0, 1))(x, y)
    np.testing.assert_array_equal(gy, np.zeros((2, 2)))
    assert gy.dtype == np.float64
    assert gx.dtype == np.float32


def test_a_constant_function_has_gradient_zero():
    assert float(pg.grad(lambda x: 3.0)(1.0)) == 0.0
    assert float(pg.grad(lambda x: xp.argmax(x))(np.asarray([1.0, 2.0])).sum()) == 0.0


@pytest.mark.parametrize("dtype", ["int32", "int64", "bool"])
def test_integer_arguments_are_refused(dtype):
    with pytest.raises(TypeError, match=dtype):
        pg.grad(lambda x: x.sum())(np.ones(2, dtype))


def test_python_integers_are_refused():
    with pytest.raises(TypeError, match="int"):
        pg.grad(lambda x: x * x)(3)


def test_a_result_of_several_elements_is_refused():
    with pytest.raises(TypeError, match=r"returned shape \(2,\)"):
        pg.grad(lambda x: x * x)(np.ones(2))


def test_a_result_that_is_no_array_is_refused():
    with pytest.raises(TypeError, match="returned dict"):
        pg.grad(lambda x: {"loss": x})(1.0)


def test_the_gradient_of_a_complex_argument_is_the_ascent_direction():
    z = np.asarray([1 + 2j, 3 - 1j])
    gradient = pg.grad(lambda z: xp.sum(xp.abs(z) ** 2))(z)
    np.testing.assert_allclose(gradient, 2 * z)
    gradient = pg.grad(lambda z: xp.sum(xp.real(z * xp.conj(z))))(z)
    np.testing.assert_allclose(gradient, 2 * z)
    assert float(pg.grad(lambda x: xp.imag(x * 1j))(1.0)) == 1.0


def test_inputs_are_left_alone_and_not_shared():
    x = np.arange(3.0)
    gradient = pg.grad(lambda x: (x * 1.0).sum())(x)
    assert not np.shares_memory(x, gradient)
    np.testing.assert_array_equal(x, np.arange(3.0))
    gradient[0] = 5.0


@pytest.mark.parametrize("argnums", ["0", 0.0, True, None, (0, "1")])
def test_argnums_are_positions(argnums):
    with pytest.raises(ArgumentError, match="must be the position of an argument of first"):
        pg.grad(first, argnums)(np.ones(2))


def first(x):
    return xp.sum(x)


def test_tangents_and_cotangents_are_built_as_their_partners():
    x = np.ones(2)
    f = lambda t: {"a": t["k"] * 2.0}  # noqa: E731
    with pytest.raises(ArgumentError, match=r"tangent 0 of .* dict with keys \['j'\]"):
        pg.jvp(f, ({"k": x},), ({"j": x},))
    with pytest.raises(ArgumentError, match=r"pullback of .* a ndarray is where a dict"):
        pg.vjp(f, {"k": x})[1](x)
    with pytest.raises(DtypeError, match=r"tangent 0 of .* complex128.* imaginary part"):
        pg.jvp(xp.sin, (x,), (x * 1j,))
    with pytest.raises(DtypeError, match=r"pullback of .* complex128.* imaginary part"):
        pg.vjp(xp.sin, x)[1](x * 1j)
    with pytest.raises(ArgumentError, match=r"the primals must be a tuple .* got ndarray"):
        pg.jvp(xp.sin, x, x)
    with pytest.raises(ArgumentError, match="the primals must be a tuple"):
        pg.hvp(xp.sum, x, x)


def test_the_jacobian_of_a_number_is_zero():
    for jacobian in (pg.jacrev, pg.jacfwd, pg.jacobian):
        np.testing.assert_array_equal(jacobian(lambda x: 3.0)(np.ones(2)), np.zeros(2))


def test_a_constant_that_comes_out_of_functions_of_arrays_has_the_derivative_zero():
    """A sort compares, and nobody has branched on that: the number was not found by a search."""
    x = np.asarray([0.3, 0.1, 0.2])
    third = lambda x: pg.grad(lambda y: xp.sum(xp.sort(y) * 0.3 + x * 0.0))(x)  # noqa: E731
    np.testing.assert_array_equal(pg.grad(lambda x: xp.sum(third(x)) * 0.5)(x), np.zeros(3))

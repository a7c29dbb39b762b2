"""A Tensor is an array of the standard, and of NumPy's protocols."""

import array_api_compat
import numpy as np
import pytest

import portagrad as pg


def test_unmodified_array_api_code_is_differentiable(backend, float64):
    def f(x):  # knows nothing of portagrad
        xp = array_api_compat.array_namespace(x)
        y = xp.zeros((2,), dtype=x.dtype, device=array_api_compat.device(x))
        scale = xp.asarray([1.0, 2.0], dtype=x.dtype, device=array_api_compat.device(x))
        return xp.sum(xp.stack([xp.exp(x[:2]) * scale, y + x[1:]]), dtype=x.dtype)

    x = pg.asarray([0.5, 1.0, 2.0], dtype=float64)
    gradient = pg.grad(f)(x)
    assert type(gradient) is type(x)
    np.testing.assert_allclose(
        pg.to_numpy(gradient), [np.exp(0.5), 2 * np.exp(1.0) + 1, 1.0], rtol=1e-12
    )


def test_the_namespace_is_one_hashable_object_with_a_name_of_its_own():
    x, y = pg.tensor([1.0]), pg.tensor([2.0], requires_grad=True)
    xp = x.__array_namespace__()
    assert y.__array_namespace__(api_version="2025.12") is xp
    assert len({xp, y.__array_namespace__()}) == 1
    for library in ("numpy", "cupy", "torch", "jax", "dask"):
        assert library not in xp.__name__
    assert not array_api_compat.is_numpy_namespace(xp)
    with pytest.raises(ValueError, match="1999"):
        x.__array_namespace__(api_version="1999.12")


def test_the_namespace_knows_its_library():
    xp = pg.tensor([1.0]).__array_namespace__()
    assert xp.float32 is np.float32
    assert xp.pi == np.pi
    assert isinstance(xp.zeros(3), pg.Tensor)
    assert xp.asarray([1.0, 2.0]).dtype == np.float64
    assert not hasattr(xp, "no_such_function")
    assert xp.isdtype(xp.zeros(1).dtype, "real floating")
    assert xp.finfo(xp.zeros(1).dtype).bits == 64


def test_asarray_of_tensors():
    x = pg.tensor([1.0, 2.0], requires_grad=True)
    xp = x.__array_namespace__()
    assert xp.asarray(x, copy=False) is x
    y = xp.asarray([[x[0], 3.0], [x[1] * x[0], 4.0]])
    assert y.shape == (2, 2)
    (y * y).sum().backward()
    np.testing.assert_allclose(x.grad, [2 * 1 + 2 * 2 * 2, 2 * 2 * 1])
    z = xp.asarray(x, copy=True)
    assert z is not x
    assert z.requires_grad


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (lambda x: np.sum(np.exp(x)), np.exp),
        (lambda x: np.sum(np.ones(3) * x + np.float64(2.0) / x), lambda x: 1 - 2 / x**2),
        (lambda x: np.mean(np.square(x), axis=0), lambda x: 2 * x / 3),
        (lambda x: np.sum(np.concatenate([x, np.ones(2), x])), lambda x: 2 * np.ones(3)),
        (lambda x: np.sum(np.maximum(x, 1.5)), lambda x: (x > 1.5) * 1.0),
        (lambda x: np.sum(np.where(x > 1.5, x * x, 0.0)), lambda x: (x > 1.5) * 2 * x),
        (lambda x: np.dot(x, np.arange(3.0)), lambda x: np.arange(3.0)),
        (lambda x: np.sum(np.transpose(np.reshape(x, (3, 1))) * 2), lambda x: 2 * np.ones(3)),
        (lambda x: np.sum(np.stack([x, x**2])), lambda x: 1 + 2 * x),
        (lambda x: np.sum(np.cumsum(x)), lambda x: np.asarray([3.0, 2.0, 1.0])),
        (lambda x: np.sum(np.clip(x, 1.2, 2.5)), lambda x: ((x > 1.2) & (x < 2.5)) * 1.0),
        (lambda x: np.linalg.matmul(x, x) if False else x @ x, lambda x: 2 * x),
        (lambda x: np.ones((2, 3)) @ x @ np.ones(2), lambda x: 2 * np.ones(3)),
        (lambda x: np.power(x, 2).sum() - np.subtract(1.0, x).sum(), lambda x: 2 * x + 1),
    ],
)
def test_numpy_functions_stay_connected(f, slope):
    x = np.asarray([1.0, 2.0, 3.0])
    np.testing.assert_allclose(pg.grad(f)(x), slope(x))


def test_numpy_functions_without_a_counterpart_refuse():
    with pytest.raises(TypeError, match="histogram"):
        pg.grad(lambda x: np.histogram(x)[0].sum())(np.ones(3))


def test_a_result_read_into_python_is_refused():
    with pytest.raises(TypeError, match="float"):
        pg.grad(lambda x: float(x.sum()) * 2.0)(np.ones(2))
    with pytest.raises(TypeError, match="detach"):
        pg.grad(lambda x: np.asarray(x).sum())(np.ones(2))
    # reading a condition is no loss
    assert float(pg.grad(lambda x: x * 2 if x > 1 else x * 3)(0.5)) == 3.0


def test_dlpack_of_a_differentiated_tensor_is_refused():
    x = pg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match="detach"):
        np.from_dlpack(x)
    np.testing.assert_array_equal(np.from_dlpack(x.detach()), [1.0, 2.0])


def test_operators_refuse_what_is_no_array():
    x = pg.tensor([1.0, 2.0])
    for other in ("a", [1.0, 2.0], None, object()):
        with pytest.raises(TypeError):
            x + other
    assert (x == "a") is False or (x == "a") is NotImplemented


def test_two_libraries_in_one_operation():
    torch = pytest.importorskip("torch")
    x = pg.tensor(np.ones(2), requires_grad=True)
    with pytest.raises(TypeError, match=r"numpy.*torch.*to_backend"):
        x * pg.tensor(torch.ones(2))
    with pytest.raises(TypeError, match=r"numpy.*torch.*to_backend"):
        pg.array_api.add(np.ones(2), torch.ones(2))

"""A Tensor is an array of the standard, and of NumPy's protocols."""

import copy
import inspect
import math
import pickle

import array_api_compat
import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api


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


def _bisected(a):
    low, high = 0.0, 4.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if middle * middle > a else (middle, high)
    return low


@pytest.mark.parametrize(
    "derivative",
    [
        pg.grad(_bisected),
        pg.jacrev(_bisected),
        pg.jacfwd(_bisected),
        lambda a: pg.vjp(_bisected, a),
        lambda a: pg.jvp(_bisected, (a,), (1.0,)),
        lambda a: pg.linearize(_bisected, a),
    ],
)
def test_a_number_found_by_comparisons_is_refused(derivative):
    for _ in range(2):  # the second time operations take a quicker way
        with pytest.raises(TypeError, match=r"_bisected compared .* 1\.41421"):
            derivative(2.0)


def test_a_constant_of_a_branch_has_no_slope():
    assert float(pg.grad(lambda x: max(0.0, 1 - x))(2.0)) == 0.0
    assert float(pg.grad(lambda x: -np.inf if x > 0 else x)(2.0)) == 0.0
    assert float(pg.grad(lambda x: pg.asarray(0.5) if x > 0 else x)(2.0)) == 0.0
    assert float(pg.jvp(lambda x: 1.0 if x > 0 else x, (2.0,), (1.0,))[1]) == 0.0


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


# --- the namespace and the array object, name by name ----------------------------


ATTRIBUTES = ["dtype", "device", "mT", "ndim", "shape", "size", "T"]
METHODS = """
    abs add and array_namespace bool complex dlpack dlpack_device eq float floordiv ge getitem gt
    index int invert le lshift lt matmul mod mul ne neg or pos pow rshift setitem sub truediv xor
    radd rand rfloordiv rlshift rmatmul rmod rmul ror rpow rrshift rsub rtruediv rxor
    iadd iand ifloordiv ilshift imatmul imod imul ior ipow irshift isub itruediv ixor
"""


def test_every_attribute_and_method_of_the_standard():
    for name in [*ATTRIBUTES, "to_device"]:
        assert hasattr(pg.Tensor, name)
    for name in METHODS.split():
        assert callable(getattr(pg.Tensor, f"__{name}__"))
    parameters = inspect.signature(pg.Tensor.__dlpack__).parameters
    assert list(parameters) == ["self", "stream", "max_version", "dl_device", "copy"]
    assert all(p.default is None for p in list(parameters.values())[1:])


def test_every_function_has_a_real_signature(backend):
    xp = pg.tensor(pg.asarray([1.0], dtype="float32")).__array_namespace__()
    for space in (xp, xp.linalg, xp.fft):
        for name in dir(space):
            if name.startswith("__"):
                continue
            function = getattr(space, name)
            if callable(function) and not isinstance(function, type) and name in dir(array_api):
                kinds = {p.kind for p in inspect.signature(function).parameters.values()}
                assert kinds, name
                assert kinds != {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


def test_the_namespace_lists_what_it_has(backend):
    xp = pg.tensor(pg.asarray([1.0], dtype="float32")).__array_namespace__()
    names = set(dir(xp))
    assert {"sum", "linalg", "fft", "float32", "pi", "zeros", "isdtype", "median"} <= names
    assert all(hasattr(xp, name) for name in names)
    assert not names & {"ndarray", "random", "elementwise", "ArrayObject"}


def test_information_about_the_library():
    info = pg.tensor([1.0]).__array_namespace__().__array_namespace_info__()
    assert isinstance(info.devices(), tuple)
    assert info.devices() + [None] == [*info.devices(), None]  # noqa: RUF005 - SciPy's words
    assert info.default_dtypes()["real floating"] == np.float64
    assert info.capabilities()["boolean indexing"]


def test_dlpack_both_ways():
    x = pg.tensor([1.0, 2.0])
    xp = x.__array_namespace__()
    made = xp.from_dlpack(np.asarray([3.0, 4.0]))
    assert isinstance(made, pg.Tensor)
    again = xp.from_dlpack(x)
    assert isinstance(again, pg.Tensor)
    np.testing.assert_array_equal(again.data, [1.0, 2.0])
    np.testing.assert_array_equal(np.from_dlpack(x, copy=True), [1.0, 2.0])
    with pytest.raises(TypeError, match="detach"):
        xp.from_dlpack(pg.tensor([1.0], requires_grad=True))


def test_conversion_to_numpy_is_a_copy():
    x = pg.tensor([1.0, 2.0])
    array = np.asarray(x)
    array[0] = 5.0
    np.testing.assert_array_equal(x.data, [1.0, 2.0])
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, copy=False)


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (lambda x: x.std(ddof=1), [-0.5, 0.0, 0.5]),
        (lambda x: x.var(axis=0), [-2 / 3, 0.0, 2 / 3]),
        (lambda x: x.reshape(3, 1).transpose().squeeze().dot(x), [2.0, 4.0, 6.0]),
        (lambda x: x.clip(1.5, 2.5).sum() + x.ravel().cumsum()[1], [1.0, 2.0, 0.0]),
        (lambda x: x.copy()[:1].repeat(2)[1] + x.flatten().prod(), [7.0, 3.0, 2.0]),
        (lambda x: x.astype("complex128").conj().real.sum() + x.max(), [1.0, 1.0, 2.0]),
        (lambda x: x[x.argmax()] * x[x.nonzero()].min(), [3.0, 0.0, 1.0]),
        (lambda x: x.reshape((1, 3)).swapaxes(0, 1).mean() * x.any(), [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_the_methods_of_numpys_arrays(f, slope):
    x = np.asarray([1.0, 2.0, 3.0])
    value, gradient = pg.value_and_grad(f)(x)
    np.testing.assert_allclose(float(value), float(f(x)))
    np.testing.assert_allclose(gradient, slope, atol=1e-12)


# --- a number that has lost its gradient ------------------------------------------


def test_functions_of_math_are_refused_by_name():
    x = pg.tensor(2.0, requires_grad=True)
    with pytest.raises(TypeError, match=r"math\.exp\(\)"):
        x * math.exp(x)
    with pytest.raises(TypeError, match=r"math\.log\(\)"):
        pg.grad(lambda x: x * math.log(abs(x)))(2.0)
    assert not math.isnan(x)
    assert float(pg.grad(lambda x: x * math.floor(x))(2.5)) == 2.0


def test_a_number_is_read_from_a_tensor_and_not_from_an_argument():
    x = pg.tensor(2.0, requires_grad=True)
    assert float(x * 3) == 6.0
    assert (x * 3).item() == 6.0
    assert f"{x * 3:.1f} {'%.1f' % (x * 3)}" == "6.0 6.0"
    for read in (float, complex, lambda x: x.item(), lambda x: x.tolist()):
        with pytest.raises(TypeError, match="plain Python"):
            pg.grad(lambda x, read=read: (x * read(x)).real)(2.0)
    assert float(pg.grad(lambda x: x * float(x.detach()))(2.0)) == 2.0
    assert float(pg.grad(lambda x: x * int(x) * bool(x))(2.5)) == 2.0


# --- copies -------------------------------------------------------------------------


def test_a_copy_of_a_leaf_is_a_leaf():
    x = pg.tensor([1.0, 2.0], requires_grad=True)
    for y in (copy.deepcopy(x), copy.copy(x), pickle.loads(pickle.dumps(x))):
        assert y.requires_grad
        assert y.data is not x.data
        (x * y).sum().backward()
        np.testing.assert_array_equal(y.grad, [1.0, 2.0])
        np.testing.assert_array_equal(x.grad, [1.0, 2.0])
        x.grad = None
    constant = pickle.loads(pickle.dumps(x.detach()))
    assert not constant.requires_grad


def test_a_copy_of_a_result_stays_connected():
    x = np.asarray([1.0, 2.0])
    np.testing.assert_array_equal(pg.grad(lambda x: copy.deepcopy(x * x).sum())(x), 2 * x)
    np.testing.assert_array_equal(pg.grad(lambda x: (copy.copy(x) * x).sum())(x), 2 * x)
    with pytest.raises(TypeError, match="detach"):
        pickle.dumps(pg.tensor(x, requires_grad=True) * 2)


def test_a_view_can_be_pickled():
    x = pg.tensor([[1.0, 2.0], [3.0, 4.0]])
    row = x[0, ...]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(row)).data, [1.0, 2.0])
    np.testing.assert_array_equal(copy.deepcopy(x).data, x.data)

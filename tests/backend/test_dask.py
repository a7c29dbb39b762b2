"""What is special to dask: nothing is computed before its time, and what cannot be is an error."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels, nn
from portagrad.errors import ArgumentError, BackendError, MissingFunctionError
from portagrad.testing import BackendConformance
from portagrad_dask import UnknownShapeError

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

X = np.linspace(-1.0, 2.0, 12).reshape(4, 3)


class TestDask(BackendConformance):
    name = "dask"


@pytest.fixture(autouse=True)
def _in_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def computed():
    """The graphs that were computed, by their numbers of tasks."""
    sizes = []
    with dask.callbacks.Callback(start=lambda graph: sizes.append(len(graph))):
        yield sizes


def chunks(x, *sizes):
    return da.from_array(np.asarray(x), chunks=sizes or -1)


# --- nothing is computed before its time -----------------------------------------------


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), nn.MSELoss(), nn.BCEWithLogitsLoss()])
def test_forward_and_backward_are_one_graph(loss, computed):
    """Over a batch in chunks; the values are those of NumPy."""
    random = np.random.default_rng(0)
    x = random.normal(size=(64, 5)).astype("float32")
    labels = random.integers(0, 2, size=64)
    t = labels if isinstance(loss, nn.CrossEntropyLoss) else np.eye(2, dtype="float32")[labels]

    def step(x, t):
        backend = pg.backend.backend_of(x)
        layers = (
            nn.Linear(5, 8, seed=0, backend=backend),
            nn.ReLU(),
            nn.Linear(8, 2, seed=1, backend=backend),
        )
        network = nn.Sequential(*layers)
        value = loss(network(x), t)
        value.backward()
        return [value.data, *(p.grad for p in network.parameters())]

    expected = step(x, t)
    pg.get_backend("dask")  # probed: that does compute
    computed.clear()
    lazy = step(chunks(x, 16, 5), chunks(t, 16, *t.shape[1:]))
    assert computed == []
    found = dask.compute(*lazy)
    assert len(computed) == 1
    for value, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-7)


PROGRAMS = {
    "slices": lambda x: xp.sum(x[1:, ::-1] * x[:-1, :]),
    "index arrays": lambda x: xp.sum(x[np.asarray([0, 3, 3]), np.asarray([1, 0, 0])] ** 3),
    "an index array of two axes": lambda x: xp.sum(x[np.asarray([[0, 1], [1, 1]])] ** 2),
    "a mask of NumPy": lambda x: xp.sum(x[X > 0] ** 2),
    "take": lambda x: xp.sum(xp.take(x, pg.asarray([0, 2, 2], backend="dask"), axis=1) ** 2),
    "sort": lambda x: xp.sum(xp.sort(x, axis=0)[1, :] ** 2),
    "reductions": lambda x: xp.sum(xp.std(x, axis=0)) + xp.max(x) + xp.prod(x[:2, 0]),
    "matmul": lambda x: xp.sum((x @ x.T) ** 2),
    "softmax": lambda x: xp.sum(kernels.softmax(x)[:, 0]),
    "where": lambda x: xp.sum(xp.where(x > 0, x**2, 0.0)),
    "second order": lambda x: xp.sum(pg.grad(lambda x: xp.sum(xp.sin(x) * x))(x) ** 2),
}


def assigned(x):
    y = x * 1.0
    y[1:, 0] = x[:-1, 1] * 2.0
    y[0] += 1.0
    y[np.asarray([0, 0]), np.asarray([1, 2])] *= 3.0
    return xp.sum(y * y)


@pytest.mark.parametrize("name", [*PROGRAMS, "assignment"])
def test_gradients_are_numpys_and_nothing_is_computed_for_them(name, computed):
    program = PROGRAMS.get(name, assigned)
    # The indices of "take" are dask's own, and go with no array of NumPy.
    expected = 2 * X * [1, 0, 2] if name == "take" else pg.grad(program)(X)
    pg.get_backend("dask")
    x = chunks(X, 2, 2)
    computed.clear()
    gradient = pg.grad(program)(x)
    assert computed == []
    assert isinstance(gradient, da.Array)
    np.testing.assert_allclose(gradient.compute(), expected, rtol=1e-12)


def test_reading_a_value_computes_it(computed):
    assert float(pg.tensor(chunks([2.0])).sum()) == 2.0
    assert len(computed) == 1


# --- what it cannot do ---------------------------------------------------------------------


def test_a_mask_of_dask_gives_a_shape_nobody_knows():
    x = chunks(X, 2, 2)
    with pytest.raises(UnknownShapeError, match=r"a mask picks.*where\(mask, x, 0\)") as caught:
        pg.grad(lambda x: xp.sum(x[x > 0]))(x)
    assert isinstance(caught.value, BackendError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("name", ["nonzero", "unique_values", "unique_counts"])
def test_functions_of_unknown_shape(name):
    with pytest.raises(UnknownShapeError, match=rf"{name}: dask knows this shape only once"):
        getattr(xp, name)(chunks([1.0, 2.0, 1.0]))


def test_an_array_of_unknown_shape_that_a_user_has():
    x = da.from_array(X[0])
    with pytest.raises(UnknownShapeError, match="compute_chunk_sizes"):
        xp.exp(x[x > 0])


@pytest.mark.parametrize("name", ["det", "eigh", "pinv"])
def test_functions_that_dask_lacks(name):
    with pytest.raises(MissingFunctionError, match=rf"has no {name}"):
        getattr(xp.linalg, name)(chunks(np.eye(2)))


def test_functions_that_dask_has_in_part():
    with pytest.raises(MissingFunctionError, match=r"dask's arrays cannot do this: .*2D|dimension"):
        xp.linalg.svd(chunks(np.ones((2, 2, 2))), full_matrices=False)


def test_a_mistake_of_the_callers_is_no_missing_function():
    with pytest.raises(ValueError, match=r"broadcast|shape") as caught:
        xp.add(chunks([1.0, 2.0]), chunks([1.0, 2.0, 3.0]))
    assert not isinstance(caught.value, MissingFunctionError)


def test_the_triangles_and_factors_are_numpys():
    """dask's own are the upper factor whatever is asked for, and warn of complex triangles."""
    z = X[:3] + 1j
    np.testing.assert_array_equal(xp.tril(chunks(z), k=-1).compute(), np.tril(z, k=-1))
    a = X[:3] @ X[:3].T + np.eye(3)
    for upper in (False, True):
        found = xp.linalg.cholesky(chunks(a), upper=upper).compute()
        np.testing.assert_allclose(found, np.linalg.cholesky(a, upper=upper), atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (3, 3), (0, 2)])
def test_eye_is_numpys(shape):
    """dask's own cannot be computed where it has more columns than rows."""
    with pg.use_backend("dask"):
        for k in (-1, 0, 1):
            np.testing.assert_array_equal(xp.eye(*shape, k=k).compute(), np.eye(*shape, k=k))


def test_an_array_of_nothing_has_other_shapes_too():
    """dask's own reshape cannot divide it into chunks."""
    for shape in ((0, 3), (4, 0), (0,), (-1, 2)):
        found = xp.reshape(chunks(np.zeros((0, 2, 3)), 2, 2, 2), shape)
        assert found.compute().shape == np.zeros((0, 2, 3)).reshape(shape).shape
    with pytest.raises(ValueError, match="reshape"):
        xp.reshape(chunks(np.zeros((0, 2))), (1, 2))


def test_copies():
    with pytest.raises(ArgumentError, match="copy=False"):
        pg.asarray(np.ones(2), backend="dask", copy=False)
    with pytest.raises(ArgumentError, match="copy=False"):
        pg.asarray(chunks([1.0]), dtype="float32", copy=False)
    x = chunks([1.0])
    assert pg.asarray(x) is x

"""Linear algebra where the table does not go: poles, equal eigenvalues, what is arbitrary."""

import numpy
import pytest

from portagrad import array_api as xp
from portagrad import asarray, detect_anomaly, grad, tensor, to_numpy
from portagrad.errors import BackwardError, NotDifferentiableError, ShapeError

linalg = xp.linalg


def draw(*shape, seed=0, complex=False):
    generator = numpy.random.default_rng(seed)
    numbers = generator.normal(size=shape)
    return numbers + 1j * generator.normal(size=shape) if complex else numbers


def rotation(n, seed=1):
    return numpy.linalg.qr(draw(n, n, seed=seed))[0]


def symmetric(x):
    return (x + x.T) / 2


def slopes(function, x, step=1e-5):
    """The gradient by central differences, on NumPy."""
    found = numpy.zeros(x.shape)
    for place in numpy.ndindex(*x.shape):
        along = numpy.zeros(x.shape)
        along[place] = step
        found[place] = (float(function(x + along)) - float(function(x - along))) / (2 * step)
    return found


def weighted(result, weights):
    return xp.sum(xp.multiply(result, asarray(weights, dtype=result.dtype)))


# --- determinants ----------------------------------------------------------------

SINGULAR = {
    "rank 2": rotation(3) @ numpy.diag([2.0, 1.0, 0.0]) @ draw(3, 3),
    "rank 1": numpy.diag([3.0, 0.0, 0.0]),
    "rank 0": numpy.zeros((3, 3)),
    "equal singular values": rotation(3),
    "regular": draw(3, 3),
}


@pytest.mark.parametrize("x", SINGULAR.values(), ids=SINGULAR.keys())
def test_det_is_right_to_second_order_whatever_the_rank(x):
    weights = draw(3, 3, seed=2)

    def first(y):
        return weighted(grad(linalg.det)(y), weights)

    assert grad(linalg.det)(x) == pytest.approx(slopes(linalg.det, x), abs=1e-8)
    assert grad(first)(x) == pytest.approx(slopes(first, x), abs=1e-8)


def test_det_of_a_wide_spectrum_does_not_overflow_on_the_way():
    spectrum = numpy.logspace(3, -3, 60)
    x = (rotation(60) * spectrum @ rotation(60, seed=2)).astype("float32")
    found = grad(linalg.det)(x)
    expected = numpy.linalg.det(x.astype("float64")) * numpy.linalg.inv(x.astype("float64")).T
    assert found.dtype == numpy.float32
    assert found == pytest.approx(expected, rel=0.05, abs=0.05 * numpy.abs(expected).max())


def test_det_of_one_singular_matrix_in_a_stack():
    x = numpy.stack([numpy.eye(2), numpy.ones((2, 2))])
    found = grad(lambda y: xp.sum(linalg.det(y)))(x)
    assert found == pytest.approx(numpy.asarray([[[1, 0], [0, 1]], [[1, -1], [-1, 1]]]))


def test_slogdet_of_one_singular_matrix_in_a_stack():
    x = numpy.stack([2 * numpy.eye(2), numpy.ones((2, 2))])
    found = grad(lambda y: xp.sum(linalg.slogdet(y).logabsdet))(x)
    assert found[0] == pytest.approx(numpy.eye(2) / 2)
    assert numpy.isnan(found[1]).all()


# --- errors ----------------------------------------------------------------------


def test_a_singular_matrix_is_named(backend):
    if backend.name in ("jax", "dask", "cupy"):
        pytest.skip("the library gives nan for a singular matrix")
    x = asarray(numpy.stack([numpy.eye(2), numpy.ones((2, 2))]), dtype="float32")
    right = asarray(numpy.ones(2), dtype="float32")
    for function in (linalg.inv, lambda y: linalg.solve(y, right)):
        with pytest.raises(Exception, match=r"matrix \[1\] of the stack .* is singular") as caught:
            function(x)
        assert type(caught.value).__name__.endswith("LinAlgError")


def test_a_matrix_that_is_not_positive_definite_is_named():
    x = numpy.stack([[numpy.eye(2), -numpy.eye(2)]])
    with pytest.raises(numpy.linalg.LinAlgError, match=r"\[0, 1\] .* not positive definite"):
        linalg.cholesky(x)
    with pytest.raises(numpy.linalg.LinAlgError, match=r"the matrix of shape \(2, 2\)"):
        linalg.cholesky(-numpy.eye(2))


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ShapeError, match=r"inv: .* \(2, 3\)"):
        linalg.inv(numpy.ones((2, 3)))
    with pytest.raises(ShapeError, match=r"svd: .* \(3,\)"):
        linalg.svd(numpy.ones(3))
    with pytest.raises(ShapeError, match=r"solve: .* \(2, 2\) .* \(3, 2\)"):
        linalg.solve(numpy.eye(2), numpy.ones((3, 2)))
    with pytest.raises(ValueError, match="matrix_norm: ord"):
        linalg.matrix_norm(numpy.eye(2), ord=7)


def test_complete_qr_of_a_tall_matrix_has_a_value_and_no_derivative(backend):
    x = asarray(draw(3, 2), dtype="float32")
    q, r = linalg.qr(tensor(x), mode="complete")
    assert tuple(q.shape) == (3, 3)
    assert tuple(r.shape) == (3, 2)
    with pytest.raises(NotDifferentiableError, match='qr: with mode="complete"'):
        grad(lambda y: xp.sum(linalg.qr(y, mode="complete").Q))(x)


# --- equal eigenvalues -------------------------------------------------------------

_TURNED = rotation(3) @ numpy.diag([1.0, 1.0, 2.0]) @ rotation(3).T
EQUAL = {"identity": numpy.eye(3), "turned": symmetric(_TURNED), "negative": -2 * numpy.eye(3)}


@pytest.mark.parametrize("x", EQUAL.values(), ids=EQUAL.keys())
def test_a_symmetric_matrix_put_together_again(x, backend, float64):
    weights = draw(3, 3, seed=3)

    def function(y):
        w, v = linalg.eigh(y)
        return weighted(xp.matmul(v * w[None, :], xp.matrix_transpose(v)), weights)

    found = to_numpy(grad(function)(asarray(x)))
    assert found == pytest.approx(symmetric(weights), abs=1e-10)


def _shapes_with_equal_singular_values():
    return {
        "identity": numpy.eye(3),
        "rotation": rotation(3),
        "turned": symmetric(_TURNED),
        "tall": rotation(4)[:, :2],
        "wide": numpy.eye(2, 4),
        "singular": rotation(3) @ numpy.diag([2.0, 2.0, 0.0]),
    }


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("name", _shapes_with_equal_singular_values())
def test_any_matrix_put_together_again(name, full, backend, float64):
    x = _shapes_with_equal_singular_values()[name]
    weights = draw(*x.shape, seed=4)

    def function(y):
        u, s, vh = linalg.svd(y, full_matrices=full)
        count = s.shape[-1]
        return weighted(xp.matmul(u[:, :count] * s[None, :], vh[:count, :]), weights)

    found = to_numpy(grad(function)(asarray(x)))
    assert found == pytest.approx(weights, abs=1e-10)


def test_a_low_rank_approximation_of_a_low_rank_matrix():
    x = draw(4, 2, seed=5) @ draw(2, 4, seed=6)
    weights = draw(4, 4, seed=7)

    def function(y):
        u, s, vh = linalg.svd(y)
        return weighted(xp.matmul(u[:, :2] * s[:2], vh[:2, :]), weights)

    assert grad(function)(x) == pytest.approx(slopes(function, x), abs=1e-7)


def test_an_eigenvector_whose_eigenvalue_stands_alone_minds_no_others():
    x, weights = symmetric(_TURNED), draw(3, 3, seed=8)

    def function(y):
        v = linalg.eigh(y).eigenvectors[:, 2:]
        return weighted(xp.matmul(v, xp.matrix_transpose(v)), weights)

    expected = slopes(lambda y: function(symmetric(y)), x)
    assert grad(function)(x) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("x", EQUAL.values(), ids=EQUAL.keys())
def test_vectors_of_equal_values_are_never_silently_finite(x):
    weights = draw(3, 3, seed=9)
    for pick in (
        lambda y: linalg.eigh(y).eigenvectors,
        lambda y: xp.real(linalg.eig(y).eigenvectors),
        lambda y: linalg.svd(y).U,
        lambda y: linalg.svd(y).Vh,
    ):
        assert numpy.isnan(grad(lambda y, pick=pick: weighted(pick(y), weights))(x)).all()


def test_only_the_matrix_with_equal_eigenvalues_is_nan():
    x = numpy.stack([numpy.eye(3), symmetric(draw(3, 3))])
    found = grad(lambda y: weighted(linalg.eigh(y).eigenvectors, draw(3, 3)))(x)
    assert numpy.isnan(found[0]).all()
    assert numpy.isfinite(found[1]).all()


def test_anomaly_detection_stops_at_equal_eigenvalues():
    with detect_anomaly(), pytest.raises(BackwardError, match="eigh"):
        grad(lambda y: xp.sum(linalg.eigh(y).eigenvectors))(numpy.eye(2))


def test_the_sum_of_equal_eigenvalues_is_the_trace():
    for eigenvalues in (
        linalg.eigvalsh,
        lambda y: linalg.eigh(y).eigenvalues,
        lambda y: xp.real(linalg.eigvals(y)),
        lambda y: xp.real(linalg.eig(y).eigenvalues),
    ):
        found = grad(lambda y, of=eigenvalues: xp.sum(of(y)))(numpy.eye(3))
        assert found == pytest.approx(numpy.eye(3))


# --- what is arbitrary ---------------------------------------------------------------


def test_the_phase_of_a_complex_vector_has_no_derivative():
    x = draw(3, 3, complex=True)
    weights = draw(3, 3, seed=10)
    hermitian = x + x.conj().T
    for function, at in (
        (lambda y: linalg.eigh(y).eigenvectors, hermitian),
        (lambda y: linalg.eig(y).eigenvectors, x),
        (lambda y: linalg.svd(y).U, x),
    ):
        found = grad(lambda y, f=function: weighted(xp.real(f(y)), weights))(at)
        assert numpy.isnan(found).all()


def test_vectors_beyond_the_singular_values_are_arbitrary():
    found = grad(lambda y: weighted(linalg.svd(y).U, draw(4, 4)))(draw(4, 2))
    assert numpy.isnan(found).all()


# --- norms and the rest ----------------------------------------------------------------


def test_the_nuclear_norm_of_a_low_rank_matrix_has_the_least_subgradient():
    x = draw(4, 2, seed=5) @ draw(2, 4, seed=6)
    u, _, vh = numpy.linalg.svd(x)
    found = grad(lambda y: linalg.matrix_norm(y, ord="nuc"))(x)
    assert found == pytest.approx(u[:, :2] @ vh[:2])


def test_results_have_the_names_of_the_standard(backend):
    x = tensor(asarray(numpy.asarray([[2.0, 1.0], [1.0, 3.0]]), dtype="float32"))
    assert linalg.slogdet(x)._fields == ("sign", "logabsdet")
    assert linalg.eigh(x)._fields == ("eigenvalues", "eigenvectors")
    assert linalg.qr(x)._fields == ("Q", "R")
    assert linalg.svd(x)._fields == ("U", "S", "Vh")
    assert x.__array_namespace__().linalg.inv(x).shape == (2, 2)


def test_matrices_of_no_rows():
    for function in (
        linalg.det,
        lambda y: xp.sum(linalg.svd(y).U),
        lambda y: xp.sum(linalg.svdvals(y)),
        lambda y: xp.sum(linalg.eigh(y).eigenvalues),
        lambda y: xp.sum(linalg.eigvalsh(y)),
        lambda y: xp.real(xp.sum(linalg.eig(y).eigenvectors)),
        lambda y: xp.sum(linalg.cholesky(y)),
        lambda y: xp.sum(linalg.qr(y).R),
        lambda y: linalg.slogdet(y).logabsdet,
    ):
        assert grad(function)(numpy.zeros((0, 0))).shape == (0, 0)


def test_cross_along_an_axis_counted_from_the_front():
    x, y = draw(3, 2), draw(3, 2, seed=1)
    weights = draw(3, 2, seed=2)

    def function(z):
        return weighted(linalg.cross(z, y, axis=0), weights)

    assert grad(function)(x) == pytest.approx(slopes(function, x))

"""A backend's fused kernels against the kernels they stand for."""

import numpy as np
import pytest

from portagrad import array_api, kernels
from portagrad.backend import asarray, to_numpy, use_backend
from portagrad.testing.backend import FUNCTIONS

#: The ends, the middle, and where a product or an exponential could overflow.
POINTS = [-np.inf, -1000.0, -90.0, -1.5, -1e-8, -0.0, 0.0, 1e-8, 0.3, 1.5, 90.0, 1000.0, np.inf]
TOLERANCE = {"float16": 1e-2, "float32": 2e-6, "float64": 1e-14}


@pytest.fixture(params=["numpy", pytest.param("cupy", marks=pytest.mark.gpu)])
def fused(request):
    """The kernels of each backend that fuses some, which is in force."""
    with use_backend(request.param) as backend:
        yield backend.kernels


def test_every_fused_kernel_stands_for_a_kernel(fused):
    for name in fused:
        function = getattr(kernels if name in kernels.__all__ else array_api, name)
        if isinstance(getattr(function, "versions", None), dict):  # over lists: test_update.py
            assert function.body.__name__ == name
            continue
        assert function.primitive.name == name
        assert function.primitive.fusible or function.primitive.plain


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu"])
def test_activations_equal_their_definitions(fused, name, dtype):
    """Forward and backward, in every precision, also transposed and with g of another dtype."""
    points = np.array([*POINTS, np.nan] * 2, dtype=dtype).reshape(4, 7)
    for host in (points, points.T, points[::2, 1:], points[0, 0], points[:0]):
        x = asarray(host)
        out = fused.get(name, getattr(kernels, name))(x)
        check(out, getattr(kernels, name).body(x), TOLERANCE[dtype])
        for g_dtype in (dtype, "float32"):
            g = asarray(np.linspace(-3, 3, host.size, dtype=g_dtype).reshape(host.shape))
            back = fused[f"{name}_backward"](g, out)
            check(back, getattr(kernels, f"{name}_backward").body(g, out), TOLERANCE[dtype])


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu"])
def test_activations_take_integers(fused, name):
    x = asarray([-2, 0, 3])
    check(fused.get(name, getattr(kernels, name))(x), getattr(kernels, name).body(x), 1e-6)


def check(found, expected, tolerance):
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_allclose(to_numpy(found), to_numpy(expected), rtol=tolerance, atol=0)


def test_the_conformance_suite_asks_for_functions_once():
    assert sorted(set(FUNCTIONS)) == FUNCTIONS


def test_a_kernel_may_leave_calls_to_its_definition(monkeypatch):
    """A version that answers NotImplemented was asked, and the definition ran."""
    from portagrad.backend import backend_of
    from portagrad.backend.protocol import may_decline

    asked = []

    @may_decline
    def softmax(x, /, axis=-1):
        asked.append(axis)
        return NotImplemented if axis == 0 else np.full_like(x, 7)

    numpy_backend = type(backend_of(np.zeros(1)))
    monkeypatch.setattr(numpy_backend, "kernels", {"softmax": softmax})
    kernels.softmax.primitive.forget_versions()
    try:
        x = np.array([[1.0, 2.0], [3.0, 5.0]])
        assert kernels.softmax(x).tolist() == [[7, 7], [7, 7]]
        np.testing.assert_array_equal(kernels.softmax(x, axis=0), kernels.softmax.body(x, axis=0))
        assert asked == [-1, 0]
    finally:
        kernels.softmax.primitive.forget_versions()

"""Fourier transforms where the table does not go."""

import numpy
import pytest

from portagrad import array_api as xp
from portagrad import asarray, grad, tensor, to_numpy

SIGNAL = numpy.asarray([1.0, 2.0, 3.0, 5.0])


@pytest.mark.parametrize("n", [None, 3, 6])
def test_a_real_signal_has_a_real_gradient(n):
    """Parseval: the energy of the spectrum is n times that of what was transformed."""
    found = grad(lambda x: xp.sum(xp.square(xp.abs(xp.fft.fft(x, n=n)))))(SIGNAL)
    length = n or 4
    expected = 2 * length * SIGNAL * (numpy.arange(4) < length)
    assert found.dtype == numpy.float64
    assert found == pytest.approx(expected)


def test_lengths_without_axes_are_those_of_the_last_axes():
    x = numpy.ones((2, 3, 3))
    assert xp.fft.fftn(x, s=(2, 4)).shape == (2, 2, 4)
    found = grad(lambda y: xp.sum(xp.real(xp.fft.fftn(y, s=(2, 2)))))(x)
    expected = numpy.zeros((2, 3, 3))
    expected[:, 0, 0] = 4
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "ihfft"])
def test_no_signals(name):
    transform = getattr(xp.fft, name)
    assert grad(lambda x: xp.real(xp.sum(transform(x))))(numpy.zeros((0, 3))).shape == (0, 3)


def test_there_and_back(backend):
    x = asarray(SIGNAL, dtype="float32")
    weights = asarray([1.0, -1.0, 2.0, 0.5], dtype="float32")

    def function(y):
        return xp.sum(xp.fft.irfft(xp.fft.rfft(y), n=4) * weights)

    found = grad(function)(x)
    assert found.dtype == x.dtype
    assert to_numpy(found) == pytest.approx(to_numpy(weights), abs=1e-6)


def test_frequencies_belong_to_the_active_backend(backend):
    assert backend.device_of(xp.fft.fftfreq(4, d=0.5)) == backend.device
    assert to_numpy(xp.fft.rfftfreq(4)) == pytest.approx(numpy.fft.rfftfreq(4))
    x = tensor(asarray(SIGNAL, dtype="float32"))
    assert type(x.__array_namespace__().fft.fftfreq(4)) is type(x)

"""scipy.signal, fft, linalg, cluster, interpolate, ndimage and constants."""

import array_api_compat
import numpy as np
import pytest

pytest.importorskip("scipy")
from scipy import cluster, constants, fft, interpolate, linalg, ndimage, signal
from scipy.signal import windows
from scipy.spatial import distance

POSITIVE = np.asarray([0.7, 1.9, 0.3, 2.6, 1.1])
SAMPLE = np.sin(np.arange(24.0) * 1.3) + 0.02 * np.arange(24.0) ** 1.5
IMAGE = np.outer(np.sin(np.arange(6.0) + 0.3), np.cos(np.arange(5.0))) + 0.1
MATRIX = np.asarray([[1.3, 0.2, 0.7], [0.4, 2.1, 0.5], [0.6, 0.9, 1.7], [0.3, 1.1, 0.8]])


def space(x):
    return array_api_compat.array_namespace(x)


def like(x, values):
    return space(x).asarray(values)


CALLS = {
    "fftconvolve": (lambda x: signal.fftconvolve(x, x[:5]), SAMPLE),
    "fftconvolve same": (lambda x: signal.fftconvolve(x, x[:5], mode="same"), SAMPLE),
    "oaconvolve": (lambda x: signal.oaconvolve(x, like(x, POSITIVE)), SAMPLE),
    "hilbert": (lambda x: space(x).imag(signal.hilbert(x)), SAMPLE),
    "envelope": (signal.envelope, SAMPLE),
    "resample": (lambda x: signal.resample(x, 30), SAMPLE),
    "bilinear_zpk": (
        lambda x: space(x).real(signal.bilinear_zpk(x[:0], -x, 1.0, 2.0)[1]),
        POSITIVE,
    ),
    "lp2lp_zpk": (lambda x: space(x).real(signal.lp2lp_zpk(x[:2], -x, 1.0, 2.0)[1]), POSITIVE),
    "freqz_zpk": (
        lambda x: space(x).abs(
            signal.freqz_zpk(x[:2], x[2:] / 4, 1.0, worN=like(x, [0.2, 0.5]))[1]
        ),
        POSITIVE,
    ),
    "gauss_spline": (lambda x: signal.gauss_spline(x, 3), POSITIVE),
    "vectorstrength": (lambda x: signal.vectorstrength(x, 1.3)[0], POSITIVE),
    "whiten": (cluster.vq.whiten, MATRIX),
    "block_diag": (lambda x: linalg.block_diag(x, x), MATRIX),
    "fiedler": (linalg.fiedler, POSITIVE),
    "orthogonal_procrustes": (
        lambda x: linalg.orthogonal_procrustes(x, like(x, MATRIX))[1],
        MATRIX + 0.1,
    ),
    "irfft": (fft.irfft, POSITIVE),
    "RBFInterpolator": (
        lambda x: interpolate.RBFInterpolator(like(x, MATRIX), x)(like(x, MATRIX[:2] + 0.1)),
        POSITIVE[:4],
    ),
    "RBFInterpolator of points": (
        lambda x: interpolate.RBFInterpolator(x, like(x, POSITIVE[:4]))(x[:2, :] + 0.1),
        MATRIX,
    ),
    "fht": (lambda x: fft.fht(x, 0.1, 1.0), POSITIVE),
    "convert_temperature": (lambda x: constants.convert_temperature(x, "c", "f"), POSITIVE),
    "hann": (lambda x: windows.hann(5, xp=space(x)) * x, POSITIVE),
}
for _name in ("fft", "ifft", "rfft", "fft2", "fftn", "hfft"):
    _f = getattr(fft, _name)
    CALLS[_name] = (lambda x, f=_f: space(x).abs(f(x)) ** 2), MATRIX
for _mode in ("full", "same", "valid"):
    CALLS[f"fftconvolve of images, {_mode}"] = (
        (lambda x, m=_mode: signal.fftconvolve(x, x[:2, :2], mode=m)),
        IMAGE,
    )
    CALLS[f"oaconvolve of images, {_mode}"] = (
        (lambda x, m=_mode: signal.oaconvolve(x, x[:2, :2], mode=m)),
        IMAGE,
    )
for _name in ("irfft2", "rfftn", "irfftn", "ihfft", "ihfftn", "hfftn", "ifft2"):
    _f = getattr(fft, _name)
    for _norm in ("ortho", "forward"):
        CALLS[f"{_name}, {_norm}"] = (
            (lambda x, f=_f, n=_norm: space(x).abs(f(x, norm=n)) ** 2),
            MATRIX,
        )
for _name in ("lp2bp_zpk", "lp2bs_zpk"):
    _f = getattr(signal, _name)
    CALLS[_name] = (
        (lambda x, f=_f: space(x).abs(f(x[:2] + 0.1, -x, 1.0, 2.0, 1.0)[1])),
        POSITIVE,
    )
for _name in ("linear", "thin_plate_spline", "cubic"):
    CALLS[f"RBFInterpolator at x, {_name}"] = (
        (
            lambda x, kernel=_name: interpolate.RBFInterpolator(
                like(x, MATRIX[:, :2]), like(x, POSITIVE[:4]), kernel=kernel, degree=1
            )(x)
        ),
        np.asarray([[0.6, 1.0], [0.3, 0.8]]),
    )
for _name in ("gaussian", "multiquadric", "inverse_multiquadric", "inverse_quadratic"):
    CALLS[f"RBFInterpolator, {_name}"] = (
        (
            lambda x, kernel=_name: interpolate.RBFInterpolator(
                like(x, MATRIX), x, kernel=kernel, epsilon=0.7, degree=1
            )(like(x, MATRIX[:2] + 0.1))
        ),
        POSITIVE[:4],
    )
CALLS |= {
    "fftconvolve along": (lambda x: signal.fftconvolve(x, x[::-1, :], axes=1), IMAGE),
    "resample with a window": (lambda x: signal.resample(x, 16, window="hann"), SAMPLE),
    "hilbert2": (lambda x: space(x).imag(signal.hilbert2(x)), IMAGE),
    "envelope of a band": (lambda x: signal.envelope(x, bp_in=(1, 5), n_out=30), SAMPLE),
    "firwin": (lambda x: signal.firwin(7, x[0] / 3), POSITIVE),
    "fft, padded": (lambda x: space(x).abs(fft.fft(x, n=7, axis=0)), MATRIX),
    "ifht": (lambda x: fft.ifht(x, 0.1, 1.0), POSITIVE),
    "fht, offset": (lambda x: fft.fht(x, 0.1, 1.0, offset=0.2, bias=0.1), IMAGE),
    "orthogonal_procrustes R": (
        lambda x: linalg.orthogonal_procrustes(x, like(x, MATRIX))[0],
        MATRIX[::-1],
    ),
}
#: C code, which takes NumPy's arrays alone; the last reads a number into Python.
REFUSED = {
    "detrend": (signal.detrend, SAMPLE),
    "convolve": (lambda x: signal.convolve(x, x[:5]), SAMPLE),
    "correlate": (lambda x: signal.correlate(x, x[:5]), SAMPLE),
    "savgol_filter": (lambda x: signal.savgol_filter(x, 5, 2), SAMPLE),
    "lfilter": (lambda x: signal.lfilter(like(x, [1.0, 0.5]), like(x, [1.0, -0.2]), x), SAMPLE),
    "resample_poly": (lambda x: signal.resample_poly(x, 3, 2), SAMPLE),
    "medfilt": (signal.medfilt, SAMPLE),
    "wiener": (signal.wiener, SAMPLE),
    "periodogram": (lambda x: signal.periodogram(x)[1], SAMPLE),
    "welch": (lambda x: signal.welch(x, nperseg=8)[1], SAMPLE),
    "stft": (lambda x: np.abs(signal.stft(x, nperseg=8)[2]), SAMPLE),
    "cspline1d": (signal.cspline1d, SAMPLE),
    "vq": (lambda x: cluster.vq.vq(x, like(x, MATRIX[:2] + 0.1))[1], MATRIX),
    "linkage": (cluster.hierarchy.linkage, MATRIX),
    "inv": (linalg.inv, MATRIX[:3]),
    "expm": (linalg.expm, MATRIX[:3]),
    "dct": (fft.dct, POSITIVE),
    "CubicSpline": (
        lambda x: interpolate.CubicSpline(like(x, np.arange(5.0)), x)(1.5),
        POSITIVE,
    ),
    "interp1d": (lambda x: interpolate.interp1d(np.arange(5.0), x)(1.5), POSITIVE),
    "RegularGridInterpolator": (
        lambda x: interpolate.RegularGridInterpolator((np.arange(6.0), np.arange(5.0)), IMAGE)(x),
        np.asarray([[1.5, 0.5], [0.3, 1.2]]),
    ),
    "chirp": (lambda x: signal.chirp(x, 0.1, 3.0, 0.4), POSITIVE),
    "kmeans": (lambda x: cluster.vq.kmeans(x, x[:2])[0], MATRIX),
    "gaussian_filter": (lambda x: ndimage.gaussian_filter(x, 1.0), MATRIX),
    "ndimage.sum": (ndimage.sum, MATRIX),
    "cdist": (lambda x: distance.cdist(x, MATRIX + 0.1), MATRIX),
    "gaussian": (lambda x: windows.gaussian(7, float(x[0])), POSITIVE),
}


@pytest.mark.parametrize("name", CALLS)
def test_differentiable(is_differentiable, name):
    is_differentiable(*CALLS[name])


@pytest.mark.parametrize("name", REFUSED)
def test_refused(is_refused, name):
    is_refused(*REFUSED[name])

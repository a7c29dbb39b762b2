"""NumPy's own functions on Tensors: the same values, and a gradient that stays connected.

Each row is an expression in NumPy; plain NumPy says what it is worth, and
central differences of plain NumPy what its derivative is.
"""

import inspect

import numpy as np
import pytest
from numpy.testing.overrides import get_overridable_numpy_array_functions

import portagrad as pg
from portagrad import array_api
from portagrad.array_api.numpy_protocol.dispatch import _takes
from portagrad.array_api.numpy_protocol.functions import FUNCTIONS
from portagrad.array_api.numpy_protocol.table import TABLE
from portagrad.errors import NotDifferentiableError

V = np.asarray([0.7, 1.9, 0.3, 2.6])
M = np.asarray([[1.3, 0.2, 0.7], [0.4, 2.1, 0.5], [0.6, 0.9, 1.7]])
S = M @ M.T
B = np.asarray([[0.5, 1.5, 2.5]])
N = np.asarray([1.2, np.nan, 0.4])
T3 = np.arange(12.0).reshape(2, 3, 2) / 7 + 0.1

UFUNCS = """
    absolute arccos arcsin arctan arctanh cbrt ceil conjugate cos cosh deg2rad degrees exp exp2
    expm1 fabs floor isfinite isnan log log10 log1p log2 negative positive rad2deg radians
    reciprocal rint sign signbit sin sinh sqrt square tan tanh trunc
"""
BINARY = """
    add arctan2 copysign divide equal floor_divide fmax fmin fmod greater hypot less logaddexp
    logaddexp2 maximum minimum multiply nextafter not_equal power remainder subtract
"""

EXPRESSIONS = {
    "arccosh": (lambda x: np.arccosh(x + 1), V),
    "divmod": (lambda x: np.divmod(x, 0.4), V),
    "modf": (np.modf, V),
    "matmul": (lambda x: np.matmul(x, M), M),
    "matvec": (lambda x: np.matvec(x, x[0]), M),
    "vecmat": (lambda x: np.vecmat(x[0], x), M),
    "vecdot": (lambda x: np.vecdot(x, B), M),
    "float_times": (lambda x: np.float64(3.0) * x, V),
    "array_plus": (lambda x: V + x, V),
    "array_power": (lambda x: V**x, V),
    "array_matmul": (lambda x: M @ x, M),
    "array_less": (lambda x: (np.ones(4) < x) * x, V),
    "add.reduce": (np.add.reduce, M),
    "add.reduce axis": (lambda x: np.add.reduce(x, axis=1, keepdims=True), M),
    "add.reduce all": (lambda x: np.add.reduce(x, axis=None), M),
    "multiply.reduce": (np.multiply.reduce, M),
    "maximum.reduce": (np.maximum.reduce, M),
    "add.accumulate": (np.add.accumulate, V),
    "multiply.outer": (np.multiply.outer, (V, B[0])),
    # reductions
    "sum": (np.sum, M),
    "sum axis": (lambda x: np.sum(x, 1), M),
    "sum where": (lambda x: np.sum(x, axis=0, where=M > 0.5, initial=2.0), M),
    "prod where": (lambda x: np.prod(x, axis=1, where=M > 0.5, initial=2.0), M),
    "max where": (lambda x: np.max(x, axis=1, where=M > 0.5, initial=0.0), M),
    "min initial": (lambda x: np.min(x, axis=0, initial=0.45), M),
    "mean where": (lambda x: np.mean(x, axis=1, where=M > 0.3), M),
    "var where": (lambda x: np.var(x, axis=1, where=M > 0.3, ddof=1), M),
    "std where": (lambda x: np.std(x, where=M > 0.3), M),
    "maximum.accumulate": (np.maximum.accumulate, V),
    "logaddexp.reduce": (np.logaddexp.reduce, M),
    "heaviside": (lambda x: np.heaviside(x - 1, 0.5) * x, V),
    "ldexp": (lambda x: np.ldexp(x, 3), V),
    "diff prepend number": (lambda x: np.diff(x, axis=0, prepend=0.0, append=x[:1]), M),
    "ediff1d": (np.ediff1d, M),
    "take flat": (lambda x: np.take(x, [[0, 4], [4, 8]]), M),
    "take matrix": (lambda x: np.take(x, [[0, 2], [2, 2]], axis=1), M),
    "compress": (lambda x: np.compress([True, False, True], x, axis=1), M),
    "extract": (lambda x: np.extract(M > 0.5, x), M),
    "delete": (lambda x: np.delete(x, [0, -1], axis=1), M),
    "delete slice": (lambda x: np.delete(x, slice(1, 3)), V),
    "block": (lambda x: np.block([[x, M[:, :1]], [M[:1], 2.0]]), M),
    "rollaxis": (lambda x: np.rollaxis(x, 2, 0) * T3.transpose(2, 0, 1), T3),
    "cov": (np.cov, M),
    "cov of one": (np.cov, V),
    "linalg.cond": (np.linalg.cond, M),
    "linalg.cond 1": (lambda x: np.linalg.cond(x, 1), M),
    "linalg.qr r": (lambda x: np.linalg.qr(x, mode="r") ** 2, M),
    "linalg.pinv rcond": (lambda x: np.linalg.pinv(x, rcond=1e-12), M),
    "sum axes": (lambda x: np.sum(x, axis=(0, 1), keepdims=True), M),
    "sum dtype": (lambda x: np.sum(x, dtype="float64"), M),
    "prod": (lambda x: np.prod(x, axis=-1), M),
    "mean": (lambda x: np.mean(x, 0, keepdims=True), M),
    "var": (lambda x: np.var(x, ddof=1), M),
    "var axis": (lambda x: np.var(x, 1, ddof=1), M),
    "std": (lambda x: np.std(x, axis=0), M),
    "std correction": (lambda x: np.std(x, correction=1), M),
    "max": (lambda x: np.max(x, axis=1), M),
    "amin": (lambda x: np.amin(x, 0), M),
    "ptp": (lambda x: np.ptp(x, axis=0), M),
    "average": (lambda x: np.average(x, axis=1, weights=B[0]), M),
    "average of weights": (lambda x: np.average(M, axis=1, weights=x), B[0]),
    "median": (lambda x: np.median(x, axis=1), M),
    "quantile": (lambda x: np.quantile(x, 0.3, axis=0), M),
    "percentile": (lambda x: np.percentile(x, [20, 60], axis=0), M),
    "nansum": (np.nansum, N),
    "nanmean": (np.nanmean, N),
    "nanvar": (lambda x: np.nanvar(x, ddof=1), N),
    "nanstd": (np.nanstd, N),
    "nanmax": (np.nanmax, N),
    "nanmin": (np.nanmin, N),
    "nanprod": (np.nanprod, N),
    "nanmedian": (np.nanmedian, N),
    "nancumsum": (np.nancumsum, N),
    "nan_to_num": (lambda x: np.nan_to_num(x, nan=0.5), N),
    "cumsum": (lambda x: np.cumsum(x, 1), M),
    "cumsum flat": (np.cumsum, M),
    "cumprod": (lambda x: np.cumprod(x, axis=0), M),
    "cumulative_sum": (lambda x: np.cumulative_sum(x, axis=0, include_initial=True), M),
    "diff": (lambda x: np.diff(x, 2, 0), M),
    "diff prepend": (lambda x: np.diff(x, prepend=x[:1]), V),
    "trapezoid": (np.trapezoid, M),
    "trapezoid x": (lambda x: np.trapezoid(M, x), B[0]),
    "trapezoid axis": (lambda x: np.trapezoid(x, dx=0.5, axis=0), M),
    # element by element
    "clip": (lambda x: np.clip(x, 0.5, None), V),
    "clip max": (lambda x: np.clip(x, None, 2.0), V),
    "clip names": (lambda x: np.clip(x, min=0.5, max=2.0), V),
    "where": (lambda x: np.where(x > 1, x, 2.0), V),
    "where of an array": (lambda x: np.where(V > 1, x * x, x), V),
    "select": (lambda x: np.select([x > 2, x > 1], [x, x * x], 0.0), V),
    "real": (lambda x: np.real(x * 1j + x), V),
    "imag": (lambda x: np.imag(x * 1j + x), V),
    "angle": (lambda x: np.angle(x * 1j + 1), V),
    "round": (lambda x: np.round(x, 1) * x, V),
    "sinc": (np.sinc, V),
    "interp": (lambda x: np.interp(x, [0.0, 1.0, 3.0], [0.0, 2.0, 1.0]), V),
    "polyval": (lambda x: np.polyval([1.0, 2.0, 3.0], x), V),
    "fix": (lambda x: np.fix(x) * x, V),
    # shapes
    "reshape": (lambda x: np.reshape(x, (3, -1)) * np.arange(3.0), M),
    "ravel": (lambda x: np.ravel(x) ** 2, M),
    "transpose": (lambda x: np.transpose(x) ** 2 * B, M),
    "transpose axes": (lambda x: np.transpose(x, (1, 2, 0)) ** 2, T3),
    "swapaxes": (lambda x: np.swapaxes(x, 0, 2) ** 2, T3),
    "moveaxis": (lambda x: np.moveaxis(x, 0, -1) ** 2, T3),
    "expand_dims": (lambda x: np.expand_dims(x, (0, 2)) ** 2, V),
    "squeeze": (lambda x: np.squeeze(x) ** 2, B),
    "broadcast_to": (lambda x: np.broadcast_to(x, (2, 3)) ** 2, B),
    "broadcast_arrays": (lambda x: np.broadcast_arrays(x, M)[0] ** 2, B),
    "concatenate": (lambda x: np.concatenate([x, M, x], 1) ** 2, M),
    "concatenate lists": (lambda x: np.concatenate([x, [1.0, 2.0]]) ** 2, V),
    "concatenate flat": (lambda x: np.concatenate((x, M), axis=None) ** 2, M),
    "stack": (lambda x: np.stack((x, V), axis=-1) ** 2, V),
    "vstack": (lambda x: np.vstack((x, V)) ** 2, V),
    "hstack": (lambda x: np.hstack((x, V)) ** 2, V),
    "hstack matrices": (lambda x: np.hstack((x, M)) ** 2, M),
    "dstack": (lambda x: np.dstack((x, M)) ** 2, M),
    "column_stack": (lambda x: np.column_stack((x, V)) ** 2, V),
    "append": (lambda x: np.append(x, [3.0]) ** 2, V),
    "atleast_1d": (lambda x: np.atleast_1d(x[0]) ** 2, V),
    "atleast_2d": (lambda x: np.atleast_2d(x) ** 2, V),
    "atleast_3d": (lambda x: np.atleast_3d(x) ** 2, V),
    "split": (lambda x: np.split(x, 2)[1] ** 2, V),
    "split at": (lambda x: np.split(x, [1, 3])[1] ** 2, V),
    "array_split": (lambda x: np.array_split(x, 3)[0] ** 2, V),
    "hsplit": (lambda x: np.hsplit(x, 3)[1] ** 2, M),
    "vsplit": (lambda x: np.vsplit(x, 3)[1] ** 2, M),
    "unstack": (lambda x: np.unstack(x, axis=1)[1] ** 2, M),
    "tile": (lambda x: np.tile(x, 2) ** 2, V),
    "tile axes": (lambda x: np.tile(x, (2, 1)) ** 2, V),
    "repeat": (lambda x: np.repeat(x, 2) ** 2, V),
    "repeat axis": (lambda x: np.repeat(x, [1, 0, 2], axis=1) ** 2, M),
    "roll": (lambda x: np.roll(x, 1) * V, V),
    "roll axis": (lambda x: np.roll(x, 1, axis=0) * M, M),
    "flip": (lambda x: np.flip(x, 0) * M, M),
    "fliplr": (lambda x: np.fliplr(x) * M, M),
    "flipud": (lambda x: np.flipud(x) * M, M),
    "rot90": (lambda x: np.rot90(x, 3) * M, M),
    "pad": (lambda x: np.pad(x, (1, 2)) ** 2, V),
    "pad value": (lambda x: np.pad(x, 1, constant_values=2.0) ** 2, M),
    "pad reflect": (lambda x: np.pad(x, 1, mode="reflect") ** 2, V),
    "pad edge": (lambda x: np.pad(x, ((0, 0), (1, 0)), "edge") ** 2, M),
    "copy": (lambda x: np.copy(x) ** 2, V),
    "astype": (lambda x: np.real(np.astype(x, np.complex128) ** 2), V),
    "meshgrid": (lambda x: np.meshgrid(x, B[0])[0] ** 2, V),
    "meshgrid ij": (lambda x: np.meshgrid(x, B[0], indexing="ij")[0] ** 2, V),
    "linspace": (lambda x: np.linspace(x[0], x[1], 5) ** 2, V),
    "logspace": (lambda x: np.logspace(x[0], x[1], 3, base=2.0), V),
    "full_like": (lambda x: np.full_like(x, 2.0) * x, V),
    "zeros_like": (lambda x: np.zeros_like(x) + x, V),
    "ones_like": (lambda x: np.ones_like(x, dtype="float64") * x, V),
    # picking and ordering
    "take": (lambda x: np.take(x, [0, 2, 2]) ** 2, V),
    "take axis": (lambda x: np.take(x, np.asarray([1]), 1) ** 2, M),
    "take_along_axis": (lambda x: np.take_along_axis(x, np.argsort(M, axis=0), 0) * M, M),
    "sort": (lambda x: np.sort(x) * V, V),
    "sort axis": (lambda x: np.sort(x, axis=0, kind="stable") * M, M),
    "sort flat": (lambda x: np.sort(x, axis=None) * np.arange(9.0), M),
    "argsort": (lambda x: x[np.argsort(x)] * V, V),
    "argmax": (lambda x: x[np.argmax(x)] ** 2, V),
    "unique": (lambda x: np.unique(x) * V, V),
    "unique_values": (lambda x: np.sum(np.unique_values(x) ** 2), V),
    "nonzero": (lambda x: x[np.nonzero(x > 1)] ** 2, V),
    "flatnonzero": (lambda x: x[np.flatnonzero(x > 1)] ** 2, V),
    "bincount": (lambda x: np.bincount(np.asarray([0, 1, 1, 3]), weights=x) ** 2, V),
    "tril": (lambda x: np.tril(x) ** 2, M),
    "triu": (lambda x: np.triu(x, 1) ** 2, M),
    "diag of a matrix": (lambda x: np.diag(x, 1) ** 2, M),
    "diag": (lambda x: np.diag(x) ** 2, V),
    "diag off": (lambda x: np.diag(x, -1) ** 2, V),
    "diagonal": (lambda x: np.diagonal(x) ** 2, M),
    "diagonal axes": (lambda x: np.diagonal(x, 0, 0, 2) ** 2, T3),
    "trace": (lambda x: np.trace(x, 1) ** 2, M),
    "trace axes": (lambda x: np.trace(x, axis1=0, axis2=2) ** 2, T3),
    # products
    "dot": (lambda x: np.dot(x, V), V),
    "dot matrices": (lambda x: np.dot(M, x), M),
    "dot list": (lambda x: np.dot(x, [1.0, 2.0, 3.0, 4.0]), V),
    "dot number": (lambda x: np.dot(x, 3.0), V),
    "vdot": (lambda x: np.vdot(x, M), M),
    "inner": (lambda x: np.inner(x, M), M),
    "outer": (lambda x: np.outer(x, M), V),
    "tensordot": (lambda x: np.tensordot(x, T3, axes=1), M[:, :2]),
    "kron": (lambda x: np.kron(x, B), M),
    "cross": (lambda x: np.cross(x, M), M),
    "einsum": (lambda x: np.einsum("ij,kj->ik", x, M), M),
    "einsum trace": (lambda x: np.einsum("ii", x), M),
    "convolve": (lambda x: np.convolve(x, [1.0, 2.0, 3.0], "same"), V),
    "correlate": (lambda x: np.correlate(x, B[0], "full"), V),
    # linear algebra
    "linalg.norm": (np.linalg.norm, M),
    "linalg.norm axis": (lambda x: np.linalg.norm(x, axis=1, keepdims=True), M),
    "linalg.norm 1": (lambda x: np.linalg.norm(x, 1), M),
    "linalg.norm vector 3": (lambda x: np.linalg.norm(x, 3), V),
    "linalg.norm nuc": (lambda x: np.linalg.norm(x, "nuc"), M),
    "linalg.norm axes": (lambda x: np.linalg.norm(x, "fro", axis=(0, 1), keepdims=True), T3),
    "linalg.det": (np.linalg.det, M),
    "linalg.slogdet": (lambda x: np.linalg.slogdet(x)[1], M),
    "linalg.inv": (np.linalg.inv, M),
    "linalg.pinv": (np.linalg.pinv, M),
    "linalg.solve": (lambda x: np.linalg.solve(x, M), M),
    "linalg.solve b": (lambda x: np.linalg.solve(M, x), B[0]),
    "linalg.cholesky": (lambda x: np.linalg.cholesky(x @ x.T), M),
    "linalg.eigvalsh": (lambda x: np.linalg.eigvalsh(x @ x.T), M),
    "linalg.eigh": (lambda x: np.linalg.eigh(x @ x.T)[1] ** 2, M),
    "linalg.svd": (lambda x: np.linalg.svd(x, full_matrices=False)[1], M),
    "linalg.svd values": (lambda x: np.linalg.svd(x, compute_uv=False), M),
    "linalg.qr": (lambda x: np.linalg.qr(x)[1] ** 2, M),
    "linalg.matrix_power": (lambda x: np.linalg.matrix_power(x, 3), M),
    "linalg.multi_dot": (lambda x: np.linalg.multi_dot([x, M, x]), M),
    "linalg.vector_norm": (lambda x: np.linalg.vector_norm(x, axis=0), M),
    "linalg.matrix_norm": (lambda x: np.linalg.matrix_norm(x, ord=1), M),
    "linalg.trace": (np.linalg.trace, M),
    "linalg.outer": (lambda x: np.linalg.outer(x, V), V),
    # Fourier transforms
    "fft.fft": (lambda x: np.abs(np.fft.fft(x)) ** 2, V),
    "fft.fft n": (lambda x: np.real(np.fft.fft(x, 6)), V),
    "fft.ifft": (lambda x: np.abs(np.fft.ifft(x, norm="ortho")) ** 2, V),
    "fft.rfft": (lambda x: np.abs(np.fft.rfft(x)) ** 2, V),
    "fft.irfft": (np.fft.irfft, V),
    "fft.fft2": (lambda x: np.abs(np.fft.fft2(x)) ** 2, M),
    "fft.fftn": (lambda x: np.abs(np.fft.fftn(x, axes=(0, 1))) ** 2, M),
    "fft.hfft": (np.fft.hfft, V),
    "fft.fftshift": (lambda x: np.fft.fftshift(x) * V, V),
}
EXPRESSIONS |= {name: (getattr(np, name), V * 0.3) for name in UFUNCS.split()}
for _name in BINARY.split():
    _f = getattr(np, _name)
    EXPRESSIONS[f"{_name} of both"] = (lambda x, f=_f: f(x, V[::-1] + 0.05)), V
    EXPRESSIONS[f"{_name} of a number"] = (lambda x, f=_f: f(1.45, x)), V


def leaves(out):
    return [part for each in out for part in leaves(each)] if isinstance(out, tuple) else [out]


def weighted(parts, multiply_and_sum):
    """One number out of all results, each element with a weight of its own."""
    total = 0.0
    for k, part in enumerate(parts):
        shape = np.shape(part)
        weights = np.cos(np.arange(np.prod(shape, dtype=int)).reshape(shape) + k)
        total = total + multiply_and_sum(part, weights)
    return total


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_value_and_gradient(name):
    f, point = EXPRESSIONS[name]
    points = point if isinstance(point, tuple) else (point,)

    def scalar(*xs):
        return weighted(leaves(f(*xs)), lambda part, w: (part * w).sum())

    expected = f(*points)
    tensors = [pg.tensor(p, requires_grad=True) for p in points]
    for part, plain in zip(leaves(f(*tensors)), leaves(expected), strict=True):
        assert isinstance(part, pg.Tensor)
        np.testing.assert_allclose(part.data, plain, rtol=1e-12, atol=1e-12)
        assert part.dtype == np.asarray(plain).dtype
    numbers = tuple(range(len(points)))
    for gradient, k in zip(pg.grad(scalar, numbers)(*points), numbers, strict=True):
        direction = np.sin(np.arange(points[k].size).reshape(points[k].shape) + 1.0)
        step = 1e-6 * direction
        ahead, behind = (
            scalar(*points[:k], points[k] + sign * step, *points[k + 1 :]) for sign in (1, -1)
        )
        slope = float(ahead - behind) / 2e-6
        np.testing.assert_allclose(
            float(np.sum(np.where(np.isnan(direction * gradient), 0, gradient * direction))),
            slope,
            rtol=1e-6,
            atol=1e-7,
        )


@pytest.mark.parametrize("name", [n for n in EXPRESSIONS if "linalg" not in n])
def test_a_constant_stays_one(name):
    f, point = EXPRESSIONS[name]
    points = point if isinstance(point, tuple) else (point,)
    for part in leaves(f(*(pg.tensor(p) for p in points))):
        assert not part.requires_grad


REFUSED = {
    "out of a ufunc": (lambda x: np.exp(x, out=np.zeros(4)), r"numpy\.exp.*out="),
    "out of a function": (lambda x: np.sum(x, axis=0, out=np.zeros(())), r"numpy\.sum.*out="),
    "in place": (lambda x: np.zeros(4).__iadd__(x), r"numpy\.add.*ndarray"),
    "where of a ufunc": (lambda x: np.exp(x, where=np.ones(4, bool)), r"numpy\.exp.*where"),
    "where of a function": (
        lambda x: np.nansum(x, where=np.ones(4, bool)),
        r"numpy\.nansum.*where",
    ),
    "initial": (lambda x: np.nanmax(x, initial=1.0), r"numpy\.nanmax.*initial"),
    "order": (lambda x: np.reshape(x, (2, 2), order="F"), r"numpy\.reshape.*order"),
    "at": (lambda x: np.add.at(np.zeros(4), [0], x[0]), r"numpy\.add\.at"),
    "copyto": (lambda x: np.copyto(np.zeros(4), x), r"numpy\.copyto"),
    "full": (lambda x: np.full(3, x[0]), r"detach|float"),
    "put": (lambda x: np.put(np.zeros(4), [0], x[0]), r"numpy\.put|detach"),
    "histogram": (lambda x: np.histogram(x)[0], r"numpy\.histogram"),
    "lstsq": (lambda x: np.linalg.lstsq(np.eye(4), x)[0], r"numpy\.linalg\.lstsq"),
    "apply_along_axis": (lambda x: np.apply_along_axis(np.sum, 0, x), r"apply_along_axis"),
    "asarray": (np.asarray, "detach"),
    "array of numbers": (lambda x: np.array([x[0], x[1]]), "detach"),
    "element": (lambda x: np.zeros(4).__setitem__(slice(0, 4), x), "detach"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_lose_the_gradient_is_refused_by_name(name):
    f, message = REFUSED[name]
    x = pg.tensor(V, requires_grad=True)
    with pytest.raises(NotDifferentiableError, match=message):
        f(x)


def test_every_function_of_numpy_works_or_is_refused_by_name():
    """What is not in the tables is refused before NumPy can convert anything."""
    ours = FUNCTIONS.keys() | TABLE.keys()
    theirs = {
        f"{f.__module__}.{f.__name__}".removeprefix("numpy."): f
        for f in get_overridable_numpy_array_functions()
        if f.__module__ in ("numpy", "numpy.linalg")
    }
    assert {name for name in ours - theirs.keys() if not name.startswith("fft.")} == set()
    assert all(hasattr(np.fft, name[4:]) for name in ours if name.startswith("fft."))
    x = pg.tensor(V, requires_grad=True)
    for name in theirs.keys() - ours:
        with pytest.raises(NotDifferentiableError, match=name):
            x.__array_function__(theirs[name], (pg.Tensor,), (x,), {})


@pytest.mark.parametrize("name", sorted(TABLE.keys() | FUNCTIONS.keys()))
def test_a_row_names_numpys_parameters(name):
    function = np
    for part in name.split("."):
        function = getattr(function, part)
    signature = inspect.signature(function).parameters
    kinds = {p.kind for p in signature.values()}
    if not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}:
        assert _takes((FUNCTIONS | TABLE)[name]) <= signature.keys()


def test_a_row_leads_to_a_function():
    x = pg.tensor(V)
    for name, call in TABLE.items():
        with pytest.raises((KeyError, TypeError)):
            call()  # found, and missing its operands
        assert callable(call), name
    assert array_api.sum(x) is not None


# --- constants ------------------------------------------------------------------


def test_numpy_itself_answers_for_constants():
    x = pg.tensor(V)
    counts, edges = np.histogram(x, bins=2)
    assert isinstance(counts, pg.Tensor)
    np.testing.assert_array_equal(counts.data, np.histogram(V, bins=2)[0])
    np.testing.assert_array_equal(edges.data, np.histogram(V, bins=2)[1])
    target = np.ones(4)
    target += x
    np.testing.assert_array_equal(target, V + 1)
    np.testing.assert_array_equal(np.sum(x, where=V > 1).data, V[V > 1].sum())


def test_constants_of_another_library_are_not_converted():
    strict = pytest.importorskip("array_api_strict")
    x = pg.tensor(strict.asarray(V))
    with pytest.raises(TypeError, match="array_api_strict"):
        np.histogram(x)
    np.testing.assert_allclose(float(np.sum(x)), V.sum())


def test_questions_about_an_array():
    x = pg.tensor(M, requires_grad=True)
    assert np.shape(x) == (3, 3)
    assert np.ndim(x) == 2
    assert np.size(x) == 9
    assert np.size(x, 0) == 3
    assert np.result_type(x, np.float32) == np.float64
    assert not np.iscomplexobj(x)
    assert np.isrealobj(x)
    assert np.allclose(x, M)
    assert not np.allclose(x, M + 1)
    assert np.array_equal(x, M)
    assert not np.array_equal(x, V)
    np.testing.assert_array_equal(np.isclose(x, M).data, np.ones((3, 3), bool))


def test_out_into_a_tensor_is_an_assignment():
    x = pg.tensor(V, requires_grad=True)
    y = x * 1.0
    assert np.multiply(y, x, out=y) is y
    y.sum().backward()
    np.testing.assert_allclose(x.grad, 2 * V)


def test_other_libraries_stay_theirs(backend, float64):
    x = pg.tensor(pg.asarray(V, dtype=float64), requires_grad=True)
    y = np.sum(np.exp(np.take(x, [0, 0, 1]))) + np.linalg.norm(np.concatenate([x, x]))
    y.backward()
    assert type(x.grad) is type(x.data)
    expected = [2 * np.exp(V[0]), np.exp(V[1]), 0.0, 0.0] + 2 * V / np.linalg.norm([*V, *V])
    np.testing.assert_allclose(pg.to_numpy(x.grad), expected)


def test_ufuncs_of_scipy():
    special = pytest.importorskip("scipy.special")
    np.testing.assert_allclose(
        pg.grad(lambda x: special.erf(x).sum())(V), 2 / np.sqrt(np.pi) * np.exp(-(V**2))
    )
    np.testing.assert_allclose(pg.grad(lambda x: special.expit(x).sum())(V * 0), V * 0 + 0.25)
    x = pg.tensor(V, requires_grad=True)
    with pytest.raises(NotDifferentiableError, match="zetac"):
        special.zetac(x)
    np.testing.assert_array_equal(special.zetac(x.detach()).data, special.zetac(V))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.where(x > 0.5, x, 0.5),
        lambda x: np.where(x > 0.5, 1, x),
        lambda x: np.where(x > 0.5, 1, 0),
        lambda x: np.where(x > 0.5, [1.0, 2.0, 3.0, 4.0], x),
        lambda x: np.percentile(x, 30),
        lambda x: np.maximum(x, 1),
    ],
)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_number_leaves_the_dtype(function, dtype):
    x = V.astype(dtype)
    assert function(pg.tensor(x, requires_grad=True)).dtype == function(x).dtype

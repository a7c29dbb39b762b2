"""The CUDA source of the CuPy backend, compiled for the processor and run thread by thread.

It holds what the kernels compute to their definitions where there is no GPU. That they compile
for one is test_without_gpu.py's to show; that they run there, test_kernels.py's.
"""

import ctypes
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from portagrad import kernels

HERE = Path(__file__).parent / "cuda"
BACKEND = Path(find_spec("portagrad_cupy").origin).parent
pytestmark = [
    pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++ for C++20"),
    # Of infinities and nan, which the definitions warn of in NumPy as their functions do there.
    pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning"),
]
inf, nan = np.inf, np.nan


def build(folder, name, calls):
    """A shared library of functions around the kernels of `name`.cu."""
    source = folder / f"{name}.cpp"
    text = [f'#include "{each}"' for each in (HERE / "emulation.h", BACKEND / f"{name}.cu")]
    kernels = (BACKEND / "wide.cuh").read_text().splitlines()
    text.insert(1, "\n".join(line for line in kernels if not line.startswith("#include")))
    source.write_text("\n".join([*text, 'extern "C" {', *calls, "}"]))
    library = folder / f"{name}.so"
    command = ["g++", "-std=c++20", "-O1", "-shared", "-fPIC", "-pthread", "-o", library, source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library))


ROWS = {
    "softmax": "const {T} *x, {T} *y",
    "log_softmax": "const {T} *x, {T} *y",
    "softmax_backward": "const {T} *g, const {T} *y, {T} *dx",
    "log_softmax_backward": "const {T} *g, const {T} *y, {T} *dx",
    "cross_entropy": "const {T} *x, const long long *labels, {T} *losses",
    "cross_entropy_backward": "const {T} *g, int g_step, double scale, const {T} *x, "
    "const long long *labels, {T} *dx",
}
TYPES = {"float": np.float32, "double": np.float64}
THREADS = 16


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """run(kernel, width, dtype, *arguments, rows, columns)."""
    calls = []
    for name, parameters in ROWS.items():
        for kind in TYPES:
            for width in (4, 16):
                declared = parameters.format(T=kind) + ", long long rows, int columns"
                named = ", ".join(each.split("*")[-1].split()[-1] for each in declared.split(","))
                together = THREADS // width
                calls.append(
                    f"void {name}_{kind}_{width}({declared}) {{"
                    f" launch({{unsigned(rows + {together - 1}) / {together}, 1, 1}},"
                    f" {{{THREADS}, 1, 1}}, {name}<{kind}, {width}>, {named}); }}"
                )
    calls += [
        f"void total_{T}_256(const {T} *x, {T} *sum, double scale, long long count) {{"
        f" launch({{1, 1, 1}}, {{256, 1, 1}}, total<{T}>, x, sum, scale, count); }}"
        for T in TYPES
    ]
    library = build(tmp_path_factory.mktemp("rows"), "rows", calls)

    def run(name, width, dtype, *arguments):
        kind = {np.float32: "float", np.float64: "double"}[dtype]
        passed = [
            ctypes.c_void_p(each.ctypes.data)
            if isinstance(each, np.ndarray)
            else ctypes.c_double(each)
            if isinstance(each, float)
            else ctypes.c_longlong(each)
            for each in arguments
        ]
        getattr(library, f"{name}_{kind}_{width}")(*passed)

    return run


@pytest.fixture(scope="module")
def columns(tmp_path_factory):
    """run(height, dtype, x, sums, rows, columns, part, parts)."""
    calls = [
        f"void column_sum_{T}_{height}(const {T} *x, {T} *sums, long long rows, long long columns,"
        f" long long part, long long parts) {{ launch({{unsigned(columns + 31) / 32,"
        f" unsigned(parts), 1}}, {{32, {height}, 1}}, column_sum<{T}, {T}, {height}>, x, sums,"
        f" rows, int(columns), part); }}"
        for T in TYPES
        for height in (8, 32)
    ]
    library = build(tmp_path_factory.mktemp("columns"), "columns", calls)

    def run(height, dtype, x, sums, *sizes):
        kind = "float" if dtype is np.float32 else "double"
        getattr(library, f"column_sum_{kind}_{height}")(
            ctypes.c_void_p(x.ctypes.data),
            ctypes.c_void_p(sums.ctypes.data),
            *map(ctypes.c_longlong, sizes),
        )

    return run


def logits(dtype):
    x = np.random.default_rng(0).normal(size=(9, 7)) * 3
    x[1] = [1000, 1000, -1000, 0, 0, 0, 0]
    x[2, :3] = -inf
    x[3] = -inf
    x[4, 2] = inf
    x[5, 1] = nan
    return x.astype(dtype)


TOLERANCE = {np.float32: 2e-6, np.float64: 1e-14}
each_dtype = pytest.mark.parametrize("dtype", list(TYPES.values()), ids=list(TYPES))
each_width = pytest.mark.parametrize("width", [4, 16])


@each_dtype
@each_width
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_rows_equal_their_definition(rows, name, width, dtype):
    x = logits(dtype)
    y = np.full_like(x, -1)
    rows(name, width, dtype, x, y, *x.shape)
    check(y, getattr(kernels, name).body(x), dtype)
    g, dx = np.random.default_rng(1).normal(size=x.shape).astype(dtype), np.full_like(x, -1)
    rows(f"{name}_backward", width, dtype, g, y, dx, *x.shape)
    check(dx, getattr(kernels, f"{name}_backward").body(g, y), dtype, absolute=1)


@each_dtype
@each_width
def test_cross_entropy_equals_its_definition(rows, width, dtype):
    x = logits(dtype)
    labels = np.array([0, 1, 2, 3, 4, 5, 6, 0, 3])
    losses = np.full(9, -1, dtype)
    rows("cross_entropy", width, dtype, x, labels, losses, *x.shape)
    check(losses, kernels.cross_entropy.body(x, labels, "none"), dtype)
    cotangents = {"none": np.linspace(-1, 1, 9), "sum": np.array(2), "mean": np.array(3)}
    for reduction, g in cotangents.items():
        g, dx = g.astype(dtype), np.full_like(x, -1)
        scale = 1 / 9 if reduction == "mean" else 1.0
        step = 1 if g.ndim else 0
        rows("cross_entropy_backward", width, dtype, g, step, scale, x, labels, dx, *x.shape)
        check(dx, kernels.cross_entropy_backward.body(g, x, labels, reduction), dtype, absolute=1)


@each_dtype
@pytest.mark.parametrize("count", [1, 5, 256, 1000])
def test_a_total(rows, count, dtype):
    x, out = np.random.default_rng(0).normal(size=count).astype(dtype), np.zeros((), dtype)
    rows("total", 256, dtype, x, out, 0.25, count)
    check(out, x.sum() / 4, dtype, absolute=20)


@each_width
def test_a_label_out_of_range_is_nan(rows, width):
    x = np.zeros((3, 7), np.float32)
    labels, losses, dx = np.array([-1, 7, 2]), np.zeros(3, np.float32), np.zeros_like(x)
    rows("cross_entropy", width, np.float32, x, labels, losses, *x.shape)
    assert np.isnan(losses).tolist() == [True, True, False]
    g = np.ones((), np.float32)
    rows("cross_entropy_backward", width, np.float32, g, 0, 1.0, x, labels, dx, *x.shape)
    assert np.isnan(dx).all(axis=1).tolist() == [True, True, False]


@each_dtype
@pytest.mark.parametrize("shape", [(1, 1), (37, 5), (20, 70)])
def test_column_sums(columns, shape, dtype):
    """In two stages, parts of 8 rows and then the sums of the parts; and in one."""
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    parts = -(-shape[0] // 8)
    partial, sums = np.zeros((parts, shape[1]), dtype), np.zeros(shape[1], dtype)
    columns(8, dtype, x, partial, *shape, 8, parts)
    columns(32, dtype, partial, sums, parts, shape[1], parts, 1)
    check(sums, x.sum(axis=0), dtype, absolute=10)
    columns(32, dtype, x, sums, *shape, shape[0], 1)
    check(sums, x.sum(axis=0), dtype, absolute=10)


def check(found, expected, dtype, absolute=0):
    """Equal to rounding; `absolute` where differences of numbers of size 1 are rounded."""
    tolerance = TOLERANCE[dtype]
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=absolute * tolerance)

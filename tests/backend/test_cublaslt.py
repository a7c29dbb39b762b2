"""cuBLASLt's numbers and signatures against NVIDIA's header, and plans against the library itself.

Neither needs a driver. What a plan means is read back from the library and worked out in NumPy.
"""

import ctypes
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("cupy")
product_module = pytest.importorskip("portagrad_cupy.cublaslt.multiply")
from portagrad_cupy.cublaslt import library as lt  # noqa: E402
from portagrad_cupy.cublaslt import plan as plans  # noqa: E402

ENUMS = (
    lt.DataType,
    lt.ComputeType,
    lt.Operation,
    lt.Epilogue,
    lt.Description,
    lt.Preference,
)


@pytest.fixture(scope="module", autouse=True)
def _library():
    try:
        lt.shared_library()
    except OSError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def header():
    """The text of cublasLt.h and the headers it takes its enums from."""
    root = pytest.importorskip("nvidia.cu13", reason="needs the headers of CUDA 13's wheels")
    folders = [Path(each) / "include" for each in root.__path__]
    names = ("cublasLt.h", "cublas_api.h", "library_types.h")
    found = [each / name for name in names for each in folders if (each / name).exists()]
    if len(found) < len(names):
        pytest.skip("the headers are not all there")
    return "\n".join(each.read_text() for each in found)


@pytest.mark.parametrize("member", [each for enum in ENUMS for each in enum], ids=str)
def test_numbers_are_the_headers(header, member):
    (said,) = set(re.findall(rf"\b{member.name}\s*=\s*(\d+)", header))
    assert int(said) == member


@pytest.mark.parametrize("name", lt.SIGNATURES)
def test_signatures_are_the_headers(header, name):
    """As many arguments, pointers and handles where the header has them, numbers of its size."""
    (declared,) = re.findall(rf"\b{name}\(([^;]*?)\);", header)
    declared = re.sub(r"/\*.*?\*/|//[^\n]*", "", declared)
    parameters = [each.strip() for each in declared.split(",")]
    assert len(parameters) == len(lt.SIGNATURES[name])
    sizes = {"uint64_t": 8, "int64_t": 8, "size_t": 8, "int": 4}
    enums = ("cudaDataType", "cublasComputeType_t", "Attributes_t", "Attribute_t")
    for declaration, kind in zip(parameters, lt.SIGNATURES[name], strict=True):
        words = declaration.replace("*", " * ").split()
        pointer = "*" in words or declaration.endswith("[]")
        if pointer:
            assert kind is ctypes.c_void_p or hasattr(kind, "_type_"), declaration
        elif words[0] in sizes:
            assert ctypes.sizeof(kind) == sizes[words[0]], declaration
        elif any(words[0].startswith(e) or words[0].endswith(e) for e in enums):
            assert kind is ctypes.c_int, declaration
        else:  # a handle: a pointer by another name
            assert kind is ctypes.c_void_p, declaration


def test_structures_are_the_headers(header):
    assert "typedef struct {\n  uint64_t data[8];\n} cublasLtMatmulAlgo_t;" in header
    assert ctypes.sizeof(lt.Algorithm) == 64
    fields = re.search(
        r"cublasLtMatmulAlgo_t algo;(.*?)\} cublasLtMatmulHeuristicResult_t", header, re.S
    )
    assert re.findall(r"^\s*\w+ (\w+)(?:\[4\])?;", fields[1], re.M) == [
        name for name, _ in lt.HeuristicResult._fields_[1:]
    ]
    assert ctypes.sizeof(lt.HeuristicResult) == 64 + 8 + 4 + 4 + 16


# --- what a plan asks for -------------------------------------------------------


def read(kind, owner, attribute, ctype):
    value, written = ctype(), ctypes.c_size_t()
    function = getattr(lt.shared_library(), f"cublasLt{kind}GetAttribute")
    function.argtypes = (lt.Handle, ctypes.c_int, lt.Handle, ctypes.c_size_t, lt.Handle)
    assert not function(
        owner, attribute, ctypes.byref(value), ctypes.sizeof(value), ctypes.byref(written)
    )
    return value.value


TYPE, ORDER, ROWS, COLUMNS, LEADING = 0, 1, 2, 3, 4


def by_columns(address, layout):
    """The matrix that a layout describes, as a view of host memory."""
    rows, columns = (read("MatrixLayout", layout, a, ctypes.c_uint64) for a in (ROWS, COLUMNS))
    leading = read("MatrixLayout", layout, LEADING, ctypes.c_int64)
    kind = read("MatrixLayout", layout, TYPE, ctypes.c_uint32)
    dtype = {0: np.float32, 1: np.float64, 2: np.float16}[kind]
    assert read("MatrixLayout", layout, ORDER, ctypes.c_int32) == 0
    length = leading * (columns - 1) + rows
    memory = (ctypes.c_byte * (length * np.dtype(dtype).itemsize)).from_address(address)
    step = np.dtype(dtype).itemsize
    return np.ndarray((rows, columns), dtype, memory, strides=(step, leading * step))


def obey(plan, a, b, y, bias):
    """Do what cuBLASLt's documentation says that a call with this plan does."""
    first, second, result = (
        by_columns(address, layout)
        for address, layout in ((b, plan.first), (a, plan.second), (y, plan.result))
    )
    flip = [
        read("MatmulDesc", plan.description, a, ctypes.c_int32)
        for a in (
            lt.Description.CUBLASLT_MATMUL_DESC_TRANSA,
            lt.Description.CUBLASLT_MATMUL_DESC_TRANSB,
        )
    ]
    first, second = (x.T if t else x for x, t in zip((first, second), flip, strict=True))
    epilogue = lt.Description.CUBLASLT_MATMUL_DESC_EPILOGUE
    epilogue = read("MatmulDesc", plan.description, epilogue, ctypes.c_uint32)
    result[...] = first @ second + (result if plan.problem.accumulate else 0)
    if epilogue == lt.Epilogue.CUBLASLT_EPILOGUE_BIAS:
        result += bias[:, None]
    if epilogue == lt.Epilogue.CUBLASLT_EPILOGUE_BGRADA:
        bias[...] = first.sum(axis=1)


class OnHost:
    """A NumPy array with what `product` asks of a CuPy array."""

    device = SimpleNamespace(id=0)

    def __init__(self, array):
        self.array = array
        self.data = SimpleNamespace(ptr=array.ctypes.data)

    def __getattr__(self, name):
        return getattr(self.array, name)


@pytest.fixture
def problem(monkeypatch):
    """Make `product`'s problem from arrays on the host, and its plan without a device."""
    runtime = SimpleNamespace(getDevice=lambda: 0)
    fake = SimpleNamespace(cuda=SimpleNamespace(runtime=runtime))
    monkeypatch.setattr(product_module, "cupy", fake)
    monkeypatch.setattr(plans.Plan, "_choose", lambda self, handle, workspace: None)

    def make(a, b, out=None, bias=None, bias_gradient=None, accumulate=False, precision="ieee"):
        wrapped = [None if x is None else OnHost(x) for x in (a, b, out, bias, bias_gradient)]
        return product_module._problem(*wrapped, accumulate, precision)

    return make


def stored(rng, rows, columns, how, dtype):
    """A matrix in each way that one can lie in memory."""
    if how == "slice of rows":
        return rng.normal(size=(rows, columns + 3)).astype(dtype)[:, 1 : columns + 1]
    x = rng.normal(size=(rows, columns)).astype(dtype)
    return np.asfortranarray(x) if how == "columns" else x


@pytest.mark.parametrize("sizes", [(3, 4, 5), (1, 4, 5), (3, 1, 5), (3, 4, 1), (1, 1, 1)])
@pytest.mark.parametrize("way_a", ["rows", "columns", "slice of rows"])
@pytest.mark.parametrize("way_b", ["rows", "columns", "slice of rows"])
@pytest.mark.parametrize("extra", ["", "bias", "bias_gradient", "accumulate"])
def test_a_plan_is_the_product(problem, sizes, way_a, way_b, extra):
    rng = np.random.default_rng(0)
    n, k, m = sizes
    a, b = stored(rng, n, k, way_a, "float32"), stored(rng, k, m, way_b, "float32")
    y, vector = rng.normal(size=(n, m)).astype("float32"), rng.normal(size=m).astype("float32")
    expected = a @ b
    if extra == "accumulate":
        expected = expected + y
        plan = plans.Plan(problem(a, b, out=y, accumulate=True), None, 0)
    else:
        given = {extra: vector} if extra else {}
        plan = plans.Plan(problem(a, b, **given), None, 0)
    if extra == "bias":
        expected = expected + vector
    obey(plan, a.ctypes.data, b.ctypes.data, y.ctypes.data, vector)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    if extra == "bias_gradient":
        np.testing.assert_allclose(vector, b.sum(axis=0), rtol=1e-5, atol=1e-5)


def test_what_cublaslt_cannot_read_is_left_to_cupy(problem):
    a, b = np.ones((4, 6), "float32"), np.ones((6, 2), "float32")
    assert problem(a, b) is not None
    assert problem(a[:, ::2], b[::2]) is None
    assert problem(a[::-1], b) is None
    assert problem(a.astype("int32"), b.astype("int32")) is None
    assert problem(a, b.astype("float64")) is None
    assert problem(a[:, :0], b[:0]) is None
    assert problem(a[None], b) is None
    assert problem(a, b, bias=np.ones(4, "float32")[::2]) is None


@pytest.mark.parametrize("extra", ["", "bias", "bias_gradient"])
def test_a_vector_is_named_before_an_algorithm_is_asked_for(problem, extra):
    """A null pointer may be a reason to offer none."""
    given = {extra: np.ones(2, "float32")} if extra else {}
    made = problem(np.ones((4, 6), "float32"), np.ones((6, 2), "float32"), **given)
    pointer = lt.Description.CUBLASLT_MATMUL_DESC_BIAS_POINTER
    plan = plans.Plan(made, None, 0)
    address = read("MatmulDesc", plan.description, pointer, ctypes.c_uint64)
    assert bool(address) == bool(extra)
    assert address % 256 == 0


def test_precision_is_for_float32(problem):
    for dtype, precision, kind in [
        ("float32", "ieee", "32F"),
        ("float32", "tf32", "32F_FAST_TF32"),
        ("float32", "bf16", "32F_FAST_16BF"),
        ("float64", "tf32", "64F"),
        ("float16", "bf16", "32F"),
    ]:
        made = problem(np.ones((2, 2), dtype), np.ones((2, 2), dtype), precision=precision)
        assert plans.compute_type(made.dtype, made.precision).name == f"CUBLAS_COMPUTE_{kind}"


def test_a_call_that_fails_says_its_status():
    with pytest.raises(lt.CublasLtError, match="cublasLtMatmulDescCreate answered CUBLAS_STATUS"):
        lt.call("cublasLtMatmulDescCreate", None, 0, 0)

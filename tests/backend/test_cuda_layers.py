"""Generated kernels launched by the CuPy backend's own code, without a card.

A module of NumPy arrays that know their addresses stands for CuPy, and g++ for NVRTC: what is
launched, with which arguments, is the backend's; what comes out is held to the definitions.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import portagrad
from portagrad import kernels
from portagrad.backend.elementwise import Instruction, Operand, Part, Program


class Array(np.ndarray):
    """An array that says where its memory is, as CuPy's do."""

    @property
    def data(self):
        return SimpleNamespace(ptr=self.__array_interface__["data"][0], device_id=0)

    @property
    def device(self):
        return SimpleNamespace(id=0)


def view(x):
    return np.asarray(x).view(Array)


def stand_in():
    """What the modules ask of CuPy."""
    cupy = ModuleType("cupy")
    cupy.ndarray = Array
    for name in ("float32", "float64", "int32", "int64", "dtype", "result_type"):
        setattr(cupy, name, getattr(np, name))
    cupy.empty = lambda shape, dtype=np.float64: view(np.full(shape, 77, dtype))
    cupy.ascontiguousarray = lambda x: view(np.ascontiguousarray(x))
    cupy.matmul = lambda x1, x2: view(np.matmul(x1, x2))
    card = SimpleNamespace(attributes={"MultiProcessorCount": 3})
    cupy.cuda = SimpleNamespace(
        Device=lambda number: contextlib.nullcontext(card) if number is None else card,
        runtime=SimpleNamespace(getDevice=lambda: 0),
    )
    return cupy


@pytest.fixture
def layers(cuda_compiler, monkeypatch):
    """portagrad_cupy.layers on the processor; `.launches` are noted."""
    before = put_away()
    monkeypatch.setitem(sys.modules, "cupy", stand_in())
    module: Any = importlib.import_module("portagrad_cupy.layers")
    elements: Any = importlib.import_module("portagrad_cupy.elements")
    module.launches = []

    def compiled(code, expression):
        function = cuda_compiler.expression(code, expression)

        def launch(grid, block, arguments):
            module.launches.append((grid, block, expression))
            (words,) = arguments
            assert words.size == 1  # by value
            sizes = ((*grid, 1, 1)[:3], (*block, 1, 1)[:3])
            function(ctypes.c_void_p(words.ctypes.data), *sizes[0], *sizes[1])

        return launch

    def add_shares(partial, sums):
        module.launches.append("add_shares")
        sums[...] = partial.sum(axis=0)

    monkeypatch.setattr(elements, "compiled", compiled)
    monkeypatch.setattr(elements, "add_shares", add_shares)
    module.own_matmul = module.products.matmul
    monkeypatch.setattr(module.products, "matmul", lambda x1, x2: NotImplemented)
    module.elements = elements
    module.activations = importlib.import_module("portagrad_cupy.activations")
    elements.launching.layout.cache_clear()  # it holds compiled kernels
    yield module
    elements.launching.layout.cache_clear()
    put_away()
    sys.modules.update(before)


def put_away():
    """Take the backend out of what is imported, with its package: that has the modules, too."""
    names = [name for name in sys.modules if name.partition(".")[0] == "portagrad_cupy"]
    return {name: sys.modules.pop(name) for name in names}


def normal(*shape, dtype="float32", seed=0):
    return view(np.random.default_rng(seed).normal(size=shape).astype(dtype))


TOLERANCE = {"float16": 4e-3, "float32": 3e-6, "float64": 1e-13}
activations = pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])


@activations
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [*(((7, 5), dtype) for dtype in TOLERANCE), ((2, 3, 5), "float32"), ((1, 5), "float32")],
)
def test_forward(layers, activation, bias, shape, dtype):
    x, w = normal(*shape, dtype=dtype), normal(5, 8, dtype=dtype, seed=1)
    b = normal(8, dtype=dtype, seed=2) if bias else None
    made = getattr(layers, f"linear_{activation}")(x, w, b)
    assert len(layers.launches) == 1
    wide = [None if each is None else np.asarray(each, "float64") for each in (x, w, b)]
    check(made, getattr(kernels, f"linear_{activation}").body(*wide), dtype)


@activations
@pytest.mark.parametrize(
    ("shape", "needs", "dtype"),
    [
        *(((7,), (True, True, True), dtype) for dtype in TOLERANCE),
        ((2, 3), (False, True, False), "float32"),
        ((600,), (True, False, True), "float16"),
        ((), (True, True, True), "float64"),
    ],
)
def test_backward(layers, activation, needs, shape, dtype):
    x, w = normal(*shape, 5, dtype=dtype), normal(5, 8, dtype=dtype, seed=1)
    g, z = normal(*shape, 8, dtype=dtype, seed=2), normal(*shape, 8, dtype=dtype, seed=3)
    out = view(getattr(kernels, activation).body(np.asarray(z)))
    made = layers.PULLBACKS[f"linear_{activation}"](g, out, x, w, needs)
    assert [m is not None for m in made] == list(needs)
    added = sum(each == "add_shares" for each in layers.launches)
    assert added == (needs[2] and shape == (600,))
    assert len(layers.launches) == 1 + added
    wide = [np.asarray(each, "float64") for each in (g, out, x, w)]
    pulled = getattr(kernels, f"{activation}_backward").body(*wide[:2])
    expected = (
        kernels.linear_x_backward.body(pulled, wide[3]),
        kernels.linear_weight_backward.body(pulled, wide[2]),
        kernels.linear_bias_backward.body(pulled),
    )
    for found, right in zip(made, expected, strict=True):
        if found is not None:
            check(found, right, dtype)


def offering(layers, monkeypatch, offered=True):
    """cuBLASLt as NumPy would do what it is asked, if it has the epilogue."""
    asked = []

    def product(a, b, *, bias_gradient=None, precision="ieee", **rest):
        asked.append((a.shape, b.shape, precision))
        if not offered:
            return None
        bias_gradient[...] = b.sum(axis=0)
        return view(a @ b)

    monkeypatch.setattr(layers.products, "why_not", lambda: "")
    monkeypatch.setattr(layers.products, "product", product)
    monkeypatch.setattr(layers, "column_sum", lambda g: view(g.sum(axis=0)))
    return asked


@pytest.mark.parametrize("offered", [True, False])
@pytest.mark.parametrize(
    ("shape", "needs"),
    [
        ((7,), (True, True, True)),
        ((2, 3), (False, True, True)),
        ((7,), (True, True, False)),
        ((), (True, False, True)),
        ((2, 3), (True, False, False)),
    ],
)
def test_a_linear_map_adds_up_the_bias_in_the_weights_product(
    layers, monkeypatch, offered, shape, needs
):
    asked = offering(layers, monkeypatch, offered)
    g, x, w = normal(*shape, 8), normal(*shape, 5, seed=1), normal(5, 8, seed=2)
    kept = x if needs[1] else None, w if needs[0] else None  # by the table of derivatives
    made = layers.PULLBACKS["linear"](g, *kept, needs)
    rows = int(np.prod(shape))
    assert asked == [((5, rows), (rows, 8), "ieee")] * (needs[1] and needs[2])
    expected = (
        kernels.linear_x_backward.body(np.asarray(g), np.asarray(w)),
        kernels.linear_weight_backward.body(np.asarray(g), np.asarray(x)),
        kernels.linear_bias_backward.body(np.asarray(g)),
    )
    for found, right, needed in zip(made, expected, needs, strict=True):
        assert (found is not None) == needed
        if needed:
            check(found, right, "float32")


def test_the_sums_are_no_less_precise_than_without_the_product(layers, monkeypatch):
    asked = offering(layers, monkeypatch)
    x, g = normal(5, 7), normal(7, 8)
    portagrad.set_matmul_precision("tf32")
    try:
        assert layers.products.product_and_sums(x, g) is None
        narrow = layers.products.product_and_sums(x.astype("float16"), g.astype("float16"))
    finally:
        portagrad.set_matmul_precision("ieee")
    assert narrow is not None
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("left", "right"),
    [((2, 3, 4), (4, 5)), ((2, 3, 4), (1, 4, 5)), ((1, 3, 4), (1, 4, 5)), ((3, 4), (1, 1, 4, 5))],
)
def test_a_stack_times_one_matrix_is_one_product(layers, monkeypatch, left, right):
    asked = []

    def product(a, b, *, out=None, precision="ieee"):
        asked.append((a.shape, b.shape))
        out[...] = a @ b
        return out

    matmul = layers.own_matmul
    monkeypatch.setattr(layers.products, "why_not", lambda: "")
    monkeypatch.setattr(layers.products, "product", product)
    x1, x2 = normal(*left), normal(*right, seed=1)
    made = matmul(x1, x2)
    np.testing.assert_allclose(made, np.matmul(x1, x2), rtol=1e-6)
    assert asked == [((int(np.prod(left[:-1])), 4), (4, 5))]
    several = normal(2, 4, 5)
    assert matmul(normal(2, 3, 4), several) is NotImplemented
    assert matmul(normal(4), several) is NotImplemented
    assert matmul(normal(2, 3, 3), several[0]) is NotImplemented


@pytest.fixture
def multiplying(layers, monkeypatch):
    """The backend's own products, by a cuBLASLt of NumPy; what it is asked, in order."""
    asked: Any = type("Asked", (list,), {"refuses_bias": False})()

    def product(a, b, *, bias=None, precision="ieee"):
        asked.append({"shapes": (a.shape, b.shape), "bias": bias is not None, "as": precision})
        if bias is not None and asked.refuses_bias:
            return None
        return view(a @ b if bias is None else a @ b + bias)

    monkeypatch.setattr(layers.products, "matmul", layers.own_matmul)
    monkeypatch.setattr(layers.products, "why_not", lambda: "")
    monkeypatch.setattr(layers.products, "product", product)
    return asked


@pytest.mark.parametrize(
    ("left", "right"),
    [((3, 4), (4,)), ((4,), (4, 5)), ((4,), (4,)), ((1, 4), (4,)), ((4,), (4, 1))],
)
def test_a_vector_is_a_matrix_of_one_row_or_column(layers, multiplying, left, right):
    x1, x2 = normal(*left), normal(*right, seed=1)
    made = layers.own_matmul(x1, x2)
    expected = np.asarray(x1) @ np.asarray(x2)
    assert made.shape == np.shape(expected)
    np.testing.assert_allclose(made, expected, rtol=1e-5)
    assert len(multiplying) == 1


def test_a_stack_of_matrices_times_a_vector(layers, monkeypatch):
    def product(a, b, *, out, precision):
        out[...] = a @ b
        return out

    monkeypatch.setattr(layers.products, "matmul", layers.own_matmul)
    monkeypatch.setattr(layers.products, "why_not", lambda: "")
    monkeypatch.setattr(layers.products, "product", product)
    for left, right in [((2, 3, 4), (4,)), ((4,), (1, 4, 5))]:
        x1, x2 = normal(*left), normal(*right, seed=1)
        made = layers.own_matmul(x1, x2)
        assert made.shape == np.matmul(x1, x2).shape
        np.testing.assert_allclose(made, np.matmul(x1, x2), rtol=1e-5)


@pytest.mark.parametrize("shape", [(7,), (2, 3), ()])
def test_the_products_of_a_linear_map_backwards_are_the_backends_own(layers, multiplying, shape):
    """CuPy's own cannot be captured in a graph, and know no precision."""
    g, x, w = normal(*shape, 8), normal(*shape, 5, seed=1), normal(5, 8, seed=2)
    rows = int(np.prod(shape))
    portagrad.set_matmul_precision("tf32")
    try:
        pulled = layers.products.linear_x_backward(g, w)
        slope = layers.products.linear_weight_backward(g, x)
    finally:
        portagrad.set_matmul_precision("ieee")
    assert [each["shapes"] for each in multiplying] == [((rows, 8), (8, 5)), ((5, rows), (rows, 8))]
    assert {each["as"] for each in multiplying} == {"tf32"}
    plain = [np.asarray(each) for each in (g, x, w)]
    check(pulled, kernels.linear_x_backward.body(plain[0], plain[2]), "float32")
    check(slope, kernels.linear_weight_backward.body(*plain[:2]), "float32")


@pytest.mark.parametrize("shape", [(7, 5), (2, 3, 5)])
def test_a_bias_that_cublaslt_does_not_add_is_added_to_its_product(layers, multiplying, shape):
    x, w, b = normal(*shape), normal(5, 8, seed=1), normal(8, seed=2)
    expected = kernels.linear.body(*map(np.asarray, (x, w, b)))
    for refuses in (False, True):
        multiplying.clear()
        multiplying.refuses_bias = refuses
        check(layers.products.linear(x, w, b), expected, "float32")
        assert [each["bias"] for each in multiplying] == [True, False][: 1 + refuses]
    assert layers.products.linear(x, w, b.astype("float64")) is NotImplemented


def test_what_cublaslt_cannot_read_is_copied_for_it(layers):
    """The cotangent of a sum, say, is one number seen as many."""
    multiply: Any = importlib.import_module("portagrad_cupy.cublaslt.multiply")
    x = normal(6, 4)
    for readable in (x, x.T, x[1:], x[:, :2], normal(3), x.astype("int64")[:, ::2]):
        assert multiply._readable(readable) is readable
    for other in (view(np.broadcast_to(np.float32(1), (6, 4))), x[:, ::2], x[::-1]):
        copy = multiply._readable(other)
        assert copy.flags.c_contiguous
        assert copy.tolist() == other.tolist()


CALLS = {
    "leaky_relu": [(), (0.2,)],
    "elu": [(), (0.5,)],
    "softplus": [()],
    "silu": [()],
    "gelu": [(), ("tanh",)],
    "normal_cdf": [()],
    "normal_pdf": [()],
}
ENDS = [0.0, -0.0, 1e-6, -3.0, 5.0, 30.0, -30.0, 800.0, -800.0, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CALLS)
def test_activations(layers, name, dtype):
    """On both sides, and at the ends where an overflow would be nan."""
    x = view(np.concatenate([normal(20), np.array(ENDS)]).astype(dtype))
    wide = np.asarray(x, "float64")
    for told in CALLS[name]:
        with np.errstate(all="ignore"):
            expected = getattr(kernels, name).body(wide, *told)
        made = layers.activations.KERNELS[name](x, *told)
        np.testing.assert_allclose(made, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    assert len(layers.launches) == len(CALLS[name])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [name for name in CALLS if name != "normal_pdf"])
def test_derivatives_of_activations(layers, name, dtype):
    g, x = normal(32, dtype=dtype), view(np.concatenate([normal(20), ENDS]).astype(dtype))
    for told in CALLS[name]:
        if name in ("leaky_relu", "elu", "softplus"):  # from their result
            with np.errstate(all="ignore"):
                x = view(getattr(kernels, name).body(np.asarray(x), *told))
        with np.errstate(all="ignore"):
            wide = np.asarray(g, "float64"), np.asarray(x, "float64")
            expected = getattr(kernels, f"{name}_backward").body(*wide, *told)
        made = layers.activations.KERNELS[f"{name}_backward"](g, x, *told)
        np.testing.assert_allclose(made, expected, rtol=4 * TOLERANCE[dtype], atol=TOLERANCE[dtype])


def test_what_activations_leave_to_the_definition(layers):
    x = normal(4)
    own = layers.activations.KERNELS
    assert own["gelu"](x, "fast") is NotImplemented
    assert own["elu"](x, alpha=-1.0) is NotImplemented
    assert own["silu"](view(np.arange(3))) is NotImplemented
    assert own["silu_backward"](x, normal(4, dtype="float64")) is NotImplemented
    assert own["silu"](np.asarray(x)) is NotImplemented


def test_what_it_leaves_to_the_definition(layers):
    x, w = normal(3, 5), normal(5, 8)
    for operands in (
        (x.astype("float64"), w),
        (x, normal(4, 8)),
        (normal(5), w),
        (x, w, normal(7)),
        (normal(0, 5), w),
        (np.asarray(x), w),
    ):
        assert layers.linear_sigmoid(*operands) is NotImplemented


def test_many_parts_and_their_sums(layers):
    program = Program(
        2,
        (Operand("float32", (True, True)), Operand("float32", None)),
        (Instruction("multiply", (0, 1), "float32"),),
        (2,),
        (2,),
    )
    arrays = [normal(n, 3, seed=n) for n in range(2, 130)]
    parts = [Part((x, 0.5), x.shape, x.shape, (None,)) for x in arrays]
    made = iter(layers.elements.run(layers.elements.launching.layout(program), parts))
    assert 1 < len(layers.launches) < 5
    for x in arrays:
        np.testing.assert_allclose(next(made), x * 0.5)
        np.testing.assert_allclose(next(made), (x * 0.5).sum(axis=0), rtol=1e-5, atol=1e-6)


def test_a_result_over_an_operand_that_is_not_stored_by_rows(layers):
    program = Program(
        1,
        (Operand("float32", (True,)),),
        (Instruction("square", (0,), "float32"),),
        (1,),
    )
    x = normal(6, 4).T
    (made,) = layers.elements.run(
        layers.elements.launching.layout(program), [Part((x,), x.shape, (24,), (None,))]
    )
    np.testing.assert_allclose(made, x**2)


def check(found, expected, dtype):
    assert (found.shape, found.dtype) == (expected.shape, np.dtype(dtype))
    scale = max(1.0, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(
        found, expected, rtol=TOLERANCE[dtype], atol=8 * TOLERANCE[dtype] * scale
    )

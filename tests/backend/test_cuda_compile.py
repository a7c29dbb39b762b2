"""The CUDA kernels compiled for A100 and H100 cards, on any machine: NVRTC needs no driver."""

import os
import re

import pytest

cupy = pytest.importorskip("cupy")


@pytest.fixture(params=["sm_80", "sm_90"])
def arch(request):
    return request.param


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_elementwise_kernels_compile(arch, dtype):
    for source in elementwise_sources(dtype):
        compiled(source, arch)


#: Every kernel of a source, with the numbers it is a template over beside the dtype.
LANES = (1, 2, 4, 8, 16, 32)
SOURCES = {
    "rows": [
        f"{name}<{{T}}, {lanes}>"
        for name in (
            *("softmax", "softmax_backward", "log_softmax", "log_softmax_backward"),
            *("cross_entropy", "cross_entropy_backward"),
        )
        for lanes in LANES
    ]
    + ["total<{T}>"],
    "columns": [
        f"column_sum<{types}>"
        for types in ("{T}, {T}, 32", "{T}, {T}, 8", "__half, float, 8", "__nv_bfloat16, float, 8")
    ]
    + ["column_sum<float, __half, 32>", "column_sum<float, __nv_bfloat16, 32>"],
    "updates": [
        f"{name}<{{T}}>"
        for name in ("sgd_update", "adam_update", "sums_of_squares", "norm_and_factor", "scale")
    ],
}


@pytest.mark.parametrize("name", SOURCES)
def test_the_sources_compile(arch, name):
    from portagrad_cupy.source import TYPES, text

    wanted = [each.format(T=kind) for each in SOURCES[name] for kind in TYPES.values()]
    compiled(text(name), arch, *wanted)


@pytest.mark.parametrize("seed", range(12))
def test_generated_kernels_compile(arch, cuda_host, seed):
    """Random groups of element-wise operations, for one set of arrays and for several."""
    from portagrad_cupy import writing

    program = cuda_host.random_program(seed)
    for parts, index in ((1, "uint32"), (6, "uint64")):
        compiled(writing.complete(program, parts), arch, f"elements<{index}>")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_the_kernels_of_layers_compile(arch, activation, dtype):
    from portagrad_cupy import layers, writing

    above = layers._above(activation, dtype, True).program
    compiled(writing.complete(above, 1), arch, "elements<uint32>")
    below = writing.complete(layers._below(activation, dtype, True).program, 1)
    for template in ("uint32, 32, true", "uint32, 8, false"):
        compiled(below, arch, f"elements<{template}>")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_activations_compile(arch, dtype):
    from portagrad_cupy import activations, writing

    for name in activations.FORMULAS:
        made = activations._layout(name, dtype, 1 + name.endswith("_backward"), ()).program
        compiled(writing.complete(made, 1), arch, "elements<uint32>")


@pytest.mark.parametrize("seed", range(100, 106))
def test_generated_sums_compile(arch, cuda_host, seed):
    from portagrad_cupy import writing

    program = cuda_host.random_program(seed, sums=True)
    source = writing.complete(program, 2)
    for template in ("uint32, 32, true", "uint32, 8, false", "uint64, 8, false"):
        compiled(source, arch, f"elements<{template}>")


def test_every_product_of_a_linear_map_is_the_backends_own():
    """CuPy refuses its own while a graph is captured, so that no step would ever be one."""
    from portagrad import kernels
    from portagrad_cupy.kernels import KERNELS

    multiplying = {"linear", "linear_x_backward", "linear_weight_backward", "matmul"}
    assert multiplying <= KERNELS.keys()
    calls = {name for name in vars(kernels) if "product" in _names(getattr(kernels, name))}
    assert {"linear", "linear_x_backward", "linear_weight_backward"} <= calls <= KERNELS.keys()


def _names(kernel):
    """What the body of a kernel calls by name."""
    code = getattr(getattr(kernel, "body", None), "__code__", None)
    return () if code is None else code.co_names


def test_the_largest_groups_compile(arch):
    """As many arrays as a group may have, of four elements a thread."""
    from portagrad.backend import ElementwiseCompiler
    from portagrad.backend.elementwise import Instruction, Operand, Program
    from portagrad_cupy import writing

    count = ElementwiseCompiler.most_arrays // 2
    operands = (Operand("float32", (True,)),) * count
    exponentials = tuple(Instruction("exp", (i,), "float32") for i in range(count))
    sums = tuple(Instruction("add", (count + i, i), "float32") for i in range(count))
    results = tuple(range(2 * count, 3 * count))
    program = Program(1, operands, exponentials + sums, results)
    compiled(writing.complete(program, 20), arch, "elements<uint32>", registers=128)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("index", ["uint32", "uint64"])
def test_a_large_group_with_sums_can_be_launched(arch, dtype, index):
    """A block of 1,024 threads has 64 registers for each: with more it would not start."""
    from portagrad.backend.elementwise import Instruction, Operand, Program
    from portagrad_cupy import launching, writing

    count, sums = 8, writing.CudaWriter.most_sums
    operands = (Operand(dtype, (True, True)),) * count
    made = [Instruction("exp", (i,), dtype) for i in range(count)]
    results = []
    for first in range(sums):  # all exponentials are wanted until the end
        last = count + first
        for i in range(count):
            name = ("multiply", "pow")[i % 2]
            made.append(Instruction(name, (last, count + 3 * i % count), dtype))
            last = count + len(made) - 1
        results.append(last)
    program = Program(2, operands, tuple(made), tuple(results), tuple(results))
    expression = f"elements<{index}, {launching.TALL}, true>"
    most = 65536 // (launching.TALL * launching.COLUMNS)
    compiled(writing.complete(program, 1), arch, expression, registers=most, spills=True)


def compiled(source, arch, *expressions, registers=64, spills=False):
    """Compile for a GPU; unless it `spills`, nothing may go from registers into memory."""
    nvrtc, include = compiler()
    program = nvrtc.createProgram(source, "kernel.cu", [], [])
    for expression in expressions:
        nvrtc.addNameExpression(program, expression)
    options = ["-std=c++17", f"-arch={arch}", "--ptxas-options=-v"]
    try:
        nvrtc.compileProgram(program, [*options, *(f"-I{each}" for each in include)])
    except cupy.cuda.compiler.NVRTCError:
        pytest.fail(nvrtc.getProgramLog(program))
    log = nvrtc.getProgramLog(program)
    functions = log.count("Compiling entry function")
    assert functions == max(1, len(set(expressions)))
    # One line for each function, and for what a function of the library calls in a rare case.
    spilled = re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", log)
    assert len(spilled) >= functions
    assert spills or set(spilled) == {("0", "0")}
    used = [int(each) for each in re.findall(r"Used (\d+) registers", log)]
    assert len(used) == functions
    # 64 registers leave room for two blocks of 512 threads on one multiprocessor.
    assert max(used) <= registers


def compiler():
    """NVRTC and the folders of its headers and CuPy's; skips where they are not installed."""
    headers = pytest.importorskip("nvidia.cu13", reason="needs nvidia-cuda-nvrtc, -runtime, -crt")
    own = os.path.join(os.path.dirname(cupy.__file__), "_core", "include")
    cccl = (f"{own}/cupy/_cccl/{each}" for each in ("libcudacxx", "cub", "thrust"))
    return cupy.cuda.nvrtc, [own, *cccl, *(f"{each}/include" for each in headers.__path__)]


def elementwise_sources(dtype):
    """The CUDA source of every fused kernel, as CuPy writes it for a contiguous vector."""
    from cupy._core import _carray, _kernel

    from portagrad_cupy import kernels

    made = [each for each in vars(kernels).values() if isinstance(each, cupy.ElementwiseKernel)]
    assert made
    for kernel in made:
        types = {each.ctype: cupy.dtype(dtype) for each in kernel.params if each.ctype}
        arguments = tuple(
            _kernel._ArgInfo(2, _carray.Indexer, None, 1, True, True)
            if each.name == "_ind"
            else _kernel._ArgInfo(1, cupy.ndarray, types[each.ctype], 1, True, True)
            for each in kernel.params
        )
        yield "#include <cupy/complex.cuh>\n#include <cupy/carray.cuh>\n" + (
            _kernel._get_elementwise_kernel_code(
                arguments,
                _kernel._TypeMap(tuple(sorted(types.items()))),
                kernel.params,
                kernel.operation,
                kernel.name,
                kernel.preamble,
            )
        )

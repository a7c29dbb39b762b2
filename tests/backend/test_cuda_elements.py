"""The kernels that are generated for groups of element-wise operations, run on the processor.

They are compiled by g++ as they are written, and held to NumPy. That NVRTC compiles them is for
test_cuda_compile.py to show.
"""

import numpy as np
import pytest

from portagrad.backend.elementwise import Instruction, Operand, Part, Program
from portagrad_cupy import launching, writing

SEEDS = range(40)
#: Of what is computed in several steps; one function alone is in the next table.
TOLERANCE = {"float16": 4e-3, "float32": 1e-4, "float64": 1e-10}
EXACT = {"float16": 1e-3, "float32": 1e-6, "float64": 1e-15}
inf, nan = np.inf, np.nan
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 80.0, -80.0, inf, -inf, nan, 1e-5, 0.3, -0.7, 2.0]


def same(found, expected, tolerance):
    assert found.dtype == expected.dtype
    if found.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.fixture(scope="module")
def programs(cuda_host, cuda_compiler):
    """Random programs, compiled together."""
    made = [cuda_host.random_program(seed) for seed in SEEDS]
    cuda_compiler.prepare([(program, parts) for program in made for parts in (1, 3)])
    return made


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_program_is_what_numpy_makes_of_it(programs, cuda_host, cuda_compiler, seed):
    program = programs[seed]
    for last in (16, 5):  # whole vectors, and none
        part = cuda_host.random_part(program, (3, 4, 7, last)[-program.rank :], seed)
        for index in ("uint32", "uint64"):
            made = cuda_compiler.launch(program, [part], index)
            for found, expected in zip(made, cuda_host.evaluated(program, part), strict=True):
                same(found, expected, TOLERANCE[program.operands[0].dtype])


@pytest.mark.parametrize("seed", SEEDS[:8])
def test_several_parts_are_one_launch(programs, cuda_host, cuda_compiler, seed):
    program = programs[seed]
    sizes = [(4, 3, 16)[-program.rank :], (2, 5, 3)[-program.rank :], (1, 1, 2000)[-program.rank :]]
    parts = [cuda_host.random_part(program, axes, i) for i, axes in enumerate(sizes)]
    before = cuda_compiler.launches
    made = iter(cuda_compiler.compiled(program)(parts))
    assert cuda_compiler.launches == before + 1
    for part in parts:
        for expected in cuda_host.evaluated(program, part):
            same(next(made), expected, TOLERANCE[program.operands[0].dtype])


@pytest.mark.parametrize("seed", range(6))
def test_sums_over_rows(cuda_host, cuda_compiler, seed):
    """Beside what is added up, or alone; of several parts; more rows than there are shares."""
    program = cuda_host.random_program(100 + seed, sums=True)
    if seed % 2:
        program = Program(program.rank, program.operands, program.instructions, (), program.sums)
    sizes = [(4, 3, 40)[-program.rank :], (2, 5, 3)[-program.rank :]]
    parts = [cuda_host.random_part(program, axes, i) for i, axes in enumerate(sizes)]
    made = iter(cuda_compiler.launch(program, parts))
    for part in parts:
        for expected, found in zip(cuda_host.evaluated(program, part), made, strict=False):
            same(found, expected, 4 * TOLERANCE[program.operands[0].dtype])
    assert program.sums
    assert next(made, None) is None


def alone(dtype):
    """A program with every function there is for a dtype, and what each is of."""
    kind = writing.KINDS[dtype]
    operands = tuple(Operand(each, (True,)) for each in (dtype, dtype, "bool"))
    made = []
    for name, expression in writing.EXPRESSIONS[kind].items():
        count = 1 + ("{1}" in expression)
        given = (2, 0, 1) if name == "where" else tuple(range(count))
        result = "bool" if name in (*COMPARED, "isnan", "isinf", "isfinite") else dtype
        if name not in ("literal", "convert"):
            made.append(Instruction(name, given, result))
    results = tuple(range(3, 3 + len(made)))
    return Program(1, operands, tuple(made), results), [i.name for i in made]


COMPARED = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")


@pytest.mark.parametrize("dtype", EXACT)
def test_every_function_of_floats(cuda_host, cuda_compiler, dtype):
    program, names = alone(dtype)
    x1, x2 = (x.reshape(-1).astype(dtype) for x in np.meshgrid(SPECIAL, SPECIAL))
    part = Part((x1, x2, x1 > 0), x1.shape, x1.shape, (None,) * len(names))
    made = cuda_compiler.launch(program, [part])
    for name, found, expected in zip(names, made, cuda_host.evaluated(program, part), strict=True):
        tolerance = 4 * EXACT[dtype]
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=0, err_msg=name)
        if name in ("negative", "copysign", "floor", "trunc", "round", "abs", "positive"):
            np.testing.assert_array_equal(np.signbit(found), np.signbit(expected), err_msg=name)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "uint32"])
def test_every_function_of_integers(cuda_host, cuda_compiler, dtype):
    """They wrap around where they overflow, as NumPy's do."""
    program, names = alone(dtype)
    limits = np.iinfo(dtype)
    some = np.array([0, 1, 2, 7, limits.max, limits.min, limits.max - 3], dtype)
    x1, x2 = (x.reshape(-1) for x in np.meshgrid(some, some))
    part = Part((x1, x2, x1 > x2), x1.shape, x1.shape, (None,) * len(names))
    made = cuda_compiler.launch(program, [part])
    for name, found, expected in zip(names, made, cuda_host.evaluated(program, part), strict=True):
        np.testing.assert_array_equal(found, expected, err_msg=name)


def test_every_function_of_booleans(cuda_host, cuda_compiler):
    program, names = alone("bool")
    x1, x2 = np.array([False, False, True, True]), np.array([False, True, False, True])
    part = Part((x1, x2, x2), (4,), (4,), (None,) * len(names))
    made = cuda_compiler.launch(program, [part])
    for name, found, expected in zip(names, made, cuda_host.evaluated(program, part), strict=True):
        np.testing.assert_array_equal(found, expected, err_msg=name)


@pytest.mark.parametrize("old", ["float16", "float32", "float64", "int32", "int64", "bool"])
def test_conversions(cuda_compiler, old):
    new = ("float16", "float32", "float64", "int32", "int64", "uint8", "bool")
    instructions = tuple(Instruction("convert", (0,), dtype) for dtype in new)
    program = Program(1, (Operand(old, (True,)),), instructions, tuple(range(1, 1 + len(new))))
    x = np.array([0, 1, 0.1, 2.7, 100.3]).astype(old)
    made = cuda_compiler.launch(program, [Part((x,), (5,), (5,), (None,) * len(new))])
    for dtype, found in zip(new, made, strict=True):
        np.testing.assert_array_equal(found, x.astype(dtype), err_msg=dtype)


def test_bfloat16_is_rounded_to_even(cuda_compiler):
    """Its bits are the upper half of a float's."""
    program = Program(
        1,
        (Operand("float32", (True,)),),
        (Instruction("convert", (0,), "bfloat16"), Instruction("convert", (1,), "float32")),
        (2,),
    )
    x = np.array([1.0, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-7, -3.14159, inf], "float32")
    (found,) = cuda_compiler.launch(program, [Part((x,), (6,), (6,), (None,))])
    np.testing.assert_array_equal(found, [1, 1, 1 + 2**-6, 1 + 2**-7, -3.140625, inf])


def test_literals(cuda_compiler):
    texts = ["0.1", "1e-30", "3", "-0.0", "inf", "-inf", "nan", "True"]
    made = tuple(Instruction("literal", (), "float32", text) for text in texts)
    made += tuple(Instruction("literal", (), "int64", str(n)) for n in (5, -(2**63), 2**63 - 1))
    program = Program(0, (), made, tuple(range(len(made))))
    found = cuda_compiler.launch(program, [Part((), (), (), (None,) * len(made))])
    floats = np.array([x[()] for x in found[:8]])
    expected = np.array([0.1, 1e-30, 3, -0.0, inf, -inf, nan, 1], "float32")
    np.testing.assert_array_equal(floats, expected)
    assert np.signbit(floats[3])
    assert [int(x) for x in found[8:]] == [5, -(2**63), 2**63 - 1]


def test_a_result_in_an_operands_memory(cuda_compiler):
    program = Program(
        1,
        (Operand("float32", (True,)), Operand("float32", (True,))),
        (Instruction("subtract", (0, 1), "float32"), Instruction("multiply", (0, 1), "float32")),
        (2, 3),
    )
    x, y = np.arange(5000, dtype="float32"), np.ones(5000, dtype="float32") * 2
    first, second = cuda_compiler.launch(program, [Part((x, y), (5000,), (5000,), (x, None))])
    assert first is x
    np.testing.assert_array_equal(x, np.arange(5000) - 2)
    np.testing.assert_array_equal(second, np.arange(5000) * 2)


@pytest.mark.parametrize("offset", [0, 1, 2, 4])
def test_any_alignment(cuda_compiler, offset):
    program = Program(
        1, (Operand("float32", (True,)),), (Instruction("negative", (0,), "float32"),), (1,)
    )
    x = np.arange(100, dtype="float32")[offset : offset + 64]
    (found,) = cuda_compiler.launch(program, [Part((x,), (64,), (64,), (None,))])
    np.testing.assert_array_equal(found, -x)


def test_what_it_does_not_cover(cuda_compiler):
    writer = cuda_compiler
    assert writer.covers("exp", ["float32", "float32"])
    assert not writer.covers("exp", ["int32", "int32"])
    assert not writer.covers("add", ["complex64", "complex64", "complex64"])
    assert not writer.covers("remainder", ["float32", "float32", "float32"])
    assert writer.covers("where", ["bool", "int64", "int64", "int64"])
    assert writer.covers("literal", ["bool"])


def test_many_parts_fit_into_the_arguments_of_a_kernel(cuda_compiler):
    program = Program(
        1, (Operand("float32", (True,)),), (Instruction("square", (0,), "float32"),), (1,)
    )
    most = launching.layout(program).most_parts
    assert most * launching.layout(program).words * 8 <= 4096
    arrays = [np.full(3, i, "float32") for i in range(most + 2)]
    before = cuda_compiler.launches
    made = cuda_compiler.compiled(program)([Part((x,), (3,), (3,), (None,)) for x in arrays])
    assert cuda_compiler.launches == before + 2
    np.testing.assert_array_equal(made, [x * x for x in arrays])

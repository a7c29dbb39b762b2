"""A program of element-wise instructions as CUDA C++.

Nothing here needs CuPy: what is written can be read, compiled and tested anywhere. The kernel
knows no sizes, so one serves all shapes that are broadcast alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from portagrad.backend.elementwise import ElementwiseCompiler, Operand, Program

#: By dtype: what it is stored as, what it is computed in, and its bytes.
TYPES = {
    "float16": ("__half", "float", 2),
    "bfloat16": ("__nv_bfloat16", "float", 2),
    "float32": ("float", "float", 4),
    "float64": ("double", "double", 8),
    "int8": ("int8", "int8", 1),
    "int16": ("int16", "int16", 2),
    "int32": ("int32", "int32", 4),
    "int64": ("int64", "int64", 8),
    "uint8": ("uint8", "uint8", 1),
    "uint16": ("uint16", "uint16", 2),
    "uint32": ("uint32", "uint32", 4),
    "uint64": ("uint64", "uint64", 8),
    "bool": ("bool", "bool", 1),
}
#: A letter for what may be written alike of several dtypes.
KINDS = {name: name[0] if name[0] in "iu" else "b" if name == "bool" else "f" for name in TYPES}

#: What an element becomes, by kind. {f} is the f of float's functions, {T} the type that is
#: computed in, {U} the unsigned one, whose overflow wraps around.
_FUNCTIONS = (
    *("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "sin", "cos", "tan", "sinh"),
    *("cosh", "tanh", "asin", "acos", "atan", "asinh", "acosh", "atanh", "floor", "ceil", "trunc"),
)
FLOATING = {
    **{name: f"{name}{{f}}({{0}})" for name in _FUNCTIONS},
    **{name: f"{name}{{f}}({{0}}, {{1}})" for name in ("pow", "atan2", "hypot", "copysign")},
    "round": "rint{f}({0})",
    "abs": "fabs{f}({0})",
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "square": "square({0})",
    "reciprocal": "{T}(1) / {0}",
    "sigmoid": "sigmoid({0})",
    "normal_cdf": "normcdf{f}({0})",
    **{name: f"{name}{{f}}({{0}})" for name in ("erf", "erfc")},
    "isfinite": "fabs{f}({0}) < {T}(INFINITY)",
    "isinf": "fabs{f}({0}) == {T}(INFINITY)",
    "isnan": "{0} != {0}",
}
INTEGER = {
    "add": "{T}({U}({0}) + {U}({1}))",
    "subtract": "{T}({U}({0}) - {U}({1}))",
    "multiply": "{T}({U}({0}) * {U}({1}))",
    "negative": "{T}(-{U}({0}))",
    "square": "{T}({U}({0}) * {U}({0}))",
    "bitwise_and": "{0} & {1}",
    "bitwise_or": "{0} | {1}",
    "bitwise_xor": "{0} ^ {1}",
    "bitwise_invert": "~{0}",
}
LOGICAL = {
    "logical_and": "{0} && {1}",
    "logical_or": "{0} || {1}",
    "logical_xor": "{0} != {1}",
    "logical_not": "!{0}",
    "bitwise_and": "{0} && {1}",
    "bitwise_or": "{0} || {1}",
    "bitwise_xor": "{0} != {1}",
    "bitwise_invert": "!{0}",
}
ORDERED = {
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "maximum": "larger({0}, {1})",
    "minimum": "smaller({0}, {1})",
    "sign": "sign({0})",
}
ANY = {
    "positive": "{0}",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
    "where": "{0} ? {1} : {2}",
    "convert": "{0}",
    "literal": "",
}
EXPRESSIONS = {
    "f": ANY | ORDERED | FLOATING,
    "i": ANY | ORDERED | INTEGER,
    "u": ANY | ORDERED | INTEGER,
    "b": ANY | LOGICAL,
}
#: Bytes that a thread loads at once.
VECTOR = 16


class CudaWriter(ElementwiseCompiler):
    """Writes; who compiles and launches is a subclass's matter."""

    most_sums = 4

    def covers(self, name: str, dtypes: Sequence[str]) -> bool:
        if not all(dtype in TYPES for dtype in dtypes):
            return False
        # A result of another kind, as comparisons have, is not what the expression is chosen by.
        given = dtypes[:-1] or dtypes
        kind = KINDS[given[1] if name == "where" else given[0]]
        return name in EXPRESSIONS[kind]

    def source(self, program: Program) -> str:
        return written(program, 1)


def text(name: str) -> str:
    """A file beside this one."""
    return (Path(__file__).parent / name).read_text("utf-8")


def complete(program: Program, parts: int) -> str:
    """All that a compiler needs."""
    return "".join([text("wide.cuh"), text("elements.cuh"), "\n", written(program, parts)])


def written(program: Program, parts: int) -> str:
    """The kernel for a number of parts, each of which has blocks of the grid to itself."""
    index = [f"d{i}" for i in range(program.rank)]
    pointers = [_field(i, x) for i, x in enumerate(program.operands)]
    pointers += [f"{TYPES[program.dtype(v)][0]} *y{i};" for i, v in enumerate(program.results)]
    pointers += [f"{TYPES[program.dtype(v)][0]} *s{i};" for i, v in enumerate(program.sums)]
    lines = [
        "struct Part {",
        *(f"    {line}" for line in pointers),
        f"    int64 {', '.join([*index, 'size', 'wide'])};",
        "};",
        f"struct Parts {{ Part at[{parts}]; }};",
        "",
        *(_by_rows(program) if program.sums else _by_elements(program)),
        "",
    ]
    return "\n".join(lines)


def _sizes(program: Program) -> str:
    names = [*(f"d{i}" for i in range(program.rank)), "size"]
    return f"const I {', '.join(f'{name} = part.{name}' for name in names)};"


def _by_elements(program: Program) -> list[str]:
    """A thread takes as many elements as it can load at once, and the grid strides on."""
    return [
        "template <typename I, int N> __device__ void run(const Part &part) {",
        f"    {_sizes(program)}",
        "    const I step = I(gridDim.x) * blockDim.x * N;",
        "    for (I i = (I(blockIdx.x) * blockDim.x + threadIdx.x) * N; i < size; i += step) {",
        *(f"        {line}" for line in _body(program)),
        "    }",
        "}",
        "",
        "template <typename I> __global__ void elements(const Parts parts) {",
        "    const Part &part = parts.at[blockIdx.y];",
        f"    if (part.wide) run<I, {width(program)}>(part); else run<I, 1>(part);",
        "}",
    ]


def _by_rows(program: Program) -> list[str]:
    """R rows of 32 threads go down their columns, adding up; blocks share the rows."""
    last = f"d{program.rank - 1}"
    totals = [f"{TYPES[program.dtype(v)][1]} t{i} = 0;" for i, v in enumerate(program.sums)]
    return [
        "template <typename I, int R, bool whole>",
        # Without it a large program takes more registers than 1,024 threads can have.
        "__global__ void __launch_bounds__(32 * R) elements(const Parts parts) {",
        "    constexpr int N = 1;",
        "    const Part &part = parts.at[blockIdx.z];",
        f"    {_sizes(program)}",
        f"    const I rows = size / {last}, share = (rows + gridDim.y - 1) / gridDim.y;",
        "    const I first = blockIdx.y * share;",
        "    const I end = first + share < rows ? first + share : rows;",
        "    const I column = blockIdx.x * 32 + threadIdx.x;",
        *(f"    {line}" for line in totals),
        f"    for (I row = first + threadIdx.y; column < {last} && row < end; row += R) {{",
        f"        const I i = row * {last} + column;",
        *(f"        {line}" for line in _body(program)),
        "    }",
        *(
            f"    summed<R, whole>(part.s{i}, t{i}, column, {last});"
            for i in range(len(program.sums))
        ),
        "}",
    ]


def width(program: Program) -> int:
    """How many elements a thread takes at once where all arrays allow it."""
    return VECTOR // max((size for size, along in arrays_of(program) if along), default=VECTOR)


def arrays_of(program: Program) -> list[tuple[int, bool]]:
    """Of each array, the bytes of an element, and whether it has the last axis."""
    found = [
        (TYPES[x.dtype][2], bool(x.axes and x.axes[-1]))
        for x in program.operands
        if x.axes is not None
    ]
    return found + [(TYPES[program.dtype(v)][2], True) for v in program.results]


def _field(i: int, x: Operand) -> str:
    if x.axes is not None:
        return f"const {TYPES[x.dtype][0]} *x{i};"
    return f"{'double' if KINDS[x.dtype] == 'f' else 'int64'} x{i};"


def _body(program: Program) -> list[str]:
    """What is done for N elements from number i on."""
    lines = [*_coordinates(program)]
    names: list[str] = []
    for i, x in enumerate(program.operands):
        kind = TYPES[x.dtype][1]
        if x.axes is None:
            lines.append(f"const {kind} a{i} = {kind}(part.x{i});")
        elif x.axes and x.axes[-1]:
            lines.append(f"const auto p{i} = loaded<N>(part.x{i} + {_position(x.axes)});")
        else:
            lines.append(f"const {kind} a{i} = load(part.x{i} + {_position(x.axes)});")
        names.append(f"a{i}")
    for i, v in enumerate(program.results):
        lines.append(f"Pack<{TYPES[program.dtype(v)][0]}, N> q{i};")
    lines += ["#pragma unroll", "for (int k = 0; k < N; k++) {"]
    for i, x in enumerate(program.operands):
        if x.axes and x.axes[-1]:
            lines.append(f"    const {TYPES[x.dtype][1]} a{i} = load(p{i}.at + k);")
    for i, instruction in enumerate(program.instructions):
        names.append(f"v{i}")
        lines.append(
            f"    const {TYPES[instruction.dtype][1]} v{i} = {_expression(program, i, names)};"
        )
    for i, v in enumerate(program.results):
        lines.append(f"    store(q{i}.at + k, {names[v]});")
    lines += [f"    t{i} += {names[v]};" for i, v in enumerate(program.sums)]
    lines.append("}")
    return lines + [f"stored<N>(part.y{i} + i, q{i});" for i in range(len(program.results))]


def _coordinates(program: Program) -> list[str]:
    """Where element i is along each axis, where some operand does not have all axes."""
    partial = [x.axes for x in program.operands if x.axes and not all(x.axes) and any(x.axes)]
    lines = []
    for axis in range(program.rank):
        if not any(axes[axis] for axes in partial):
            continue
        inner = " * ".join(f"d{i}" for i in range(axis + 1, program.rank))
        found = "i" if not inner else f"i / {inner}" if "*" not in inner else f"i / ({inner})"
        lines.append(f"const I c{axis} = {found}{f' % d{axis}' if axis else ''};")
    return lines


def _position(axes: tuple[bool, ...]) -> str:
    """The number of an operand's element that belongs to element i of the result."""
    if all(axes):
        return "i" if axes else "0"
    position = ""
    for axis, there in enumerate(axes):
        if there:
            position = f"({position}) * d{axis} + c{axis}" if position else f"c{axis}"
    return position or "0"


def _expression(program: Program, i: int, names: list[str]) -> str:
    instruction = program.instructions[i]
    if instruction.name == "literal":
        return _literal(instruction.literal, instruction.dtype)
    dtypes = [program.dtype(v) for v in instruction.operands]
    given = [names[v] for v in instruction.operands]
    if instruction.name == "convert":
        return _converted(given[0], dtypes[0], instruction.dtype)
    dtype = dtypes[1] if instruction.name == "where" else dtypes[0]
    kind = TYPES[dtype][1]
    return EXPRESSIONS[KINDS[dtype]][instruction.name].format(
        *given, T=kind, U=_unsigned(dtype), f="f" if kind == "float" else ""
    )


def _unsigned(dtype: str) -> str:
    return "uint64" if TYPES[dtype][2] == 8 else "uint32"


def _converted(name: str, old: str, new: str) -> str:
    stored, kind, _ = TYPES[new]
    if new == "bool":
        return f"{name} != {TYPES[old][1]}(0)"
    text = f"{kind}({name})" if TYPES[old][1] != kind else name
    return f"rounded<{stored}>({text})" if stored != kind and old != new else text


def _literal(text: str, dtype: str) -> str:
    kind = TYPES[dtype][1]
    if dtype == "bool":
        return "true" if text == "True" else "false"
    if KINDS[dtype] != "f":
        value = int(text == "True") if text in ("True", "False") else int(text)
        return f"{kind}({value}{'ULL' if value >= 0 else 'LL'})"
    number = float(text == "True") if text in ("True", "False") else float(text)
    if math.isnan(number) or math.isinf(number):
        return f"{'-' if number < 0 else ''}{kind}({'NAN' if math.isnan(number) else 'INFINITY'})"
    return f"{number!r}{'f' if kind == 'float' else ''}"

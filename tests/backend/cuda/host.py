"""The kernels that are generated for CUDA, compiled by g++ and run on the processor.

A stand-in for the compiler of the CuPy backend, on the arrays of NumPy and array-api-strict.
What it computes is what the CUDA source says; of speed it shows nothing.
"""

import ctypes
import math
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from portagrad.backend.elementwise import Instruction, Operand, Part, Program
from portagrad_cupy import launching, writing

HERE = Path(__file__).parent
INDEX_TYPES = ("uint32", "uint64")
FLAGS = ("-std=c++20", "-O1", "-ffp-contract=off", "-w", "-shared", "-fPIC", "-pthread")


class Compiler(writing.CudaWriter):
    """Keeps what it compiled, and counts the launches."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.functions: dict[tuple[Program, int], dict[str, Any]] = {}
        self.libraries = 0
        self.launches = 0

    def compiled(self, program: Program) -> Callable[[Sequence[Part]], list[Any]]:
        def run(parts: Sequence[Part]) -> list[Any]:
            most = launching.layout(program).most_parts
            cut = [parts[first : first + most] for first in range(0, len(parts), most)]
            return [x for each in cut for x in self.launch(program, each)]

        return run

    def launch(
        self, program: Program, parts: Sequence[Part], index: str = "", shares: int = 3
    ) -> list[Any]:
        """Run a program as a GPU would.

        `index` is the type that counts the elements; `shares`, among how many blocks the rows
        of a sum are shared. What they leave is added up by NumPy.
        """
        self.launches += 1
        results: list[Any] = []
        sums: list[tuple[Any, Any]] = []
        kept: list[Any] = []
        addresses = []
        for part in parts:
            given = [
                np.ascontiguousarray(plain(x))
                for x, operand in zip(part.operands, program.operands, strict=True)
                if operand.axes is not None
            ]
            made = [
                new(part, program.dtype(v)) if into is None else into
                for v, into in zip(program.results, part.into, strict=True)
            ]
            added = [new_sum(part, program.dtype(v), shares) for v in program.sums]
            kept.append(given)
            sums += added
            results += [*made, *(whole for whole, _ in added)]
            written = [*given, *map(plain, made), *(each for _, each in added)]
            addresses.append([plain(x).ctypes.data for x in written])
        words, grid = launching.layout(program).packed(parts, addresses)
        self.prepare([(program, len(parts))])
        function = self.functions[program, len(parts)][index or launching.index_type(parts)]
        across = max((-(-part.axes[-1] // 32) for part in parts if part.axes), default=1)
        if program.sums:
            grid = across, shares
        function(ctypes.c_void_p(words.ctypes.data), *grid)
        for whole, each in sums:
            plain(whole)[...] = each.sum(axis=0)
        return results

    def prepare(self, wanted: Sequence[tuple[Program, int]]) -> None:
        """Compile programs for numbers of parts, all those that are not there yet at once."""
        missing = [pair for pair in wanted if pair not in self.functions]
        if not missing:
            return
        threads = any(program.sums for program, _ in missing)
        text = []
        if not threads:  # what no kernel here calls, but names
            text += ["#define __shared__ static", "inline void __syncthreads() {}"]
        for name in ("wide.cuh", "elements.cuh"):
            lines = writing.text(name).splitlines()
            text += [line for line in lines if not line.startswith("#include")]
        for n, pair in enumerate(missing):
            text += [f"namespace program{n} {{", writing.written(*pair), 'extern "C" {']
            for i, kind in enumerate(INDEX_TYPES):
                call = (
                    f"launch_in_turn({{x, y, 1}}, {{{launching.THREADS}, 1, 1}}, elements<{kind}>"
                )
                if pair[0].sums:
                    call = f"launch({{x, y, {pair[1]}}}, {{32, 8, 1}}, elements<{kind}, 8, false>"
                text.append(
                    f"void run{n}_{i}(const Parts *parts, unsigned x, unsigned y) {{"
                    f" {call}, *parts); }}"
                )
            text.append("}}")
        library = self._library("emulation.h" if threads else "words.h", text)
        for n, pair in enumerate(missing):
            self.functions[pair] = {
                kind: getattr(library, f"run{n}_{i}") for i, kind in enumerate(INDEX_TYPES)
            }

    def expression(self, code: str, expression: str) -> Any:
        """A kernel of a whole source, launched as (parts, grid and block of three numbers)."""
        key: Any = (code, expression)
        if key not in self.functions:
            lines = [line for line in code.splitlines() if not line.startswith("#include")]
            threads = "launch" if "summed<R, whole>(" in code else "launch_in_turn"
            call = (
                f'extern "C" void run(const Parts *parts, unsigned x, unsigned y, unsigned z,'
                f" unsigned u, unsigned v, unsigned w) {{ {threads}({{x, y, z}}, {{u, v, w}},"
                f" {expression}, *parts); }}"
            )
            library = self._library("emulation.h", [*lines, call])
            self.functions[key] = {"": library.run}
        return self.functions[key][""]

    def _library(self, header: str, lines: Sequence[str]) -> Any:
        """Compile a source that begins with a header, which is most of the work."""
        precompiled = self.folder / f"{header}.gch"  # g++ looks for it beside the source
        if not precompiled.exists():
            self._run("-x", "c++-header", "-o", precompiled, HERE / header)
        source = self.folder / f"elements{self.libraries}.cpp"
        self.libraries += 1
        source.write_text("\n".join([f'#include "{header}"', *lines]))
        target = source.with_suffix(".so")
        self._run("-I", HERE, "-o", target, source)
        return ctypes.CDLL(str(target))

    def _run(self, *arguments: str | Path) -> None:
        command = ["g++", *FLAGS, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def plain(x: Any) -> Any:
    """The NumPy array in an array of either library."""
    return getattr(x, "_array", x)


def new_sum(part: Part, dtype: str, shares: int) -> tuple[Any, Any]:
    """Room for a sum, and for what blocks have of it."""
    wide = "float32" if dtype in ("float16", "bfloat16") else dtype
    whole = new(Part(part.operands, part.shape[-1:], (), ()), dtype)
    return whole, np.full((shares, part.shape[-1]), np.nan, wide)


def new(part: Part, dtype: str) -> Any:
    """A result in the library and on the device of the operands."""
    like = next((x for x in part.operands if hasattr(x, "_array")), None)
    array = np.empty(part.shape, dtype)
    return array if like is None else type(like)._new(array, device=like.device)


# --- programs to try it with -----------------------------------------------------------

FLOATS = ("float16", "float32", "float64")
#: By the number of operands; functions that magnify small differences are not among them.
SMOOTH = {
    1: ("tanh", "sigmoid", "sin", "negative", "abs", "square", "atan", "floor", "positive"),
    2: ("add", "subtract", "multiply", "maximum", "minimum", "atan2", "hypot"),
}
COMPARISONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")


def random_program(seed: int, sums: bool = False) -> Program:
    """A program of a dozen instructions on arrays that are broadcast in several ways."""
    random = np.random.default_rng(seed)
    rank = int(random.integers(1 + sums, 4))
    main = str(random.choice(FLOATS))
    operands = [Operand(main, (True,) * rank)]
    for _ in range(int(random.integers(1, 5))):
        axes = None if random.random() < 0.1 else tuple(map(bool, random.integers(0, 2, rank)))
        dtype = "bool" if axes and random.random() < 0.2 else main
        operands.append(Operand(dtype, axes))
    dtypes = [x.dtype for x in operands]
    made: list[Instruction] = []

    def add(name: str, given: tuple[int, ...], dtype: str, literal: str = "") -> int:
        made.append(Instruction(name, given, dtype, literal))
        dtypes.append(dtype)
        return len(dtypes) - 1

    def pick(dtype: str) -> int:
        found = [i for i, each in enumerate(dtypes) if each == dtype]
        return int(random.choice(found)) if found else add("less", (pick(main), 0), "bool")

    for _ in range(int(random.integers(4, 13))):
        chance = random.random()
        if chance < 0.15:
            add("literal", (), main, repr(round(float(random.normal()), 3)))
        elif chance < 0.3:
            add(str(random.choice(COMPARISONS)), (pick(main), pick(main)), "bool")
        elif chance < 0.4:
            add("where", (pick("bool"), pick(main), pick(main)), main)
        elif chance < 0.5:
            add("convert", (add("convert", (pick(main),), str(random.choice(FLOATS))),), main)
        else:
            count = int(random.integers(1, 3))
            add(str(random.choice(SMOOTH[count])), tuple(pick(main) for _ in range(count)), main)
    last = len(dtypes) - 1
    results = {last, *map(int, random.integers(len(operands), last + 1, 2))}
    added = [i for i in sorted(results) if dtypes[i] == main] if sums else []
    return Program(rank, tuple(operands), tuple(made), tuple(sorted(results)), tuple(added or []))


def random_part(program: Program, axes: tuple[int, ...], seed: int) -> Part:
    """Arrays to run a program on."""
    random = np.random.default_rng(seed)
    given: list[Any] = []
    for x in program.operands:
        if x.axes is None:
            given.append(1.25)
            continue
        shape = tuple(n if there else 1 for n, there in zip(axes, x.axes, strict=True))
        numbers = random.normal(size=shape)
        given.append(numbers > 0 if x.dtype == "bool" else numbers.astype(x.dtype))
    return Part(given, axes, axes, (None,) * len(program.results))


def evaluated(program: Program, part: Part) -> list[Any]:
    """What NumPy makes of it, with half precision computed in float32."""
    wide = {"float16": "float32", "bfloat16": "float32"}
    values = [
        np.asarray(x, wide.get(operand.dtype, operand.dtype))
        for x, operand in zip(part.operands, program.operands, strict=True)
    ]
    with np.errstate(all="ignore"):
        for i in program.instructions:
            dtype = np.dtype(wide.get(i.dtype, i.dtype))
            given = [values[v] for v in i.operands]
            if i.name == "literal":
                out = np.asarray({"True": 1, "False": 0}.get(i.literal) or float(i.literal), dtype)
            elif i.name in ("convert", "positive"):
                out = given[0].astype(i.dtype)
            elif i.name in SPECIAL:
                out = np.vectorize(SPECIAL[i.name], otypes="d")(given[0])
            elif i.name == "where":
                out = np.where(*given)
            elif i.name == "sigmoid":
                small = np.exp(-np.abs(given[0]))
                out = np.where(given[0] >= 0, 1, small) / (1 + small)
            else:
                out = getattr(np, NAMES.get(i.name, i.name))(*given)
            values.append(np.asarray(out).astype(dtype))
        narrow = [values[v].astype(program.dtype(v)) for v in program.results]
        added = [np.broadcast_to(values[v], part.shape) for v in program.sums]
        rows = tuple(range(len(part.shape) - 1))
        columns = [
            np.sum(x, axis=rows).astype(program.dtype(v)) for x, v in zip(added, program.sums)
        ]
    return [*(np.broadcast_to(x, part.shape) for x in narrow), *columns]


#: What NumPy has not.
SPECIAL = {
    "erf": math.erf,
    "erfc": math.erfc,
    "normal_cdf": lambda x: 0.5 * math.erfc(-x / math.sqrt(2)),
}
#: What NumPy 1 and 2 both call a function.
NAMES = {
    **{f"a{name}": f"arc{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "atan2": "arctan2",
    "pow": "power",
    "round": "rint",
    "bitwise_invert": "invert",
}

"""A group of element-wise steps as one loop, compiled by numba and kept on disk.

What is only used inside of a group never leaves the registers. The loop is told that
its arrays share no memory, which is what lets a compiler vectorise it: a result that
takes over an operand's memory goes through a block of its own (writing.py).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Hashable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from portagrad.graph.host.steps import BITS, Slot, Step

#: What an element becomes; `T` is the result's type, `t` its name.
EXPRESSIONS: dict[str, str] = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "square": "{0} * {0}",
    "reciprocal": "T(1) / {0}",
    "abs": "abs({0})",
    "copy": "{0}",
    "positive": "{0}",
    "astype": "T({0})",
    "exp": "exp_t({0})",
    "tanh": "tanh_t({0})",
    "log": "log_t({0})",
    "sigmoid": "sigmoid_t({0})",
    "sqrt": "math.sqrt({0})",
    "sin": "math.sin({0})",
    "cos": "math.cos({0})",
    "expm1": "math.expm1({0})",
    "log1p": "math.log1p({0})",
    # The first where it is nan, the second where that is: nan stays nan.
    "maximum": "select(({0} > {1}) | ({0} != {0}), {0}, {1})",
    "minimum": "select(({0} < {1}) | ({0} != {0}), {0}, {1})",
    "where": "select({0}, T({1}), T({2}))",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "logical_and": "{0} & {1}",
    "logical_or": "{0} | {1}",
    "logical_not": "{0} == False",
    "bitwise_and": "{0} & {1}",
    "bitwise_or": "{0} | {1}",
    "isfinite": "abs({0}) < math.inf",
    "isnan": "{0} != {0}",
}
TYPES = {
    np.dtype("float32"): "float32",
    np.dtype("float64"): "float64",
    np.dtype("int32"): "int32",
    np.dtype("int64"): "int64",
    np.dtype("bool"): "boolean",
}
#: Functions that are there for floats only.
FLOATING = frozenset(
    {"exp", "tanh", "log", "sigmoid", "sqrt", "sin", "cos", "expm1", "log1p", "divide"}
)
#: Functions that are others for truth values (+ is "or") than a loop would have them.
ARITHMETIC = frozenset({"add", "subtract", "multiply", "negative", "square", "abs", "positive"})
#: Functions that become calls, one element at a time, where NumPy takes many at once.
CALLS = frozenset({"sin", "cos", "expm1", "log1p"})
#: A loop is worth compiling from this many steps on, or this many elements times steps.
STEPS, WORK = 16, 1 << 18
#: With more arrays than this, a loop has them in each other's way in the cache.
ARRAYS = 16


def worth_it(steps: list[Step], alike: int = 1) -> bool:
    """Would a native loop gain more than it costs? `alike` groups of a plan have the same one."""
    size = max(step.out.size for step in steps if step.out is not None)
    outside = arrays(steps)
    passes = sum(max(step.flops, 1) for step in steps)
    if passes * size >= WORK:
        return passes > 1 and len(outside) <= ARRAYS
    if not CALLS.isdisjoint(step.name for step in steps):
        return False
    # A call costs as much as half a step, and an eighth for each array.
    return passes > 1 and len(outside) <= 4 * passes and alike * passes >= STEPS


def arrays(steps: list[Step]) -> set[Slot]:
    """What a group reads from outside, numbers aside."""
    made = {step.out for step in steps}
    return {x.root for step in steps for x in step.slots if x.root not in made and x.shape != ()}


def likeness(steps: list[Step], shape: tuple[int, ...]) -> Hashable:
    """What groups with the same loop have in common."""
    numbers: dict[Any, int] = {}

    def key(x: Any) -> Hashable:
        if type(x) is not Slot:
            return (type(x), repr(x))
        if x.kind == "constant" and x.shape == ():
            return (x.dtype.str, repr(x.data[()]))
        number = numbers.setdefault(x, len(numbers))
        return (number, x.kind == "number", place(x, shape), str(x.dtype), x.expression)

    return tuple(
        (step.name, *(key(x) for x in step.operands), step.out and key(step.out)) for step in steps
    )


def possible(steps: list[Step], shape: tuple[int, ...]) -> bool:
    """Can all of it be written as one loop?"""
    for step in steps:
        out = step.out
        if step.kind != "elementwise" or step.name not in EXPRESSIONS or out is None:
            return False
        if out.dtype not in TYPES or (step.name in FLOATING and out.dtype.kind != "f"):
            return False
        for x in step.operands:
            if type(x) is Slot:
                if x.kind != "number" and x.dtype not in TYPES:
                    return False
                if place(x, shape) is None:
                    return False
            elif isinstance(x, complex):
                return False
        if step.name not in ("astype", "where") and not _of_one_type(step):
            return False
    return True


def _of_one_type(step: Step) -> bool:
    """Are the operands of one dtype? (What NumPy promotes, a loop would promote otherwise.)"""
    dtypes = {x.dtype for x in step.operands if type(x) is Slot and x.dtype is not None}
    kinds = {dtype.kind for dtype in dtypes}
    numbers = [x for x in step.operands if type(x) is not Slot or x.kind == "number"]
    if numbers and not kinds <= {"f"}:  # a number may be of another kind than they are
        return len(dtypes) == 1 and kinds == {"i"} and all(type(x) is int for x in numbers)
    return len(dtypes) <= 1 and not ("b" in kinds and step.name in ARITHMETIC)


def place(x: Slot, shape: tuple[int, ...]) -> str | None:
    """Where an operand's element is, in a loop over i and j; None where that is nowhere."""
    if x.kind == "number" or x.shape == ():
        return "()"
    if x.shape == shape:
        return "i, j" if len(shape) == 2 else "j"
    if len(shape) != 2:
        return None
    rows, columns = shape
    return {(columns,): "j", (1, columns): "0, j", (rows, 1): "i, 0", (1,): "0"}.get(x.shape)


def source(
    steps: list[Step],
    shape: tuple[int, ...],
    operands: list[Any],
    results: list[Slot],
    inplace: dict[Slot, Slot],
) -> str:
    """The loop. `operands` are its arrays and numbers, `results` what it writes.

    A result in `inplace` is written into the array of that operand.
    """
    names: dict[Any, str] = {}
    before: list[str] = []
    first: list[str] = []
    body: list[str] = []
    constants: dict[str, str] = {}
    for n, x in enumerate(operands):
        where = place(x, shape)
        names[x] = f"x{n}"
        if x.kind == "number":
            continue
        if where == "()":
            before.append(f"x{n} = a{n}[()]")
        elif where in ("i, 0", "0"):
            first.append(f"x{n} = a{n}[{where}]")
        else:
            body.append(f"x{n} = a{n}[{where}]")

    def name(x: Any, dtype: Any) -> str:
        kind = TYPES[dtype]
        if type(x) is not Slot:
            return constants.setdefault(f"{kind}({_literal(x)})", f"k{len(constants)}")
        if x in names:
            return f"{kind}({names[x]})" if x.kind == "number" else names[x]
        if x.kind == "constant" and x.shape == ():
            text = f"{TYPES[x.dtype]}({_literal(x.data[()].item())})"
            return constants.setdefault(text, f"k{len(constants)}")
        if x.kind == "view" and x.base is not None and x.expression.startswith(BITS):
            return f"to_{TYPES[x.dtype]}({name(x.base, x.base.dtype)})"
        raise AssertionError(x)

    for n, step in enumerate(steps):
        out = step.out
        assert out is not None
        kind = TYPES[out.dtype]
        inside = [x.dtype for x in step.operands if type(x) is Slot and x.dtype is not None]
        # A number is of its neighbours' type; in `where` the first of those is a condition.
        floating = step.name in FLOATING
        common = out.dtype if step.name == "where" or floating or not inside else inside[0]
        kinds = [common] * len(step.operands)
        if step.name == "where":
            kinds[0] = np.dtype(bool)
        given = [name(x, dtype) for x, dtype in zip(step.operands, kinds)]
        if floating and inside and inside[0] != out.dtype:  # of whole numbers
            given = [f"{kind}({x})" for x in given]
        text = EXPRESSIONS[step.name].replace("T(", f"{kind}(").replace("_t(", f"_{kind}(")
        text = text.format(*given)
        names[out] = f"v{n}"
        body.append(f"v{n} = {kind}({text})" if out.dtype.kind == "i" else f"v{n} = {text}")
    index = "i, j" if len(shape) == 2 else "j"
    written = {r: f"r{n}" for n, r in enumerate(results) if r not in inplace}
    written |= {r: f"a{operands.index(x)}" for r, x in inplace.items()}
    # Everything is read before anything is written.
    body += [f"{written[out]}[{index}] = {names[out]}" for out in results]
    like = written[results[0]]
    parameters = [f"x{n}" if x.kind == "number" else f"a{n}" for n, x in enumerate(operands)]
    parameters += [written[r] for r in results if r not in inplace]
    lines = [*(f"{k} = {text}" for text, k in constants.items()), ""]
    lines += ["", f"def kernel({', '.join(parameters)}):", *(f"    {line}" for line in before)]
    if len(shape) == 2:
        lines += [f"    for i in range({like}.shape[0]):", *(f"        {line}" for line in first)]
        lines += [
            f"        for j in range({like}.shape[1]):",
            *(f"            {line}" for line in body),
        ]
    else:
        lines += [*(f"    {line}" for line in first)]
        lines += [f"    for j in range({like}.shape[0]):", *(f"        {line}" for line in body)]
    return "\n".join([*HEADER, *lines, ""])


def _literal(x: Any) -> str:
    text = repr(x)
    return text if text not in ("inf", "-inf", "nan") else f"float('{text}')"


HEADER = (
    '"""Made by portagrad.jit. May be deleted."""',
    "import math",
    "from numpy import float32, float64, int32, int64, bool_ as boolean",
    "from portagrad.graph.native.functions import *",
    "",
)


@cache
def compiled(text: str) -> Callable[..., Any]:
    """The function of a source; what was compiled once is found on disk."""
    import numba

    from portagrad.graph.native import functions

    here = Path(functions.__file__).read_text(encoding="utf-8")
    key = hashlib.sha256("\n".join([text, here, numba.__version__, sys.version]).encode())
    name = f"portagrad_kernel_{key.hexdigest()[:24]}"
    path = _kept(name, text)
    if path is None:
        scope: dict[str, Any] = {}
        exec(compile(text, f"<{name}>", "exec"), scope)
        function = scope["kernel"]
    else:
        specification = importlib.util.spec_from_file_location(name, path)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        sys.modules[name] = module  # numba looks there when it loads what it has kept
        specification.loader.exec_module(module)
        function = module.kernel
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy", cache=path is not None)(function)
    dispatcher._compiler._customize_flags = _without_aliases
    return dispatcher  # type: ignore[no-any-return]


def _without_aliases(flags: Any) -> Any:
    """The flag that numba sets for its own parallel loops; it has no public name (0.68)."""
    flags.noalias = True
    return flags


def _kept(name: str, text: str) -> Path | None:
    """The file of a source, written where it is not there; None where nothing can be written."""
    base = os.environ.get("PORTAGRAD_CACHE_DIR") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache"),
        "portagrad",
    )
    path = Path(base) / f"{name}.py"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            new = path.with_suffix(f".{os.getpid()}")
            new.write_text(text, encoding="utf-8")
            new.replace(path)
    except OSError:
        return None
    return path

"""What a program on NumPy arrays is made of: slots, and the steps that fill them.

One level below the primitives: a step is one call of NumPy with a place for its
result, a view, or a call that makes its own result.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np


class Slot:
    """An array of a program.

    kind: "input"; "constant" (with `data`); "buffer", which a step writes into;
    "view" of `base`; "made" by a call; "number" of Python's.
    """

    __slots__ = ("base", "contiguous", "data", "dtype", "expression", "kind", "shape", "step")

    def __init__(
        self,
        kind: str,
        shape: tuple[int, ...],
        dtype: Any,
        *,
        data: Any = None,
        base: Slot | None = None,
        expression: str = "",
        contiguous: bool = True,
    ) -> None:
        self.kind = kind
        self.shape = shape
        self.dtype = dtype
        self.data = data
        self.base = base
        #: For a view, how it is got from its base: a format with `{}`.
        self.expression = expression
        self.contiguous = contiguous
        self.step: Step | None = None

    @property
    def root(self) -> Slot:
        """What holds its memory."""
        slot = self
        while slot.base is not None:
            slot = slot.base
        return slot

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        return self.size * self.dtype.itemsize if self.dtype is not None else 0

    def __repr__(self) -> str:
        return f"{self.kind} {self.dtype}{list(self.shape)}"


@dataclass(eq=False)
class Step:
    """One line of the program: `template` with the operands and the result filled in.

    kind: "elementwise" (element i of the result depends on element i of the operands,
    after broadcasting), "sum", "dot", "call", "number".
    """

    kind: str
    name: str
    template: str
    operands: tuple[Any, ...]
    out: Slot | None
    flops: int = 0
    #: For "sum": the axes and whether they stay, to be done block by block.
    axes: tuple[int, ...] | None = None
    #: Operands whose memory the result may take over, element by element.
    inplace: tuple[int, ...] = ()
    #: Must not be dropped or done out of order.
    effect: bool = False
    #: Working memory, of the shape of the result.
    scratch: tuple[Slot, ...] = ()

    @property
    def slots(self) -> Iterator[Slot]:
        """The operands that are slots."""
        return (x for x in self.operands if type(x) is Slot)


@dataclass(eq=False)
class Program:
    """Steps in order, from inputs to outputs."""

    inputs: list[Slot] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    scope: dict[str, Any] = field(default_factory=dict)


def known(x: Any) -> bool:
    """Is its value known before the program runs?"""
    return type(x) is not Slot or x.kind == "constant"


class Builder:
    """Writes a program, sharing what is computed twice and computing what is known."""

    def __init__(self) -> None:
        self.program = Program()
        self._known: dict[Any, Slot] = {}
        self._constants: dict[Any, Slot] = {}
        self._holders: dict[Any, str] = {}

    # --- slots ---

    def input(self, shape: tuple[int, ...], dtype: Any, *, number: bool = False) -> Slot:
        """An array, or a number, that comes with every call."""
        slot = Slot("number" if number else "input", shape, dtype, contiguous=False)
        self.program.inputs.append(slot)
        return slot

    def constant(self, array: Any, *, shared: bool = False) -> Slot:
        """An array that is there already; `shared` where its owner may change it."""
        array = np.asarray(array)
        alike = array.size == 1 or (array.size and all(s == 0 for s in array.strides))
        if not shared and array.ndim > 0 and alike:
            # One number, spread: everything that can work with the number does.
            return self.view(self.constant(array[(0,) * array.ndim]), array.shape, "spread")
        small = array.size == 1 and array.ndim == 0 and not shared
        key = (array.dtype.str, array.tobytes()) if small else id(array)
        if key not in self._constants:
            kind = "shared" if shared else "constant"
            slot = Slot(kind, array.shape, array.dtype, data=array)
            slot.contiguous = array.flags.c_contiguous
            self._constants[key] = slot
        return self._constants[key]

    def scalar(self, number: Any, dtype: Any) -> Any:
        """A Python number beside arrays of a dtype: the 0-d array that it becomes there."""
        if type(number) is Slot or dtype.kind not in "fc":
            return number
        with np.errstate(all="ignore"):
            return self.constant(np.asarray(number, dtype=dtype))

    def view(
        self, base: Slot, shape: tuple[int, ...], expression: str, *, contiguous: bool = False
    ) -> Slot:
        """Another look at the same memory; the expression "spread" is broadcasting."""
        if base.kind == "constant" and expression != "spread":
            return self.constant(eval(expression.format("x"), {"x": base.data, "np": np}))
        if expression == "spread":
            if base.shape == shape:
                return base
            if base.kind == "view" and base.expression == "spread":
                base = base.base  # type: ignore[assignment]
        key = ("view", base, shape, expression)
        if key not in self._known:
            self._known[key] = Slot(
                "view",
                shape,
                base.dtype,
                base=base,
                expression=expression,
                contiguous=contiguous and base.contiguous,
            )
        return self._known[key]

    def bits(self, x: Slot, dtype: Any) -> Slot:
        """The same bits as numbers of another dtype of that size."""
        if x.kind == "view" and x.base is not None and x.expression.startswith(BITS):
            return x.base
        key = ("bits", x, dtype)
        if key not in self._known:
            expression = f"{BITS}'{dtype.str}')"
            view = Slot("view", x.shape, dtype, base=x, expression=expression)
            view.contiguous = x.contiguous
            self._known[key] = view
        return self._known[key]

    # --- steps ---

    def add(
        self,
        kind: str,
        name: str,
        template: str,
        operands: tuple[Any, ...],
        shape: tuple[int, ...],
        dtype: Any,
        **more: Any,
    ) -> Slot:
        """A step, unless the same has been done before, or can be done now."""
        key: Any = (name, template, operands, shape, dtype)
        effect = more.get("effect", False)
        try:
            if not effect and key in self._known:
                return self._known[key]
        except TypeError:
            key = None
        if not effect and kind in ("elementwise", "sum") and all(map(known, operands)):
            folded = self._fold(template, operands, shape, dtype)
            if folded is not None:
                return folded
        slot_kind = {"call": "made", "number": "number"}.get(kind, "buffer")
        out = Slot(slot_kind, shape, dtype, contiguous=slot_kind == "buffer")
        step = Step(kind, name, template, operands, out, **more)
        out.step = step
        self.program.steps.append(step)
        if key is not None and not effect:
            self._known[key] = out
        return out

    def _fold(self, template: str, operands: Any, shape: Any, dtype: Any) -> Slot | None:
        if math.prod(shape) > FOLDED:
            return None
        out = np.empty(shape, dtype)
        names = [f"x{i}" for i in range(len(operands))]
        scope = {n: x.data if type(x) is Slot else x for n, x in zip(names, operands)}
        with np.errstate(all="ignore"):
            exec(template.format(*names, out="out"), {**NAMES, **scope, "out": out})
        return self.constant(out)

    def number(self, name: str, function: Callable[..., Any], operands: tuple[Any, ...]) -> Slot:
        """An operation on Python's numbers."""
        holder = f"number_{name}"
        self.program.scope[holder] = function
        inside = ", ".join("{}" for _ in operands)
        return self.add("number", name, f"{{out}} = {holder}({inside})", operands, (), None)

    def call(
        self,
        name: str,
        function: Callable[..., Any],
        operands: tuple[Any, ...],
        shape: tuple[int, ...],
        dtype: Any,
        *,
        effect: bool = False,
    ) -> Slot:
        """A call that makes its own result."""
        holder = self._holders.get(function)
        if holder is None:
            plain = re.sub(r"\W", "_", name)
            holder = self._holders[function] = f"call{len(self._holders)}_{plain}"
            self.program.scope[holder] = function
        inside = ", ".join("{}" for _ in operands)
        out = self.add(
            "call", name, f"{{out}} = {holder}({inside})", operands, shape, dtype, effect=effect
        )
        out.contiguous = False
        return out


#: The expression of a view of the same elements as other numbers.
BITS = "{}.view("
#: Constants with more elements than this are not made before they are needed.
FOLDED = 1 << 16
#: What the templates may name.
NAMES: dict[str, Any] = {"np": np, "copyto": np.copyto, "dot": np.dot}

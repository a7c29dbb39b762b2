"""A group of element-wise operations as one function of its arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portagrad.backend import ElementwiseCompiler, explained
from portagrad.backend.elementwise import Part
from portagrad.graph.fusion.programs import Piece
from portagrad.graph.graph import Value


class Fused:
    """What stands for a group in an operation: one launch, for one or several sets of arrays."""

    def __init__(self, compiler: ElementwiseCompiler, parts: list[Piece]) -> None:
        self.compiler = compiler
        self.parts = parts
        self.program = parts[0].program
        self.run: Callable[[Sequence[Part]], list[Any]] = compiler.compiled(self.program)
        self.name = "fused"

    def evaluate(self, values: Any, static: dict[str, Any]) -> list[Any]:
        """Launch it. `static["into"]` says which operand's memory a result is written to."""
        into = static.get("into", {})
        program = self.program
        operands, made = len(program.operands), len(program.results) + len(program.sums)
        parts = [
            Part(
                values[i * operands : (i + 1) * operands],
                piece.shape,
                piece.axes,
                [
                    values[into[r]] if r in into else None
                    for r in range(i * made, i * made + len(program.results))
                ],
            )
            for i, piece in enumerate(self.parts)
        ]
        try:
            return self.run(parts)
        except Exception as error:
            raise self._located(error, values) from error.__cause__

    def _located(self, error: Exception, values: Sequence[Any]) -> Exception:
        """A library's error where memory ended, with what was to be computed."""
        names = ", ".join(o.name for o in self.parts[0].operations)
        made = ", ".join(map(repr, (v for piece in self.parts for v in piece.results)))
        said = f"jit: a kernel of {names}: {error} [results: {made}]"
        return explained(error, said, values) or error

    def reads_alike(self, result: Value, shared: set[Value], target: Value) -> bool:
        """Is what shares memory read by nothing but `target`, element by element with `result`?

        Then every element of the target has been read when the result's is written.
        """
        for piece in self.parts:
            if result in piece.results and target.shape != piece.shape:
                return False  # a sum
            for x, operand in zip(piece.operands, self.program.operands):
                if x not in shared:
                    continue
                same = x is target and result in piece.results
                if not same or not operand.axes or not all(operand.axes):
                    return False
        return True

    @property
    def source(self) -> str:
        """The kernel, for a person to read."""
        return self.compiler.source(self.program)

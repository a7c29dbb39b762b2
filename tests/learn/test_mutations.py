"""No answer passes that is wrong in one place: every solution, changed once in every way."""

import ast
import copy
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from portagrad.learn import EXERCISES, examine

SWAPPED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.MatMult: ast.Mult,
}  # fmt: skip

#: Changed, and still right: another good step, an axis under its other name, a length of no array.
STILL_RIGHT = {
    "h = np.finfo(float).eps ** (1 / 3) * max(abs(x), 2.0)",
    "h = np.finfo(float).eps ** (1 / 4) * max(abs(x), 1.0)",
    "h = np.finfo(float).eps ** (1 / 2) * max(abs(x), 1.0)",
    "stretched = tuple((i for i, n in enumerate(b.shape) if n == 1 and g.shape[i] != 2))",
    "stretched = tuple((i for i, n in enumerate(b.shape) if n == 1 and g.shape[i] != 0))",
    "return s * (g - (g * s).sum(axis=1, keepdims=True))",
}


def changes(node: ast.AST) -> Iterator[Callable[[Any], ast.AST]]:
    """What may be made of a node: functions of a copy of it."""
    if isinstance(node, ast.BinOp):
        other = SWAPPED.get(type(node.op))
        if other is not None:
            yield lambda n: ast.BinOp(n.left, other(), n.right)
        yield lambda n: n.left
        yield lambda n: n.right
    elif isinstance(node, ast.UnaryOp):
        yield lambda n: n.operand
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield lambda n: ast.Constant(n.value + 1)
        yield lambda n: ast.Constant(n.value - 1)
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield lambda n: n.value
    elif isinstance(node, ast.Attribute) and node.attr == "sum":
        yield lambda n: ast.Attribute(n.value, "mean", ast.Load())


class Replacement(ast.NodeTransformer):
    """One node, told by its place in a walk, for another."""

    def __init__(self, target: ast.AST, change: Callable[[Any], ast.AST]) -> None:
        self.target, self.change = target, change

    def visit(self, node: ast.AST) -> Any:
        return self.change(node) if node is self.target else super().generic_visit(node)


def mutants(source: str) -> Iterator[str]:
    tree = ast.parse(source)
    original = ast.unparse(tree)
    for place, node in enumerate(ast.walk(tree)):
        for change in changes(node):
            twin = copy.deepcopy(tree)
            target = list(ast.walk(twin))[place]
            text = ast.unparse(ast.fix_missing_locations(Replacement(target, change).visit(twin)))
            if text != original:
                yield text


@pytest.mark.parametrize("name", EXERCISES)
def test_no_answer_passes_that_is_wrong_in_one_place(name: str) -> None:
    exercise = EXERCISES[name]
    lines = set(ast.unparse(ast.parse(exercise.solution)).splitlines())
    count = 0
    for text in mutants(exercise.solution):
        count += 1
        scope: dict[str, Any] = {}
        exec(text, scope)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                verdict = examine(exercise, scope[name])
            except Exception:  # shapes that do not fit: told as an error
                continue
        changed = [line.strip() for line in text.splitlines() if line not in lines]
        assert not verdict or changed[0] in STILL_RIGHT, changed
    assert count or name == "accumulate"

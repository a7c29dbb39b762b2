"""Random programs on nested state: values, and which containers are one, as in eager work."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import portagrad as pg
from portagrad.tree import _children, named_leaves, tree_map

NAMES = ("u", "v", "w")


class Pair(NamedTuple):
    """A tuple with names."""

    a: Any
    b: Any


@dataclass
class Data:
    """What can be assigned to."""

    a: Any
    b: Any


class State:
    """Three containers, and a tuple around two more."""

    def __init__(self, r: random.Random) -> None:
        fixed = ([fresh(r, 2), fresh(r)], {"a": fresh(r)})
        named = {name: r.choice([fresh(r), fresh(r), fixed[0]]) for name in NAMES}
        # jit comes upon its attributes in this order.
        vars(self).update({"fixed": fixed, **named} if r.random() < 0.5 else named, fixed=fixed)


def fresh(r: random.Random, depth: int = 1) -> Any:
    """A new tree of arrays and numbers."""
    kind = r.randrange(8 if depth < 3 else 2)

    def inner(least: int = 1) -> list[Any]:
        return [fresh(r, depth + 1) for _ in range(r.randint(least, 2))]

    if kind == 0:
        return np.asarray([r.random(), r.random()])
    if kind == 1:
        return r.choice([1.5, 2.0, 3])
    if kind in (2, 3):
        return inner()
    if kind == 4:
        return tuple(inner())
    if kind == 5:
        return dict(zip(r.sample("abc", 2), inner()))
    return (Pair if kind == 6 else Data)(*inner(2))


def inside(tree: Any, path: tuple[int, ...]) -> Any:
    """What is found on a way through a tree, as far as it goes."""
    for step in path:
        children = _children(tree)
        if not children:
            break
        tree = [*children.values()][step % len(children)]
    return tree


def put(tree: Any, step: int, x: Any) -> None:
    """Assign to a part, if the container can be written."""
    if isinstance(tree, list) and tree:
        tree[step % len(tree)] = x
    elif isinstance(tree, dict) and tree:
        tree[[*tree][step % len(tree)]] = x
    elif isinstance(tree, Data):
        setattr(tree, "ab"[step % 2], x)


def holds(tree: Any, x: Any) -> bool:
    return tree is x or any(holds(child, x) for child in (_children(tree) or {}).values())


def first(tree: Any) -> Any:
    return next((leaf for _, leaf in named_leaves(tree)), 1.0)


def scaled(tree: Any, by: float) -> Any:
    return tree_map(lambda x: x * by + 1.0, tree)


def do(state: State, what: str, r: random.Random) -> Any:
    """One statement; all that is random in it is the same each time."""
    one, other = r.choice(NAMES), r.choice(NAMES)
    source = getattr(state, other) if r.random() < 0.8 else state.fixed[r.randrange(2)]
    here, there = (tuple(r.choices(range(2), k=r.randrange(3))) for _ in range(2))
    by, step = r.choice([0.5, 0.9]), r.randrange(2)
    part, target = inside(source, there), inside(getattr(state, one), here)
    if what == "make":
        setattr(state, one, scaled(source, by))
    elif what == "name":
        setattr(state, one, part)
    elif what == "swap":
        setattr(state, other, getattr(state, one))
        setattr(state, one, source)
    elif what == "share":
        made = scaled(part, by)
        setattr(state, one, made)
        setattr(state, other, made)
    elif what == "put":
        put(target, step, scaled(part, by))
    elif what == "link" and not holds(part, target):
        put(target, step, part)
    elif what == "wrap" and len([*named_leaves(source)]) < 8:
        setattr(state, one, [source, scaled(source, by)] if step else (source, source))
    return first(part) * by


def by_user(state: State, held: list[Any], r: random.Random) -> None:
    """What happens between calls."""
    name, step = r.choice(NAMES), r.randrange(2)
    value = np.asarray([r.random(), r.random()])
    what = r.choice(["hold", "hold", "drop", "fresh", "join", "fixed", "write", "restore"])
    if what == "hold":
        held.append(inside(getattr(state, name), (step,) * r.randrange(3)))
    elif what == "drop":
        held.clear()
    elif what == "fresh":
        setattr(state, name, fresh(r))
    elif what == "join":
        setattr(state, name, getattr(state, r.choice(NAMES)))
    elif what == "fixed":
        setattr(state, name, state.fixed[step])
    elif what == "write":
        put(r.choice([*held, getattr(state, name)]), step, value)
    elif held:
        setattr(state, name, r.choice(held))


def form(roots: list[Any]) -> list[Any]:
    """All containers, and which of those that can be written are the same."""
    known: dict[int, int] = {}
    found: list[Any] = []

    def walk(x: Any) -> None:
        children = _children(x)
        if children is None:
            found.append(type(x))
        elif not isinstance(x, tuple) and id(x) in known:
            found.append(known[id(x)])
        else:
            known[id(x)] = len(known)
            found.append((type(x), [*children]))
            for child in children.values():
                walk(child)

    for root in roots:
        walk(root)
    return found


def world(seed: int) -> tuple[Callable[[], list[Any]], Callable[..., None], Callable[[], Any]]:
    r = random.Random(seed)
    state, held = State(r), []  # type: ignore[var-annotated]
    kinds = ["make", "make", "make", "name", "swap", "share", "put", "link", "wrap"]
    program = tuple((r.choice(kinds), r.random()) for _ in range(r.randint(1, 4)))

    def step() -> list[Any]:
        return [do(state, what, random.Random(chosen)) for what, chosen in program]

    def read() -> list[Any]:
        return [*(getattr(state, name) for name in NAMES), state.fixed, held]

    return step, lambda r: by_user(state, held, r), read


@pytest.mark.parametrize("seed", range(60))
def test_as_eager_work_does(seed: int) -> None:
    (ours, change, read), (eager, change_eager, expected) = world(seed), world(seed)
    compiled = pg.jit(ours)
    r = random.Random(seed)
    for call in range(16):
        if len([*named_leaves(expected())]) > 40:
            break
        results, wanted = compiled(), eager()
        assert form(read()) == form(expected())
        for (_, x), (_, y) in zip(
            named_leaves([results, read()]), named_leaves([wanted, expected()]), strict=True
        ):
            np.testing.assert_allclose(x, y, rtol=1e-12)
        if call > 3 and r.random() < 0.5:
            chosen = r.random()
            change(random.Random(chosen))
            change_eager(random.Random(chosen))

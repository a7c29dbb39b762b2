"""The way into a plan: a generated function that checks, fetches, runs and writes back.

What a recording holds for is a conjunction of small conditions: types, shapes and
dtypes of arrays, identities of modules and functions, values of numbers. They are
written out as straight-line Python, since a small network's whole step costs as much
as a hundred of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np

from portagrad.autograd.tensor import EAGER, Tensor
from portagrad.backend import backend_of
from portagrad.graph.graph import Value
from portagrad.graph.places import FIXED, NUMBERS, Place
from portagrad.graph.recorded import LEAF, Leaf, Recording
from portagrad.primitive import mode
from portagrad.primitive import recording as recorded_now
from portagrad.tree import _children, rebuild, tree_leaves, tree_unflatten

#: What an entry returns where its conditions do not hold.
MISS: Any = object()
#: What reading a place may raise where it is gone.
GONE = (KeyError, AttributeError, IndexError, ValueError, TypeError)
#: Containers in more containers than that are not written as one expression.
DEEP = 30


class Source:
    """A Python function being written, and the objects that it names."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {}
        self._names: dict[int, str] = {}

    def name(self, x: Any, prefix: str = "k") -> str:
        """A name for an object."""
        if id(x) not in self._names:
            self._names[id(x)] = f"{prefix}{len(self._names)}"
            self.scope[self._names[id(x)]] = x
        return self._names[id(x)]

    def key(self, key: Any) -> str:
        """A key of a container, as it is written."""
        return repr(key) if type(key) in (str, int) else self.name(key)

    def add(self, line: str, depth: int = 1) -> None:
        """A line of the body."""
        self.lines.append("    " * depth + line)

    def made(self, signature: str, filename: str) -> Callable[..., Any]:
        """The function."""
        text = "\n".join([f"def {signature}:", *self.lines, ""])
        exec(compile(text, filename, "exec"), self.scope)
        return self.scope[signature.partition("(")[0]]  # type: ignore[no-any-return]


def left(recording: Recording, memory: list[int | None]) -> list[Place | None]:
    """For each output, the place that a call leaves it in; None where it is only returned."""
    found: list[Place | None] = [None] * len(recording.graph.outputs)
    for effect in recording.effects:
        for identity, output in effect.outputs:
            i = memory[output]
            if identity == effect.place.identity:
                found[output] = effect.place
            elif i is not None:  # in a new container, where the old one has what it replaces
                found[output] = cast("Place", recording.sources[i])
    for leaf in recording.leaves:
        if leaf.output is not None:
            found[leaf.output] = None  # returned, too
    return found


def reused(recording: Recording) -> list[int | None]:
    """For each output, the input whose memory may become the output's: that of its place."""
    graph = recording.graph
    trees = [*((e.tree, e.leaves) for e in recording.effects), *recording.shared]
    #: Containers that are put into another place: what is in them is still wanted.
    kept = {x.standing.place.identity for _, leaves in trees for x in leaves if x.standing}
    by_place = {
        source.identity: (i, source)
        for i, source in enumerate(recording.sources)
        if isinstance(source, Place) and kept.isdisjoint(source.around)
    }
    found: list[int | None] = [None] * len(graph.outputs)
    for effect in recording.effects:
        for identity, output in effect.outputs:
            out = graph.outputs[output]
            if identity not in by_place or type(out) is not Value or out.is_number:
                continue
            i, source = by_place[identity]
            if effect.place.identity not in (identity, *source.around):
                continue  # a container that may be anywhere else, too
            old = graph.inputs[i]
            if (old.shape, old.dtype, old.kind) == (out.shape, out.dtype, out.kind):
                found[output] = i
                del by_place[identity]
    return found


def entry(
    recording: Recording, run: Callable[..., Any], memory: list[int | None]
) -> tuple[Callable[..., Any], Callable[[], None]]:
    """The function of `(args, keywords)` that replays a recording, or returns MISS.

    With it comes a function that makes it forget the arrays it saw.
    """
    source = Source()
    source.scope.update(MISS=MISS, GONE=GONE, run=run, refs=sys.getrefcount, Tensor=Tensor)
    source.scope["seen"] = seen = [MISS] * len(recording.sources)
    source.scope["apart"] = [True] * len(recording.sources)
    source.scope.update(EAGER=EAGER, child=lambda node, key: (_children(node) or {})[key])
    replaced = [i for i in memory if i is not None]
    conditions = _Conditions(source, recording, set(replaced))
    source.add("try:")
    # The same mode of the tapes: under no_grad() other things come out, and where somebody watches
    # (absorbing_zeros, detect_anomaly) the function runs as it is written.
    source.scope["mode"] = mode.get
    source.add("paused, watch, _ = mode()", 2)
    if recording.surroundings.gradients:
        source.add(f"if not paused {'<' if recorded_now() else '>='} 0: return MISS", 2)
    source.add("if watch is not None: return MISS", 2)
    conditions.structure()
    conditions.standing()
    conditions.fixed()
    names = conditions.inputs()
    source.add("except GONE:")
    source.add("return MISS", 2)
    # Spare is an array, with memory of its own, that nobody but the place itself and this
    # function knows. That is counted before any of them is an argument of the call.
    # The same goes for a container that another one replaces, and for those around it.
    conditions.owned(replaced)
    for i in replaced:
        sole = "".join(f" and {name}" for name in conditions.sole(i))
        source.add(f"s{i} = x{i} if refs(x{i}) <= {REFERENCES} and apart[{i}]{sole} else None")
    spare = [f"s{i}" for i in replaced]
    source.add(f"r = run({', '.join([*names, *spare])})")
    for i, (tree, leaves) in enumerate(recording.shared):
        source.add(f"m{i} = {conditions.tree(tree, leaves)}")
    for effect in recording.effects:
        source.add(f"{conditions.at(effect.place)} = {conditions.tree(effect.tree, effect.leaves)}")
    source.add(f"return {conditions.tree(recording.tree, recording.leaves)}")
    made: Any = source.made("entry(args, keywords)", "<portagrad.jit: entry>")

    def forget() -> None:
        """Let go of the arrays of the latest call: another plan has its turn."""
        seen[:] = [MISS] * len(seen)

    return made, forget


class _Conditions:
    """What must hold, and where the inputs are."""

    def __init__(self, source: Source, recording: Recording, replaced: set[int]) -> None:
        self.source = source
        self.recording = recording
        #: Inputs whose memory an output may take.
        self.replaced = replaced
        self.paths: dict[Any, str] = {}
        #: The names of containers that are fetched from where they stand.
        self.names: dict[Any, str] = {}

    def require(self, condition: str) -> None:
        self.source.add(f"if not ({condition}): return MISS", 2)

    def structure(self) -> None:
        """The arguments' containers, and the constants among them."""
        args, keywords = self.recording.called
        self._walk((0,), args, "args")
        self._walk((1,), keywords, "keywords")
        for path, value in self.recording.arguments:
            self._constant(self.paths[path], value)

    def _walk(self, path: Any, node: Any, expression: str) -> None:
        children = _children(node)
        self.paths[path] = expression
        if children is None:
            return
        if node is None:
            self.require(f"{expression} is None")
            return
        kind = type(node)
        if len(path) > 1:
            self.require(f"type({expression}) is {self.source.name(kind, 'kind')}")
        if isinstance(node, dict) and len(node) > 1:
            # The function may go through it in its order.
            self.require(f"[*{expression}] == {self.source.name([*node], 'keys')}")
        elif isinstance(node, (dict, list, tuple)):
            self.require(f"len({expression}) == {len(node)}")
        for key, part in children.items():
            if isinstance(node, tuple) and hasattr(kind, "_fields"):
                inner = f"{expression}[{kind._fields.index(key)}]"
            elif isinstance(node, (dict, list, tuple)):
                inner = f"{expression}[{self.source.key(key)}]"
            else:
                inner = f"child({expression}, {key!r})"
            self._walk((*path, key), part, inner)

    def _constant(self, expression: str, value: Any) -> None:
        name = self.source.name(value, "constant")
        if isinstance(value, NUMBERS) or (isinstance(value, FIXED) and value is not None):
            kind = self.source.name(type(value), "kind")
            equal = f"{expression} == {name}"
            if isinstance(value, (float, complex)) and 0 in (value.real, value.imag):
                equal = f"repr({expression}) == {repr(value)!r}"  # 0.0 equals -0.0
            self.require(f"{expression} is {name} or type({expression}) is {kind} and {equal}")
        else:
            self.require(f"{expression} is {name}")

    def standing(self) -> None:
        """Containers that may be others in each call: of the same kind and with the same keys."""
        changeable = []
        for each in self.recording.standing:
            name = self.names[each.place.identity] = f"c{len(self.names)}"
            self.source.add(f"{name} = {self.at(each.place)}", 2)
            condition = f"type({name}) is {self.source.name(each.kind, 'kind')}"
            if each.kind in (list, tuple):
                condition += f" and len({name}) == {len(each.keys)}"
            elif not issubclass(each.kind, (tuple, Tensor)):
                there = name if each.kind is dict else f"vars({name})"
                condition += f" and [*{there}] == {self.source.name(each.keys, 'keys')}"
            self.require(condition)
            if not issubclass(each.kind, tuple):
                changeable.append(f"id({name})")
        for place, each in self.recording.surroundings.aliases:
            self.require(f"{self.at(place)} is {self.names[each.place.identity]}")
        # Two places that held two containers may hold the same one now.
        ids = ", ".join(changeable)
        others = {id(owner) for owner, _ in self.recording.sizes}
        if len(changeable) > 1:
            self.require(f"len({{{ids}}}) == {len(changeable)}")
        if changeable and others:
            self.require(f"{self.source.name(others, 'others')}.isdisjoint(({ids},))")

    def owned(self, replaced: list[int]) -> None:
        """Which of these containers does nobody hold but their place?"""
        for name in dict.fromkeys(name for i in replaced for name in self._around(i)):
            self.source.add(f"sole_{name} = refs({name}) <= {CONTAINER_REFERENCES}")

    def sole(self, i: int) -> list[str]:
        """The names of what `owned` found out about the containers around an input."""
        return [f"sole_{name}" for name in self._around(i)]

    def _around(self, i: int) -> list[str]:
        around = cast("Place", self.recording.sources[i]).around
        return [self.names[identity] for identity in around]

    def fixed(self) -> None:
        """What the function closes over and is no array."""
        for owner, size in self.recording.sizes:
            name = self.source.name(owner, "owner")
            if isinstance(owner, set):
                self.require(f"{name} == {self.source.name(size, 'set')}")
            elif isinstance(size, list):
                # The function may go through it in its order.
                self.require(f"[*{name}] == {self.source.name(size, 'keys')}")
            else:
                self.require(f"len({name}) == {size}")
        for place, value in self.recording.found:
            self._constant(self.at(place), value)

    def at(self, place: Place) -> str:
        """What stands in a place, or an assignment's target."""
        if place.moving and place.parent is not None:
            owner = self.names[place.parent.identity]
        else:
            owner = self.source.name(place.owner, "owner")
        if not place.item:
            return f"{owner}.{place.key}"
        return f"{owner}[{self.source.key(place.key)}]"

    def inputs(self) -> list[str]:
        """Fetch every input of the graph and check what it is."""
        names = []
        for i, origin in enumerate(self.recording.sources):
            value = self.recording.graph.inputs[i]
            if isinstance(origin, Place):
                expression = self.at(origin)
            elif origin in self.paths:
                expression = self.paths[origin]
            else:  # the array in a tensor without a gradient
                outer = self.paths[origin[:-1]]
                self.require(f"type({outer}) is Tensor and {outer}.node is None")
                expression = f"{outer}.value"
            self.source.add(f"x{i} = {expression}", 2)
            kind = self.source.name(value.kind, "kind")
            condition = f"type(x{i}) is {kind}"
            if value.is_number:
                self.require(condition)
            else:
                dtype = self.source.name(value.dtype, "dtype")
                shape = self.source.name(value.shape, "shape")
                condition += f" and x{i}.shape == {shape}"
                condition += f" and (x{i}.dtype is {dtype} or x{i}.dtype == {dtype})"
                device = self.recording.devices[i]
                if device is not None:
                    condition += f" and x{i}.device == {self.source.name(device, 'device')}"
                if not isinstance(origin, Place):
                    self.require(condition)
                else:
                    # An array that was there in the call before needs no other look.
                    self.source.add(f"if x{i} is not seen[{i}]:", 2)
                    self.source.add(f"if not ({condition}): return MISS", 3)
                    self.source.add(f"seen[{i}] = x{i}", 3)
                    if i in self.replaced and value.kind is np.ndarray:
                        # Not the user's view of a larger array, nor one in another order.
                        flags = f"x{i}.flags"
                        self.source.add(f"apart[{i}] = {flags}.owndata and {flags}.carray", 3)
            names.append(f"x{i}")
        return names

    def tree(self, tree: Any, leaves: list[Leaf]) -> str:
        """An expression for a tree of results."""
        return self._made(tree, iter(map(self._leaf, leaves)), 0)

    def _made(self, node: Any, leaves: Iterator[str], depth: int) -> str:
        if node is LEAF:
            return next(leaves)
        children = _children(node)
        assert children is not None
        if depth == DEEP:
            self.source.scope["unflatten"] = tree_unflatten
            filled = "".join(f"{next(leaves)}, " for _ in tree_leaves(node))
            return f"unflatten({self.source.name(node, 'tree')}, ({filled}))"
        parts = {key: self._made(child, leaves, depth + 1) for key, child in children.items()}
        kind = type(node)
        if node is None:
            return "None"
        if kind in (list, tuple):
            inside = "".join(f"{part}, " for part in parts.values())
            return f"[{inside}]" if kind is list else f"({inside})"
        inside = ", ".join(f"{self.source.key(key)}: {part}" for key, part in parts.items())
        if kind is dict:
            return f"{{{inside}}}"
        self.source.scope["rebuild"] = rebuild
        return f"rebuild({self.source.name(node, 'tree')}, {{{inside}}})"

    def _leaf(self, leaf: Leaf) -> str:
        if leaf.standing is not None:
            return self.names[leaf.standing.place.identity]
        if leaf.shared is not None:
            return f"m{leaf.shared}"
        if leaf.output is not None:
            return f"Tensor(r[{leaf.output}], EAGER, None)" if leaf.tensor else f"r[{leaf.output}]"
        x = leaf.constant
        if not leaf.is_copied:
            return self.source.name(x)
        copy = self.source.name(backend_of(x).asarray, "asarray")
        return f"{copy}({self.source.name(x)}, copy=True)"


class _Owner:
    __slots__ = ("value",)
    value: Any


def _references(remembered: str) -> int:
    """How many references an entry sees to what only its place and the entry hold."""
    owner = _Owner()
    owner.value = np.empty(1)
    scope: dict[str, Any] = {"owner": owner, "refs": sys.getrefcount}
    scope["seen"] = [None]
    exec(
        f"def probe(args, keywords):\n    x = owner.value\n{remembered}    return refs(x)\n",
        scope,
    )
    return int(scope["probe"]((), {}))


REFERENCES = _references("    seen[0] = x\n")
CONTAINER_REFERENCES = _references("")

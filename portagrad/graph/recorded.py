"""What a recording is: a graph, where its inputs come from, what it gives back and changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from portagrad.autograd.tensor import EAGER, Tensor
from portagrad.backend import backend_of
from portagrad.graph.graph import Graph, Value
from portagrad.graph.places import NUMBERS, Place, Standing
from portagrad.graph.recording import Recorder
from portagrad.graph.surroundings import Surroundings
from portagrad.tree import named_leaves, tree_unflatten

Path = tuple[Any, ...]
LEAF = object()


class Alive(Exception):
    """A result still has a graph that a user may walk back: a replay would have none."""


class Changed(Exception):
    """A number that was taken for a constant is changed by the function itself."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.where)
        self.place = place


class Decided(Exception):
    """The function decides by numbers that were taken for inputs; `sources` says which."""

    def __init__(self, sources: set[Any]) -> None:
        super().__init__(sources)
        self.sources = sources


@dataclass(eq=False)
class Leaf:
    """A leaf of a result or of what is written back: an output of the graph, or a constant.

    What is written back may also hold a container that was there before, which is known by
    where it stands, or one of the new ones that are in several places.
    """

    output: int | None
    constant: Any = None
    tensor: bool = False
    standing: Standing | None = None
    shared: int | None = None

    @property
    def is_copied(self) -> bool:
        """Is it an array, which is nobody else's when it comes out?"""
        return hasattr(self.constant, "dtype") and type(self.constant) is not Tensor

    def made(self, results: Any, shared: list[Any]) -> Any:
        """The leaf itself, from the graph's results and the containers in several places."""
        if self.standing is not None:
            return self.standing.value
        if self.shared is not None:
            return shared[self.shared]
        if self.output is None:
            x = self.constant
            return backend_of(x).asarray(x, copy=True) if self.is_copied else x
        x = results[self.output]
        return Tensor(x, EAGER, None) if self.tensor else x


@dataclass(eq=False)
class Effect:
    """A place that the function gives another value."""

    place: Place
    tree: Any
    leaves: list[Leaf]

    @property
    def outputs(self) -> Iterator[tuple[Any, int]]:
        """The arrays and numbers in it: the identity of each one's place, and which output."""
        for (path, _), leaf in zip(named_leaves(self.tree), self.leaves):
            if leaf.output is not None:
                identity = self.place.identity
                for key in (*path, "value") if leaf.tensor else path:
                    identity = (identity, key)
                yield identity, leaf.output


@dataclass(eq=False)
class Recording:
    """One call, written down."""

    name: str
    graph: Graph
    #: Where the graph's inputs come from: paths into (args, keywords), or places.
    sources: list[Path | Place]
    #: Constants that a call must bring again: numbers and texts among the arguments.
    arguments: list[tuple[Path, Any]]
    surroundings: Surroundings
    #: What was found at the places that are no inputs.
    found: list[tuple[Place, Any]]
    #: Containers, each with how many things it held; dicts with their keys, sets with what.
    sizes: list[tuple[Any, Any]]
    #: The arguments' containers, with LEAF for what is in them.
    called: Any = None
    devices: list[Any] = field(default_factory=list)
    tree: Any = None
    leaves: list[Leaf] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    #: New containers that are in several places, each with its leaves; inner ones come first.
    shared: list[tuple[Any, list[Leaf]]] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)

    @property
    def standing(self) -> list[Standing]:
        """Containers that are known by where they stand; outer ones come first."""
        return [*self.surroundings.standing.values()]

    def input(self, recorder: Recorder, source: Path | Place, x: Any) -> Any:
        """An array or number from `source` as an input of the graph."""
        self.sources.append(source)
        numpy = isinstance(x, (np.ndarray, np.generic, *NUMBERS))
        self.devices.append(None if numpy else getattr(x, "device", None))
        return recorder.input(x)

    def numbers_of(self, value: object) -> set[Any]:
        """The sources of the numbers that a value was computed from."""
        made = {v: o for o in self.graph.operations for v in o.outputs}
        found: set[Value] = set()
        waiting = [value]
        while waiting:
            v = waiting.pop()
            if type(v) is Value and v not in found:
                found.add(v)
                waiting.extend(made[v].values if v in made else ())
        return {
            source.identity if isinstance(source, Place) else source
            for source, v in zip(self.sources, self.graph.inputs)
            if v in found and v.is_number
        }

    def result(self) -> Any:
        """What the recorded call returned; what it changed is written."""
        results, self.results = self.results, []
        shared: list[Any] = []

        def made(tree: Any, leaves: list[Leaf]) -> Any:
            return tree_unflatten(tree, [leaf.made(results, shared) for leaf in leaves])

        for tree, leaves in self.shared:
            shared.append(made(tree, leaves))
        for effect in self.effects:
            effect.place.set(made(effect.tree, effect.leaves))
            effect.place.let_go()
        self.surroundings.let_go()
        return made(self.tree, self.leaves)

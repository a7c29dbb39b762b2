"""From a call to a recording: the graph, what it needs, and what it changes."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from portagrad.autograd.backward import apart
from portagrad.autograd.tensor import EAGER, Tensor
from portagrad.backend import backend_of
from portagrad.backend.dispatch import find_backend
from portagrad.errors import JitError
from portagrad.graph.draws import RecordingGenerator
from portagrad.graph.graph import Graph, Value
from portagrad.graph.places import (
    FIXED,
    NUMBERS,
    Foreign,
    Place,
    Randomness,
    Standing,
    Surroundings,
)
from portagrad.graph.recording import Recorded, RecordedNumber, Recorder, Type
from portagrad.primitive import traced_types
from portagrad.tree import (
    _children,
    named_leaves,
    path_name,
    rebuild,
    tree_leaves,
    tree_unflatten,
)

Path = tuple[Any, ...]
LEAF = object()
#: Held while a function is recorded: its values stand where every thread looks.
ONE_AT_A_TIME = threading.RLock()


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


def record(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    keywords: dict[str, Any],
    static: frozenset[Any],
    inputs: set[Any],
    moving: frozenset[Any] = frozenset(),
) -> Recording:
    """Call the function once, and write down what it does.

    `static` are the first steps of paths that are constants; `inputs` the paths and
    places of numbers that are inputs; `moving` places whose containers come and go.
    """
    name = getattr(function, "__name__", type(function).__name__)
    recorder = Recorder(name)
    arguments = list(named_leaves((args, keywords)))
    surroundings = Surroundings(_roots(function, name, arguments), moving)
    recording = Recording(name, recorder.graph, [], [], surroundings, [], [])
    recording.called = tree_unflatten((args, keywords), [LEAF] * len(arguments))
    contents = [(owner, _copy(owner)) for owner, _ in surroundings.containers]
    places = surroundings.everything()
    asking = surroundings.asking if inputs else []  # about numbers, which are recorded
    generators = [x for _, x in arguments if isinstance(x, np.random.Generator)]
    generators += [place.get() for place in surroundings.generators]
    randomness = Randomness(surroundings.streams, generators)
    try:
        lifted = [_lift_argument(recorder, recording, *pair, static, inputs) for pair in arguments]
        given = _lift_places(recorder, recording, surroundings, inputs)
        args_now, keywords_now = tree_unflatten((args, keywords), [x for x, _ in lifted])
        for namespace in asking:
            namespace["type"] = Type
        result = function(*args_now, **keywords_now)
        randomness.check(name)
        _refuse_changed_arguments(name, arguments, lifted, (args_now, keywords_now))
        finish = _Finish(recorder, recording)
        finish.effects(given, contents)
        recording.tree, recording.leaves = finish.tree(result, "the result")
        _own_memory(recording, finish.concrete, [x for _, x in arguments], places)
    except BaseException as error:
        randomness.rewind()
        decided = recording.numbers_of(getattr(error, "value", None))
        if decided & inputs:
            raise Decided(decided & inputs) from error
        raise
    finally:
        recorder.open = False
        for namespace in asking:
            namespace.pop("type", None)
        for owner, content in contents:
            _restore(owner, content)
        for place, value in places.values():
            if place.get() is not value:
                place.set(value)
    movable = {id(each.contents) for each in recording.standing}
    recording.sizes = [
        (x, was if isinstance(x, set) else [*was] if id(x) in surroundings.ordered else len(was))
        for x, was in contents
        if id(x) not in movable
    ]
    return recording


def _roots(function: Any, name: str, arguments: list[Any]) -> Iterator[tuple[Any, str]]:
    yield function, name
    for path, leaf in arguments:
        if not hasattr(leaf, "dtype") and not isinstance(leaf, (*FIXED, *NUMBERS)):
            yield leaf, path_name(path[1:])


def _lift_argument(
    recorder: Recorder,
    recording: Recording,
    path: Path,
    leaf: Any,
    static: frozenset[Any],
    inputs: set[Any],
) -> tuple[Any, Any]:
    """An argument as the function gets it, and the graph's value for it."""
    kind = type(leaf)
    number = kind in NUMBERS
    if path[1] in static and path[:2] in ((0, path[1]), (1, path[1])):
        recording.arguments.append((path, leaf))
        return leaf, None
    if number and path not in inputs:
        recording.arguments.append((path, leaf))
        return leaf, None
    if kind in traced_types:
        if leaf.trace is not EAGER or leaf.node is not None or type(leaf.value) in traced_types:
            raise Foreign
        inner = recording.input(recorder, (*path, "value"), leaf.value)
        return Tensor(inner, EAGER, None), inner.node
    if number or (hasattr(leaf, "dtype") and find_backend(leaf) is not None):
        x = recording.input(recorder, path, leaf)
        return x, x.node
    recording.arguments.append((path, leaf))
    if isinstance(leaf, np.random.Generator):
        return RecordingGenerator(leaf, recorder), None
    return leaf, None


def _lift_places(
    recorder: Recorder, recording: Recording, surroundings: Surroundings, inputs: set[Any]
) -> dict[Any, tuple[Place, Any, Any]]:
    """Put recorded values where the function will look; what was put, by place."""
    given: dict[Any, tuple[Place, Any, Any]] = {}

    def lift(place: Place) -> None:
        x = recording.input(recorder, place, place.get())
        place.set(x)
        given[place.identity] = (place, x, x.node)

    def keep(place: Place, value: Any) -> None:
        recording.found.append((place, value))
        given[place.identity] = (place, value, None)

    for place in surroundings.arrays:
        lift(place)
    for place in surroundings.gradients:
        if place.get() is None:
            keep(place, None)
        elif type(place.get()) in traced_types:
            raise Foreign
        else:
            lift(place)
    for place in surroundings.numbers:
        if place.identity in inputs:
            lift(place)
        else:
            keep(place, place.get())
    for place, value in surroundings.fixed:
        keep(place, value)
    for place in surroundings.generators:
        stand_in = RecordingGenerator(place.get(), recorder)
        place.set(stand_in)
        given[place.identity] = (place, stand_in, None)
    for standing in reversed(surroundings.standing.values()):
        standing.show()
        given[standing.place.identity] = (standing.place, standing.shown, None)
    for place, standing in surroundings.aliases:
        place.set(standing.shown)
        given[place.identity] = (place, standing.shown, None)
    return given


def _refuse_changed_arguments(name: str, arguments: list[Any], lifted: list[Any], now: Any) -> None:
    leaves = tree_leaves(now)
    same = len(leaves) == len(lifted) and all(a is b for a, (b, _) in zip(leaves, lifted))
    if not same:
        raise JitError(
            f"{name}, under portagrad.jit, puts something into a container that is an argument, "
            f"or takes something out: a replay would not. Return what is new instead"
        )
    for (path, _), (x, node) in zip(arguments, lifted):
        inner = x.value if type(x) is Tensor else x
        if node is not None and (type(inner) is not RecordedNumber and inner.node is not node):
            raise JitError(
                f"{name}, under portagrad.jit, changes its argument {path_name(path[1:])} in "
                f"place. Work on a copy (x * 1.0), and return it"
            )


class _Finish:
    """What comes out of a recording: results, and what is written back."""

    def __init__(self, recorder: Recorder, recording: Recording) -> None:
        self.recorder = recorder
        self.recording = recording
        self.concrete: list[Any] = []
        #: Containers that were there before, by what the function finds in their place.
        self._standing = {id(each.shown): each for each in recording.standing}
        #: How often each new container is in what is written back, and which of `shared` it is.
        self._times: Counter[int] = Counter()
        self._shared: dict[int, int] = {}

    def tree(self, tree: Any, where: str) -> tuple[Any, list[Leaf]]:
        """A tree of recorded values as leaves to be filled from the graph's outputs."""
        leaves = [self._leaf(x, where) for x in tree_leaves(tree)]
        return tree_unflatten(tree, [LEAF] * len(leaves)), leaves

    def _leaf(self, x: Any, where: str) -> Leaf:
        tensor = type(x) in traced_types and x.trace is EAGER
        inner = x.value if tensor else x
        if tensor and x.node is not None and x.node.kept is not None:
            raise Alive(where)
        if type(inner) not in (Recorded, RecordedNumber):
            if type(inner) in traced_types:
                raise Foreign
            if not tensor:
                self._refuse_hidden(inner, where)
                return Leaf(None, inner)
            inner = self.recorder.lift(inner)
        if inner.trace is not self.recorder:
            raise JitError(f"{where} holds a value that is left over from another recording")
        self.recording.graph.outputs.append(inner.node)
        self.concrete.append(inner.value)
        return Leaf(len(self.concrete) - 1, tensor=tensor)

    def _refuse_hidden(self, x: Any, where: str) -> None:
        """An object that was not there before, with values inside that a replay could not fill."""
        if id(x) in self.recording.surroundings.seen:
            return
        try:
            Surroundings(iter([(x, where)]))
        except Foreign:
            raise JitError(
                f"{self.recording.name}, under portagrad.jit: {where} holds a {type(x).__name__} "
                f"with arrays inside, which a replay cannot make. Return them in a dict, list, "
                f"tuple, named tuple or dataclass, or give the class __tree_children__ and "
                f"__tree_rebuild__ (portagrad.tree)"
            ) from None

    def effects(self, given: dict[Any, tuple[Place, Any, Any]], contents: list[Any]) -> None:
        """Find every place whose value the function has changed."""
        changed: list[tuple[Place, Any]] = []
        for place, before, node in given.values():
            try:
                now = place.get()
            except (KeyError, AttributeError, IndexError):
                self._refuse(place.where, "is deleted")
            if now is before:
                if type(now) is Recorded and now.node is not node:
                    self._refuse(place.where, "is changed in place")
                continue
            if node is None and type(before) in NUMBERS and type(now) in NUMBERS:
                if now == before and type(now) is type(before):
                    continue
                raise Changed(place)
            changed.append((place, now))
        for owner, content in contents:
            if isinstance(owner, (list, deque)):
                if len(owner) != len(content):
                    self._refuse(
                        f"a {type(owner).__name__} that it reaches", "gets longer or shorter"
                    )
                continue
            if isinstance(owner, set):
                if owner != content:
                    self._refuse("a set that it reaches", "is changed")
                continue
            if any(key not in owner for key in content):
                self._refuse("an entry of a dict or an attribute", "is deleted")
            changed += [(self._new(owner, k), x) for k, x in owner.items() if k not in content]
        for _, now in changed:
            self._count(now)
        for place, now in changed:
            leaves: list[Leaf] = []
            tree = self._written(now, place.where, leaves)
            self.recording.effects.append(Effect(place, tree, leaves))

    def _new(self, owner: Any, key: Any) -> Place:
        """A place that was not there before."""
        for each in self._standing.values():
            if each.contents is owner:
                item = owner is each.value
                return Place(each.value, key, item, str(key), parent=each.place, moving=True)
        return Place(owner, key, True, str(key))

    def _count(self, node: Any) -> None:
        if _is_object(node) and not self._is_known(node):
            self._times[id(node)] += 1
            for child in (_children(node) or {}).values() if self._times[id(node)] == 1 else ():
                self._count(child)

    def _is_known(self, node: Any) -> bool:
        return id(node) in self._standing or id(node) in self.recording.surroundings.seen

    def _written(self, node: Any, where: str, leaves: list[Leaf]) -> Any:
        """What is written back as a tree of leaves; the containers are those of eager work.

        One that was there before stays itself, and a new one in several places is one object.
        """
        if id(node) in self._standing:
            leaf = Leaf(None, standing=self._standing[id(node)])
        elif type(node) is RecordingGenerator:
            leaf = Leaf(None, node.generator)
        elif _is_object(node) and self._is_known(node):
            leaf = Leaf(None, node)
        elif self._times[id(node)] > 1:
            leaf = Leaf(None, shared=self._share(node, where))
        elif (children := _children(node)) is not None:
            made = {key: self._written(child, where, leaves) for key, child in children.items()}
            return rebuild(node, made)
        else:
            leaf = self._leaf(node, where)
            x = leaf.constant
            simple = isinstance(x, (*FIXED, *NUMBERS)) or hasattr(x, "dtype")
            if leaf.output is None and not simple and not self._is_known(x):
                self._refuse(where, f"becomes a {type(x).__name__}")
        leaves.append(leaf)
        return LEAF

    def _share(self, node: Any, where: str) -> int:
        if id(node) not in self._shared:
            times = self._times.pop(id(node))
            leaves: list[Leaf] = []
            tree = self._written(node, where, leaves)
            self._times[id(node)] = times
            self._shared[id(node)] = len(self.recording.shared)
            self.recording.shared.append((tree, leaves))
        return self._shared[id(node)]

    def _refuse(self, where: str, what: str) -> None:
        raise JitError(
            f"{self.recording.name}, under portagrad.jit, has a side effect that a replay would "
            f"not repeat: {where} {what}. Arrays, tensors and numbers may be assigned to "
            f"attributes, entries and parameters; everything else must be returned"
        )


def _is_object(node: Any) -> bool:
    """Is it one that holds others? (An array in two places is two, as everywhere.)"""
    return type(node) is Tensor or (node is not None and _children(node) is not None)


def _own_memory(
    recording: Recording, concrete: list[Any], arguments: list[Any], places: dict[Any, Any]
) -> None:
    """The results of the first call, none of which shares memory with anything else."""
    taken = {id(x) for x in arguments} | {id(x) for _, x in places.values()}
    taken |= {id(v.data) for v in recording.graph.constants}
    for x in concrete:
        recording.results.append(apart(x, taken))


def _copy(owner: Any) -> Any:
    if isinstance(owner, set):
        return set(owner)
    return list(owner) if isinstance(owner, (list, deque)) else dict(owner)


def _restore(owner: Any, content: Any) -> None:
    if isinstance(owner, (list, deque)):
        owner.clear()
        owner.extend(content)
    elif isinstance(owner, set):
        owner.clear()
        owner.update(content)
    else:
        for key in [key for key in owner if key not in content]:
            del owner[key]
        owner.update(content)

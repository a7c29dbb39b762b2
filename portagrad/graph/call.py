"""From a call to a recording: the graph, what it needs, and what it changes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from portagrad.autograd.backward import apart
from portagrad.autograd.tensor import EAGER, Tensor
from portagrad.backend.dispatch import find_backend
from portagrad.errors import JitError
from portagrad.graph.draws import Randomness, RecordingGenerator
from portagrad.graph.effects import Finish
from portagrad.graph.places import FIXED, NUMBERS, Foreign, Place
from portagrad.graph.recorded import LEAF, Decided, Path, Recording
from portagrad.graph.recording import RecordedNumber, Recorder, Type
from portagrad.graph.surroundings import Surroundings
from portagrad.primitive import traced_types
from portagrad.tree import named_leaves, path_name, tree_leaves, tree_unflatten

#: Held while a function is recorded: its values stand where every thread looks.
ONE_AT_A_TIME = threading.RLock()


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
        finish = Finish(recorder, recording)
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
        (owner, _size(content, id(owner) in surroundings.ordered))
        for owner, content in contents
        if id(owner) not in movable
    ]
    return recording


def _size(content: Any, ordered: bool) -> Any:
    """What a container must have again: a set's elements, keys in their order, else how many."""
    if isinstance(content, set):
        return content
    return [*content] if ordered and len(content) > 1 else len(content)


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

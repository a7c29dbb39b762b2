"""What a recorded call gives back and what it changes, as leaves that a replay fills."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from portagrad.autograd.tensor import EAGER, Tensor
from portagrad.errors import JitError
from portagrad.graph.draws import RecordingGenerator
from portagrad.graph.places import FIXED, NUMBERS, Foreign, Place
from portagrad.graph.recorded import LEAF, Alive, Changed, Effect, Leaf, Recording
from portagrad.graph.recording import Recorded, RecordedNumber, Recorder
from portagrad.graph.surroundings import Surroundings
from portagrad.primitive import traced_types
from portagrad.tree import _children, rebuild, tree_leaves, tree_unflatten


class Finish:
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

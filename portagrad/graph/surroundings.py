"""Everything that a function can reach: closures, globals, modules, optimizers.

A function that is recorded once must find, on replay, what is there *then*. So it is looked
through: arrays and tensors become inputs that are fetched anew by each call, numbers and strings
become conditions under which a recording is valid, and what the function changes is written back.
"""

from __future__ import annotations

import dis
import functools
import gc
import sys
import types
import weakref
from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from portagrad.autograd.tensor import EAGER, Tensor
from portagrad.backend import Backend
from portagrad.backend.dispatch import find_backend
from portagrad.graph.draws import STREAMS
from portagrad.graph.places import (
    FIXED,
    LIBRARIES,
    NUMBERS,
    Foreign,
    Place,
    Standing,
    is_librarys,
    parts,
)
from portagrad.module import Parameter
from portagrad.primitive import traced_types

#: Parts of portagrad whose objects hold the user's arrays, numbers and functions.
STATEFUL = frozenset({"autograd", "data", "manual", "module", "nn", "optim", "train"})
#: Python's steps that look a global up, or set one.
OF_GLOBALS = frozenset(
    {"LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
)


class Surroundings:
    """All that a function can reach, as places by what stands there.

    `moving` has the identities of places where another container of the same kind may stand
    in each call.
    """

    def __init__(
        self, roots: Iterator[tuple[Any, str]], moving: frozenset[Any] = frozenset()
    ) -> None:
        found = list(roots)
        self.moving = moving
        #: What would be known by its place, but is reached otherwise, too.
        self._pinned: dict[int, Any] = {}
        known = -1
        while known < len(self._pinned):
            known = len(self._pinned)
            self._look(found)

    def _look(self, roots: list[tuple[Any, str]]) -> None:
        self.arrays: list[Place] = []
        self.gradients: list[Place] = []
        self.numbers: list[Place] = []
        self.generators: list[Place] = []
        #: Everything that random numbers may be drawn from.
        self.streams: list[Any] = []
        #: What must be the very same object for a recording to be valid.
        self.fixed: list[tuple[Place, Any]] = []
        #: Containers, which must hold as many things as they did.
        self.containers: list[tuple[Any, str]] = []
        #: Dicts that code of the user's may go through in their order.
        self.ordered: set[int] = set()
        #: Globals of functions that look up `type`.
        self.asking: list[dict[str, Any]] = []
        self._ours: set[int] = set()  # attributes of optimizers, which go by keys
        #: Containers known by where they stand, by what they are; outer ones come first.
        self.standing: dict[int, Standing] = {}
        #: Other places of theirs.
        self.aliases: list[tuple[Place, Standing]] = []
        self.seen: dict[int, Any] = {}
        self._known: set[tuple[Any, Any]] = set()
        #: Names that the code within reach looks up, and the methods of which none is known yet.
        self._looked_up: set[str] = set()
        self._waiting: defaultdict[str, list[Any]] = defaultdict(list)
        for value, where in roots:
            self._visit(value, where)

    # --- looking through ---

    def _place(self, place: Place) -> None:
        if place.identity in self._known:
            return  # a global that two functions use
        self._known.add(place.identity)
        value = place.get()
        kind = type(value)
        if kind in NUMBERS:
            self.numbers.append(place)
        elif id(value) in self.standing:
            if place.moving and isinstance(value, tuple):
                self._pinned[id(value)] = value  # the tuple around it is shown first
            self.aliases.append((place, self.standing[id(value)]))
        elif self._moves(place, value):
            self._stand(place, value)
        elif kind in traced_types:
            self._fix(place, value)
            self._tensor(value, place.where)
        elif isinstance(value, np.random.Generator):
            self._fix(place, value)
            self.generators.append(place)
            self.streams.append(value)
        elif _is_array(value):
            self.arrays.append(place)
        elif isinstance(value, types.ModuleType) and not place.moving:
            self._module(value, place.where, place.names)
        else:
            self._fix(place, value)
            self._visit(value, place.where, place)

    def _moves(self, place: Place, value: Any) -> bool:
        known = id(value) in self.seen or id(value) in self._pinned
        return (
            (place.moving or place.identity in self.moving)
            and not known
            and parts(value) is not None
        )

    def _stand(self, place: Place, value: Any) -> None:
        """A container whose place may hold another one in the next call."""
        keys = parts(value)
        assert keys is not None
        item = type(value) in (list, tuple, dict)
        owner = value
        if isinstance(value, tuple):
            owner = [*value] if item else types.SimpleNamespace(**dict(zip(keys, value)))
        standing = Standing(place, value, keys, owner)
        self.seen[id(value)] = value
        self.standing[id(value)] = standing
        if isinstance(value, Tensor):
            self._fix(Place(value, "node", False, place.where, parent=place, moving=True), None)
        elif not isinstance(value, tuple):
            self.containers.append((standing.contents, place.where))
        if not item:
            self._class(type(value), type(value).__name__)
        for key in keys:
            inner = f"{place.where}[{key!r}]" if item else f"{place.where}.{key}"
            inner = place.where if isinstance(value, Tensor) else inner
            self._place(Place(owner, key, item, inner, parent=place, moving=True))

    def _fix(self, place: Place, value: Any) -> None:
        self.fixed.append((place, value))

    def _tensor(self, tensor: Any, where: str) -> None:
        if id(tensor) in self.seen:
            return
        self.seen[id(tensor)] = tensor
        if tensor.trace is not EAGER or not isinstance(tensor, Tensor):
            raise Foreign
        if type(tensor.value) in traced_types or not tensor.is_leaf:
            raise Foreign
        self.arrays.append(Place(tensor, "value", False, where))
        self._fix(Place(tensor, "node", False, where), tensor.node)
        if tensor.node is not None:
            self.gradients.append(Place(tensor.node.extra, "grad", False, f"{where}.grad"))

    def _visit(self, value: Any, where: str, place: Place | None = None) -> None:
        """Everything inside a value that is no array; `place` is where it stands, if it does."""
        if isinstance(value, (*FIXED, types.BuiltinFunctionType, types.ModuleType)):
            return
        if id(value) in self.standing:
            self._pinned[id(value)] = value
        if id(value) in self.seen:
            return
        if isinstance(value, type):
            self._class(value, where)
            return
        if type(value) in traced_types:
            self._tensor(value, where)
            return
        self.seen[id(value)] = value
        if isinstance(value, STREAMS):
            self.streams.append(value)
        elif isinstance(value, types.FunctionType):
            self._function(value, where)
        elif isinstance(value, types.MethodType):
            self._visit(value.__self__, where)
            self._visit(value.__func__, where)
        elif isinstance(value, weakref.ref):
            self._visit(value(), where)
        elif isinstance(value, functools.partial):
            for part in (value.func, value.args, value.keywords):
                self._visit(part, where)
        elif isinstance(value, types.MappingProxyType):
            for mapping in gc.get_referents(value):  # what it shows, which can be written
                self._visit(mapping, where)
        elif isinstance(value, dict):
            self._container(value, value, where, place)
        elif isinstance(value, (list, deque)):
            self._container(value, range(len(value)), where, place)
        elif isinstance(value, (tuple, frozenset, set)):
            if isinstance(value, set):
                self.containers.append((value, where))
            for i, part in enumerate(value):
                # Nothing can be put into a tuple, so what it holds are constants and objects.
                self._inside_tuple(part, f"{where}[{i}]")
            self._object(value, where)
        elif isinstance(value, Parameter):
            self.arrays.append(Place(value, "_data", False, where))
            self.gradients.append(Place(value, "grad", False, f"{where}.grad"))
        elif hasattr(value, "__portagrad_function__"):
            self._visit(value.__portagrad_function__, where)
            for name in [name for name in vars(value) if not name.startswith("_")]:
                self._place(Place(vars(value), name, True, f"{where}.{name}"))
        else:
            self._object(value, where)

    def _container(self, value: Any, keys: Any, where: str, place: Place | None = None) -> None:
        self.containers.append((value, where))
        if isinstance(value, dict) and (place is None or id(place.outermost) not in self._ours):
            self.ordered.add(id(value))
        for key in list(keys):
            self._place(Place(value, key, True, f"{where}[{key!r}]", parent=place))
        self._object(value, where)

    def _inside_tuple(self, part: Any, where: str) -> None:
        if _is_array(part) and type(part) not in traced_types:
            return  # fixed with the tuple: a constant of the graph, by reference
        self._visit(part, where)

    def _object(self, value: Any, where: str) -> None:
        if isinstance(value, Backend):  # it remembers what it has imported, and nothing of a user's
            return
        kind = type(value)
        root, _, rest = kind.__module__.partition(".")
        if root not in LIBRARIES:
            self._class(kind, kind.__name__)
        ours = root == "portagrad" and rest.partition(".")[0] in STATEFUL
        ours = ours or root == "collections"  # ChainMap, UserDict and the like
        if root in LIBRARIES and not ours:
            return
        own = getattr(value, "__dict__", None)
        if isinstance(own, dict) and own is not value:  # not that of a class
            self.containers.append((vars(value), where))
            if root == "portagrad" and rest.partition(".")[0] == "optim":
                self._ours.add(id(vars(value)))
            for key in list(vars(value)):
                self._place(Place(vars(value), key, True, f"{where}.{key}"))
        for name in dict.fromkeys(n for c in kind.__mro__ for n in _slots(c)):
            if hasattr(value, name):
                self._place(Place(value, name, False, f"{where}.{name}"))

    def _class(self, kind: type, where: str) -> None:
        """What a user's class, and those it inherits from, hold; of methods what is called."""
        if is_librarys(kind.__module__) or id(kind) in self.seen:
            return
        self.seen[id(kind)] = kind
        for name, value in list(vars(kind).items()):
            method = hasattr(value, "__get__") or isinstance(value, type)
            if not name.startswith("__") and not method:
                self._place(Place(kind, name, False, f"{where}.{name}"))
            elif method:
                place = Place(kind, name, False, f"{where}.{name}")
                # Python calls some by itself, and a library those that it has, too (forward).
                unasked = any(is_librarys(c.__module__) and hasattr(c, name) for c in kind.__mro__)
                if name in self._looked_up or name.startswith("__") or unasked:
                    self._method(place, value)
                else:
                    self._waiting[name].append((place, value))
        for each in kind.__bases__:
            self._class(each, each.__name__)

    def _method(self, place: Place, value: Any) -> None:
        """The code behind a class's attribute, which may be another one some day."""
        where = place.where
        if isinstance(value, types.FunctionType) and place.get() is value:
            self._fix(place, value)
        for part in ("__func__", "fget", "fset", "func"):
            if (inner := getattr(value, part, None)) is not None:
                self._visit(inner, where)
        self._visit(value, where)

    def _module(self, module: types.ModuleType, where: str, names: frozenset[str]) -> None:
        """What the code takes from a user's module."""
        if is_librarys(module.__name__):
            return
        for name in sorted(names & vars(module).keys()):
            if not name.startswith("__"):
                self._place(Place(vars(module), name, True, f"{where}.{name}", names))

    def _function(self, function: types.FunctionType, where: str) -> None:
        if str(function.__globals__.get("__name__")).partition(".")[0] in LIBRARIES:
            if hasattr(function, "primitive"):
                return
            # A transform of the user's function: what it closes over is the user's again.
            wrapped = getattr(function, "__wrapped__", None)
            for cell in function.__closure__ or ():
                if _filled(cell) and not isinstance(cell.cell_contents, (*FIXED, *NUMBERS)):
                    self._visit(cell.cell_contents, where)
            if wrapped is not None:
                self._visit(wrapped, where)
            return
        names = _names(function.__code__)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            if _filled(cell):
                self._place(Place(cell, "cell_contents", False, name, names))
        for part in (function.__defaults__, function.__kwdefaults__):
            if part is not None:
                self._visit(part, where)
        if vars(function):
            self._container(vars(function), vars(function), where)
        namespace = function.__globals__
        self._looked_up |= names
        for name in self._waiting.keys() & names:
            for place, method in self._waiting.pop(name, ()):
                self._method(place, method)
        if "type" in names and "type" not in namespace:
            self.asking.append(namespace)
        for name in sorted(_globals(function.__code__)):
            if name in namespace and not name.startswith("__"):
                self._place(Place(namespace, name, True, name, names))
        for name in sorted(names):
            for imported in (name, f"{namespace.get('__package__')}.{name}"):  # inside of it
                if isinstance(module := sys.modules.get(imported), types.ModuleType):
                    self._module(module, imported, names)

    # --- comparing ---

    def everything(self) -> dict[tuple[int, Any], tuple[Place, Any]]:
        """All places, with what stands there now."""
        return {place.identity: (place, place.get()) for place in self._places()}

    def _places(self) -> Iterator[Place]:
        yield from (*self.arrays, *self.gradients, *self.numbers)
        yield from (place for place, _ in (*self.fixed, *self.aliases))
        yield from (each.place for each in self.standing.values())

    def let_go(self) -> None:
        """Hold nothing that the next call may find replaced: it may be large."""
        for place in self._places():
            place.let_go()
        for each in self.standing.values():
            each.value = each.owner = each.shown = None
        self.fixed, self.containers, self.seen = [], [], {}


def _slots(kind: type) -> Iterator[str]:
    """The attributes that a class keeps in slots, by their real names."""
    names = vars(kind).get("__slots__", ())
    for name in [names] if isinstance(names, str) else names:
        if not name.startswith("__"):
            yield name
        elif not name.endswith("__"):
            yield f"_{kind.__name__.lstrip('_')}{name}"


def _is_array(x: Any) -> bool:
    if isinstance(x, dict):  # one that has its entries for attributes may raise what it likes
        return False
    return hasattr(x, "dtype") and hasattr(x, "shape") and find_backend(x) is not None


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


@functools.cache
def _names(code: types.CodeType) -> frozenset[str]:
    """Names that a function, or a function inside it, may look up: globals and attributes."""
    return frozenset(code.co_names).union(*map(_names, _inside(code)))


@functools.cache
def _globals(code: types.CodeType) -> frozenset[str]:
    """The globals among them. (An attribute may have the name of a global that is no concern.)"""
    own = {x.argval for x in dis.get_instructions(code) if x.opname in OF_GLOBALS}
    return frozenset(own).union(*map(_globals, _inside(code)))


def _inside(code: types.CodeType) -> list[types.CodeType]:
    return [each for each in code.co_consts if isinstance(each, types.CodeType)]

"""Where a function gets what it is not given, and where it leaves what it changes.

An object is known by its identity, and what is in it by the object and a key. A container
that is another one in each call (`params = [p - g for ...]`) is known by where it stands.
"""

from __future__ import annotations

import dataclasses
import sys
import types
from collections import deque
from typing import Any

from portagrad.autograd.tensor import EAGER, Tensor
from portagrad.primitive import traced_types

#: Libraries whose functions and objects keep no state of the user's.
LIBRARIES = frozenset(
    {"portagrad", "numpy", "cupy", "torch", "jax", "jaxlib", "dask", "scipy", "array_api_strict"}
    | {"array_api_compat", "builtins", "matplotlib", "numba", "pytest", "_pytest", "functools"}
    | {"collections", "typing", "itertools", "operator", "contextlib", "threading", "logging"}
)
NUMBERS = (int, float, complex)
FIXED = (bool, str, bytes, type(None), type(Ellipsis), slice)


class Foreign(Exception):
    """A value of another trace is within reach: this call is part of a larger derivation."""


@dataclasses.dataclass(eq=False)
class Place:
    """Something that can be read and written: an entry of a container or an attribute."""

    owner: Any
    key: Any
    item: bool
    where: str
    #: Names that the code which looks here may look up in what it finds.
    names: frozenset[str] = frozenset()
    #: Where the owner stands, if it was found in a place.
    parent: Place | None = None
    #: May another owner stand there in the next call?
    moving: bool = False

    def get(self) -> Any:
        """What stands there."""
        return self._in(self.owner)

    def set(self, value: Any) -> None:
        """Put something there."""
        if self.item:
            self.owner[self.key] = value
        elif isinstance(self.owner, type):
            setattr(self.owner, self.key, value)
        else:  # an instance of a frozen class, too: it is put back
            object.__setattr__(self.owner, self.key, value)

    def now(self) -> Any:
        """What stands there if the owner is whatever stands in its own place now."""
        return self._in(self.owner if self.parent is None else self.parent.now())

    def _in(self, owner: Any) -> Any:
        return owner[self.key] if self.item else getattr(owner, self.key)

    def let_go(self) -> None:
        """Forget the owner if there may be another one in the next call."""
        if self.moving:
            self.owner = None

    @property
    def identity(self) -> tuple[Any, Any]:
        """The same for the same place found another time."""
        return (id(self.owner) if self.parent is None else self.parent.identity, self.key)

    @property
    def outermost(self) -> Any:
        """What the containers that it is in belong to."""
        return self.owner if self.parent is None else self.parent.outermost

    @property
    def around(self) -> list[Any]:
        """The places of the containers around it that may be others, as identities; inner first."""
        if not self.moving or self.parent is None:
            return []
        return [self.parent.identity, *self.parent.around]


@dataclasses.dataclass(eq=False)
class Standing:
    """A container known by where it stands: each call may find another one of its kind there."""

    place: Place
    value: Any
    keys: list[Any]
    #: What the places inside belong to: for a tuple, something that can be written.
    owner: Any
    #: What the function finds while it is recorded.
    shown: Any = None

    def __post_init__(self) -> None:
        self.kind = type(self.value)

    def show(self) -> None:
        """Put a tuple of what has been written into its place."""
        self.shown = self.value
        if self.owner is not self.value:
            named = isinstance(self.owner, types.SimpleNamespace)
            self.shown = self.kind._make(vars(self.owner).values()) if named else tuple(self.owner)
            self.place.set(self.shown)

    @property
    def contents(self) -> Any:
        """What can get longer or shorter."""
        return vars(self.value) if dataclasses.is_dataclass(self.value) else self.value


def parts(value: Any) -> list[Any] | None:
    """The keys of a container that jit can make anew; None for anything else."""
    kind = type(value)
    if kind is Tensor:
        plain = (
            value.node is None and value.trace is EAGER and type(value.value) not in traced_types
        )
        return ["value"] if plain else None
    if kind in (list, tuple):
        return [*range(len(value))] if value or kind is list else None  # there is but one ()
    if kind is dict:
        return [*value]
    if isinstance(value, tuple):
        fields = getattr(kind, "_fields", ())
        plain = len(fields) == len(value) and not getattr(value, "__dict__", None)
        return [*fields] if fields and plain else None
    if not dataclasses.is_dataclass(value) or isinstance(value, (type, list, dict, set, deque)):
        return None
    names = [field.name for field in dataclasses.fields(value)]
    plain = [*getattr(value, "__dict__", ())] == names and not hasattr(kind, "__tree_children__")
    return names if plain and not is_librarys(kind.__module__) else None


def is_librarys(module: str) -> bool:
    """Does what is in a module of this name keep no state of the user's?"""
    root = module.partition(".")[0]
    return root in LIBRARIES or root in sys.stdlib_module_names

"""What both wings share: parameters by name, training and evaluation, state.

A module holds parameters and other modules in its attributes, directly or
nested in lists, tuples, dicts and dataclasses. Nothing is registered: the
attributes are looked through when somebody asks, so any way of building a
module works, and `super().__init__()` need not be called.

A module is a tree (see `portagrad.tree`) whose leaves are its parameters, each
one once. Around other leaves it is a copy of itself, in which arrays, or what a
transform follows, stand where the parameters stood: `grad(loss)(network)`
returns such a copy around gradients.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from portagrad.array import Array
from portagrad.backend import backend_of, to_numpy
from portagrad.errors import ArgumentError, ShapeError
from portagrad.source import define
from portagrad.tree import path_name, rebuild

Path = tuple[Any, ...]


class Parameter(ABC):
    """An array that is trained, and its gradient.

    Each wing has its own: `manual.Parameter` holds an array,
    `nn.Parameter` is a Tensor.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def data(self) -> Any:
        """The plain array. Another one may be assigned, of the same shape."""

    @data.setter
    @abstractmethod
    def data(self, data: Any) -> None: ...

    @property
    @abstractmethod
    def grad(self) -> Any:
        """The gradient accumulated so far, or None."""

    @grad.setter
    @abstractmethod
    def grad(self, grad: Any) -> None: ...

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    # --- in a module that is a tree ---

    def as_leaf(self) -> Any:
        """What a transform sees of it."""
        return self

    def stand_in(self, leaf: Any) -> Any:
        """What stands in its place in a copy of the module around other leaves."""
        return leaf


def require_same_shape(name: str, old: Array, new: Array) -> None:
    """Refuse an array that would change a parameter's shape."""
    if new.shape != old.shape:
        raise ShapeError(
            f"parameter {name or '(unnamed)'} has shape {tuple(old.shape)} and was assigned an "
            f"array of shape {tuple(new.shape)}: a parameter never changes its shape. Check what "
            f"the update broadcasts, or make a new Parameter"
        )


class Module:
    """A part of a network: something with parameters and a `forward`."""

    training: bool = True

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        # A forward may also come from a class that is no module, before those that are.
        if cls.__call__ in _callings:
            forward = inspect.getattr_static(cls, "forward")
            cls.__call__ = _calling(forward)  # type: ignore[method-assign]

    def forward(self, *args: Any, **keywords: Any) -> Any:
        """Compute the output; every module defines its own."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward(self, x)")

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Run `forward`."""
        return self.forward(*args, **keywords)

    # --- what is inside ---

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """Every parameter with the path to it ("layers.0.weight"), each one once."""
        for path, found, original in _walk(self, (), {}):
            if original is not None:
                yield path_name(path), found

    def parameters(self) -> Iterator[Any]:
        """Every parameter, each one once however often it is used."""
        for _, parameter in self.named_parameters():
            yield parameter

    def modules(self) -> Iterator[Module]:
        """This module and every one inside it, each one once."""
        for _, found, original in _walk(self, (), {}):
            if original is None:
                yield found

    # --- training ---

    def train(self, mode: bool = True) -> Self:
        """Set this module and all inside it to training (or evaluation)."""
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self) -> Self:
        """Set this module and all inside it to evaluation."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.zero_grad()

    # --- state ---

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """The parameters' values by name, as NumPy copies.

        Copies on the host, so that training on changes nothing in them and any
        library can load them.
        """
        return {
            name: to_numpy(found.data if isinstance(found, Parameter) else found)
            for name, found in self.named_parameters()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set every parameter from arrays by name, of any library.

        Values are converted to each parameter's own library, device and dtype.
        Raises one `ArgumentError` that names everything missing, unexpected or
        of another shape; then no parameter is changed.
        """
        parameters = dict(self.named_parameters())
        arrays = {name: to_numpy(value) for name, value in state.items() if name in parameters}
        wrong = _list("missing", parameters.keys() - state.keys())
        wrong += _list("unexpected", state.keys() - parameters.keys())
        wrong += [
            f"{name} has shape {tuple(parameters[name].data.shape)}, the state's has {array.shape}"
            for name, array in arrays.items()
            if array.shape != tuple(parameters[name].data.shape)
        ]
        if wrong:
            raise ArgumentError(
                f"load_state_dict: the state does not fit this {type(self).__name__}: "
                + "; ".join(wrong)
            )
        for name, array in arrays.items():
            old = parameters[name].data
            backend = backend_of(old)
            parameters[name].data = backend.asarray(
                array, dtype=old.dtype, device=backend.device_of(old), copy=True
            )

    # --- as a tree ---

    def __tree_children__(self) -> dict[str, Any]:
        """The parameters by name, or what stands in their places."""
        return {
            name: found.as_leaf() if isinstance(found, Parameter) else found
            for name, found in self.named_parameters()
        }

    def __tree_rebuild__(self, children: Mapping[str, Any]) -> Self:
        """A copy around other leaves, sharing what is shared here; itself around its own."""
        own = self.__tree_children__()
        if all(children[name] is leaf for name, leaf in own.items()):
            return self
        originals = (original for *_, original in _walk(self, (), {}) if original is not None)
        leaves = {
            id(original): original.stand_in(leaf)
            for original, leaf in zip(originals, children.values(), strict=True)
        }
        copied: Self = _copied(self, leaves, {}, Place((), {}, {}))
        return copied

    # --- printing ---

    def extra_repr(self) -> str:
        """What stands between the parentheses of the repr, beside the modules inside."""
        return ""

    @reprlib.recursive_repr()
    def __repr__(self) -> str:
        own = self.extra_repr()
        lines = [] if not own else [own]
        for path, child in _children(self):
            text = repr(child).replace("\n", "\n  ")
            lines.append(f"({path_name(path)}): {text}")
        name = type(self).__name__
        if len(lines) == 1 and own:
            return f"{name}({own})"
        return f"{name}(" + "".join(f"\n  {line}" for line in lines) + ("\n)" if lines else ")")


#: What a module runs when it is called, unless its author says so himself.
_callings: set[Callable[..., Any]] = {Module.__call__}


def _calling(forward: Any) -> Callable[..., Any]:
    """`Module.__call__` for modules with this `forward`.

    With parameters of its own, where `forward` has nothing unusual, Python binds them in half
    of the time that *args and **keywords take.
    """
    if not inspect.isfunction(forward):  # a static method, an object with a call of its own
        return Module.__call__
    code = forward.__code__
    unusual = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
    if code.co_flags & unusual or code.co_kwonlyargcount or forward.__defaults__:
        return Module.__call__
    return _call_with(code.co_varnames[: code.co_argcount], code.co_posonlyargcount)


@functools.cache
def _call_with(names: tuple[str, ...], unnamed: int) -> Callable[..., Any]:
    declared = [*names]
    if unnamed:
        declared.insert(unnamed, "/")
    # Called forward too, for whoever leaves an argument out and reads what Python says of it.
    text = f"def forward({', '.join(declared)}): return {names[0]}.forward({', '.join(names[1:])})"
    scope: dict[str, Any] = {"__name__": __name__}
    made = define("forward", text, scope, f"{__file__}:forward")
    made.__doc__ = Module.__call__.__doc__
    _callings.add(made)
    return made


Items = Callable[[Any], Iterable[tuple[Any, Any]]]

#: The attribute of a copy that says which of its leaves stand for which parameters.
STAND_INS = "_stand_ins"


@functools.cache
def _opener(kind: Any) -> Items | None:
    """Find how to list the named parts of a module or container; None for anything else."""
    if issubclass(kind, Module):
        return lambda module: [part for part in vars(module).items() if part[0] != STAND_INS]
    if issubclass(kind, Mapping):
        return lambda mapping: mapping.items()
    if issubclass(kind, (list, tuple)):
        return enumerate
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
        return lambda instance: ((name, getattr(instance, name)) for name in names)
    return None


class Place(NamedTuple):
    """Where in a module something is: the way to it, and what stands for a parameter there."""

    path: Path
    stand_ins: dict[Path, Parameter]
    """The parameters that leaves of this module stand for, by the way from the module."""
    copied: dict[Path, Parameter]
    """The same of its copy, which is being made."""

    def inside(self, name: Any) -> Place:
        """One step further in."""
        return self._replace(path=(*self.path, name))

    def original(self, part: Any) -> Parameter | None:
        """The parameter that is here, or that what is here stands for."""
        return part if isinstance(part, Parameter) else self.stand_ins.get(self.path)


def _place(node: Any, place: Place | None) -> Place:
    """The place of what is directly inside a node: counted from the module it belongs to."""
    if place is None or isinstance(node, Module):
        return Place((), vars(node).get(STAND_INS, {}) if isinstance(node, Module) else {}, {})
    return place


def _walk(
    node: Any, path: Path, seen: dict[int, Any], place: Place | None = None
) -> Iterator[tuple[Path, Any, Parameter | None]]:
    """Every module and parameter below a node, itself included, each one once.

    With a parameter, or what stands for it in a copy, comes the parameter.
    """
    original = None if place is None else place.original(node)
    identity = node if original is None else original
    if id(identity) in seen:
        return
    seen[id(identity)] = identity  # held, so that its id stays its own
    if original is not None or isinstance(node, Module):
        yield path, node, original
    if original is not None:
        return
    opener, place = _opener(node.__class__), _place(node, place)
    for name, part in opener(node) if opener else ():
        within = place.inside(name)
        if _opener(part.__class__) or within.original(part) is not None:
            yield from _walk(part, (*path, name), seen, within)


def _copied(node: Any, leaves: dict[int, Any], made: dict[int, Any], place: Place) -> Any:
    """A copy of a module or container around other leaves, given by their parameters' ids."""
    original = place.original(node)
    if original is not None:
        place.copied[place.path] = original
        return leaves[id(original)]
    opener = _opener(node.__class__)
    if opener is None:
        return node
    if id(node) in made:
        return made[id(node)]
    if not isinstance(node, Module):
        parts = {name: _copied(x, leaves, made, place.inside(name)) for name, x in opener(node)}
        made[id(node)] = twin = rebuild(node, parts)
        return twin
    made[id(node)] = twin = copy.copy(node)  # before its parts, which may lead back to it
    place = _place(node, place)
    for name, part in opener(node):
        vars(twin)[name] = _copied(part, leaves, made, place.inside(name))
    vars(twin)[STAND_INS] = place.copied
    return twin


def _children(node: Any) -> Iterator[tuple[Path, Module]]:
    """The modules directly inside, with their paths through containers."""
    opener = _opener(node.__class__)
    for name, part in opener(node) if opener else ():
        if isinstance(part, Module):
            yield (name,), part
        else:
            yield from (((name, *path), child) for path, child in _children(part))


def _list(what: str, names: Any) -> list[str]:
    return [f"{what}: {', '.join(sorted(names))}"] if names else []

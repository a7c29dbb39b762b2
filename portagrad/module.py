"""What both wings share: parameters by name, training and evaluation, state.

A module holds parameters and other modules in its attributes, directly or
nested in lists, tuples, dicts and dataclasses. Nothing is registered: the
attributes are looked through when somebody asks, so any way of building a
module works, and `super().__init__()` need not be called.
"""

from __future__ import annotations

import dataclasses
import functools
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from portagrad.array import Array
from portagrad.backend import backend_of, to_numpy
from portagrad.errors import ArgumentError, ShapeError
from portagrad.tree import path_name

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

    def forward(self, *args: Any, **keywords: Any) -> Any:
        """Compute the output; every module defines its own."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward(self, x)")

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Run `forward`."""
        return self.forward(*args, **keywords)

    # --- what is inside ---

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """Every parameter with the path to it ("layers.0.weight"), each one once."""
        for path, found in _walk(self, (), {}):
            if isinstance(found, Parameter):
                yield path_name(path), found

    def parameters(self) -> Iterator[Any]:
        """Every parameter, each one once however often it is used."""
        for _, parameter in self.named_parameters():
            yield parameter

    def modules(self) -> Iterator[Module]:
        """This module and every one inside it, each one once."""
        for _, found in _walk(self, (), {}):
            if isinstance(found, Module):
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
        return {name: to_numpy(parameter.data) for name, parameter in self.named_parameters()}

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


Items = Callable[[Any], Iterable[tuple[Any, Any]]]


@functools.cache
def _opener(kind: Any) -> Items | None:
    """Find how to list the named parts of a module or container; None for anything else."""
    if issubclass(kind, Module):
        return lambda module: vars(module).items()
    if issubclass(kind, Mapping):
        return lambda mapping: mapping.items()
    if issubclass(kind, (list, tuple)):
        return enumerate
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
        return lambda instance: ((name, getattr(instance, name)) for name in names)
    return None


def _walk(node: Any, path: Path, seen: dict[int, Any]) -> Iterator[tuple[Path, Any]]:
    """Every module and parameter below a node, itself included, each one once."""
    if id(node) in seen:
        return
    seen[id(node)] = node  # held, so that its id stays its own
    if isinstance(node, (Module, Parameter)):
        yield path, node
    opener = _opener(node.__class__)
    for name, part in opener(node) if opener else ():
        if isinstance(part, Parameter) or _opener(part.__class__):
            yield from _walk(part, (*path, name), seen)


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

"""A network watched while it works: what goes forward through each layer, what comes back."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from portagrad import array_api as xp
from portagrad.array_api.data_type import is_inexact
from portagrad.autograd import Tensor, tensor
from portagrad.backend import asarray, to_numpy
from portagrad.errors import ArgumentError
from portagrad.module import Module
from portagrad.primitive import innermost
from portagrad.tree import tree_leaves

#: The path of the loss, which no module's attribute can have.
LOSS = "(loss)"


@dataclass
class Passage:
    """One use of a layer: what came in, what left, what went back; None where nothing did."""

    path: str
    layer: Any
    x: Any
    y: Any
    dx: Any = None


@dataclass
class Flow:
    """One pass through a network: the layers in order, and every parameter's gradient."""

    passages: list[Passage]
    gradients: dict[str, Any]
    """By the parameter's path."""
    parameters: dict[str, Any] = field(default_factory=dict)


def watch(network: Any, x: Any, loss: Any = None, target: Any = None) -> Flow:
    """Run a network forward and back, leaving it and its gradients as they were."""
    by_hand = hasattr(network, "backward")
    if loss is not None and not isinstance(loss, Module):
        raise ArgumentError(
            f"trace_table: loss is a {type(loss).__name__}; give a loss such as nn.MSELoss() and "
            f"its target, or neither"
        )
    if loss is not None and target is None:
        raise ArgumentError("trace_table: a loss needs its target: trace_table(net, x, loss, y)")
    if loss is not None and hasattr(loss, "backward") != by_hand:
        wings = ("manual", "nn") if by_hand else ("nn", "manual")
        raise ArgumentError(
            f"trace_table: the network is of the {wings[0]} wing and the loss of the {wings[1]} "
            f"wing; take the loss of that name from portagrad.{wings[0]}"
        )
    parameters = dict(network.named_parameters()) if isinstance(network, Module) else {}
    before = {name: p.grad for name, p in parameters.items()}
    modules = list(network.modules()) if isinstance(network, Module) else []
    mode = [vars(m).get("training") for m in modules]
    passages: list[Passage] = []
    run = _by_hand if by_hand else _by_tape
    try:
        for parameter in parameters.values():
            parameter.grad = None
        if by_hand:
            network.train().forget()
        with contextlib.ExitStack() as stack:
            for path, layer in _parts(network):
                stack.enter_context(_watched(layer, path, passages, by_hand))
            _functions_watched(network, passages, stack)
            if loss is not None:
                stack.enter_context(_watched(loss, LOSS, passages, by_hand))
            run(network, x, loss, target, passages)
        gradients = {name: p.grad for name, p in parameters.items()}
    finally:
        for name, parameter in parameters.items():
            parameter.grad = before[name]
        for part, training in zip(modules, mode, strict=True):
            vars(part).pop("training", None)
            if training is not None:
                part.training = training
        if by_hand:
            network.forget()
    return Flow(passages, gradients, parameters)


def _by_hand(network: Any, x: Any, loss: Any, target: Any, passages: list[Passage]) -> None:
    y = network.forward(innermost(asarray(x)))
    if loss is None:
        g = xp.ones_like(y)
    else:
        loss.forward(y, target)
        g = loss.backward()
    network.backward(g)


def _by_tape(network: Any, x: Any, loss: Any, target: Any, passages: list[Passage]) -> None:
    plain = asarray(innermost(x))
    y = network(tensor(plain, requires_grad=is_inexact(plain)))
    if loss is not None:
        y = loss(y, target)
    if not isinstance(y, Tensor) or not y.requires_grad:
        raise ArgumentError(
            "trace_table: nothing flows back: the network's result is on no tape. It has no "
            "parameters and the input is of integers, or it runs under no_grad()"
        )
    y.backward(xp.ones_like(y.data))
    for passage in passages:
        passage.dx = getattr(passage.x, "grad", None)


def _parts(network: Any) -> Iterator[tuple[str, Any]]:
    """The layers that hold no layers, with their paths; each object once."""
    if not isinstance(network, Module):
        raise ArgumentError(
            f"trace_table: network is a {type(network).__name__}; give a manual or nn module, such "
            f"as nn.Sequential. For a function there is computation_graph(f, *args)"
        )
    paths: dict[int, str] = {}

    def names(part: Any, path: tuple[Any, ...]) -> None:
        if isinstance(part, Module):
            paths.setdefault(id(part), ".".join(map(str, path)))
            part = vars(part)
        if isinstance(part, dict):
            for key, value in part.items():
                names(value, (*path, key))
        elif isinstance(part, (list, tuple)):
            for key, value in enumerate(part):
                names(value, (*path, key))

    names(network, ())
    for part in network.modules():
        if sum(1 for _ in part.modules()) == 1 and not hasattr(part, "layers"):
            yield paths.get(id(part), ""), part


@contextlib.contextmanager
def _watched(layer: Any, path: str, passages: list[Passage], by_hand: bool) -> Iterator[None]:
    """A layer whose calls are noted, by methods in the instance's own way."""
    forward = layer.forward
    mine: list[Passage] = []

    def noted(x: Any, *rest: Any) -> Any:
        passage = Passage(path, layer, _own(x), None)
        passages.append(passage)
        y = forward(passage.x, *rest)
        mine.append(passage)
        passage.y = _kept(y)
        return passage.y

    def back(*g: Any) -> Any:
        passage = mine.pop()
        passage.dx = type(layer).backward(layer, *g)
        return passage.dx

    try:
        vars(layer)["forward"] = noted
        if by_hand:
            vars(layer)["backward"] = back
        yield
    finally:
        for name in ("forward", "backward"):
            vars(layer).pop(name, None)


def _functions_watched(network: Any, passages: list[Passage], stack: contextlib.ExitStack) -> None:
    """Plain functions among a Sequential's layers are layers too."""
    for part in network.modules():
        layers = vars(part).get("layers")
        if not isinstance(layers, list) or all(isinstance(each, Module) for each in layers):
            continue
        stack.callback(vars(part).__setitem__, "layers", layers)
        vars(part)["layers"] = [
            each if isinstance(each, Module) else _noted(each, f"layers.{i}", passages)
            for i, each in enumerate(layers)
        ]


def _noted(function: Callable[..., Any], path: str, passages: list[Passage]) -> Any:
    def noted(x: Any) -> Any:
        passage = Passage(path, function, _own(x), None)
        passages.append(passage)
        passage.y = _kept(function(passage.x))
        return passage.y

    return noted


def _own(x: Any) -> Any:
    """A step of its own, so that what flows back here is kept apart from other uses."""
    if isinstance(x, Tensor) and x.requires_grad:
        own: Any = xp.positive(x)
        return own.retain_grad()
    return x


def _kept(y: Any) -> Any:
    """A layer may return several arrays."""
    for leaf in tree_leaves(y):
        if isinstance(leaf, Tensor) and leaf.requires_grad:
            leaf.retain_grad()
    return y


def norm(x: Any) -> float:
    """√Σ x², of an array of any library, or of several."""
    squares = 0.0
    for leaf in tree_leaves(x):
        host = np.abs(np.asarray(to_numpy(asarray(innermost(leaf))))).astype(np.float64)
        squares += float(np.sum(host * host))
    return math.sqrt(squares)

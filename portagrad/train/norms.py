"""How large each layer's gradient is, step by step."""

from __future__ import annotations

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.module import Module
from portagrad.train.evaluation import on_host


class GradientNorms:
    """The norm of every weight's gradient, in every step that was watched.

    A gradient that shrinks from layer to layer on its way back (a sigmoid takes
    three quarters of it, at least) is seen here before the loss shows it. The
    norms are kept where the arrays are: watching makes no device wait.

    Biases, parameters of less than two axes, are left out.
    """

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._steps: list[Array] = []

    def watch(self, network: Module) -> None:
        """Take in the gradients that the network holds now; none counts as 0."""
        named = [(n, p) for n, p in network.named_parameters() if p.data.ndim >= 2]
        self._names = tuple(name for name, _ in named)
        norms = [
            xp.sqrt(xp.sum(xp.square(xp.zeros_like(p.data) if p.grad is None else p.grad)))
            for _, p in named
        ]
        if norms:
            self._steps.append(xp.stack(norms))

    def by_layer(self) -> dict[str, list[float]]:
        """For each weight, by name and from first to last, its gradient's norm in every step."""
        if not self._steps:
            return {}
        table = on_host(self._steps)
        return {name: table[:, i].tolist() for i, name in enumerate(self._names)}

"""JAX with the whole step under `jax.jit`, its buffers donated; waited for every step."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.peers.workloads import (
    CHAIN,
    FACTOR,
    LEARNING_RATE,
    SHIFT,
    Data,
    Peer,
    Workload,
)

jax.config.update("jax_enable_x64", True)


class Compiled(Peer):
    """A function compiled whole. The backward alone is its pullback, compiled apart."""

    arguments: tuple[Any, ...]
    cotangent: Any = None

    def value(self, *arguments: Any) -> Any:
        raise NotImplementedError

    def prepare(self) -> None:
        """Compile the halves, for timing the backward."""
        self._forward = jax.jit(lambda *a: jax.vjp(self.value, *a))
        self._pull = jax.jit(lambda pull, g: pull(g))

    def forward(self) -> None:
        if not hasattr(self, "_forward"):
            self.prepare()
        self.result, self.pull = jax.block_until_ready(self._forward(*self.arguments))

    def backward(self) -> None:
        g = self.cotangent if self.cotangent is not None else jnp.ones_like(self.result)
        self.gradients = jax.block_until_ready(self._pull(self.pull, g))

    def answer(self) -> list[Any]:
        return [np.asarray(g) for g in self.gradients]


class Mlp(Compiled):
    """A step of training."""

    def __init__(self, workload: Workload, data: Data) -> None:
        activation = jnp.tanh if workload.activation == "tanh" else jax.nn.sigmoid
        x, target = jnp.asarray(data.x), jnp.asarray(data.target)
        self.arguments = tuple(jnp.array(p) for p in data.parameters)

        def value(*parameters: Any) -> Any:
            h = x
            for i in range(0, len(parameters), 2):
                h = h @ parameters[i] + parameters[i + 1]
                if i < len(parameters) - 2:
                    h = activation(h)
            if workload.loss == "mse":
                return ((h - target) ** 2).mean()
            log_p = jax.nn.log_softmax(h)
            return -jnp.take_along_axis(log_p, target[:, None], axis=1).mean()

        def step(parameters: Any) -> Any:
            loss, gradients = jax.value_and_grad(lambda p: value(*p))(parameters)
            return loss, tuple(p - LEARNING_RATE * g for p, g in zip(parameters, gradients))

        self.value = value  # type: ignore[method-assign]
        self.compiled = jax.jit(step, donate_argnums=0)

    def step(self) -> None:
        self.loss, self.arguments = jax.block_until_ready(self.compiled(self.arguments))

    def answer(self) -> list[Any]:
        return [np.asarray(p) for p in self.arguments]


class Function(Compiled):
    """A value and its gradients."""

    def finish(self, wanted: tuple[int, ...]) -> None:
        """Compile the gradients of the wanted arguments."""

        def gradients(*arguments: Any) -> Any:
            result, pull = jax.vjp(self.value, *arguments)
            g = jnp.ones_like(result) if self.cotangent is None else self.cotangent
            return result, [pull(g)[i] for i in wanted]

        self.compiled = jax.jit(gradients)

    def step(self) -> None:
        _, self.gradients = jax.block_until_ready(self.compiled(*self.arguments))


class Linear(Function):
    """A linear layer, and its three gradients from a given cotangent."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.arguments = tuple(jnp.asarray(each) for each in (data.x, *data.parameters))
        self.cotangent = jnp.asarray(data.target)
        self.finish((0, 1, 2))

    def value(self, x: Any, w: Any, b: Any) -> Any:
        return x @ w + b


class Chain(Function):
    """Multiply, add, tanh, subtract, 250 times over."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.arguments = (jnp.asarray(data.x),)
        self.constants = [jnp.asarray(each) for each in data.target]
        self.finish((0,))

    def value(self, z: Any) -> Any:
        a, b, c = self.constants
        for _ in range(CHAIN // 4):
            z = jnp.tanh(z * a + b) - c
        return z.sum()


class Elementwise(Function):
    """Σ s exp(-s) with s = tanh(1.1 x + 0.1)."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.arguments = (jnp.asarray(data.x),)
        self.finish((0,))

    def value(self, x: Any) -> Any:
        s = jnp.tanh(x * FACTOR + SHIFT)
        return (s * jnp.exp(-s)).sum()


PEERS = {"mlp": Mlp, "linear": Linear, "chain": Chain, "elementwise": Elementwise}

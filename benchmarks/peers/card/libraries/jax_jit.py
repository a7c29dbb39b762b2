"""JAX with the whole step under `jax.jit`; its precision set, as on a card it would be TF32."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.peers.card.device import compared, seconds_by_clock, stands_in
from benchmarks.peers.card.peer import CardPeer
from benchmarks.peers.workloads import Data, Workload

if not stands_in() and jax.default_backend() != "gpu":
    raise ImportError(f"this jax, {jax.__version__}, finds no card")

#: How products of float32 are made; "highest" is true float32.
WAYS = {
    "float32": "highest",
    "tf32": "TF32_TF32_F32",
    "bf16 products": "BF16_BF16_F32",
    "bf16 arrays": "default",
}
#: The processor has none but its own.
HOST_WAYS = {"bf16 arrays": "default"}


class JaxPeer(CardPeer):
    """Compiled; timed by the host's clock, as JAX has no events, around work that is waited for."""

    clock = "host"
    arguments: tuple[Any, ...]

    def place(self, data: Data, precision: str) -> Data:
        way = HOST_WAYS.get(precision, "highest") if stands_in() else WAYS[precision]
        jax.config.update("jax_default_matmul_precision", way)
        dtype = jnp.bfloat16 if precision == "bf16 arrays" else jnp.float32

        def array(x: Any) -> Any:
            return jnp.asarray(x, dtype=dtype if x.dtype.kind == "f" else None)

        return Data([array(p) for p in data.parameters], array(data.x), array(data.target))

    compiled: Any

    def step(self) -> None:
        self.result = self.compiled(*self.arguments)

    def answer(self) -> list[Any]:
        y, gradients = self.result
        return [y, *gradients]

    def seconds(self, calls: int) -> float:
        return seconds_by_clock(self.step, calls, self.finish)

    def finish(self) -> None:
        jax.block_until_ready(getattr(self, "result", None))

    def to_host(self, x: Any) -> np.ndarray[Any, Any]:
        return np.asarray(compared(x).astype(jnp.float32)).astype("float64")

    @staticmethod
    def release() -> None:
        jax.clear_caches()


class Mlp(JaxPeer):
    """The loss of a network and its gradients."""

    def __init__(self, workload: Workload, data: Data, precision: str) -> None:
        placed = self.place(data, precision)
        self.arguments = (placed.parameters, placed.x, placed.target)

        def value(parameters: Any, x: Any, target: Any) -> Any:
            for i in range(0, len(parameters), 2):
                x = x @ parameters[i] + parameters[i + 1]
                if i < len(parameters) - 2:
                    x = jax.nn.sigmoid(x)
            log_p = jax.nn.log_softmax(x)
            return -jnp.take_along_axis(log_p, target[:, None], axis=1).mean()

        self.compiled = jax.jit(jax.value_and_grad(value))


class Function(JaxPeer):
    """A function of arrays: its result and its gradients from a given cotangent."""

    def __init__(self, workload: Workload, data: Data, precision: str) -> None:
        placed = self.place(data, precision)
        self.arguments = (placed.target, placed.x, *placed.parameters)

        def compute(g: Any, *arguments: Any) -> Any:
            y, pull = jax.vjp(self.value, *arguments)
            return y, pull(g)

        self.compiled = jax.jit(compute)

    def value(self, *arguments: Any) -> Any:
        raise NotImplementedError


class Linear(Function):
    """A linear layer."""

    def value(self, *arguments: Any) -> Any:
        x, w, b = arguments
        return x @ w + b


class Sigmoid(Function):
    """σ(x)."""

    def value(self, *arguments: Any) -> Any:
        return jax.nn.sigmoid(*arguments)


PEERS = {"mlp": Mlp, "linear": Linear, "sigmoid": Sigmoid}

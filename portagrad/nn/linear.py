"""The linear layer."""

from __future__ import annotations

from portagrad import initializers, kernels
from portagrad.array import Array, Device, DType
from portagrad.nn.module import Module, Parameter


class Linear(Module):
    """Y = X W + b.

    x: (..., in_features), weight W: (in_features, out_features),
    bias b: (out_features,) or None; result: (..., out_features).

    Weight and bias are drawn uniformly from ±1/√in_features, as in torch, on
    the host: one seed gives the same numbers on every backend.

    Raises `ArgumentError` for sizes that are no positive integers.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        seed: initializers.Seed = None,
        dtype: DType | None = None,
        device: Device | None = None,
        backend: str | None = None,
    ) -> None:
        weight, offset = initializers.linear(
            in_features, out_features, bias, seed=seed, dtype=dtype, device=device, backend=backend
        )
        self.in_features, self.out_features = weight.shape
        self.weight = Parameter(weight, name="weight")
        self.bias = None if offset is None else Parameter(offset, name="bias")

    def forward(self, x: Array) -> Array:
        """Y = X W + b."""
        return kernels.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )

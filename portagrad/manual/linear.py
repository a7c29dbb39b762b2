"""The linear layer."""

from __future__ import annotations

from portagrad import initializers, kernels
from portagrad.array import Array, Device, DType
from portagrad.manual.module import Layer, Parameter, in_dtype


class Linear(Layer):
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
        y = kernels.linear(x, self.weight.data, None if self.bias is None else self.bias.data)
        self.keep(x)
        return y

    def backward(self, g: Array) -> Array:
        """dX = g Wᵀ, and dW and db as in `backward_parameters`."""
        x = self._add_gradients(g)
        return in_dtype(kernels.linear_x_backward(g, self.weight.data), x.dtype)

    def backward_parameters(self, g: Array) -> None:
        """dW += Xᵀ g, db += Σ g, summed over all leading axes."""
        self._add_gradients(g)

    def _add_gradients(self, g: Array) -> Array:
        x: Array
        (x,) = self.kept()
        self.require_shape(g, (*x.shape[:-1], self.out_features))
        self.weight.add_gradient(kernels.linear_weight_backward(g, x))
        if self.bias is not None:
            self.bias.add_gradient(kernels.linear_bias_backward(g))
        return x

    def extra_repr(self) -> str:
        """The sizes."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )

"""The parts of the manual wing: parameters, layers, and what a layer remembers."""

from __future__ import annotations

from typing import Any, Self

from portagrad import array_api as xp
from portagrad import module
from portagrad.array import Array, DType, Shape
from portagrad.backend import asarray
from portagrad.errors import BackwardError, ShapeError
from portagrad.primitive import recording


def in_dtype(gradient: Array, dtype: DType) -> Array:
    """Bring a gradient to the dtype of what it belongs to."""
    return gradient if gradient.dtype == dtype else xp.astype(gradient, dtype)


class Parameter(module.Parameter):
    """An array to train, and the gradient that backward calls add to.

    data: an array of any library, or host data for the active backend; it is
    copied. `grad` is None until a backward call. `name` is for error messages.
    """

    __slots__ = ("_data", "grad", "name")

    def __init__(self, data: Any, *, name: str = "") -> None:
        self._data = asarray(data, copy=True)
        self.grad: Array | None = None
        self.name = name

    @property
    def data(self) -> Any:
        """The plain array. Another one of the same shape may be assigned."""
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        module.require_same_shape(self.name, self._data, data)
        self._data = data

    def stand_in(self, leaf: Any) -> Parameter:
        """Something that has the leaf as its `data`, which is what layers ask for."""
        return leaf if isinstance(leaf, Parameter) else StandIn(leaf, self.name)

    def add_gradient(self, gradient: Array) -> None:
        """Accumulate: a parameter used in several places gets the sum."""
        gradient = in_dtype(gradient, self._data.dtype)
        self.grad = gradient if self.grad is None else self.grad + gradient

    def __repr__(self) -> str:
        return f"Parameter({self.name + ', ' if self.name else ''}shape={tuple(self._data.shape)})"


class StandIn(Parameter):
    """What stands for a parameter in a copy of a module around other leaves."""

    __slots__ = ()

    def __init__(self, leaf: Any, name: str) -> None:
        # Not Parameter.__init__: the leaf is kept as it is, a value that is traced as well.
        self._data, self.grad, self.name = leaf, None, name

    def as_leaf(self) -> Any:
        """The leaf."""
        return self._data


class Module(module.Module):
    """A layer or a loss with its backward written out.

    What `forward` computes and `backward` needs again goes on a *stack*: pushed
    with `keep`, popped with `kept`. A layer that is used twice in a network is
    walked back in the opposite order, so each backward finds its own values.

    In evaluation and inside `no_grad()` nothing is kept. A forward in training
    whose backward never comes leaves its values behind, until `forget`.
    """

    def keep(self, *values: Any) -> None:
        """Push what the backward of this forward will need."""
        if self.training and recording():
            vars(self).setdefault("_stack", []).append(values)

    def kept(self) -> tuple[Any, ...]:
        """Pop what the latest forward, of those not yet walked back, has kept."""
        stack: list[tuple[Any, ...]] = vars(self).get("_stack", [])
        if not stack:
            raise BackwardError(
                f"{type(self).__name__}.backward: no forward is left to walk back. Each backward "
                f"needs a forward before it, in training mode"
                + ("" if self.training else " (this layer is in evaluation: call train())")
                + ("" if recording() else " and outside no_grad()")
            )
        return stack.pop()

    def forget(self) -> Self:
        """Drop everything kept, here and in all modules inside."""
        for inside in self.modules():
            vars(inside).pop("_stack", None)
        return self

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation; what was kept in the mode before is dropped."""
        return super().train(mode).forget()


class Layer(Module):
    """A function of one array, and how a gradient passes back through it."""

    def forward(self, x: Array) -> Array:
        """The output, (..., out)."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward(self, x)")

    def backward(self, g: Array) -> Array:
        """From the gradient of the output to that of the input.

        Gradients of parameters are added to their `.grad` on the way.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no backward(self, g)")

    def backward_parameters(self, g: Array) -> None:
        """Backward where nobody asks for the input's gradient: the first layer of a network."""
        self.backward(g)

    def require_shape(self, g: Array, shape: Shape) -> None:
        """Refuse a gradient of another shape than the output, which could broadcast."""
        if g.shape != shape:
            raise ShapeError(
                f"{type(self).__name__}.backward: the gradient has shape {tuple(g.shape)}, but the "
                f"output had shape {tuple(shape)}"
            )

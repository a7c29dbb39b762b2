"""The parts of the automatic wing: modules, and parameters that are Tensors."""

from __future__ import annotations

from typing import Any

from portagrad.autograd.tensor import EAGER, Tensor, leaf_node
from portagrad.backend import asarray
from portagrad.errors import ShapeError
from portagrad.module import Module as Module
from portagrad.module import Parameter as AnyParameter
from portagrad.module import require_same_shape

_set_data = vars(Tensor)["data"].fset
_set_grad = vars(Tensor)["grad"].fset


class Parameter(Tensor, AnyParameter):
    """A Tensor to train: a leaf of every graph it is used in.

    data: an array of any library, or host data for the active backend; it is
    copied. `name` is for error messages. Raises `DtypeError` for integers.
    """

    __slots__ = ("name",)

    def __init__(self, data: Any, *, name: str = "") -> None:
        if isinstance(data, Tensor):
            data = data.data
        value = asarray(data, copy=True)
        super().__init__(value, EAGER, leaf_node(value))
        self.name = name

    @property
    def data(self) -> Any:
        """The plain array. Another one of the same shape may be assigned."""
        return self.value

    @data.setter
    def data(self, array: Any) -> None:
        node = self.node
        shape = array.shape
        if shape != self.value.shape or not shape or node is None or node.plan is not None:
            require_same_shape(self.name, self.value, array)
            _set_data(self, array)
            return
        node.dtype = array.dtype
        self.value = array

    @property
    def grad(self) -> Any:
        """The gradient accumulated so far, or None."""
        node = self.node
        return None if node is None or node.extra is None else node.extra.grad

    @grad.setter
    def grad(self, gradient: Any) -> None:
        if gradient is None and self.node is not None and self.node.extra is not None:
            self.node.extra.grad = None
            return
        if gradient is not None and tuple(gradient.shape) != tuple(self.value.shape):
            raise ShapeError(
                f"parameter {self.name or '(unnamed)'} has shape {tuple(self.value.shape)}, and "
                f"its gradient cannot have shape {tuple(gradient.shape)}: nothing is broadcast"
            )
        _set_grad(self, gradient)

    def __deepcopy__(self, memo: Any) -> Parameter:
        """A parameter of its own, with no gradient; of a frozen one, a frozen one."""
        return _parameter(type(self), self.value, self.name, self.requires_grad)

    def __copy__(self) -> Parameter:
        return self.__deepcopy__({})

    def __reduce__(self) -> Any:
        return _parameter, (type(self), self.value, self.name, self.requires_grad)

    def __repr__(self) -> str:
        return "Parameter" + super().__repr__().removeprefix("Tensor")


def _parameter(
    kind: type[Parameter], value: Any, name: str, requires_grad: bool = True
) -> Parameter:
    """A parameter again, from what was pickled or copied."""
    made = kind(value, name=name)
    made.requires_grad = requires_grad
    return made

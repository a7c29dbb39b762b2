"""Tensor: an array that remembers how it was made."""

from __future__ import annotations

import functools
from typing import Any, cast

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.array_api.array_object import ArrayObject
from portagrad.array_api.data_type import is_inexact
from portagrad.autograd.backward import apart, conjugate, takes_number, walk
from portagrad.autograd.lifting import as_like
from portagrad.autograd.namespace import namespace_of
from portagrad.autograd.node import Extra, Node, new_node
from portagrad.autograd.operations import operators
from portagrad.autograd.tape import Tape
from portagrad.backend import Backend, asarray, backend_of
from portagrad.errors import BackwardError, DtypeError, NotDifferentiableError, ShapeError
from portagrad.primitive import innermost, traced_types
from portagrad.tree import tree_map


class Tensor(ArrayObject):
    """An array of the standard that gradients flow through.

    Made by :func:`tensor`, by `portagrad.grad` and by operations on other
    tensors. `data` is the array in it; operations stay in that array's library.
    """

    __slots__ = ()
    node: Node | None

    def __init__(self, value: Any, trace: Tape, node: Node | None) -> None:
        self.value = value
        self.trace = trace
        self.node = node

    # --- what it holds ---

    @property
    def tape(self) -> Tape:
        """The tape that records what is done with this tensor."""
        return cast(Tape, self.trace)

    @property
    def data(self) -> Any:
        """The array itself, with no history. Assigning keeps the shape."""
        return self.value

    @data.setter
    def data(self, array: Array) -> None:
        if tuple(array.shape) != tuple(self.value.shape):
            raise ShapeError(
                f"the data of a Tensor of shape {tuple(self.value.shape)} cannot become an array "
                f"of shape {tuple(array.shape)}"
            )
        if self.node is not None:
            self._require_leaf("assigning data")
            self.node.dtype = array.dtype
        self.value = _array(array)

    @property
    def requires_grad(self) -> bool:
        """Does a gradient flow to this tensor? Can be set on leaves."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if wanted == self.requires_grad:
            return
        if not wanted:
            self._require_leaf("requires_grad = False")
            self.node = None
        else:
            self.node = leaf_node(self.value)

    @property
    def is_leaf(self) -> bool:
        """Was it made by a user, not by an operation that was recorded?"""
        return self.node is None or (self.node.plan is None and self.node.parent is None)

    @property
    def grad(self) -> Any:
        """The gradient, as an array of the same library, dtype and device; None before."""
        return None if self.node is None else self.node.grad

    @grad.setter
    def grad(self, gradient: Array | None) -> None:
        if self.node is None:
            raise BackwardError("a Tensor with requires_grad=False has no gradient to set")
        if gradient is not None and tuple(gradient.shape) != tuple(self.shape):
            raise ShapeError(
                f"the gradient of a Tensor of shape {tuple(self.shape)} cannot have shape "
                f"{tuple(gradient.shape)}"
            )
        self._extra(self.node).grad = None if gradient is None else _array(gradient)

    def retain_grad(self) -> Tensor:
        """Keep the gradient of this intermediate result too; returns the tensor."""
        if self.node is None:
            raise BackwardError("retain_grad: no gradient flows to this Tensor")
        self._extra(self.node).keeps_grad = True
        return self

    @staticmethod
    def _extra(node: Node) -> Extra:
        if node.extra is None:
            node.extra = Extra()
        return node.extra

    def detach(self) -> Tensor:
        """The same data, with no history: a constant."""
        return Tensor(self.value, self.tape, None)

    def __deepcopy__(self, memo: Any) -> Tensor:
        """A leaf for a leaf; of a result, a copy that the gradient flows through."""
        if self._owns_no_history():
            return tensor(self.value, self.requires_grad)
        copied: Tensor = self.copy()
        return copied

    __copy__ = functools.partialmethod(__deepcopy__, None)

    def __reduce__(self) -> Any:
        if not self._owns_no_history():
            raise NotDifferentiableError(
                "a Tensor that was computed from others cannot be pickled: its history would be "
                "lost. .detach() it first"
            )
        return tensor, (innermost(self), self.requires_grad)

    def _owns_no_history(self) -> bool:
        """Is it a constant, or one of the user's own leaves?"""
        return self.is_leaf and (self.trace is EAGER or not self.is_differentiated())

    def _bound_namespace(self) -> Any:
        return namespace_of(backend_of(self), EAGER.lift)

    def is_constant(self) -> bool:
        """Does no gradient flow to it on its own tape?"""
        return self.node is None

    def become(self, new: Any) -> None:
        """Take over the value and the history of `new`; what an assignment comes down to.

        Raises `BackwardError` for a leaf that requires a gradient: as the result
        of an operation it would no longer have one of its own.
        """
        if self.node is not None and self.is_leaf and self.trace is EAGER:
            if new.node is not None:
                raise BackwardError(
                    "assigning to, or changing in place, a Tensor with requires_grad=True would "
                    "cut off its gradient: work on a copy (x * 1.0), assign to its .data, or "
                    "change it under no_grad()"
                )
            self.value = new.value
            return
        super().become(new)

    def is_differentiated(self) -> bool:
        """Does a gradient flow through this value, or through what is inside of it?"""
        inner = self.value
        return self.node is not None or (
            isinstance(inner, ArrayObject) and inner.is_differentiated()
        )

    def __repr__(self) -> str:
        plain = innermost(self)
        flag = ", requires_grad=True" if self.requires_grad else ""
        values = "\n".join(line.rstrip() for line in str(plain).splitlines())
        return f"Tensor({values}, dtype={plain.dtype}, backend={backend_of(plain).name!r}{flag})"

    # --- the way back ---

    def backward(
        self,
        gradient: Any = None,
        *,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        """Add the gradient of this tensor to the `.grad` of every leaf it was made from.

        `gradient` is the cotangent of this tensor; it may be left out for a
        single element, where it is 1. What the graph kept is dropped as it is
        used; `retain_graph` keeps it for another backward. With `create_graph`
        the gradients are tensors that can be differentiated again.

        Raises `BackwardError` where nothing was recorded, where the graph was
        used before, and, naming the operation, where a derivative fails; every
        `.grad` is then as it was. Raises `NotDifferentiableError` for a result
        of several elements without a `gradient`.
        """
        node = self.node
        if node is None:
            raise BackwardError(
                "backward: this Tensor was made from nothing that requires a gradient, under "
                "no_grad(), or was detached. Make an input with tensor(..., requires_grad=True)"
            )
        value = self.value
        plan = node.plan
        backend: Backend | None = None
        if (
            gradient is None
            and value.shape == ()
            and type(value) not in traced_types
            and not create_graph
        ):  # of a plain loss no function need be asked
            backend = backend_of(value)
            number = (
                plan is not None
                and type(value) in plan.primitive.scaled_types  # not NumPy's: no call for those
                and takes_number(node, value)
            )
            seed = cotangent = 1.0 if number else backend.ones_like(value)
        else:
            seed = self._seed(gradient)
            if create_graph and type(seed) not in traced_types:
                seed = self.tape.lift(seed)
            if type(seed) not in traced_types:
                backend = backend_of(seed)
            cotangent = conjugate(seed)
        found = walk(
            [(node, cotangent)],
            self.trace,  # type: ignore[arg-type]
            retain_graph=retain_graph or create_graph,
            create_graph=create_graph,
            backend=backend,
        )
        owns_memory = None if backend is None else backend.owns_memory
        # A gradient may be of another type, where something records the walk.
        kind = type(value if type(seed) is float else seed)
        taken = {id(seed), id(value)}
        changed = []
        real = None  # the dtype of which nothing is conjugated
        for node, gradient in found.items():
            if gradient.dtype is not real:
                cotangent, gradient = gradient, conjugate(gradient)
                real = gradient.dtype if gradient is cotangent else None
            if owns_memory is not None:  # what `apart` asks, without a call for each
                if id(gradient) in taken or type(gradient) is not kind or not owns_memory(gradient):
                    gradient = apart(gradient, taken)
                taken.add(id(gradient))
            extra = node.extra or self._extra(node)
            before = extra.grad
            if before is not None:
                gradient = apart(xp.add(before, gradient), taken)
            changed.append((extra, gradient))
        for extra, gradient in changed:  # nothing has failed
            extra.grad = gradient

    def _seed(self, gradient: Any) -> Any:
        if gradient is None:
            plain = self.value if type(self.value) not in traced_types else innermost(self)
            if plain.shape != () and self.size != 1:
                raise NotDifferentiableError(
                    f"backward: the gradient of a result of shape {tuple(self.shape)} needs a "
                    f"cotangent: sum() it, or call backward(gradient) with that shape"
                )
            seed = backend_of(plain).ones_like(plain)
            # Beside values of another trace (jit's) it is one of that trace: a plain array
            # would go to the library's own kernels, together with them.
            return seed if plain is self.value else self.value.trace.lift(seed)
        if type(gradient) not in traced_types:
            gradient = as_like(gradient, self)
            if type(self.value) in traced_types:
                gradient = self.value.trace.lift(gradient)
        elif gradient.trace is self.trace and gradient.node is None:
            gradient = gradient.value
        if tuple(gradient.shape) != tuple(self.shape):
            raise ShapeError(
                f"backward: the gradient has shape {tuple(gradient.shape)}, the result "
                f"{tuple(self.shape)}"
            )
        return gradient

    def _require_leaf(self, what: str) -> None:
        if not self.is_leaf:
            raise BackwardError(f"{what}: this Tensor is the result of an operation; detach() it")


def _array(x: Any) -> Any:
    """An array, also where NumPy made a scalar of one without axes: that is not written into."""
    return x if x.shape or type(x) in traced_types else backend_of(x).asarray(x)


# Two Python calls less than by way of the functions, which is what the operators are at first.
for _name, _function in (
    ("add", xp.add),
    ("sub", xp.subtract),
    ("mul", xp.multiply),
    ("truediv", xp.divide),
    ("matmul", xp.matmul),
):
    operators[Tensor, _function.primitive] = (f"__{_name}__", getattr(Tensor, f"__{_name}__"))

#: The tape of every tensor that a user makes: the oldest of all tapes.
EAGER = Tape(Tensor, id=0)


def leaf_node(value: Any) -> Node:
    """A node for an input. Raises `DtypeError` where values are not floating."""
    if not is_inexact(value):
        raise DtypeError(
            f"only real and complex floating arrays have a gradient, got dtype {value.dtype}; "
            f"convert with dtype='float32' or astype first"
        )
    return new_node(None, (), (), value.shape, value.dtype, Extra(keeps_grad=True))


def new_tape() -> Tape:
    """A tape of its own, newer than every other trace there is."""
    return Tape(Tensor)


def new_leaf(value: Any, tape: Tape) -> Tensor:
    """An array as an input that a tape differentiates with respect to."""
    return Tensor(value, tape, leaf_node(value))


def constant(x: Any) -> Any:
    """Arrays as Tensors that no gradient flows to; x: an array, or a container of them.

    For what a function captures and code in it asks for its namespace, together with
    something that is being differentiated: `array_namespace` refuses arrays of two kinds.

    >>> import numpy as np
    >>> from array_api_compat import array_namespace
    >>> from portagrad import grad
    >>> def scaled(x, weights):
    ...     return array_namespace(x, weights).sum(x * weights)
    >>> weights = constant(np.asarray([2.0, 3.0]))
    >>> grad(lambda x: scaled(x, weights))(np.ones(2))
    array([2., 3.])
    """

    def lift(leaf: Any) -> Any:
        plain = type(leaf) not in traced_types and hasattr(leaf, "dtype")
        return tensor(leaf) if plain else leaf

    return tree_map(lift, x)


def tensor(
    data: Any,
    requires_grad: bool = False,
    *,
    dtype: Any = None,
    device: Any = None,
    backend: str | Backend | None = None,
) -> Tensor:
    """A Tensor around a copy of `data`: numbers, nested lists or an array of any library.

    Host data is created on the active backend; an array of another library
    stays there unless `backend` says otherwise.

    >>> tensor([1.0, 2.0], requires_grad=True)
    Tensor([1. 2.], dtype=float64, backend='numpy', requires_grad=True)

    Raises `DtypeError` for integers or bools with `requires_grad`.
    """
    if isinstance(data, Tensor):
        data = data.value
    value = asarray(data, backend=backend, dtype=dtype, device=device, copy=True)
    return Tensor(value, EAGER, leaf_node(value) if requires_grad else None)

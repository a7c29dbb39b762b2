"""Traced values with the methods of NumPy's arrays, which programs for HIPS autograd call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from portagrad import array_api as xp
from portagrad.array_api.array_object import ArrayObject
from portagrad.autograd.forward import Dual, Forward
from portagrad.autograd.tape import Tape
from portagrad.autograd.tensor import Tensor
from portagrad.backend import backend_of
from portagrad.primitive import Primitive, traced_types


def _method(name: str) -> Callable[..., Any]:
    """A method that is NumPy's function of that name; the array protocol does the rest."""
    function = getattr(numpy, name)

    def method(self: Any, *args: Any, **keywords: Any) -> Any:
        return function(self, *args, **keywords)

    method.__name__ = name
    method.__doc__ = f"`numpy.{name}` of this value."
    return method


class Methods(ArrayObject):
    """The methods of `numpy.ndarray` that return something of its elements."""

    __slots__ = ()

    all = _method("all")
    any = _method("any")
    argmax = _method("argmax")
    argmin = _method("argmin")
    argsort = _method("argsort")
    clip = _method("clip")
    conj = _method("conj")
    conjugate = _method("conj")
    copy = _method("copy")
    cumprod = _method("cumprod")
    cumsum = _method("cumsum")
    diagonal = _method("diagonal")
    dot = _method("dot")
    max = _method("max")
    mean = _method("mean")
    min = _method("min")
    nonzero = _method("nonzero")
    prod = _method("prod")
    ravel = _method("ravel")
    repeat = _method("repeat")
    round = _method("round")
    sort = _method("sort")
    squeeze = _method("squeeze")
    std = _method("std")
    sum = _method("sum")
    swapaxes = _method("swapaxes")
    take = _method("take")
    var = _method("var")

    @property
    def T(self) -> Any:
        """The axes in reverse, however many there are."""
        return numpy.transpose(self)

    @property
    def real(self) -> Any:
        """The real part."""
        return numpy.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return numpy.imag(self)

    def astype(self, dtype: Any, *args: Any, **keywords: Any) -> Any:
        """The same values in another dtype, `float` and the like included."""
        known: Any = dtype
        if isinstance(dtype, (str, type)):  # in the words of the array's own library
            known = getattr(backend_of(self).xp, numpy.dtype(dtype).name)
        return xp.astype(self, known)

    def flatten(self, order: str = "C") -> Any:
        """All elements in one row."""
        return self.reshape(-1, order=order)

    def reshape(self, *shape: Any, order: str = "C") -> Any:
        """The same elements in another shape, given as one tuple or as numbers."""
        target = shape[0] if len(shape) == 1 else shape
        target = (target,) if isinstance(target, int) else tuple(target)
        if order == "F":
            return numpy.transpose(numpy.reshape(numpy.transpose(self), target[::-1]))
        return numpy.reshape(self, target)

    def transpose(self, *axes: Any) -> Any:
        """The axes in another order, by default in reverse."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None
        return numpy.transpose(self, order)


class Box(Methods, Tensor):
    """A value on a tape."""

    __slots__ = ()


class ForwardBox(Methods, Dual):
    """A value with its tangent."""

    __slots__ = ()


class ForwardTrace(Forward):
    """Forward mode whose values have NumPy's methods."""

    __slots__ = ()

    def lift(self, array: Any) -> Any:
        """An array as a constant."""
        return ForwardBox(array, self, None)

    def process(
        self, primitive: Primitive, operands: tuple[Any, ...], static: dict[str, Any]
    ) -> Any:
        """Compute a call and the tangent of its result."""
        return self.boxed(super().process(primitive, operands, static))

    def boxed(self, out: Any) -> Any:
        """Results as values with NumPy's methods."""
        if isinstance(out, (tuple, list)):
            return tuple(map(self.boxed, out))
        if type(out) is Dual:
            out.__class__ = ForwardBox
        return out


def new_tape() -> Tape:
    """A tape whose values have NumPy's methods."""
    return Tape(Box)


def isbox(x: Any) -> bool:
    """Is x traced?"""
    return type(x) in traced_types


def getval(x: Any) -> Any:
    """The value inside, one trace further in; anything else as it is."""
    return x.value if type(x) in traced_types else x

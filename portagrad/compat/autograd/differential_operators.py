"""grad, jacobian, hessian and all others, with HIPS autograd's arguments and conventions."""

from __future__ import annotations

import inspect
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from portagrad import array_api as xp
from portagrad.autograd import checkpoint as checkpoint
from portagrad.autograd.vmap import vmap
from portagrad.compat.autograd.core import make_jvp as _make_jvp
from portagrad.compat.autograd.core import make_vjp as _make_vjp
from portagrad.compat.autograd.vspace import vspace
from portagrad.compat.autograd.wrap_util import unary_to_nary
from portagrad.errors import BackwardError, BatchingError

Function = Callable[..., Any]

make_vjp = unary_to_nary(_make_vjp)
make_jvp = unary_to_nary(_make_jvp)


@unary_to_nary
def grad(fun: Function, x: Any) -> Any:
    """
    Returns a function which computes the gradient of `fun`, a single real number.

    It is taken with respect to the argument at position `argnum`, or to several, and
    has the structure and shapes of the argument.
    """
    return value_and_grad(fun)(x)[1]


@unary_to_nary
def value_and_grad(fun: Function, x: Any) -> tuple[Any, Any]:
    """Returns a function that returns the value and the gradient of `fun`."""
    vjp, ans = _make_vjp(fun, x)
    space = vspace(ans)
    if space.size != 1:
        raise TypeError(
            f"a gradient is taken of a single real number, got {space}. Use jacobian, "
            f"elementwise_grad or holomorphic_grad"
        )
    return ans, vjp(space.ones())


@unary_to_nary
def grad_and_aux(fun: Function, x: Any) -> tuple[Any, Any]:
    """Returns a function that returns the gradient of `fun`'s first result, and the second."""
    vjp, (ans, aux) = _make_vjp(fun, x)
    return vjp((vspace(ans).ones(), vspace(aux).zeros())), aux


@unary_to_nary
def elementwise_grad(fun: Function, x: Any) -> Any:
    """Returns a function that sums the Jacobian over the results: its diagonal where it is one."""
    vjp, ans = _make_vjp(fun, x)
    if vspace(ans).iscomplex:
        raise TypeError("elementwise_grad is taken of real results; use holomorphic_grad")
    return vjp(vspace(ans).ones())


@unary_to_nary
def deriv(fun: Function, x: Any) -> Any:
    """Returns a function that computes the derivative along ones, in forward mode."""
    return _make_jvp(fun, x)(vspace(x).ones())[1]


@unary_to_nary
def jacobian(fun: Function, x: Any) -> Any:
    """Returns a function that computes the Jacobian, of the result's shape + the argument's.

    One batched pass over the results where every function in `fun` can be
    batched; one pass per result where not.
    """
    vjp, ans = _make_vjp(fun, x)
    basis = xp.stack(list(vspace(ans).standard_basis()))
    try:
        rows = vmap(vjp)(basis)
    except (BatchingError, BackwardError):
        rows = xp.stack([vjp(row) for row in xp.unstack(basis)])
    return xp.reshape(rows, (*vspace(ans).shape, *vspace(x).shape))


@unary_to_nary
def holomorphic_grad(fun: Function, x: Any) -> Any:
    """Returns a function that computes the derivative of a holomorphic `fun`."""
    if not vspace(x).iscomplex:
        warnings.warn("Input to holomorphic_grad is not complex", stacklevel=2)
    return grad(lambda x: xp.real(fun(x)))(x)


def grad_named(fun: Function, argname: str) -> Function:
    """Returns a function that computes the gradient with respect to an argument by its name."""
    return grad(fun, list(inspect.signature(fun).parameters).index(argname))  # type: ignore[no-any-return]


@unary_to_nary
def hessian(fun: Function, x: Any) -> Any:
    """Returns a function that computes the matrix of second derivatives."""
    return jacobian(jacobian(fun))(x)


@unary_to_nary
def make_hvp(fun: Function, x: Any) -> Any:
    """Returns a function that gives, at a point, products of the Hessian with a vector."""
    return _make_vjp(grad(fun), x)


def hessian_tensor_product(fun: Function, argnum: int = 0) -> Function:
    """Returns a function of `(*args, tensor)`: the Hessian times the tensor."""
    gradient = grad(fun, argnum)

    def along(*args: Any, **keywords: Any) -> Any:
        *rest, tensor = args
        return _contracted(gradient(*rest, **keywords), tensor, tensor.ndim)

    return grad(along, argnum)  # type: ignore[no-any-return]


def tensor_jacobian_product(fun: Function, argnum: int = 0) -> Function:
    """Returns a function of `(*args, tensor)`: the tensor times the Jacobian."""

    def along(*args: Any, **keywords: Any) -> Any:
        *rest, tensor = args
        return _contracted(tensor, fun(*rest, **keywords), tensor.ndim)

    return jacobian(along, argnum)  # type: ignore[no-any-return]


hessian_vector_product = hvp = hessian_tensor_product
vector_jacobian_product = tensor_jacobian_product


def _contracted(a: Any, b: Any, axes: int) -> Any:
    return xp.tensordot(a, b, axes=axes) if axes else a * b


@unary_to_nary
def make_jvp_reversemode(fun: Function, x: Any) -> Function:
    """Returns a function that takes a tangent of x to the result's, by reverse mode twice."""
    vjp, ans = _make_vjp(fun, x)
    return _make_vjp(vjp, vspace(ans).zeros())[0]


def _half_square(x: Any) -> Any:
    return xp.sum(x * x, axis=-1) / 2


def make_ggnvp(f: Function, g: Function = _half_square, f_argnum: int = 0) -> Function:
    """Returns a function that gives, at a point, Gauss-Newton products JᵀHJ v of `g(f(x))`."""

    @unary_to_nary
    def make(f: Function, x: Any) -> Function:
        pull, value = _make_vjp(f, x)
        curve, _ = _make_vjp(grad(g), value)
        push = _make_jvp(f, x)
        return lambda v: pull(curve(push(v)[1]))

    return make(f, f_argnum)  # type: ignore[no-any-return]


def multigrad_dict(fun: Function) -> Function:
    """Returns a function that gives the gradients of all arguments, in a dict by name."""
    signature = inspect.signature(fun)

    def gradients(*args: Any, **keywords: Any) -> OrderedDict[str, Any]:
        bound = signature.bind(*args, **keywords)
        bound.apply_defaults()

        def of_arguments(arguments: dict[str, Any]) -> Any:
            again = inspect.BoundArguments(signature, OrderedDict(arguments))
            return fun(*again.args, **again.kwargs)

        return OrderedDict(grad(of_arguments)(dict(bound.arguments)))

    return gradients


__all__ = [
    "checkpoint",
    "deriv",
    "elementwise_grad",
    "grad",
    "grad_and_aux",
    "grad_named",
    "hessian",
    "hessian_tensor_product",
    "hessian_vector_product",
    "holomorphic_grad",
    "hvp",
    "jacobian",
    "make_ggnvp",
    "make_hvp",
    "make_jvp",
    "make_jvp_reversemode",
    "make_vjp",
    "multigrad_dict",
    "tensor_jacobian_product",
    "value_and_grad",
    "vector_jacobian_product",
]

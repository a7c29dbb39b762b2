"""Implicit differentiation: the derivative of a solution, whatever solver found it.

Where x(p) is defined by an equation, its derivative follows from the equation
alone (the implicit function theorem), so that nothing of the iterations is kept:

    x = f(x, p)      u = g + (∂f/∂x)ᵀ u      g_p = (∂f/∂p)ᵀ u
    f(x, p) = 0      (∂f/∂x)ᵀ u = -g         g_p = (∂f/∂p)ᵀ u

The equations for u are a fixed point and a root themselves and are solved by the
same functions, which makes derivatives of any order, forward ones as well.
Christianson, "Reverse accumulation and attractive fixed points", 1994; Blondel
et al., "Efficient and modular implicit differentiation", 2022.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.array_object import ArrayObject
from portagrad.array_api.data_type import is_inexact
from portagrad.autograd.backward import conjugate
from portagrad.autograd.custom import custom_vjp
from portagrad.autograd.forward import jvp
from portagrad.autograd.lifting import lift_constants, matched
from portagrad.autograd.pullback import vjp
from portagrad.autograd.vmap import vmap
from portagrad.backend import asarray, backend_of
from portagrad.errors import ArgumentError, DivergedError, NotDifferentiableError, ShapeError
from portagrad.primitive import innermost, newest_trace, observed
from portagrad.tree import path_name, tree_leaves, tree_map, tree_unflatten

Function = Callable[..., Any]
LinearSolve = Callable[[Function, Any], Any]


def fixed_point(
    function: Function,
    x0: Any,
    *params: Any,
    tolerance: float | None = None,
    max_iterations: int = 1000,
) -> Any:
    """The x with `x = function(x, *params)`, found by repeating it from `x0`.

    `x` and every parameter may be an array or any nesting of containers of
    arrays. Derivatives flow to `params`, at a memory that does not depend on the
    number of iterations; none flows to `x0`. It converges, and its derivative
    with it, where `function` is a contraction in x.

    `tolerance` bounds the last step in relation to the size of x; left out, it is
    64 machine epsilons.

    >>> import numpy as np
    >>> from portagrad import grad
    >>> babylonian = lambda x, a: (x + a / x) / 2
    >>> fixed_point(babylonian, np.ones(2), np.asarray([4.0, 9.0]))
    array([2., 3.])
    >>> grad(lambda a: fixed_point(babylonian, 1.0, a))(9.0)
    array(0.16666667)

    Raises `DivergedError` where it does not converge, and `NotDifferentiableError`
    where `function` uses a value that is being differentiated without being given
    it as a parameter.
    """
    name = getattr(function, "__name__", "function")

    def iterate(x: Any, *params: Any) -> Any:
        step = functools.partial(_closed, function, params=params, name=name)
        return _repeated(step, x, tolerance, max_iterations, f"fixed_point({name})")

    solver = custom_vjp(iterate)

    def forward(x0: Any, *params: Any) -> Any:
        # Older traces that differentiate are to see a solution, too, and not the way to it.
        x = (solver if _differentiated(x0, params) else iterate)(x0, *params)
        return x, (x, params)

    def adjoint(u: Any, x: Any, g: Any, *params: Any) -> Any:
        (pulled,) = _pull(function, (x,), params, u)
        return tree_map(xp.add, g, pulled)

    def backward(residuals: Any, g: Any) -> Any:
        x, params = residuals
        limits: Any = {"tolerance": tolerance, "max_iterations": max_iterations}
        u = fixed_point(adjoint, g, x, g, *params, **limits)
        return None, *_pull(lambda *args: function(args[-1], *args[:-1]), params, (x,), u)

    solver.defvjp(forward, backward)
    return solver(_arrays(x0, params), *params)


def root(
    function: Function,
    x0: Any,
    *params: Any,
    solve: Callable[[Function, Any], Any] | None = None,
    tangent_solve: LinearSolve | None = None,
    tolerance: float | None = None,
    max_iterations: int = 100,
) -> Any:
    """The x with `function(x, *params) = 0`, sought from `x0`.

    `x`, the parameters and what `function` returns may be arrays or any nesting
    of containers of arrays. Derivatives flow to `params` and need nothing of the
    way to the root.

    `solve(f, x0)` returns the root of a function of x alone; left out, it is
    Newton's method. `tangent_solve(linear, b)` returns the v with `linear(v) = b`;
    left out, the matrix is made and solved, so give one where x is large.
    `tolerance` and `max_iterations` are Newton's.

    >>> from portagrad import grad
    >>> grad(lambda a: root(lambda x, a: x * x - a, 1.0, a))(9.0)
    array(0.16666667)

    Raises `DivergedError` where Newton's method does not converge,
    `ShapeError` where `function` has not as many results as x has elements, and
    `NotDifferentiableError` as `fixed_point` does.
    """
    name = getattr(function, "__name__", "function")
    linear_solver = tangent_solve or dense_solve

    def residual(x: Any, *params: Any) -> Any:
        return _arranged(_called(function, (x, *params)), x, name)

    def newton(f: Function, x: Any) -> Any:
        def step(x: Any) -> Any:
            value, push = f(x), lambda v: jvp(f, (x,), (v,))[1]
            return tree_map(xp.subtract, x, linear_solver(push, value))

        return _repeated(step, x, tolerance, max_iterations, f"root({name})")

    def find(x: Any, *params: Any) -> Any:
        if solve is not None:
            return solve(functools.partial(_closed, function, params=params, name=name), x)
        return newton(functools.partial(_closed, residual, params=params, name=name), x)

    solver = custom_vjp(find)

    def forward(x0: Any, *params: Any) -> Any:
        x = (solver if _differentiated(x0, params) else find)(x0, *params)
        return x, (x, params)

    def adjoint(u: Any, x: Any, g: Any, *params: Any) -> Any:
        (pulled,) = _pull(residual, (x,), params, u)
        return tree_map(xp.add, pulled, g)

    def at_once(f: Function, zero: Any) -> Any:
        b = f(zero)
        linear = lambda v: tree_map(xp.subtract, f(v), b)  # noqa: E731
        return linear_solver(linear, tree_map(xp.negative, b))

    def backward(residuals: Any, g: Any) -> Any:
        x, params = residuals
        zero = tree_map(xp.zeros_like, x)
        u = root(adjoint, zero, x, g, *params, solve=at_once, tangent_solve=tangent_solve)
        return None, *_pull(lambda *args: residual(args[-1], *args[:-1]), params, (x,), u)

    solver.defvjp(forward, backward)
    return solver(_arrays(x0, params), *params)


def linear_solve(linear: Function, b: Any, *params: Any, solve: LinearSolve | None = None) -> Any:
    """The x with `linear(x, *params) = b`, for a function that is linear in x.

    `solve(linear, b)` is any solver, conjugate gradients for instance; it serves
    the transposed system of the derivative, too. Derivatives flow to b and
    `params`, and nothing of the solver's way is kept.

    >>> from portagrad import grad
    >>> grad(lambda a: linear_solve(lambda x, a: a * x, 1.0, a))(2.0)
    array(-0.25)
    """
    b = _arrays(b, params)

    def residual(x: Any, b: Any, *params: Any) -> Any:
        return tree_map(xp.subtract, linear(x, *params), b)

    def at_once(f: Function, zero: Any) -> Any:
        negative = f(zero)
        moved = lambda v: tree_map(xp.subtract, f(v), negative)  # noqa: E731
        return (solve or dense_solve)(moved, tree_map(xp.negative, negative))

    zero = tree_map(xp.zeros_like, b)
    return root(residual, zero, b, *params, solve=at_once, tangent_solve=solve)


def dense_solve(linear: Function, b: Any) -> Any:
    """The v with `linear(v) = b`, by making the matrix: one batched pass over a basis.

    v has the structure and shapes of b.
    """
    flat = _ravel(b)
    home, plain = backend_of(flat), innermost(flat)
    basis = home.xp.eye(flat.shape[0], dtype=plain.dtype, device=home.device_of(plain))
    rows = vmap(lambda row: _ravel(linear(_unravel(row, b))))(basis)
    if rows.shape[0] != rows.shape[1]:
        raise ShapeError(
            f"a linear system needs as many equations as unknowns: {rows.shape[1]} results for "
            f"{rows.shape[0]} elements"
        )
    return _unravel(xp.linalg.solve(xp.matrix_transpose(rows), flat), b)


def _repeated(
    step: Function, x: Any, tolerance: float | None, max_iterations: int, name: str
) -> Any:
    """Repeat a step until it moves x no more."""
    if max_iterations < 1:
        raise ArgumentError(f"{name}: max_iterations must be at least 1, got {max_iterations}")
    first = moved = math.inf
    for count in range(max_iterations):
        before, x = x, step(x)
        _require_alike(x, before, name)
        moved = _size(tree_map(xp.subtract, x, before))
        if count == 0:
            first = moved
        bound = _tolerance(x) if tolerance is None else tolerance
        if moved <= bound * max(_size(x), first):
            return x
        if not math.isfinite(moved):
            break
    raise DivergedError(
        f"{name}: no convergence: after {count + 1} of at most {max_iterations} iterations the "
        f"last step had the size {moved:.3g}. Start nearer to the solution, raise tolerance= or "
        f"max_iterations=, or damp the function"
    )


def _require_alike(x: Any, before: Any, name: str) -> None:
    """A step must lead from x to something of the same structure and shapes."""
    for path, old, new in matched(before, x, f"{name}: what the function returned"):
        shape = tuple(getattr(new, "shape", ()))
        if shape != tuple(old.shape):
            where = f" at {path_name(path)}" if path else ""
            raise ShapeError(
                f"{name}: the function returned shape {shape}{where} for an x of shape "
                f"{tuple(old.shape)}"
            )


def _size(tree: Any) -> float:
    """The largest magnitude in a tree; nan where one is nan. Of a batch, over all of it.

    That the number of iterations depends on it is no part of the derivative, so
    it is read from the arrays behind all traces.
    """
    sizes = [float(xp.max(xp.abs(observed(x)))) for x in tree_leaves(tree) if 0 not in x.shape]
    return math.nan if any(map(math.isnan, sizes)) else max(sizes, default=0.0)


def _tolerance(tree: Any) -> float:
    return max((64 * float(xp.finfo(x.dtype).eps) for x in tree_leaves(tree)), default=0.0)


def _closed(function: Function, x: Any, *, params: Any, name: str) -> Any:
    """`function(x, *params)`, whose result may depend on what it is given and on nothing else."""
    result = _called(function, (x, *params))
    newest = newest_trace(tree_leaves(result))
    given = newest_trace(tree_leaves([x, list(params)]))
    if newest is not None and (given is None or newest.id > given.id):
        raise NotDifferentiableError(
            f"{name} uses a value that is being differentiated, but was not given it: its "
            f"derivative would be lost. Give it as a parameter, solver(function, x0, value), and "
            f"take it as an argument of the function"
        )
    return result


def _differentiated(*trees: Any) -> bool:
    leaves = [x for tree in trees for x in tree_leaves(tree)]
    return any(isinstance(x, ArrayObject) and x.is_differentiated() for x in leaves)


def _called(function: Function, args: Sequence[Any]) -> Any:
    """Call with plain arrays as constants: not all leave `array * traced` to the traced one."""
    trace = newest_trace(tree_leaves(list(args)))
    return function(*(args if trace is None else lift_constants(list(args), trace)))


def _arranged(tree: Any, like: Any, name: str) -> Any:
    """The results of a system of equations in the structure and shapes of its unknowns."""
    equations, unknowns = (sum(math.prod(x.shape) for x in tree_leaves(t)) for t in (tree, like))
    if equations != unknowns:
        raise ShapeError(
            f"root: {name} must have as many equations as unknowns, got {equations} results for "
            f"an x of {unknowns} elements"
        )
    return _unravel(_ravel(tree), like)


def _pull(
    function: Function, args: Sequence[Any], constants: Sequence[Any], u: Any
) -> tuple[Any, ...]:
    """(∂f/∂args)ᵀ u, transposed and not conjugated; None for what is not floating."""
    leaves = tree_leaves(list(args))
    moving = [i for i, x in enumerate(leaves) if _moves(x)]

    def of_moving(*values: Any) -> Any:
        full = list(leaves)
        for i, value in zip(moving, values, strict=True):
            full[i] = value
        return _called(function, (*tree_unflatten(list(args), full), *constants))

    _, pullback = vjp(of_moving, *(leaves[i] for i in moving))
    pulled = dict(zip(moving, pullback(tree_map(conjugate, u)), strict=True))
    found = [conjugate(pulled[i]) if i in pulled else None for i in range(len(leaves))]
    parts = iter(found)
    cotangents = []
    for arg in args:
        own = [next(parts) for _ in tree_leaves(arg)]
        cotangents.append(tree_unflatten(arg, own))
    return tuple(cotangents)


def _moves(x: Any) -> bool:
    return is_inexact(x) if hasattr(x, "dtype") else isinstance(x, (float, complex))


def _arrays(x: Any, params: Sequence[Any]) -> Any:
    """x with arrays for its numbers, in the library of the other arrays."""
    like = next((p for p in tree_leaves([x, list(params)]) if hasattr(p, "dtype")), None)
    where: dict[str, Any] = {}
    if like is not None:
        home = backend_of(like)
        where = {"backend": home, "device": home.device_of(innermost(like))}
    real = like is not None and is_inexact(like)

    def array(leaf: Any) -> Any:
        if hasattr(leaf, "dtype"):
            return leaf
        keep = real and not isinstance(leaf, complex)
        return asarray(leaf, dtype=like.dtype if keep else None, **where)  # type: ignore[union-attr]

    return tree_map(array, x)


def _ravel(tree: Any) -> Any:
    return xp.concat([xp.reshape(x, (-1,)) for x in tree_leaves(tree)])


def _unravel(flat: Any, like: Any) -> Any:
    """A flat vector in the shapes of a tree."""
    leaves, start = [], 0
    for x in tree_leaves(like):
        stop = start + math.prod(x.shape)
        leaves.append(xp.reshape(flat[start:stop], tuple(x.shape)))
        start = stop
    return tree_unflatten(like, leaves)

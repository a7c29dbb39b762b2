"""scipy_minimize: SciPy's optimizers with values and gradients from any array library."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from portagrad.array_api.data_type import is_complex, is_inexact
from portagrad.autograd import hessian, hvp, value_and_grad
from portagrad.autograd.lifting import array_of
from portagrad.backend import asarray, backend_of, to_numpy
from portagrad.errors import ArgumentError, DtypeError, MissingExtraError
from portagrad.primitive import innermost
from portagrad.tree import named_leaves, path_name, tree_leaves, tree_unflatten

#: The methods that use second derivatives, as products of the Hessian with a vector.
SECOND_ORDER = frozenset({"newton-cg", "trust-ncg", "trust-krylov", "trust-constr"})
#: The methods that want the matrix itself.
DENSE = frozenset({"dogleg", "trust-exact"})
#: The methods that use no derivatives.
WITHOUT_GRADIENT = frozenset({"nelder-mead", "powell", "cobyla", "cobyqa"})


def scipy_minimize(
    function: Callable[..., Any],
    x0: Any,
    args: Sequence[Any] = (),
    method: str | None = None,
    *,
    callback: Callable[[Any], Any] | None = None,
    **options: Any,
) -> Any:
    """Minimise `function(x, *args)` from `x0` by `scipy.optimize.minimize`.

    `x0` is an array of any library or any nesting of containers of them, and
    `function` returns a single real number. SciPy works with one vector of 64-bit
    numbers on the host; `function` sees x in the structure, library, dtype and
    device of `x0`, and the gradient is taken there. Methods that use second
    derivatives get products with the Hessian, or where they want it the matrix. A
    `hess(x, *args)` or `hessp(x, v, *args)` of one's own gets and returns what
    `portagrad.hessian` and `portagrad.hvp` do.

    Returns SciPy's result, in which `x` and `jac` are trees like `x0`. `callback`
    gets such trees as well. All other keywords (`bounds`, `tol`, `options`, ...) go
    to SciPy as they are, so bounds are for the flat vector.

    >>> import numpy as np
    >>> result = scipy_minimize(lambda p: ((p["a"] - 3.0) ** 2).sum(), {"a": np.zeros(2)})
    >>> result.x
    {'a': array([3., 3.])}

    Raises `MissingExtraError` without SciPy, and `DtypeError` for an x0 that is not real and
    floating.
    """
    if unknown := options.keys() & {"fun", "jac"}:
        raise ArgumentError(
            f"scipy_minimize: {', '.join(unknown)} is made here, the gradient by portagrad; with "
            f"one of your own call scipy.optimize.minimize"
        )
    optimize = _scipy_optimize()
    start = _arrays(x0)
    # Optimizers of single precision stop at its noise; the vector is 64-bit all the same.
    both = value_and_grad(function)
    chosen = (method or "").lower()

    def value_and_gradient(flat: Any) -> tuple[float, Any]:
        value, gradient = both(_tree(flat, start), *args)
        return float(to_numpy(value)), _flat(gradient)

    def value_only(flat: Any) -> float:
        return float(to_numpy(innermost(asarray(function(_tree(flat, start), *args)))))

    def product(x: Any, v: Any, *args: Any) -> Any:
        return hvp(lambda x: function(x, *args), (x,), (v,))

    if not options.keys() & {"hess", "hessp"}:
        if chosen in SECOND_ORDER:
            options["hessp"] = product
        elif chosen in DENSE:
            options["hess"] = hessian(function)
    if callable(own := options.get("hessp")):
        options["hessp"] = lambda flat, v: _flat(own(_tree(flat, start), _tree(v, start), *args))
    if callable(matrix := options.get("hess")):
        options["hess"] = lambda flat: _matrix(matrix(_tree(flat, start), *args), start)
    if callback is not None:
        options["callback"] = lambda xk: callback(_tree(xk, start))
    gradient_free = chosen in WITHOUT_GRADIENT
    vector0 = _flat(start)
    result = optimize.minimize(
        value_only if gradient_free else value_and_gradient,
        vector0,
        method=method,
        jac=None if gradient_free else True,
        **options,
    )
    for name in ("x", "jac", "grad"):  # trust-constr has the gradient as `grad`
        vector = result.get(name)
        if isinstance(vector, numpy.ndarray) and vector.shape == vector0.shape:
            result[name] = _tree(vector, start)
    return result


def _scipy_optimize() -> Any:
    try:
        return importlib.import_module("scipy.optimize")
    except ImportError as error:
        raise MissingExtraError(
            "scipy_minimize needs SciPy, which is not installed: pip install scipy"
        ) from error


def _arrays(x0: Any) -> Any:
    """The tree with arrays for numbers; each real and floating."""
    leaves = []
    for path, leaf in named_leaves(x0):
        x = asarray(innermost(array_of(leaf)))
        if not is_inexact(x) or is_complex(x):
            where = f" at {path_name(path)}" if path else ""
            raise DtypeError(
                f"scipy_minimize: x0{where} has dtype {x.dtype}; it must be real and floating"
            )
        leaves.append(x)
    return tree_unflatten(x0, leaves)


def _flat(tree: Any) -> Any:
    """One vector of 64-bit numbers on the host."""
    parts = [numpy.asarray(to_numpy(x), dtype="float64").reshape(-1) for x in tree_leaves(tree)]
    return numpy.concatenate(parts) if parts else numpy.zeros(0)


def _matrix(blocks: Any, like: Any) -> Any:
    """A Hessian as one matrix: of a tree it is a tree of trees, row by row."""
    sizes = [math.prod(x.shape) for x in tree_leaves(like)]
    leaves = iter(tree_leaves(blocks))
    return numpy.block(
        [
            [numpy.asarray(to_numpy(next(leaves)), dtype="float64").reshape(n, m) for m in sizes]
            for n in sizes
        ]
    )


def _tree(flat: Any, like: Any) -> Any:
    """A vector as a tree of arrays: each of the library, dtype and device of x0's."""
    leaves, start = [], 0
    for x in tree_leaves(like):
        stop = start + math.prod(x.shape)
        piece = numpy.asarray(flat[start:stop]).reshape(tuple(x.shape))
        home = backend_of(x)
        place = {"backend": home, "dtype": x.dtype, "device": home.device_of(x)}
        leaves.append(asarray(piece, **place, copy=True))
        start = stop
    return tree_unflatten(like, leaves)

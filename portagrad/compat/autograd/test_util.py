"""check_grads: derivatives against central differences, in both modes and to any order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from portagrad.compat.autograd.core import make_jvp, make_vjp, vspace
from portagrad.compat.autograd.wrap_util import get_name, unary_to_nary

Function = Callable[..., Any]

TOLERANCE = 1e-6
STEP = 1e-6


def scalar_close(a: Any, b: Any) -> bool:
    """Do two numbers agree to a millionth, absolutely or relatively?"""
    return bool(abs(a - b) < TOLERANCE or abs(a - b) / abs(a + b) < TOLERANCE)


def check_equivalent(x: Any, y: Any) -> None:
    """Raise `AssertionError` unless x and y have the same structure, shapes, dtypes and values."""
    space = vspace(x)
    assert space == vspace(y), f"vector spaces differ:\nx: {space}\ny: {vspace(y)}"
    v = space.randn()
    close = scalar_close(space.inner_prod(x, v), space.inner_prod(y, v))
    assert close, f"values differ:\nx: {x}\ny: {y}"


@unary_to_nary
def check_grads(fun: Function, x: Any, modes: Sequence[str] | None = None, order: int = 2) -> None:
    """Raise `AssertionError` where a derivative of `fun` at x is wrong, in a random direction.

    `modes` are "fwd" and "rev"; up to `order` the derivatives are checked as
    functions of the point and of the direction.
    """
    modes = ("fwd", "rev") if modes is None else modes
    unknown = set(modes) - {"fwd", "rev"}
    if unknown:
        raise ValueError(f"check_grads: modes are 'fwd' and 'rev', got {sorted(unknown)}")
    derivatives: dict[str, Function] = {
        "fwd": lambda x, v: make_jvp(fun, x)(v)[1],
        "rev": lambda x, v: make_vjp(fun, x)[0](v),
    }
    for mode in modes:
        _check_forward(fun, x) if mode == "fwd" else _check_reverse(fun, x)
        if order > 1:
            derivative = derivatives[mode]
            kind = "jvp" if mode == "fwd" else "vjp"
            derivative.__name__ = f"{kind}_{get_name(fun)}"
            v = vspace(x if mode == "fwd" else fun(x)).randn()
            check_grads(derivative, (0, 1), modes, order=order - 1)(x, v)


def combo_check(fun: Function, *args: Any, **options: Any) -> Function:
    """`check_grads` for every combination of the arguments given."""

    def check(*choices: Any, **keyword_choices: Any) -> None:
        named = [[(name, value) for value in values] for name, values in keyword_choices.items()]
        for chosen in itertools.product(*choices):
            for keywords in itertools.product(*named):
                check_grads(fun, *args, **options)(*chosen, **dict(keywords))

    return check


def _difference(fun: Function, x: Any, v: Any) -> Any:
    """The central difference of `fun` at x along v."""
    space = vspace(x)
    above = fun(space.add(x, space.scalar_mul(v, STEP / 2)))
    below = fun(space.add(x, space.scalar_mul(v, -STEP / 2)))
    results = vspace(above)
    return results.scalar_mul(results.add(above, results.scalar_mul(below, -1.0)), 1 / STEP)


def _check_reverse(fun: Function, x: Any) -> None:
    vjp, y = make_vjp(fun, x)
    inputs, results = vspace(x), vspace(y)
    x_v, y_v = inputs.randn(), results.randn()
    pulled = inputs.covector(vjp(results.covector(y_v)))
    assert vspace(pulled) == inputs, f"the VJP of {get_name(fun)} is in {vspace(pulled)}: {inputs}"
    exact = inputs.inner_prod(x_v, pulled)
    numeric = results.inner_prod(y_v, _difference(fun, x, x_v))
    assert scalar_close(numeric, exact), (
        f"derivative (VJP) check of {get_name(fun)} failed at {x}:\n"
        f"by the rule: {exact}\nnumerically: {numeric}"
    )


def _check_forward(fun: Function, x: Any) -> None:
    v = vspace(x).randn()
    check_equivalent(make_jvp(fun, x)(v)[1], _difference(fun, x, v))

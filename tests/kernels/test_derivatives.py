"""One table of kernels: the stated vjp, the body's own derivative and central differences agree."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels

random = np.random.default_rng(0)


def normal(*shape):
    return random.normal(size=shape)


def probabilities(*shape):
    return random.uniform(0.05, 0.95, size=shape)


def labels(classes, *shape):
    return random.integers(0, classes, size=shape)


@dataclass(frozen=True, eq=False)
class Case:
    """A call of a kernel, away from its kinks, and the operands to differentiate by."""

    name: str
    operands: tuple[Any, ...]
    wrt: tuple[int, ...] = (0,)
    keywords: dict[str, Any] = field(default_factory=dict)

    def __str__(self):
        shapes = "-".join("x".join(map(str, x.shape)) or "0d" for x in self.operands)
        return "-".join([self.name, shapes, *map(str, self.keywords.values())])


CASES = [
    Case("linear", (normal(4, 3), normal(3, 2)), (0, 1)),
    Case("outer_products", (normal(4, 3, 1), normal(4, 1, 2)), (0, 1)),
    Case("outer_products", (normal(3, 1), normal(4, 1, 2)), (0, 1)),
    Case("linear", (normal(4, 3), normal(3, 2), normal(2)), (0, 1, 2)),
    Case("linear", (normal(3), normal(3, 2), normal(2)), (0, 1, 2)),
    Case("linear", (normal(2, 3, 4), normal(4, 2), normal(2)), (0, 1, 2)),
    Case("linear", (normal(2, 1, 2, 3), normal(3, 1), normal(1)), (0, 1, 2)),
    *(
        Case(f"linear_{name}", operands, tuple(range(len(operands))))
        for name in ("sigmoid", "tanh", "relu")
        for operands in (
            (normal(4, 3), normal(3, 2)),
            (normal(4, 3), normal(3, 2), normal(2)),
            (normal(2, 3, 4), normal(4, 2), normal(2)),
        )
    ),
    Case("sigmoid", (normal(3, 4) * 5,)),
    Case("sigmoid", (np.asarray([0.0, -30.0, 30.0]),)),
    Case("sigmoid", (np.asarray(0.5),)),
    Case("tanh", (normal(3, 4),)),
    Case("relu", (normal(3, 4),)),
    *(
        Case("leaky_relu", (normal(3, 4),), keywords={"negative_slope": slope})
        for slope in (0.0, 0.01, 0.5)
    ),
    *(Case("elu", (normal(3, 4),), keywords={"alpha": alpha}) for alpha in (1.0, 0.3)),
    *(Case(name, (normal(3, 4) * 3,)) for name in ("softplus", "silu", "normal_cdf", "normal_pdf")),
    *(Case(name, (np.asarray([-9.0, 0.0, 9.0]),)) for name in ("softplus", "silu")),
    # Not at 0, where the second derivative of the series is off by 4e-13.
    Case("normal_cdf", (np.asarray([-2.0, 0.5, 2.0]),)),
    *(
        Case("gelu", (x,), keywords={"approximate": formula})
        for x in (normal(3, 4) * 2, np.asarray([-7.0, 0.0, 7.0]))
        for formula in ("none", "tanh")
    ),
    Case("append_ones", (normal(3, 4),)),
    Case("append_ones", (normal(2, 3, 4),), keywords={"axis": 0}),
    Case("softmax", (normal(3, 4),)),
    Case("softmax", (normal(2, 3, 4),), keywords={"axis": 1}),
    Case("softmax", (normal(3, 4),), keywords={"axis": 0}),
    Case("log_softmax", (normal(3, 4),)),
    Case("log_softmax", (normal(2, 3, 4),), keywords={"axis": 1}),
    *(
        Case("mse", (normal(3, 2), normal(3, 2)), (0, 1), {"reduction": reduction})
        for reduction in ("mean", "half_sum", "sum", "none")
    ),
    Case("mse", (normal(4), normal(4)), (0, 1), {"reduction": "half_sum"}),
    Case("mse", (normal(2, 3, 2), normal(2, 3, 2)), (0, 1), {"reduction": "half_sum"}),
    *(
        Case(name, (operand, probabilities(3, 2)), (0, 1), {"reduction": reduction})
        for name, operand in (("bce", probabilities(3, 2)), ("bce_with_logits", normal(3, 2) * 5))
        for reduction in ("mean", "sum", "none")
    ),
    Case("bce_with_logits", (np.asarray([0.0, -20.0, 20.0]), np.asarray([0.5, 0.0, 1.0]))),
    *(
        Case("cross_entropy", (normal(5, 3), labels(3, 5)), keywords={"reduction": reduction})
        for reduction in ("mean", "sum", "none")
    ),
    Case("cross_entropy", (normal(2, 4, 3), labels(3, 2, 4))),
    Case("cross_entropy", (normal(3), labels(3))),
    Case("cross_entropy", (normal(4, 3), np.eye(3)[[0, 2, 1, 1]]), (0, 1)),
    Case("cross_entropy", (normal(4, 3), probabilities(4, 3)), (0, 1), {"reduction": "none"}),
]

each_case = pytest.mark.parametrize("case", CASES, ids=str)


class Problem:
    """A case on a backend, as a scalar function of one operand: the sum of weighted outputs."""

    def __init__(self, case, dtype="float64"):
        self.case = case
        self.function = getattr(kernels, case.name)
        self.operands = [
            pg.asarray(x.astype(dtype) if x.dtype.kind == "f" else x) for x in case.operands
        ]
        self.value = self.function(*self.operands, **case.keywords)
        weights = np.random.default_rng(1).normal(size=tuple(self.value.shape))
        self.weights = pg.asarray(np.asarray(weights, dtype=dtype))

    def along(self, position, function=None):
        function = function or self.function

        def scalar(x):
            operands = [*self.operands]
            operands[position] = x
            return xp.sum(xp.multiply(function(*operands, **self.case.keywords), self.weights))

        return scalar

    def slope(self, position, function=None):
        """The gradient along a direction, as a function to differentiate once more."""
        along, shape = self.along(position, function), tuple(self.operands[position].shape)
        direction = pg.asarray(np.random.default_rng(2).normal(size=shape))
        return lambda x: xp.sum(xp.multiply(pg.grad(along)(x), direction))


class Known(NamedTuple):
    """What a case is on NumPy: its value, and by differences the slopes along one operand."""

    value: Any
    slope: Any
    second: Any


@cache
def known(case, position):
    """Once for all backends: JAX and dask are slow to take hundreds of small steps."""
    with pg.use_backend("numpy"):
        problem = Problem(case)
        functions = problem.along(position), problem.slope(position)
        slopes = (central_differences(f, problem.operands[position]) for f in functions)
        return Known(problem.value, *slopes)


def central_differences(function, x, step=1e-5):
    """The gradient of a scalar function, in fourth order: exact to about 1e-10."""
    gradient = np.empty(x.shape)
    for index in np.ndindex(*x.shape):

        def at(distance, index=index):
            moved = x.copy()
            moved[index] += distance
            return float(function(moved))

        gradient[index] = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / 12 / step
    return gradient


def assert_close(found, expected, tolerance):
    found, expected = pg.to_numpy(found), pg.to_numpy(expected)
    assert found.shape == expected.shape
    scale = max(1e-3, float(np.max(np.abs(expected), initial=0.0)))
    assert float(np.max(np.abs(found - expected), initial=0.0)) <= tolerance * scale


@each_case
@pytest.mark.usefixtures("float64")
def test_stated_vjp_is_the_bodys_derivative(case):
    problem = Problem(case)
    for position in case.wrt:
        x = problem.operands[position]
        stated = pg.grad(problem.along(position))(x)
        by_body = pg.grad(problem.along(position, problem.function.body))(x)
        assert_close(stated, by_body, 1e-13)


@each_case
@pytest.mark.usefixtures("float64")
def test_stated_vjp_is_the_slope(case):
    """The slope of NumPy's value, which is this backend's too."""
    problem = Problem(case)
    for position in case.wrt:
        expected = known(case, position)
        assert_close(problem.value, expected.value, 1e-13)
        gradient = pg.grad(problem.along(position))(problem.operands[position])
        assert_close(gradient, expected.slope, 1e-7)


@each_case
@pytest.mark.usefixtures("float64")
def test_second_order(case):
    """The derivative of the stated rule, against the body's and central differences."""
    problem = Problem(case)
    for position in case.wrt:
        x = problem.operands[position]
        stated = pg.grad(problem.slope(position))(x)
        by_body = pg.grad(problem.slope(position, problem.function.body))(x)
        assert_close(stated, by_body, 1e-12)
        assert_close(stated, known(case, position).second, 1e-7)


@each_case
def test_float32_stays_float32(case, backend):
    """In value and gradient, on every device; and it is the float64 answer, rounded."""
    problem = Problem(case, "float32")
    value = problem.function(*problem.operands, **case.keywords)
    assert value.dtype == backend.xp.float32
    for position in case.wrt:
        x = problem.operands[position]
        gradient = pg.grad(problem.along(position))(x)
        assert gradient.dtype == backend.xp.float32
        assert gradient.shape == x.shape
        assert backend.device_of(gradient) == backend.device_of(x)
        with pg.use_backend("numpy"):
            exact = Problem(case)
            expected = pg.grad(exact.along(position))(exact.operands[position])
        assert_close(gradient, expected, 1e-5)


def test_every_kernel_is_in_the_table():
    differentiable = {n for n in kernels.__all__ if hasattr(getattr(kernels, n), "primitive")}
    listed = {name for name in differentiable if not name.endswith("_backward")}
    assert {case.name for case in CASES} == listed

"""The exercises and the cases that an answer is held to.

The right answers are not written here: a gradient is held to the tape's, of the
same kernels that the library trains with. The last case of an exercise is in
float32 where a wrong dtype is a likely mistake.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from portagrad import array_api as xp
from portagrad import kernels
from portagrad.learn.exercise import Exercise, Function, Gradient, Value
from portagrad.learn.slips import SLIPS

Floats = np.ndarray[Any, np.dtype[Any]]
Cases = Sequence[Gradient | Value]

EXERCISES: dict[str, Exercise] = {}

NUMBERS, ARRAYS, LOSSES, NETWORKS, LEARNING = (
    "one number", "arrays", "losses", "networks", "learning",
)  # fmt: skip


def _exercise(stage: str, title: str) -> Callable[[Callable[[], Cases]], Callable[[], Cases]]:
    def enter(cases: Callable[[], Cases]) -> Callable[[], Cases]:
        name = cases.__name__
        EXERCISES[name] = Exercise(name, title, stage, cases, SLIPS.get(name, {}))
        return cases

    return enter


def _drawn(*shape: int, seed: int = 0, dtype: str = "float64") -> Floats:
    """Normal numbers, none of them near 0, where relu has its corner."""
    random = np.random.default_rng((seed, *shape))
    values = random.normal(size=shape)
    return (values + 0.05 * np.sign(values)).astype(dtype)


def _probabilities(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng((seed, *shape)).uniform(0.3, 0.7, size=shape)


def _bits(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng((seed, *shape)).integers(0, 2, size=shape).astype(np.float64)


# How `pg.diagnose` calls a learner's function: with g and ...


def _itself(mine: Function, g: Any) -> Function:
    """... no g at all."""
    return mine


def _of(given: Function) -> Callable[[Function, Any], Function]:
    """... what `given` makes of the arguments."""
    return lambda mine, g: lambda *args: mine(g, *given(*args))


def _shapes(**arrays: Floats) -> str:
    return ", ".join(f"{name} {array.shape}" for name, array in arrays.items())


# --- one number -----------------------------------------------------------------


@_exercise(NUMBERS, "the derivative of any f at x, by differences")
def numerical_derivative() -> Cases:
    """Functions at places where one fixed step does not do."""
    table: list[tuple[str, Function, float, float]] = [
        ("x² at 3", lambda x: x * x, 3.0, 6.0),
        ("sin at 1", np.sin, 1.0, float(np.cos(1.0))),
        ("exp at 0", np.exp, 0.0, 1.0),
        ("x³ at 1000", lambda x: x**3, 1000.0, 3e6),
        ("x² at 100,000,000", lambda x: x * x, 1e8, 2e8),
    ]
    cases = []
    for what, f, x, right in table:

        def call(mine: Function, f: Function = f, x: float = x) -> Any:
            return mine(f, x)

        cases.append(Value(f"f = {what}", call, np.asarray(right), close=2e-7))
    return cases


def _elementwise(kernel: Function, from_output: bool) -> Cases:
    cases = []
    given = _of(lambda x: (kernel(x),) if from_output else (x,))
    for shape, dtype in (((4, 3), "float64"), ((5,), "float64"), ((2, 3), "float32")):
        g, x = _drawn(*shape, seed=1, dtype=dtype), _drawn(*shape, seed=2, dtype=dtype)

        def f(x: Any, g: Floats = g) -> Any:
            return xp.sum(kernel(x) * g)

        cases.append(Gradient(f"{_shapes(x=x)}, {dtype}", given, f, (x,), g=g))
    return cases


@_exercise(NUMBERS, "through σ(x), from its output")
def sigmoid_backward() -> Cases:
    """Given g and σ(x)."""
    return _elementwise(kernels.sigmoid, from_output=True)


@_exercise(NUMBERS, "through tanh(x), from its output")
def tanh_backward() -> Cases:
    """Given g and tanh(x)."""
    return _elementwise(kernels.tanh, from_output=True)


@_exercise(NUMBERS, "through max(x, 0)")
def relu_backward() -> Cases:
    """Given g and x."""
    return _elementwise(kernels.relu, from_output=False)


# --- arrays ---------------------------------------------------------------------


@_exercise(ARRAYS, "a bias that was broadcast over the rows")
def bias_backward() -> Cases:
    """Biases of several shapes added to a matrix."""
    cases = []
    g = _drawn(4, 3, seed=1)
    x = _drawn(4, 3, seed=2)
    for shape in ((3,), (1, 3), (4, 1), (), (4, 3)):
        b = _drawn(*shape, seed=3)

        cases.append(Gradient(f"y = x + b, {_shapes(x=x, b=b)}", _of(lambda b: (b,)),
                              lambda b: xp.sum((b + x) * g), (b,), g=g))  # fmt: skip
    return cases


@_exercise(ARRAYS, "through Y = XW + b: dX, dW and db")
def linear_backward() -> Cases:
    """Square and not square, and one row."""
    cases = []
    given = _of(lambda X, W, b: (X, W))
    sizes = ((5, 3, 2, "float64"), (3, 3, 3, "float64"), (1, 2, 4, "float64"), (5, 3, 2, "float32"))
    for rows, inner, outer, dtype in sizes:
        X, W = _drawn(rows, inner, seed=1, dtype=dtype), _drawn(inner, outer, seed=2, dtype=dtype)
        b, g = _drawn(outer, seed=3, dtype=dtype), _drawn(rows, outer, seed=4, dtype=dtype)

        def f(X: Any, W: Any, b: Any, g: Floats = g) -> Any:
            return xp.sum((X @ W + b) * g)

        cases.append(Gradient(f"{_shapes(X=X, W=W)}, {dtype}", given, f, (X, W, b), count=3, g=g))
    return cases


@_exercise(ARRAYS, "through the column of ones that stands for a bias")
def append_ones_backward() -> Cases:
    """The ones get no gradient."""
    cases = []
    for rows, inner in ((4, 3), (2, 1)):
        x, g = _drawn(rows, inner, seed=1), _drawn(rows, inner + 1, seed=2)

        def f(x: Any, g: Floats = g) -> Any:
            return xp.sum(xp.concat([x, np.ones((x.shape[0], 1))], axis=1) * g)

        cases.append(Gradient(_shapes(x=x, g=g), _of(lambda x: ()), f, (x,), g=g))
    return cases


@_exercise(ARRAYS, "through softmax, whose Jacobian is no diagonal")
def softmax_backward() -> Cases:
    """Rows of several lengths, square and not."""
    cases = []
    for shape in ((4, 3), (3, 3), (1, 5)):
        x, g = _drawn(*shape, seed=1), _drawn(*shape, seed=2)

        def f(x: Any, g: Floats = g) -> Any:
            return xp.sum(kernels.softmax(x) * g)

        cases.append(Gradient(_shapes(x=x), _of(lambda x: (kernels.softmax(x),)), f, (x,), g=g))
    return cases


# --- losses ---------------------------------------------------------------------


@_exercise(LOSSES, "the mean squared error")
def mse_backward() -> Cases:
    """Σ (z - y)² over all elements' number."""
    cases = []
    for shape in ((4, 1), (4, 3), (2, 5)):
        z, y = _drawn(*shape, seed=1), _drawn(*shape, seed=2)
        cases.append(Gradient(_shapes(z=z), _itself, lambda z, y: kernels.mse(z, y), (z, y)))
    return cases


@_exercise(LOSSES, "binary cross-entropy, from probabilities")
def bce_backward() -> Cases:
    """The textbook's formula, whose domain is (0, 1)."""

    def f(p: Any, y: Any) -> Any:
        return -xp.mean(y * xp.log(p) + (1 - y) * xp.log(1 - p))

    return [
        Gradient(_shapes(p=np.empty(s)), _itself, f,
                 (_probabilities(*s, seed=1), _bits(*s, seed=2)))
        for s in ((6, 1), (4, 2))
    ]  # fmt: skip


@_exercise(LOSSES, "binary cross-entropy, from logits, however large")
def bce_with_logits_backward() -> Cases:
    """Ordinary logits, then ±800."""
    cases: list[Gradient | Value] = [
        Gradient(_shapes(x=np.empty(s)), _itself,
                 lambda x, y: kernels.bce_with_logits(x, y),
                 (_drawn(*s, seed=1), _bits(*s, seed=2)))
        for s in ((6, 1), (4, 2))
    ]  # fmt: skip
    x, y = np.asarray([[800.0], [-800.0], [800.0], [-800.0]]), np.asarray([[1.0], [0], [0], [1]])
    right = np.asarray([[0.0], [0.0], [0.25], [-0.25]])
    cases.append(Value("logits of ±800", lambda mine: mine(x.copy(), y.copy()), right))
    return cases


@_exercise(LOSSES, "cross-entropy of softmax, from logits and labels")
def cross_entropy_backward() -> Cases:
    """Ordinary logits, then [1000, 0]."""
    cases: list[Gradient | Value] = []
    for rows, classes in ((5, 3), (3, 3)):
        labels = np.random.default_rng((rows, classes)).integers(0, classes, size=rows)

        x = _drawn(rows, classes, seed=1)
        cases.append(
            Gradient(
                _shapes(x=x),
                _itself,
                lambda x, labels: kernels.cross_entropy(x, labels),
                (x, labels),
            )
        )
    large = np.asarray([[1000.0, 0.0], [1000.0, 0.0]])
    cases.append(Value("logits [1000, 0]", lambda mine: mine(large.copy(), np.asarray([0, 1])),
                       np.asarray([[0.0, 0.0], [0.5, -0.5]])))  # fmt: skip
    return cases


# --- networks -------------------------------------------------------------------


@_exercise(NETWORKS, "two linear layers with σ between them, mean squared error")
def two_layer_gradients() -> Cases:
    """All four parameters."""

    def f(w1: Any, b1: Any, w2: Any, b2: Any, x: Any, y: Any) -> Any:
        z = kernels.sigmoid(x @ w1 + b1) @ w2 + b2
        return kernels.mse(z, y)

    cases = []
    for n, a, h, o in ((6, 3, 4, 1), (5, 3, 3, 2)):
        args = (_drawn(a, h, seed=1), _drawn(h, seed=2), _drawn(h, o, seed=3), _drawn(o, seed=4),
                _drawn(n, a, seed=5), _drawn(n, o, seed=6))  # fmt: skip
        cases.append(Gradient(f"{n} rows, layers {a}-{h}-{o}", _itself, f, args, 4))
    return cases


@_exercise(NETWORKS, "the two-class perceptron with samples in columns")
def features_first_gradients() -> Cases:
    """h = σ(W X'ᵀ), ŷ = σ(wᵀ h')ᵀ, binary cross-entropy."""

    def with_ones(m: Any, axis: int) -> Any:
        shape = (m.shape[0], 1) if axis == 1 else (1, m.shape[1])
        return xp.concat([m, np.ones(shape)], axis=axis)

    def f(W: Any, w: Any, X: Any, y: Any) -> Any:
        h = kernels.sigmoid(W @ with_ones(X, 1).T)
        return kernels.bce_with_logits((w.T @ with_ones(h, 0)).T, y)

    cases = []
    for n, k, hidden in ((7, 2, 4), (4, 3, 3)):
        args = (_drawn(hidden, k + 1, seed=1), _drawn(hidden + 1, 1, seed=2),
                _drawn(n, k, seed=3), _bits(n, 1, seed=4))  # fmt: skip
        cases.append(Gradient(f"{n} samples of {k} features, {hidden} hidden", _itself,
                              f, args, 2))  # fmt: skip
    return cases


@_exercise(NETWORKS, "L layers with tanh between them, for any L")
def deep_gradients() -> Cases:
    """One, two and four layers."""

    def f(weights: Any, biases: Any, x: Any, y: Any) -> Any:
        last = len(weights) - 1
        for number, (w, b) in enumerate(zip(weights, biases, strict=True)):
            x = x @ w + b
            x = x if number == last else kernels.tanh(x)
        return kernels.mse(x, y, "half_sum")

    cases = []
    for sizes in ((3, 2), (3, 4, 2), (3, 3, 3, 3, 3)):
        pairs = list(itertools.pairwise(sizes))
        weights = [_drawn(a, b, seed=i) for i, (a, b) in enumerate(pairs)]
        biases = [_drawn(b, seed=i + 10) for i, (_, b) in enumerate(pairs)]
        args = (weights, biases, _drawn(5, sizes[0], seed=20), _drawn(5, sizes[-1], seed=21))
        shown = "-".join(map(str, sizes))
        cases.append(Gradient(f"layers {shown}, 5 rows", _itself, f, args, 2))
    return cases


@_exercise(NETWORKS, "one weight matrix used in two layers")
def used_twice_gradient() -> Cases:
    """tanh(tanh(x W) W), squared."""

    def f(w: Any, x: Any) -> Any:
        out = kernels.tanh(kernels.tanh(x @ w) @ w)
        return xp.sum(out * out) / 2

    return [
        Gradient(f"{_shapes(w=np.empty((n, n)), x=np.empty((rows, n)))}", _itself, f,
                 (_drawn(n, n, seed=1), _drawn(rows, n, seed=2)))
        for n, rows in ((3, 5), (2, 2))
    ]  # fmt: skip


# --- learning -------------------------------------------------------------------


def _parameters(seed: int) -> dict[str, Floats]:
    return {"w1": _drawn(3, 2, seed=seed), "b1": _drawn(2, seed=seed + 1),
            "w2": _drawn(2, 1, seed=seed + 2), "b2": _drawn(1, seed=seed + 3)}  # fmt: skip


@_exercise(LEARNING, "gradients add up over several backward passes")
def accumulate() -> Cases:
    """The first pass finds None."""
    old, new = _parameters(1), _parameters(5)
    both = {name: old[name] + new[name] for name in old}
    return [
        Value("the first pass, where all is None", lambda mine: mine(dict.fromkeys(new), new), new),
        Value("a second pass", lambda mine: mine(old, new), both),
    ]


@_exercise(LEARNING, "one step of gradient descent")
def sgd_step() -> Cases:
    """Every parameter by its own gradient, its shape kept."""
    start, slope = _parameters(1), _parameters(5)
    cases = []
    for rate in (0.1, 1.0):
        moved = {name: start[name] - rate * slope[name] for name in start}

        def call(mine: Function, rate: float = rate) -> Any:
            return mine(start, slope, rate)

        cases.append(Value(f"learning rate {rate}", call, moved, start=start))  # fmt: skip
    return cases


@_exercise(LEARNING, "one step with momentum")
def momentum_step() -> Cases:
    """v ← m v + g, w ← w - rate v."""
    start, slope, speed = _parameters(1), _parameters(5), _parameters(9)
    cases = []
    for rate, momentum in ((0.1, 0.9), (0.5, 0.0)):
        faster = {name: momentum * speed[name] + slope[name] for name in start}
        moved = {name: start[name] - rate * faster[name] for name in start}

        def call(mine: Function, rate: float = rate, momentum: float = momentum) -> Any:
            found = mine(start, speed, slope, rate, momentum)
            named = isinstance(found, (tuple, list)) and len(found) == 2
            return {"parameters": found[0], "velocities": found[1]} if named else found

        cases.append(Value(f"learning rate {rate}, momentum {momentum}", call,
                           {"parameters": moved, "velocities": faster},
                           start={"parameters": start, "velocities": dict.fromkeys(start, 0.0)},
                           belongs="two dicts, (parameters, velocities),"))  # fmt: skip
    return cases

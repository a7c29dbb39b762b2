"""Every exercise: its texts are there, its solution is right, its empty file is not."""

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad.learn import EXERCISES, Exercise, examine
from portagrad.learn.slips import SLIPS

ALL = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=list(EXERCISES))


def defined(text: str, name: str) -> Any:
    scope: dict[str, Any] = {}
    exec(text, scope)
    return scope[name]


@ALL
def test_the_solution_is_right(exercise: Exercise) -> None:
    verdict = examine(exercise, defined(exercise.solution, exercise.name))
    assert verdict, verdict.lines
    assert verdict.cases == len(exercise.cases())


@ALL
def test_the_empty_function_is_told_what_to_do(exercise: Exercise) -> None:
    verdict = examine(exercise, defined(exercise.statement, exercise.name))
    assert not verdict
    assert len(verdict.lines) == 1
    assert "returns None" in verdict.lines[0]


@ALL
def test_the_texts(exercise: Exercise) -> None:
    head = f"# portagrad learn: {exercise.name}\n"
    signature = next(x for x in exercise.statement.splitlines() if x.startswith("def "))
    assert exercise.statement.startswith(head)
    assert exercise.solution.startswith(head)
    assert signature in exercise.solution
    assert len(exercise.hints) == 3
    assert max(map(len, exercise.statement.splitlines())) <= 100
    assert f"portagrad learn check {exercise.name}.py" in exercise.statement
    # No solution in a statement.
    answer = exercise.solution.splitlines()[-1].strip()
    assert answer not in exercise.statement


#: Wrong answers, and what must be said of them.
WRONG = [
    ("numerical_derivative", "(f(x + 1e-3) - f(x)) / 1e-3", "it is 6.001 and should be 6"),
    ("numerical_derivative", "(f(x) - f(x + 1e-6)) / 1e-6", "-1 times what it should be"),
    ("numerical_derivative", "(f(x + 1e-8) - f(x)) / 1e-8", "off by"),
    ("numerical_derivative", "float('nan')", "not a number"),
    ("numerical_derivative", "'six'", "no real number"),
    ("sigmoid_backward", "out * (1 - out)", "g is missing"),
    ("sigmoid_backward", "g * out", "value instead of derivative"),
    ("sigmoid_backward", "-g * out * (1 - out)", "the sign is wrong"),
    ("sigmoid_backward", "5 * g * out * (1 - out)", "5 times the right gradient"),
    ("sigmoid_backward", "(g * out * (1 - out)).astype('float64')", "float64 where float32"),
    ("sigmoid_backward", "(g * out * (1 - out)).T", "transposed"),
    ("sigmoid_backward", "np.zeros((2, 2))", "shape (2, 2), and x has (4, 3)"),
    ("sigmoid_backward", "g * np.nan", "not a number"),
    ("sigmoid_backward", "'x'", "no array of real numbers"),
    ("sigmoid_backward", "[[1], [1, 2]]", "no array of real numbers"),
    ("sigmoid_backward", "np.multiply(g, out * (1 - out), out=out)", "changes its arguments"),
    ("tanh_backward", "g * out * (1 - out)", "another function's derivative"),
    ("relu_backward", "g", "missing activation derivative"),
    ("relu_backward", "np.where(x > 0.1, g, 0)", "some entries wrong"),
    ("bias_backward", "g", "missing sum over the batch"),
    ("bias_backward", "g.sum(axis=0)", "summed too often"),
    ("bias_backward", "g.mean(axis=0)", "0.25 times the right gradient"),
    ("linear_backward", "(g @ W.T, g.T @ X, g.sum(axis=0))", "W: transposed"),
    ("linear_backward", "(g @ W.T, X.T @ g, g.mean(axis=0))", "b: batch size. 0.2 times"),
    ("linear_backward", "(X.T @ g, g @ W.T, g.sum(axis=0))", "X, W: swapped"),
    ("linear_backward", "(g @ W.T, X.T @ g)", "2 things returned where 3 belong"),
    ("linear_backward", "X.T @ g", "1 thing returned where 3 belong"),
    ("linear_backward", "{'X': g @ W.T}", "the keys are X; they must be X, W, b"),
    ("linear_backward", "(g @ W.T, X.T @ g, None)", "b: None where its gradient belongs"),
    ("append_ones_backward", "g[1:]", "wrong shape"),
    ("softmax_backward", "g * s * (1 - s)", "missing softmax cross terms"),
    ("mse_backward", "(z - y) / z.size", "0.500 times the right gradient"),
    ("mse_backward", "2 * (z - y) / len(z)", "3 times the right gradient"),
    ("bce_backward", "(p - y) / (p * (1 - p))", "6 times the right gradient"),
    ("bce_with_logits_backward", "(1 / (1 + np.exp(-x)) - y) / x.size", "warns: overflow"),
    ("cross_entropy_backward",
     "(np.exp(x) / np.exp(x).sum(1, keepdims=True) - np.eye(x.shape[1])[labels]) / len(x)",
     "not a number"),
    ("used_twice_gradient",
     "np.tanh(x @ w).T @ (lambda o: o * (1 - o**2))(np.tanh(np.tanh(x @ w) @ w))",
     "only the contribution of the second of the 2 uses"),
    ("deep_gradients", "(weights, biases[:-1])", "biases: 0 arrays where a list of 1 arrays"),
    ("deep_gradients", "(weights[0], biases)", "weights: an array of shape (3, 2)"),
    ("accumulate", "new", "-1.80670463"),
    ("accumulate", "{'w1': new['w1']}", "a dict of w1 was returned where a dict of w1, b1"),
    ("sgd_step", "{n: w + learning_rate * gradients[n] for n, w in parameters.items()}",
     "w1, b1, w2, b2: the step is -1 times what it should be"),
    ("sgd_step", "{n: w - gradients[n] for n, w in parameters.items()}",
     "w1, b1, w2, b2: the step is 10 times what it should be"),
    ("sgd_step", "{n: w.__isub__(learning_rate * gradients[n]) for n, w in parameters.items()}",
     "changes its arguments"),
    ("momentum_step", "velocities", "two dicts, (parameters, velocities), belong"),
    ("momentum_step", "(parameters, velocities)", "b2: the step is 0, and should not be"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "expression", "expected"), WRONG)
def test_a_wrong_answer_is_told_what_is_wrong(name: str, expression: str, expected: str) -> None:
    exercise = EXERCISES[name]
    signature = next(x for x in exercise.statement.splitlines() if x.startswith("def "))
    mine = defined(f"import numpy as np\n{signature}\n    return {expression}", name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of the wrong formula
        verdict = examine(exercise, mine)
    assert not verdict
    assert verdict.what
    assert any(expected in line for line in verdict.lines), verdict.lines
    assert not any("\n" in line for line in verdict.lines)


class Hostile:
    """Nothing can be had from it."""

    def __array__(self, *args: Any, **keywords: Any) -> Any:
        raise RuntimeError("no array")

    def __repr__(self) -> str:
        raise RuntimeError("no text")


#: What nobody expects of a gradient.
ODD: list[Any] = [
    0, True, "x", b"x", (), [], {}, {1: 2}, object(), Hostile(), int, range(3), 10**400, Ellipsis,
    [1, 2, 3], [[1], [2, 3]], (None, None, None), (1, 2, 3), ("a", "b"), ({}, {}), ([], []),
    np.asarray(["a"]), np.asarray([None]), np.asarray(1 + 2j), np.ones((4, 3), bool), np.ones(0),
    np.ones((4, 3), np.float16), np.full((4, 3), np.inf), ([np.ones((3, 2))], [None]),
    pg.tensor(np.ones((4, 3)), requires_grad=True), {"w1": 1, "b1": "x", "w2": None, "b2": []},
]  # fmt: skip


@ALL
def test_no_result_is_too_odd_for_a_line(exercise: Exercise) -> None:
    for odd in ODD:
        verdict = examine(exercise, lambda *args, odd=odd: odd)
        assert not verdict
        assert verdict.lines
        assert not any("\n" in line for line in verdict.lines)


@pytest.mark.parametrize("name", SLIPS)
def test_what_people_get_wrong_is_told_in_its_own_words(name: str) -> None:
    for sentence, slip in SLIPS[name].items():
        verdict = examine(EXERCISES[name], slip)
        assert not verdict
        assert [line.partition(": ")[2] for line in verdict.lines] == [sentence]


def test_what_an_answer_raises_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        examine(EXERCISES["sigmoid_backward"], lambda g, out: 1 / 0)


def test_the_texts_are_installed(tmp_path: Any) -> None:
    code = "from portagrad.learn import EXERCISES; print(len(EXERCISES['accumulate'].solution))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 100

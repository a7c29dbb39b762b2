"""Every mistake planted in random networks, and named; none named in right gradients."""

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels

ACTIVATIONS = ("sigmoid", "tanh", "relu", "softmax")
LOSSES = ("mean", "half_sum", "bce", "cross_entropy", "written out")


@dataclasses.dataclass
class Network:
    """A network of random widths, its loss, and its gradient derived by hand, or nearly."""

    random: np.random.Generator
    dtype: str = "float64"
    square: bool = False
    activation: str | None = None
    decay: float = 0.0
    mistake: str = ""
    last: bool = True
    loss_kind: str | None = None

    def __post_init__(self) -> None:
        r = self.random
        self.kind = self.loss_kind or str(r.choice(LOSSES))
        depth = int(r.integers(2, 4))
        sizes = [int(r.integers(3, 7))] * (depth + 1)
        if not self.square:
            # All different, so that a transposed product cannot pass for a right one.
            sizes = [int(n) for n in r.permutation(np.arange(3, 9))[: depth + 1]]
        self.depth = depth
        self.n = int(r.choice([n for n in (5, 7, 9, 11, 13) if n not in sizes]))
        drawn = [self.activation or str(r.choice(ACTIVATIONS)) for _ in range(depth - 1)]
        self.activations = drawn
        self.kernels = bool(r.integers(2))
        self.params = {}
        for i, (a, b) in enumerate(itertools.pairwise(sizes)):
            self.params[f"W{i}"] = r.normal(size=(a, b)).astype(self.dtype)
            self.params[f"b{i}"] = r.normal(size=b).astype(self.dtype)
        self.x = r.normal(size=(self.n, sizes[0])).astype(self.dtype)
        self.y = r.uniform(0.1, 0.9, size=(self.n, sizes[-1])).astype(self.dtype)
        if self.kind == "cross_entropy":
            self.y = np.eye(sizes[-1], dtype=self.dtype)[r.integers(0, sizes[-1], self.n)]
        self.at = int(r.integers(0, depth - 1)) if depth > 1 else 0

    # --- the loss, as a program ---

    def loss(self, p: Any, x: Any, y: Any) -> Any:
        for i in range(self.depth):
            if self.kernels:
                x = kernels.linear(x, p[f"W{i}"], p[f"b{i}"])
            else:
                x = x @ p[f"W{i}"] + p[f"b{i}"]
            if i < self.depth - 1:
                x = getattr(kernels, self.activations[i])(x) if self.kernels else self.act(i, x)
        value = {
            "mean": lambda: kernels.mse(x, y),
            "half_sum": lambda: kernels.mse(x, y, "half_sum"),
            "bce": lambda: kernels.bce_with_logits(x, y),
            "cross_entropy": lambda: kernels.cross_entropy(x, y),
            "written out": lambda: ((x - y) ** 2).sum() / (2 * self.n),
        }[self.kind]()
        if self.decay:
            for i in range(self.depth):
                value = value + 0.5 * self.decay * (p[f"W{i}"] ** 2).sum()
        return value

    def act(self, i: int, z: Any) -> Any:
        kind = self.activations[i]
        if kind == "sigmoid":
            return 1 / (1 + xp.exp(-z))
        if kind == "softmax":
            return kernels.softmax(z)
        return xp.tanh(z) if kind == "tanh" else kernels.relu(z)

    # --- its gradient, by hand ---

    def gradient(self, p: Any, x: Any, y: Any) -> Any:
        wrong = self.mistake
        inputs, zs = [], []
        a = x
        for i in range(self.depth):
            inputs.append(a)
            z = a @ p[f"W{i}"] + p[f"b{i}"]
            zs.append(z)
            a = np.asarray(self.act(i, z)) if i < self.depth - 1 else z
        n, d = y.shape
        if self.kind == "cross_entropy":
            g = (np.exp(a) / np.exp(a).sum(1, keepdims=True) - y) / n
            if wrong == "missing target":
                g = g + y / n
        elif self.kind == "bce":
            s = 1 / (1 + np.exp(-a))
            g = (s - y) / (n * d)
            if wrong == "bce twice":
                g = g * s * (1 - s)
        else:
            g = (a - y) * (2 / (n * d) if self.kind == "mean" else 1 / n)
        found = {}
        for i in reversed(range(self.depth)):
            h, W = inputs[i], p[f"W{i}"]
            dW, db = h.T @ g, g.sum(axis=0)
            here = i == (self.at + 1)  # a layer that has an activation before it
            if wrong == "transposed" and here:
                dW = g.T @ h
            if wrong == "before" and here:
                dW = zs[i - 1].T @ g
            if wrong == "no batch sum" and here:
                db = g
            if wrong == "wrong axis" and here:
                db = g.sum(axis=1)
            if wrong == "one number" and here:
                db = np.full(db.shape, g.sum())
            if wrong == "last example":
                dW, db = np.outer(h[-1], g[-1]), g[-1]
            if wrong == "left out":
                dW, db = h[:-1].T @ g[:-1], g[:-1].sum(axis=0)
            if wrong == "X g" and here:
                dW = h[: W.shape[0]] @ g[: W.shape[0]]
            if wrong == "mean bias" and here:
                db = g.mean(axis=0)
            found[f"W{i}"], found[f"b{i}"] = dW, db
            if self.decay and wrong != "no decay":
                found[f"W{i}"] = dW + self.decay * W * (-1 if wrong == "decay sign" else 1)
            if i == 0:
                break
            g = g @ (W if wrong == "not transposed" and here else W.T)
            s, z = np.asarray(self.act(i - 1, zs[i - 1])), zs[i - 1]
            g = self.backward_act(self.activations[i - 1], g, z, s, wrong if here else "")
        return self.changed(found, p)

    def backward_act(self, kind: str, g: Any, z: Any, a: Any, wrong: str) -> Any:
        if kind == "softmax":
            if wrong == "softmax diagonal":
                return g * a * (1 - a)
            if wrong == "no derivative":
                return g
            return a * (g - (g * a).sum(axis=1, keepdims=True))
        slope = {"sigmoid": a * (1 - a), "tanh": 1 - a * a, "relu": (z > 0) * 1.0}[kind]
        replaced = {
            "no derivative": np.ones_like(a),
            "twice": slope * slope,
            "formula at input": z * (1 - z) if kind == "sigmoid" else 1 - z * z,
            "value": a,
            "inverted": 1 - slope,
            "other": 1 - a * a if kind == "sigmoid" else a * (1 - a),
            "of output": np.exp(-a) / (1 + np.exp(-a)) ** 2,
            "half": 1 - a,
        }.get(wrong, slope)
        return g * replaced

    def changed(self, found: Any, p: Any) -> Any:
        wrong = self.mistake
        factors = {
            "two": 2.0,
            "half factor": 0.5,
            "batch": self.n,
            "per batch": 1 / self.n,
            "minus": -1.0,
            "rate": 0.01,
            "odd": 1.37,
            "outputs": self.y.shape[1],
        }
        if wrong in factors:
            return {name: g * factors[wrong] for name, g in found.items()}
        W = f"W{self.at + 1}"
        if wrong == "extra decay":
            return {name: g + 0.05 * p[name] for name, g in found.items()}
        if wrong == "stepped":
            return {name: p[name] - 0.1 * g for name, g in found.items()}
        if wrong == "zero":
            found[W] = np.zeros_like(found[W])
        if wrong == "swapped":
            found["W0"], found["W1"] = found["W1"], found["W0"]
        if wrong == "copied":
            found["b1"] = found["b0"]
        if wrong == "flat":
            found[W] = found[W].reshape(-1)
        if wrong == "column":
            found["b1"] = found["b1"][None, :]
        if wrong == "clipped":
            limit = float(np.quantile(np.abs(found[W]), 0.5))
            found[W] = np.clip(found[W], -limit, limit)
        if wrong == "normalised":
            found[W] = found[W] / np.linalg.norm(found[W])
        if wrong == "nan":
            found[W] = found[W] * np.nan
        if wrong == "summed":
            found[W] = found[W].sum(axis=0)
        if wrong == "absolute":
            found[W] = np.abs(found[W])
        if wrong == "parameter":
            found[W] = p[W]
        return {name: found[name] for name in p} if wrong != "list" else list(found.values())

    def diagnose(self) -> Any:
        return pg.diagnose(self.gradient, self.loss, (self.params, self.x, self.y))


#: The mistake planted, what the network must be like, what it is called.
PLANTED: list[tuple[str, dict[str, Any], str]] = [
    ("two", {}, "constant factor"),
    ("half factor", {}, "constant factor"),
    ("odd", {}, "constant factor"),
    ("batch", {}, "batch size"),
    ("per batch", {}, "batch size"),
    ("outputs", {}, "number of outputs"),
    ("minus", {}, "sign"),
    ("rate", {}, "learning rate"),
    ("transposed", {}, "transposed"),
    ("transposed", {"square": True}, "transposed"),
    ("no batch sum", {}, "missing sum over the batch"),
    ("wrong axis", {}, "summed over the wrong axis"),
    ("one number", {}, "summed over the wrong axis"),
    ("mean bias", {}, "batch size"),
    ("no derivative", {"activation": "sigmoid"}, "missing activation derivative"),
    ("no derivative", {"activation": "tanh"}, "missing activation derivative"),
    ("no derivative", {"activation": "relu"}, "missing activation derivative"),
    ("no derivative", {"activation": "softmax"}, "missing activation derivative"),
    ("twice", {"activation": "tanh"}, "activation derivative twice"),
    ("twice", {"activation": "sigmoid"}, "activation derivative twice"),
    ("formula at input", {"activation": "tanh"}, "derivative's formula at the input"),
    ("of output", {"activation": "sigmoid"}, "derivative at the output"),
    ("inverted", {"activation": "relu"}, "inverted mask"),
    ("value", {"activation": "tanh"}, "value instead of derivative"),
    ("other", {"activation": "tanh"}, "another function's derivative"),
    ("half", {"activation": "tanh"}, "part of a derivative"),
    ("softmax diagonal", {"activation": "softmax"}, "missing softmax cross terms"),
    ("before", {"activation": "tanh"}, "input before the activation"),
    ("before", {"activation": "relu"}, "input before the activation"),
    ("not transposed", {"square": True}, "factor not transposed"),
    ("last example", {}, "overwritten instead of accumulated"),
    ("left out", {}, "example left out"),
    ("no decay", {"decay": 0.1}, "missing weight decay"),
    ("decay sign", {"decay": 0.1}, "sign of a term"),
    ("extra decay", {}, "extra weight decay"),
    ("stepped", {}, "updated parameter instead of gradient"),
    ("zero", {}, "zero gradient"),
    ("swapped", {"square": True}, "swapped parameters"),
    ("copied", {"square": True}, "another parameter's gradient"),
    ("flat", {}, "wrong shape"),
    ("column", {}, "wrong shape"),
    ("clipped", {}, "clipped"),
    ("normalised", {}, "normalised"),
    ("nan", {}, "not a number"),
    ("summed", {}, "summed too often"),
    ("absolute", {}, "absolute value"),
    ("parameter", {}, "value instead of gradient"),
    ("bce twice", {"loss_kind": "bce"}, "activation derivative twice"),
    ("missing target", {"loss_kind": "cross_entropy"}, "missing target"),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("mistake", "traits", "name"),
    PLANTED,
    ids=["-".join([m, *map(str, t.values())]) for m, t, _ in PLANTED],
)
def test_a_planted_mistake_is_named(
    mistake: str, traits: dict[str, Any], name: str, dtype: str
) -> None:
    for seed in range(2):
        network = Network(np.random.default_rng(seed), mistake=mistake, dtype=dtype, **traits)
        report = network.diagnose()
        assert not report
        assert report.mistakes[0].name == name, f"seed {seed}, {network.activations}\n{report}"
        assert len({m.name for m in report.mistakes}) == 1, f"seed {seed}\n{report}"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_no_mistake_is_named_in_right_gradients(dtype: str) -> None:
    for seed in range(60):
        network = Network(
            np.random.default_rng(1000 + seed), dtype=dtype, square=seed % 3 == 0,
            decay=0.1 * (seed % 2),
        )  # fmt: skip
        report = network.diagnose()
        assert report, f"seed {seed}\n{report}"
        assert report.mistakes == ()

"""What holds between the transforms, on every function of the table of derivatives."""

import random
import warnings

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.testing.table import TABLE, check

ROWS = [row for row in TABLE if row.order >= 1 and row.real]


def random_like(case, seed):
    generator = np.random.default_rng(seed)
    return [
        pg.asarray(generator.uniform(-1, 1, tuple(x.shape)), dtype=case.dtype, backend=case.backend)
        for x in case.leaves
    ]


def dot(one, other):
    return sum(float((pg.to_numpy(a) * pg.to_numpy(b)).sum()) for a, b in zip(one, other))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_forward_is_the_transpose_of_reverse(backend, float64, row, few):
    """u · (J v) = (u J) · v, J v the same by jvp and linearize, at every call of the table."""
    if row.unlike.get(backend.name) or backend.name in ("dask",):
        pytest.skip(row.unlike.get(backend.name, "what dask can do is in docs/dask.md"))
    if row.name.startswith("special."):
        pytest.importorskip("scipy")
    if few:
        pytest.skip("JAX compiles every operation, which takes minutes: --tables every")
    for number in range(len(row.calls)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                case = check.trial(row, number, float64)
                compare(case)
            except NotImplementedError:
                if row.optional:
                    pytest.skip("the library lacks it")
                raise


def compare(case):
    tangents = random_like(case, 1)
    outputs, moved = pg.jvp(case.run, case.leaves, tangents)
    _, pullback = pg.vjp(case.run, *case.leaves)
    generator = np.random.default_rng(2)
    inexact = [np.issubdtype(pg.to_numpy(y).dtype, np.inexact) for y in outputs]
    cotangents = [
        pg.asarray(
            generator.uniform(-1, 1, tuple(y.shape)).astype(pg.to_numpy(y).dtype),
            backend=case.backend,
        )
        for y in outputs
    ]
    pulled = pullback(cotangents)
    conjugated = [np.conj(pg.to_numpy(c)) for c in cotangents]
    forward = sum(
        float((c * pg.to_numpy(t)).real.sum()) for c, t, ok in zip(conjugated, moved, inexact) if ok
    )
    backward = dot(pulled, tangents)
    if not np.isfinite(backward):
        return  # a pole of the table: both directions are compared with nan elsewhere
    scale = max(1.0, abs(forward), abs(backward))
    assert abs(forward - backward) <= 1e-9 * scale * case.row.tolerance, (
        f"{case}: u·Jv = {forward}, uJ·v = {backward}"
    )
    _, push = pg.linearize(case.run, *case.leaves)
    for one, other in zip(push(*tangents), moved):
        np.testing.assert_allclose(
            pg.to_numpy(one), pg.to_numpy(other), rtol=1e-9, atol=1e-9 * scale
        )


# --- random compositions -------------------------------------------------------

V, U = np.asarray([0.3, -0.5, 0.8]), np.asarray([1.0, 0.4, -0.2])
M = np.arange(9.0).reshape(3, 3) * 0.1


def assigned(x):
    y = x * 1.0
    y[0] = y[1] * y[2]
    y[1:] *= x[0]
    return y


BASE = [
    lambda x: xp.sin(x) * x[::-1],
    lambda x: xp.exp(x * 0.3) * xp.sum(x),
    lambda x: xp.tanh(x) + xp.cumulative_sum(x * x) * 0.1,
    lambda x: xp.matmul(M, x) ** 2,
    lambda x: pg.kernels.softmax(x) * x,
    lambda x: xp.where(x > 0.1, x * x * x, xp.sin(x)),
    lambda x: xp.concat([x[1:] * x[0], xp.sqrt(x[:1] ** 2 + 1)]),
    assigned,
]
#: In each list, ways to the same function.
FORWARD = [
    lambda f: lambda x: pg.jvp(f, (x,), (V,))[1],
    lambda f: lambda x: xp.matmul(pg.jacfwd(f)(x), V),
    lambda f: lambda x: xp.matmul(pg.jacrev(f)(x), V),
    lambda f: lambda x: pg.linearize(f, x)[1](V),
]
REVERSE = [
    lambda f: lambda x: pg.vjp(f, x)[1](U)[0],
    lambda f: lambda x: pg.grad(lambda z: xp.sum(xp.multiply(f(z), U)))(x),
    lambda f: lambda x: xp.matmul(U, pg.jacfwd(f)(x)),
    lambda f: lambda x: xp.matmul(U, pg.jacrev(f)(x)),
]
BATCHED = [
    lambda f: lambda x: xp.sum(pg.vmap(f)(xp.stack([x, x * 0.5])), axis=0),
    lambda f: lambda x: xp.sum(pg.vmap(f, out_axes=1)(xp.stack([x, x * 0.5])), axis=1),
    lambda f: lambda x: f(x) + f(x * 0.5),
]
NOTHING = [
    pg.checkpoint,
    lambda f: f,
    lambda f: lambda x: pg.vmap(lambda scale: f(x * scale))(np.ones(1))[0],
]
KINDS = [FORWARD, REVERSE, BATCHED, NOTHING]


@pytest.mark.parametrize("seed", range(120))
def test_random_compositions(seed):
    """Up to four transforms in a row, by two ways each; 10,000 of them were tried once."""
    chooser = random.Random(seed)
    kinds = [chooser.choice(KINDS) for _ in range(chooser.randint(2, 4))]
    base = chooser.choice(BASE)
    x = np.random.default_rng(seed).uniform(0.2, 1.0, 3)
    results = []
    for _ in range(2):
        f = base
        for kind in kinds:
            f = chooser.choice(kind)(f)
        results.append(f(x))
    np.testing.assert_allclose(*results, rtol=1e-8, atol=1e-10)

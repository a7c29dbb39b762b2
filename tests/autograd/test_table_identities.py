"""Identities between transforms on every function of the coverage table, to 1e-9.

jacfwd = jacrev, the Hessian is symmetric by all four ways to it, hvp = Hessian · v, and vmap is
the stack of the results for every choice of mapped arguments and axes.
"""

import itertools
import random
import warnings
import zlib
from functools import partial

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.backend import use_backend
from portagrad.testing.table import TABLE
from portagrad.testing.table.check import make, trial

EXAMPLES = 3
#: The Hessian of larger operands is left out.
LARGEST = 12
#: Rows whose results have as many elements as the values say.
OF_MANY_LENGTHS = {
    "arange",
    "nonzero",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
}


@pytest.fixture(params=["numpy", "array_api_strict", "torch", "jax"])
def library(request):
    if request.param == "jax" and request.config.getoption("--tables") != "every":
        pytest.skip("JAX compiles every operation, which takes minutes: --tables every")
    pytest.importorskip(request.param)
    with use_backend(request.param) as backend, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield backend


def host(x):
    return pg.to_numpy(pg.asarray(x))


def same(found, expected, tolerance=1e-9):
    found, expected = host(found), host(expected)
    assert found.shape == expected.shape
    scale = max(1.0, float(np.max(np.abs(expected[np.isfinite(expected)]), initial=0.0)))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * scale)


def floating(case):
    """The function with only the results that have a derivative; complex ones as two."""

    def f(*leaves):
        results = []
        for out in case.run(*leaves):
            if xp.isdtype(out.dtype, "complex floating"):
                results += [xp.real(out), xp.imag(out)]
            elif xp.isdtype(out.dtype, "real floating"):
                results.append(out)
        return results

    return f


def weighted(f, *leaves):
    """The results as one number, no element like another."""
    total = 0.0
    for k, out in enumerate(f(*leaves)):
        size = int(np.prod(out.shape))
        weights = xp.sin(xp.astype(xp.arange_like(out, size), out.dtype) * 1.3 + k + 0.5)
        total = total + xp.sum(out * xp.reshape(weights, out.shape))
    return total


def trials(row, backend):
    """Every call of a row that the library can do, with a generator of its own."""
    if backend.name in row.unlike or row.name in OF_MANY_LENGTHS:
        return
    if row.name.startswith("special."):
        pytest.importorskip("scipy")
    for number in range(len(row.calls)):
        case = trial(row, number, "float64")
        try:
            case.run(*case.leaves)
        except NotImplementedError:
            if row.optional:
                return
            raise
        if case.leaves:
            yield case, np.random.default_rng(zlib.crc32(f"{row.name}{number}".encode()))


def directions(case, generator):
    return [make(generator.uniform(-1, 1, x.shape), "float64", case.backend) for x in case.leaves]


def flat(vectors):
    return np.concatenate([host(v).ravel() for v in vectors])


@pytest.mark.parametrize("row", [r for r in TABLE if r.order and r.real], ids=lambda r: r.name)
def test_derivatives(library, row):
    for case, generator in trials(row, library):
        f, every = floating(case), tuple(range(len(case.leaves)))
        tolerance, v = 1e-9 * row.tolerance, directions(case, generator)
        if not f(*case.leaves):
            continue
        _, moved = pg.jvp(f, case.leaves, v)
        reverse, forward = (j(f, every)(*case.leaves) for j in (pg.jacrev, pg.jacfwd))
        for rows, others, m in zip(reverse, forward, moved, strict=True):
            for one, other in zip(rows, others, strict=True):
                same(one, other, tolerance)
            shape = (host(m).size, -1) if host(m).size else (0, flat(v).size)
            matrix = np.concatenate([host(j).reshape(shape[0], x.size)
                                     for j, x in zip(rows, map(host, v))], axis=1)  # fmt: skip
            same(host(m).ravel(), matrix @ flat(v), tolerance)
        if row.order >= 2 and flat(v).size <= LARGEST:
            check_hessian(partial(weighted, f), case.leaves, v, tolerance)


def check_hessian(loss, leaves, v, tolerance):
    every, sizes = tuple(range(len(leaves))), [host(x).size for x in leaves]

    def matrix(blocks):
        rows = [
            np.concatenate([host(b).reshape(n, m) for b, m in zip(row, sizes)], axis=1)
            for row, n in zip(blocks, sizes, strict=True)
        ]
        return np.concatenate(rows, axis=0)

    expected = matrix(pg.hessian(loss, every)(*leaves))
    if not np.isfinite(expected).all():
        return
    same(expected, expected.T, tolerance)
    product = pg.hvp(loss, leaves, v)
    same(flat(product if len(leaves) > 1 else [product]), expected @ flat(v), tolerance)
    for outer, inner in itertools.product((pg.jacrev, pg.jacfwd), repeat=2):
        if (outer, inner) != (pg.jacfwd, pg.jacrev):
            same(matrix(outer(inner(loss, every), every)(*leaves)), expected, tolerance)


@pytest.mark.parametrize("row", [r for r in TABLE if r.real], ids=lambda r: r.name)
def test_batches(library, row):
    for case, generator in trials(row, library):
        leaves = row.calls[case.number].leaves()
        examples = [
            [make(leaf.domain.draw(leaf.shape, generator), "float64", library) for leaf in leaves]
            for _ in range(EXAMPLES)
        ]
        chooser = random.Random(case.number)
        count = len(leaves)
        choices = list(
            itertools.chain.from_iterable(
                itertools.combinations(range(count), k) for k in range(1, min(count, 3) + 1)
            )
        )
        if library.name != "numpy":  # all of them were tried once; here, what takes a minute
            choices = chooser.sample(choices, 1)
        for mapped in choices:
            check_batch(case, examples, mapped, chooser)


def check_batch(case, examples, mapped, chooser):
    """Values, tangents and gradients of examples that differ in the mapped arguments."""
    first, axes, stacked = examples[0], [], []
    for i, x in enumerate(first):
        axis = chooser.randint(-x.ndim - 1, x.ndim) if i in mapped else None
        axes.append(axis)
        stacked.append(
            x if axis is None else case.backend.xp.stack([e[i] for e in examples], axis=axis)
        )
    axes = tuple(axes)
    ones = [[e[i] if i in mapped else x for i, x in enumerate(first)] for e in examples]
    expected = [case.run(*one) for one in ones]
    out_axes = [chooser.randint(-host(y).ndim - 1, host(y).ndim) for y in expected[0]]
    found = pg.vmap(case.run, in_axes=axes, out_axes=out_axes)(*stacked)
    for y, column, axis in zip(found, zip(*expected, strict=True), out_axes, strict=True):
        same(y, np.stack(list(map(host, column)), axis=axis))
    f, every = floating(case), tuple(range(len(first)))
    if not case.row.order or not f(*ones[0]):
        return
    tolerance, v = 1e-9 * case.row.tolerance, [x * 0 + 0.5 for x in first]
    tangent = lambda *leaves: pg.jvp(f, leaves, v)[1]  # noqa: E731
    for y, column in zip(
        pg.vmap(tangent, in_axes=axes)(*stacked), zip(*(tangent(*o) for o in ones)), strict=True
    ):
        same(y, np.stack(list(map(host, column))), tolerance)
    gradient = pg.grad(partial(weighted, f), every)
    columns = [np.stack(list(map(host, g))) for g in zip(*(gradient(*o) for o in ones))]
    for g, column in zip(pg.vmap(gradient, in_axes=axes)(*stacked), columns, strict=True):
        same(g, column, tolerance)
    together = lambda *leaves: xp.sum(  # noqa: E731
        pg.vmap(partial(weighted, f), in_axes=axes)(*leaves)
    )
    for g, column, axis in zip(pg.grad(together, every)(*stacked), columns, axes, strict=True):
        same(g, column.sum(axis=0) if axis is None else np.moveaxis(column, 0, axis), tolerance)

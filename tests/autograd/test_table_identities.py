"""jacfwd = jacrev, a Hessian is symmetric, vmap(f) = f of each: on the table of derivatives."""

import warnings

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.array_api.data_type import is_inexact
from portagrad.errors import BackendNotInstalledError, BatchingError
from portagrad.testing.table import TABLE, check
from portagrad.tree import tree_leaves

ROWS = [row for row in TABLE if row.order >= 1 and row.real and row.calls[0].leaves()]


@pytest.fixture(params=["numpy", "array_api_strict", "torch", "jax"])
def case(row, request):
    """The first call of a row on a library's arrays."""
    library = request.param
    if library == "jax" and request.config.getoption("--tables") != "every":
        pytest.skip("JAX compiles every operation, which takes minutes: --tables every")
    if library in row.unlike:
        pytest.skip(row.unlike[library])
    if row.name.startswith("special."):
        pytest.importorskip("scipy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with pg.use_backend(library):
                yield check.trial(row, 0, "float64")
        except BackendNotInstalledError as error:
            pytest.skip(str(error))


def every(test):
    return pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)(test)


def attempt(case, function, *arguments):
    try:
        return function(*arguments)
    except (NotImplementedError, BatchingError) as error:
        pytest.skip(f"{case}: {error}")


def outputs(case):
    return lambda *leaves: [y for y in case.run(*leaves) if is_inexact(y)]


def total(case):
    def function(*leaves):
        whole = 0.0
        for number, y in enumerate(outputs(case)(*leaves)):
            y = xp.real(y) if "complex" in str(y.dtype) else y
            whole = whole + xp.sum(y * y) * (0.5 + number) + xp.sum(y)
        return whole

    return function


def flat(tree):
    return [pg.to_numpy(x) for x in tree_leaves(tree)]


@every
def test_jacfwd_is_jacrev(case, row):
    places = tuple(range(len(case.leaves)))
    f = outputs(case)
    forward = attempt(case, pg.jacfwd(f, places), *case.leaves)
    reverse = attempt(case, pg.jacrev(f, places), *case.leaves)
    assert len(flat(forward)) == len(flat(reverse)) > 0
    for one, other in zip(flat(forward), flat(reverse), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-8)


@every
def test_a_hessian_is_symmetric(case, row):
    if row.order < 2:
        pytest.skip("it is differentiable once")
    places = tuple(range(len(case.leaves)))
    found = attempt(case, pg.hessian(total(case), places), *case.leaves)
    sizes = [x.ndim for x in case.leaves]
    for i in places:
        for j in places:
            block, other = pg.to_numpy(found[i][j]), pg.to_numpy(found[j][i])
            order = (*range(sizes[j], sizes[i] + sizes[j]), *range(sizes[j]))
            scale = max(1.0, np.abs(block).max(initial=0.0))
            np.testing.assert_allclose(
                block, np.transpose(other, order), rtol=1e-7, atol=1e-9 * scale * row.tolerance
            )


@every
def test_vmap_is_the_stack_of_each(case, row):
    """Two examples: the call's operands, and others drawn from their domains."""
    generator = np.random.default_rng(7)
    drawn = [leaf.domain.draw(leaf.shape, generator) for leaf in row.calls[0].leaves()]
    second = [check.make(x, case.dtype, case.backend) for x in drawn]
    stacked = [xp.stack([x, y]) for x, y in zip(case.leaves, second, strict=True)]
    together = attempt(case, pg.vmap(outputs(case)), *stacked)
    for number, leaves in enumerate((case.leaves, second)):
        for one, all_of_them in zip(outputs(case)(*leaves), together, strict=True):
            np.testing.assert_allclose(
                pg.to_numpy(all_of_them)[number], pg.to_numpy(one), rtol=1e-8, atol=1e-9
            )

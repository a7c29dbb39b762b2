"""Where special functions come from, and what is said where they are not there."""

import sys

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.errors import BackendError, MissingFunctionError, NotDifferentiableError

X = np.asarray([0.5, 1.5])


def test_without_scipy_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    with pytest.raises(ImportError, match=r'scipy.*pip install "portagrad\[special\]"') as raised:
        xp.special.erf(X)
    assert isinstance(raised.value, BackendError)


def test_without_scipy_the_others_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    assert xp.special.expit(X)[0] == pytest.approx(1 / (1 + np.exp(-0.5)))
    assert not hasattr(xp.special, "zetac")


def test_a_library_that_has_none():
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(MissingFunctionError, match=r"special\.erf.*array_api_strict"):
        xp.special.erf(strict.asarray([0.5]))


def test_a_function_that_a_library_lacks():
    torch = pytest.importorskip("torch")
    with pytest.raises(NotImplementedError, match=r"special\.dawsn is not in torch\.special"):
        xp.special.dawsn(torch.asarray([0.5]))


def test_a_function_that_is_not_listed_has_a_value_and_no_derivative():
    pytest.importorskip("scipy")
    assert xp.special.zetac(X)[0] == pytest.approx(-2.4603545088095868)
    with pytest.raises(NotDifferentiableError, match="zetac"):
        pg.grad(lambda x: xp.sum(xp.special.zetac(x)))(X)
    with pytest.raises(AttributeError, match="no_such_function"):
        xp.special.no_such_function  # noqa: B018


def test_an_order_has_no_derivative():
    pytest.importorskip("scipy")
    with pytest.raises(NotDifferentiableError, match=r"gammainc.*respect to a"):
        pg.grad(lambda a: xp.sum(xp.special.gammainc(a, X)))(X)


def test_polygamma_wants_a_whole_number():
    with pytest.raises(ValueError, match="whole number"):
        xp.special.polygamma(X, X)


def test_numbers_beside_arrays_keep_single_precision():
    pytest.importorskip("scipy")
    x = X.astype("float32")
    for made in (
        xp.special.xlogy(2.0, x),
        xp.special.betainc(1.5, 2.5, x / 2),
        xp.special.polygamma(1, x),
        xp.special.boxcox(x, 0.5),
        xp.special.jv(0, x),
    ):
        assert made.dtype == np.float32

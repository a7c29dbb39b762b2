"""The cotangent of a loss is the Python number 1 where no array need be made for it."""

from typing import Any

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api, kernels
from portagrad.errors import BackwardError, NotDifferentiableError

LOSSES = {
    "mse": lambda z: kernels.mse(z, pg.asarray(np.ones((4, 3)), dtype=z.dtype)),
    "half sum": lambda z: kernels.mse(z, pg.asarray(np.ones((4, 3)), dtype=z.dtype), "half_sum"),
    "labels": lambda z: kernels.cross_entropy(z, pg.asarray([0, 2, 1, 1])),
    "sum of labels": lambda z: kernels.cross_entropy(z, pg.asarray([0, 2, 1, 1]), "sum"),
}


@pytest.fixture(autouse=True)
def strict() -> Any:
    pytest.importorskip("array_api_strict")
    with pg.use_backend("array_api_strict"):
        yield


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The ones that are made."""
    noted: list[Any] = []
    kind = type(pg.get_backend())
    ones_like = kind.ones_like
    monkeypatch.setattr(kind, "ones_like", lambda self, x: noted.append(x) or ones_like(self, x))
    return noted


def leaf(dtype: str = "float32") -> Any:
    values = np.arange(12.0).reshape(4, 3) / 4
    return pg.tensor(values, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES)
def test_it_gives_the_gradient_that_an_array_gives(loss, dtype, made):
    x, same = leaf(dtype), leaf(dtype)
    LOSSES[loss](x * 3).backward()
    assert not made
    value = LOSSES[loss](same * 3)
    value.backward(pg.asarray(1.0, dtype=dtype))
    np.testing.assert_array_equal(pg.to_numpy(x.grad), pg.to_numpy(same.grad))
    assert x.grad.dtype == x.dtype
    gradient = pg.grad(lambda x: LOSSES[loss](x * 3))(x.data)
    np.testing.assert_array_equal(pg.to_numpy(gradient), pg.to_numpy(x.grad))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_graph_that_is_kept_gives_it_again(loss):
    x = leaf()
    value = LOSSES[loss](x * 3)
    value.backward(retain_graph=True)
    once = pg.to_numpy(x.grad)
    value.backward()
    np.testing.assert_array_equal(pg.to_numpy(x.grad), 2 * once)


def test_a_loss_that_keeps_its_gradient_has_an_array(made):
    x = leaf()
    value = LOSSES["mse"](x * 3)
    value.retain_grad()
    value.backward()
    assert made
    assert float(value.grad) == 1
    assert value.grad.dtype == value.dtype


def test_it_is_an_array_for_what_is_differentiated_again():
    def loss(x):
        return LOSSES["mse"](x * x)

    x = leaf("float64")
    loss(x).backward(create_graph=True)
    first, x.grad = x.grad, None
    array_api.sum(first).backward()
    again = pg.grad(lambda x: array_api.sum(pg.grad(loss)(x)))(x.data)
    np.testing.assert_allclose(pg.to_numpy(x.grad), pg.to_numpy(again))


def test_losses_of_several_elements_are_refused_still():
    with pytest.raises(NotDifferentiableError, match="needs a"):
        kernels.mse(leaf() * 3, pg.asarray(np.ones((4, 3)), dtype="float32"), "none").backward()


def test_under_detect_anomaly_nan_is_found_still():
    x = leaf()
    with pg.detect_anomaly(), pytest.raises(BackwardError, match="nan"):
        LOSSES["mse"](x * float("nan")).backward()

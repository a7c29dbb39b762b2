"""The appended ones: a bias that is one more weight, without a gradient of its own."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels
from portagrad.errors import AxisError, DtypeError


@pytest.mark.parametrize(("axis", "shape"), [(-1, (2, 4)), (1, (2, 4)), (0, (3, 3)), (-2, (3, 3))])
@pytest.mark.usefixtures("backend")
def test_a_one_is_appended(axis, shape):
    x = np.arange(6, dtype="float32").reshape(2, 3)
    found = pg.to_numpy(kernels.append_ones(pg.asarray(x), axis=axis))
    assert found.shape == shape
    assert found.dtype == np.float32
    ones = np.ones_like(np.take(x, [0], axis=axis))
    assert found.tolist() == np.concatenate([x, ones], axis=axis).tolist()


@pytest.mark.usefixtures("backend")
def test_the_ones_have_no_gradient():
    x = pg.asarray(np.ones((2, 3), dtype="float32"))
    weights = np.arange(8, dtype="float32").reshape(2, 4)
    g = pg.grad(lambda x: xp.sum(xp.multiply(kernels.append_ones(x), pg.asarray(weights))))(x)
    assert pg.to_numpy(g).tolist() == weights[:, :3].tolist()


def test_what_is_refused():
    with pytest.raises(AxisError, match=r"append_ones: axis 2 .* x of shape \(2, 3\)"):
        kernels.append_ones(np.ones((2, 3)), axis=2)
    with pytest.raises(AxisError, match="append_ones: axis -1"):
        kernels.append_ones(np.ones(()))
    with pytest.raises(DtypeError, match="append_ones: x must be floating point"):
        kernels.append_ones(np.ones(3, dtype="int64"))

"""Functions beyond the standard on integers: as on the same numbers in floating point."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp

SIGNED, UNSIGNED = [1, 2, -7, 12, 5, 4], [1, 2, 7, 0, 250, 4]
FUNCTIONS = {
    "median": xp.median,
    "quantile": lambda x: xp.quantile(x, 0.3),
    "nanmedian": xp.nanmedian,
    "nanquantile": lambda x: xp.nanquantile(x, 0.7),
    "logsumexp": xp.logsumexp,
    "log_sigmoid": xp.log_sigmoid,
    "expit": xp.special.expit,
    "entr": xp.special.entr,
    "rel_entr": lambda x: xp.special.rel_entr(x, xp.flip(x)),
    "kl_div": lambda x: xp.special.kl_div(x, xp.flip(x)),
    "huber": lambda x: xp.special.huber(3, x),
    "xlogy": lambda x: xp.special.xlogy(x, xp.abs(x)),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # logarithms of what is negative
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["int64", "uint8"])
def test_integers_are_computed_in_floating_point(backend, name, dtype):
    values = SIGNED if dtype == "int64" else UNSIGNED
    x = pg.asarray(values, dtype=dtype)
    expected = FUNCTIONS[name](np.asarray(values, dtype=float))
    for each in (x, pg.tensor(x)):
        found = pg.to_numpy(FUNCTIONS[name](each))
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)

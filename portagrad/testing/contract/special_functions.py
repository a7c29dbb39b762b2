"""Special points of `portagrad.array_api.special`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numpy import euler_gamma, exp, inf, log, nan, pi, sqrt

from portagrad import array_api as xp
from portagrad.testing.contract.special import Special, there, weighted


def _of(name: str, *numbers: float) -> Callable[[Any], Any]:
    """A special function, looked up when it is called; `numbers` come before the array."""

    def call(*arrays: Any) -> Any:
        return getattr(xp.special, name)(*numbers, *arrays)

    return call


ROWS = [
    Special("entr at 0", _of("entr"), ([0.0, 1.0],), ([inf, -1.0],), [0.0, 0.0], pole=True),
    Special(
        "rel_entr at x = 0", _of("rel_entr"), ([0.0], [2.0]), ([-inf], [0.0]), [0.0], pole=True
    ),
    Special(
        "rel_entr at x = 0, second order",
        _of("rel_entr"),
        ([0.0], [2.0]),
        ([-inf], [0.0]),
        second=([inf], [-0.5]),
        pole=True,
    ),
    Special("kl_div at x = 0", _of("kl_div"), ([0.0], [2.0]), ([-inf], [1.0]), [2.0], pole=True),
    Special(
        "xlog1py at 0",
        _of("xlog1py"),
        ([0.0], [-1.0]),
        ([-inf], [0.0]),
        [0.0],
        second=([inf], [inf]),
        pole=True,
    ),
    Special(
        "expit far out", _of("expit"), ([-1e3, 0.0, 1e3],), ([0.0, 0.25, 0.0],), [0.0, 0.5, 1.0]
    ),
    Special("log_expit far out", _of("log_expit"), ([-1e3, 1e3],), ([1.0, 0.0],), [-1e3, 0.0]),
    Special("logit at its ends", _of("logit"), ([0.0, 1.0],), ([inf, inf],), pole=True),
    Special(
        "exprel at 0",
        _of("exprel"),
        ([0.0, 1e-12],),
        ([0.5, 0.5],),
        value=[1.0, 1.0],
        second=([1 / 3, 1 / 3],),
        tolerance=1e-11,
    ),
    Special("huber at its kink", _of("huber", 1.0), ([1.0, -1.0, 2.0],), ([1.0, -1.0, 1.0],)),
    Special("pseudo_huber at 0", _of("pseudo_huber", 1.0), ([0.0],), ([0.0],), [0.0], ([1.0],)),
    Special(
        "boxcox at λ = 0",
        _of("boxcox"),
        ([2.0], [0.0]),
        ([0.5], [log(2) ** 2 / 2]),
        value=[log(2)],
    ),
    Special(
        "boxcox at x = 0",
        _of("boxcox"),
        ([0.0, 0.0, 0.0], [1.0, 2.0, 0.5]),
        ([1.0, 0.0, inf], [1.0, 0.25, 4.0]),
        value=[-1.0, -0.5, -2.0],
        pole=True,
    ),
    Special("inv_boxcox at λ = 0", _of("inv_boxcox"), ([0.0], [0.0]), ([1.0], [0.0]), [1.0]),
    Special(
        "logsumexp with a weight of 0",
        lambda x: xp.special.logsumexp(x, b=there([1.0, 0.0], x.dtype)),
        ([1e3, 1e3],),
        ([1.0, 0.0],),
        value=1e3,
    ),
    Special(
        "logsumexp with a weight of 0 where there is no number",
        lambda x: xp.special.logsumexp(x, b=there([0.0, 0.0, 0.0, 2.0], x.dtype)),
        ([inf, nan, 1e5, 0.0],),
        ([0.0, 0.0, 0.0, 1.0],),
        value=log(2),
        second=([0.0, 0.0, 0.0, 0.0],),
        pole=True,
    ),
    Special(
        "logsumexp by its weights",
        lambda x, b: xp.special.logsumexp(x, b=b),
        ([0.0, log(2)], [0.0, 1.0]),
        ([0.0, 1.0], [0.5, 1.0]),
        value=log(2),
        tolerance=1e-15,
    ),
    Special(
        "logsumexp of nothing but weights of 0",
        lambda x, b: xp.special.logsumexp(x, b=b),
        ([1.0, 2.0], [0.0, 0.0]),
        ([0.0, 0.0], [inf, inf]),
        value=-inf,
        pole=True,
    ),
    Special(
        "softmax of masked rows",
        lambda x: weighted(
            xp.special.softmax(x, axis=1, where=there([[True, True, False], [False] * 3])),
            *(1, 3, 5, 7, 9, 11),
        ),
        ([[0.0, 0.0, nan], [-inf, -inf, -inf]],),
        ([[-0.5, 0.5, 0.0], [0.0, 0.0, 0.0]],),
        value=2.0,
    ),
    Special(
        "log_softmax of masked elements",
        lambda x: xp.special.log_softmax(x, where=there([True, False, True]))[0],
        ([1e3, inf, -1e3],),
        ([0.0, 0.0, 0.0],),
        value=0.0,
    ),
    Special("softmax of large numbers", _of("softmax"), ([1e3, 1e3],), ([0.0, 0.0],), [0.5, 0.5]),
    Special("erf far out", _of("erf"), ([0.0, 30.0],), ([2 / sqrt(pi), 0.0],), optional=True),
    Special(
        "erf and ndtr far out",
        lambda x: xp.special.erf(x) + xp.special.ndtr(x),
        ([inf, -inf],),
        ([0.0, 0.0],),
        second=([0.0, 0.0],),
        optional=True,
    ),
    Special(
        "log_ndtr very far below 0, and above",
        _of("log_ndtr"),
        ([-1e8, inf],),
        ([1e8, 0.0],),
        second=([-1.0, 0.0],),
        optional=True,
    ),
    Special(
        "log_ndtr far below 0",
        _of("log_ndtr"),
        ([-1e3],),
        ([1000.000999998],),
        tolerance=1e-9,
        optional=True,
    ),
    Special(
        "gammaln at 1",
        _of("gammaln"),
        ([1.0],),
        ([-euler_gamma],),
        [0.0],
        ([pi**2 / 6],),
        optional=True,
    ),
    Special(
        "rgamma at the poles of gamma",
        _of("rgamma"),
        ([0.0, -1.0, -3.0],),
        ([1.0, -1.0, -6.0],),
        value=[0.0, 0.0, 0.0],
        tolerance=1e-9,
        optional=True,
    ),
    Special("j1 at 0", _of("j1"), ([0.0],), ([0.5],), [0.0], ([0.0],), optional=True),
    Special("i1 at 0", _of("i1"), ([0.0],), ([0.5],), [0.0], ([0.0],), optional=True),
    Special("i0e at 0", _of("i0e"), ([0.0],), ([0.0],), [1.0], optional=True),
    Special("cbrt at 0", _of("cbrt"), ([0.0],), ([inf],), pole=True, optional=True),
    Special("spence at 1", _of("spence"), ([1.0],), ([-1.0],), [0.0], ([0.5],), optional=True),
    Special(
        "ellipk at 0", _of("ellipk"), ([0.0],), ([pi / 8],), second=([9 * pi / 64],), optional=True
    ),
    Special(
        "ellipe at 0",
        _of("ellipe"),
        ([0.0],),
        ([-pi / 8],),
        second=([-3 * pi / 64],),
        optional=True,
    ),
    Special(
        "gammainc at 0",
        _of("gammainc", 1.0),
        ([0.0],),
        ([1.0],),
        value=[0.0],
        optional=True,
    ),
    Special(
        "gammainc at its ends",
        _of("gammainc", 2.0),
        ([0.0, inf],),
        ([0.0, 0.0],),
        second=([1.0, 0.0],),
        pole=True,
        optional=True,
    ),
    Special(
        "betainc at its ends",
        _of("betainc", 2.0, 3.0),
        ([0.0, 1.0],),
        ([0.0, 0.0],),
        second=([12.0, 0.0],),
        pole=True,
        optional=True,
    ),
    Special(
        "expn of order 1",
        _of("expn", 1),
        ([1.0],),
        ([-exp(-1.0)],),
        second=([2 * exp(-1.0)],),
        optional=True,
    ),
    Special(
        "erfcx far out",
        _of("erfcx"),
        ([1e10, inf],),
        ([-1 / sqrt(pi) * 1e-20, 0.0],),
        second=([2 / sqrt(pi) * 1e-30, 0.0],),
        optional=True,
    ),
    Special("dawsn far out", _of("dawsn"), ([-1e10, inf],), ([-5e-21, 0.0],), optional=True),
    Special(
        "lambertw at 0",
        lambda x: xp.real(_of("lambertw")(x)),
        ([0.0],),
        ([1.0],),
        [0.0],
        ([-2.0],),
        optional=True,
    ),
    Special("erfinv at its ends", _of("erfinv"), ([1.0],), ([inf],), pole=True, optional=True),
    Special(
        "gamma of a negative number",
        _of("gamma"),
        ([-0.5],),
        ([-2 * sqrt(pi) * (2 - euler_gamma - 2 * log(2))],),
        optional=True,
        tolerance=1e-10,
    ),
    Special(
        "polygamma of order 0",
        lambda x: xp.special.polygamma(0, x),
        ([1.0],),
        ([pi**2 / 6],),
        optional=True,
    ),
    Special("entr of nan", _of("entr"), ([nan],), ([nan],), [nan]),
    Special(
        "factorial",
        _of("factorial"),
        ([3.0],),
        ([6 * (11 / 6 - euler_gamma)],),
        [math.factorial(3)],
        optional=True,
    ),
]

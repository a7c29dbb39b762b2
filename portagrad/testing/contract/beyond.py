"""Special points of the functions beyond the standard."""

from __future__ import annotations

from numpy import inf, log, nan, pi

from portagrad import array_api as xp
from portagrad.testing.contract.special import Special, there, weighted

ROWS = [
    Special(
        "angle at 0", xp.angle, ([0j, 2j],), ([0j, -0.5 + 0j],), [0.0, pi / 2], dtype="complex128"
    ),
    Special(
        "sinc at 0",
        xp.sinc,
        ([0.0, 1e-9, 1e-300],),
        ([0.0, -(pi**2) / 3 * 1e-9, -(pi**2) / 3 * 1e-300],),
        value=[1.0, 1.0, 1.0],
        second=([-(pi**2) / 3] * 3,),
    ),
    Special(
        "sin x / x, by hand",
        lambda x: xp.where(x == 0, 1.0, xp.sin(x) / x),
        ([0.0],),
        ([nan],),
        pole=True,
    ),
    Special("logsumexp of large numbers", xp.logsumexp, ([1e3, 1e3, -1e3],), ([0.5, 0.5, 0.0],)),
    Special(
        "logsumexp with one +inf",
        xp.logsumexp,
        ([1.0, inf],),
        ([0.0, nan],),
        value=inf,
        pole=True,
    ),
    Special("logsumexp with -inf", xp.logsumexp, ([-inf, 0.0, 0.0],), ([0.0, 0.5, 0.5],)),
    Special("logsumexp of nothing but -inf", xp.logsumexp, ([-inf],), ([nan],), -inf, pole=True),
    Special("logsumexp of nothing", xp.logsumexp, ([],), ([],), value=-inf),
    Special(
        "log_sigmoid", xp.log_sigmoid, ([-1e3, 0.0, 1e3],), ([1.0, 0.5, 0.0],), [-1e3, -log(2), 0.0]
    ),
    Special(
        "softplus", xp.softplus, ([-1e3, 0.0, 1e3],), ([0.0, 0.5, 1.0],), second=([0.0, 0.25, 0.0],)
    ),
    Special(
        "xlogy at 0",
        xp.xlogy,
        ([0.0, 0.0], [0.0, 2.0]),
        ([-inf, log(2)], [0.0, 0.0]),
        [0.0, 0.0],
        second=([inf, 0.5], [inf, 0.5]),
        pole=True,
    ),
    Special(
        "x log x by xlogy at 0", lambda x: xp.xlogy(x, x), ([0.0, 1.0],), ([-inf, 1.0],), pole=True
    ),
    Special("xlogy with nan", xp.xlogy, ([0.0], [nan]), ([nan], [nan]), [nan]),
    Special("nan_to_num", xp.nan_to_num, ([nan, inf, 1.0],), ([0.0, 0.0, 1.0],)),
    Special("nansum", xp.nansum, ([nan, 1.0],), ([0.0, 1.0],), 1.0),
    Special("nanmax of nothing but nan", xp.nanmax, ([nan, nan],), ([0.0, 0.0],), nan),
    Special("nanmean of nothing but nan", xp.nanmean, ([nan, nan],), ([0.0, 0.0],), nan),
    Special("nanmax of a tie", xp.nanmax, ([2.0, nan, 2.0, 1.0],), ([0.5, 0.0, 0.5, 0.0],)),
    Special(
        "nanmax of what a nan might stand for",
        xp.nanmax,
        ([nan, -inf, -inf],),
        ([0.0, 0.5, 0.5],),
        -inf,
    ),
    Special("nanmin of +inf and nan", xp.nanmin, ([nan, inf],), ([0.0, 1.0],), inf),
    Special(
        "nanvar of fewer numbers than it takes off",
        lambda x: xp.nanvar(x, correction=1),
        ([nan, 5.0],),
        ([0.0, nan],),
        nan,
    ),
    Special(
        "interp of nan",
        lambda x: xp.interp(x, there([0.0, 1.0], x.dtype), there([0.0, 2.0], x.dtype)),
        ([nan, 9.0],),
        ([2.0, 0.0],),
        [nan, 2.0],
    ),
    Special("nanstd of equals", xp.nanstd, ([0.1, nan, 0.1, 0.1],), ([0.0, 0.0, 0.0, 0.0],), 0.0),
    Special(
        "median of a tie",
        xp.median,
        ([1.0, 2.0, 2.0, 2.0, 3.0],),
        ([0.0, 1 / 3, 1 / 3, 1 / 3, 0.0],),
    ),
    Special("median of two", xp.median, ([4.0, 1.0],), ([0.5, 0.5],), 2.5),
    Special("median with nan", xp.median, ([nan, 1.0],), ([0.0, 0.0],), nan),
    Special(
        "quantile between infinities",
        lambda x: xp.quantile(x, 0.75),
        ([inf, inf, 1.0],),
        ([0.5, 0.5, 0.0],),
        inf,
    ),
    Special(
        "quantile by q, at its elements",
        xp.quantile,
        ([1.0, 2.0, 4.0], [0.0, 0.5, 1.0]),
        ([1.0, 1.0, 1.0], [2.0, 3.0, 4.0]),
        value=[1.0, 2.0, 4.0],
    ),
    Special(
        "interp at its points",
        lambda x: xp.interp(x, there([0.0, 1.0, 3.0], x.dtype), there([0.0, 2.0, 2.0], x.dtype)),
        ([0.0, 1.0, 3.0, -1.0, 9.0],),
        ([1.0, 1.0, 0.0, 0.0, 0.0],),
        value=[0.0, 2.0, 2.0, 0.0, 2.0],
    ),
    Special(
        "cumulative_max of ties",
        lambda x: weighted(xp.cumulative_max(x), 6, 6, 6, 6, 6),
        ([1.0, 3.0, 2.0, 3.0, 3.0],),
        ([6.0, 17.0, 0.0, 5.0, 2.0],),
        value=78.0,
    ),
    Special(
        "cumulative_max with nan",
        lambda x: xp.cumulative_max(x),
        ([1.0, nan, 2.0],),
        ([1.0, 2.0, 0.0],),
        value=[1.0, nan, nan],
    ),
    Special(
        "scatter_add with repeats",
        lambda v: xp.scatter_add(xp.zeros_like(v), there([0, 0]), v),
        ([1.0, 2.0],),
        ([1.0, 1.0],),
        value=[3.0, 0.0],
    ),
    Special(
        "put with repeats",
        lambda x, v: weighted(xp.put(x, there([1, 1]), v), 1, 2, 4),
        ([1.0, 2.0, 3.0], [5.0, 6.0]),
        ([1.0, 0.0, 4.0], [0.0, 2.0]),
        unlike=("array_api_strict",),
    ),
    Special(
        "safe_where",
        lambda x: xp.safe_where(x > 0, xp.sqrt, x, 0.0),
        ([0.0, -1.0, 4.0],),
        ([0.0, 0.0, 0.25],),
    ),
    Special("convolve with one element", xp.convolve, ([1.0, 2.0], [3.0]), ([3.0, 3.0], [3.0])),
    Special(
        "the diagonal by einsum",
        lambda x: xp.einsum("ii", x),
        ([[1.0, 2.0], [3.0, 4.0]],),
        ([[1.0, 0.0], [0.0, 1.0]],),
    ),
    Special(
        "einsum of x with itself", lambda x: xp.einsum("i,i", x, x), ([1.0, 2.0],), ([2.0, 4.0],)
    ),
]

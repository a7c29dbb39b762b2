"""Special functions by the names of `scipy.special`, with their derivatives.

Values come from the library that has them for the operands' arrays: SciPy,
`cupyx.scipy.special`, `torch.special`, `jax.scipy.special`. What can be said in
the standard's functions is, and works on every array. A name that is not listed
here is looked up in that library, and has a value and no derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portagrad.array_api.beyond.stable import sinc as sinc
from portagrad.array_api.beyond.stable import xlogy as xlogy
from portagrad.array_api.special.bessel import (
    i0 as i0,
)
from portagrad.array_api.special.bessel import (
    i0e as i0e,
)
from portagrad.array_api.special.bessel import (
    i1 as i1,
)
from portagrad.array_api.special.bessel import (
    i1e as i1e,
)
from portagrad.array_api.special.bessel import (
    iv as iv,
)
from portagrad.array_api.special.bessel import (
    j0 as j0,
)
from portagrad.array_api.special.bessel import (
    j1 as j1,
)
from portagrad.array_api.special.bessel import (
    jn as jn,
)
from portagrad.array_api.special.bessel import (
    jv as jv,
)
from portagrad.array_api.special.bessel import (
    k0 as k0,
)
from portagrad.array_api.special.bessel import (
    k0e as k0e,
)
from portagrad.array_api.special.bessel import (
    k1 as k1,
)
from portagrad.array_api.special.bessel import (
    k1e as k1e,
)
from portagrad.array_api.special.bessel import (
    kn as kn,
)
from portagrad.array_api.special.bessel import (
    kv as kv,
)
from portagrad.array_api.special.bessel import (
    y0 as y0,
)
from portagrad.array_api.special.bessel import (
    y1 as y1,
)
from portagrad.array_api.special.bessel import (
    yn as yn,
)
from portagrad.array_api.special.bessel import (
    yv as yv,
)
from portagrad.array_api.special.distribution import (
    bdtr as bdtr,
)
from portagrad.array_api.special.distribution import (
    bdtrc as bdtrc,
)
from portagrad.array_api.special.distribution import (
    chdtr as chdtr,
)
from portagrad.array_api.special.distribution import (
    chdtrc as chdtrc,
)
from portagrad.array_api.special.distribution import (
    chdtri as chdtri,
)
from portagrad.array_api.special.distribution import (
    fdtr as fdtr,
)
from portagrad.array_api.special.distribution import (
    fdtrc as fdtrc,
)
from portagrad.array_api.special.distribution import (
    fdtri as fdtri,
)
from portagrad.array_api.special.distribution import (
    gdtr as gdtr,
)
from portagrad.array_api.special.distribution import (
    gdtrc as gdtrc,
)
from portagrad.array_api.special.distribution import (
    nbdtr as nbdtr,
)
from portagrad.array_api.special.distribution import (
    nbdtrc as nbdtrc,
)
from portagrad.array_api.special.distribution import (
    pdtr as pdtr,
)
from portagrad.array_api.special.distribution import (
    pdtrc as pdtrc,
)
from portagrad.array_api.special.distribution import (
    pdtri as pdtri,
)
from portagrad.array_api.special.distribution import (
    stdtr as stdtr,
)
from portagrad.array_api.special.distribution import (
    stdtrit as stdtrit,
)
from portagrad.array_api.special.elementary import (
    cbrt as cbrt,
)
from portagrad.array_api.special.elementary import (
    cosdg as cosdg,
)
from portagrad.array_api.special.elementary import (
    cosm1 as cosm1,
)
from portagrad.array_api.special.elementary import (
    cotdg as cotdg,
)
from portagrad.array_api.special.elementary import (
    exp2 as exp2,
)
from portagrad.array_api.special.elementary import (
    exp10 as exp10,
)
from portagrad.array_api.special.elementary import (
    expm1 as expm1,
)
from portagrad.array_api.special.elementary import (
    exprel as exprel,
)
from portagrad.array_api.special.elementary import (
    log1p as log1p,
)
from portagrad.array_api.special.elementary import (
    radian as radian,
)
from portagrad.array_api.special.elementary import (
    sindg as sindg,
)
from portagrad.array_api.special.elementary import (
    tandg as tandg,
)
from portagrad.array_api.special.entropy import (
    boxcox as boxcox,
)
from portagrad.array_api.special.entropy import (
    boxcox1p as boxcox1p,
)
from portagrad.array_api.special.entropy import (
    entr as entr,
)
from portagrad.array_api.special.entropy import (
    expit as expit,
)
from portagrad.array_api.special.entropy import (
    huber as huber,
)
from portagrad.array_api.special.entropy import (
    inv_boxcox as inv_boxcox,
)
from portagrad.array_api.special.entropy import (
    inv_boxcox1p as inv_boxcox1p,
)
from portagrad.array_api.special.entropy import (
    kl_div as kl_div,
)
from portagrad.array_api.special.entropy import (
    log_expit as log_expit,
)
from portagrad.array_api.special.entropy import (
    log_softmax as log_softmax,
)
from portagrad.array_api.special.entropy import (
    logit as logit,
)
from portagrad.array_api.special.entropy import (
    logsumexp as logsumexp,
)
from portagrad.array_api.special.entropy import (
    pseudo_huber as pseudo_huber,
)
from portagrad.array_api.special.entropy import (
    rel_entr as rel_entr,
)
from portagrad.array_api.special.entropy import (
    softmax as softmax,
)
from portagrad.array_api.special.entropy import (
    xlog1py as xlog1py,
)
from portagrad.array_api.special.error import (
    dawsn as dawsn,
)
from portagrad.array_api.special.error import (
    erf as erf,
)
from portagrad.array_api.special.error import (
    erfc as erfc,
)
from portagrad.array_api.special.error import (
    erfcinv as erfcinv,
)
from portagrad.array_api.special.error import (
    erfcx as erfcx,
)
from portagrad.array_api.special.error import (
    erfi as erfi,
)
from portagrad.array_api.special.error import (
    erfinv as erfinv,
)
from portagrad.array_api.special.error import (
    log_ndtr as log_ndtr,
)
from portagrad.array_api.special.error import (
    ndtr as ndtr,
)
from portagrad.array_api.special.error import (
    ndtri as ndtri,
)
from portagrad.array_api.special.error import (
    ndtri_exp as ndtri_exp,
)
from portagrad.array_api.special.gamma import (
    beta as beta,
)
from portagrad.array_api.special.gamma import (
    betainc as betainc,
)
from portagrad.array_api.special.gamma import (
    betaincc as betaincc,
)
from portagrad.array_api.special.gamma import (
    betainccinv as betainccinv,
)
from portagrad.array_api.special.gamma import (
    betaincinv as betaincinv,
)
from portagrad.array_api.special.gamma import (
    betaln as betaln,
)
from portagrad.array_api.special.gamma import (
    binom as binom,
)
from portagrad.array_api.special.gamma import (
    digamma as digamma,
)
from portagrad.array_api.special.gamma import (
    factorial as factorial,
)
from portagrad.array_api.special.gamma import (
    gamma as gamma,
)
from portagrad.array_api.special.gamma import (
    gammainc as gammainc,
)
from portagrad.array_api.special.gamma import (
    gammaincc as gammaincc,
)
from portagrad.array_api.special.gamma import (
    gammainccinv as gammainccinv,
)
from portagrad.array_api.special.gamma import (
    gammaincinv as gammaincinv,
)
from portagrad.array_api.special.gamma import (
    gammaln as gammaln,
)
from portagrad.array_api.special.gamma import (
    gammasgn as gammasgn,
)
from portagrad.array_api.special.gamma import (
    loggamma as loggamma,
)
from portagrad.array_api.special.gamma import (
    multigammaln as multigammaln,
)
from portagrad.array_api.special.gamma import (
    poch as poch,
)
from portagrad.array_api.special.gamma import (
    polygamma as polygamma,
)
from portagrad.array_api.special.gamma import (
    psi as psi,
)
from portagrad.array_api.special.gamma import (
    rgamma as rgamma,
)
from portagrad.array_api.special.gamma import (
    zeta as zeta,
)
from portagrad.array_api.special.integral import (
    ellipe as ellipe,
)
from portagrad.array_api.special.integral import (
    ellipk as ellipk,
)
from portagrad.array_api.special.integral import (
    ellipkm1 as ellipkm1,
)
from portagrad.array_api.special.integral import (
    exp1 as exp1,
)
from portagrad.array_api.special.integral import (
    expi as expi,
)
from portagrad.array_api.special.integral import (
    expn as expn,
)
from portagrad.array_api.special.integral import (
    hyp0f1 as hyp0f1,
)
from portagrad.array_api.special.integral import (
    hyp1f1 as hyp1f1,
)
from portagrad.array_api.special.integral import (
    hyp2f1 as hyp2f1,
)
from portagrad.array_api.special.integral import (
    spence as spence,
)
from portagrad.array_api.special.library import is_name, value_only

__all__ = [
    "bdtr",
    "bdtrc",
    "beta",
    "betainc",
    "betaincc",
    "betainccinv",
    "betaincinv",
    "betaln",
    "binom",
    "boxcox",
    "boxcox1p",
    "cbrt",
    "chdtr",
    "chdtrc",
    "chdtri",
    "cosdg",
    "cosm1",
    "cotdg",
    "dawsn",
    "digamma",
    "ellipe",
    "ellipk",
    "ellipkm1",
    "entr",
    "erf",
    "erfc",
    "erfcinv",
    "erfcx",
    "erfi",
    "erfinv",
    "exp1",
    "exp10",
    "exp2",
    "expi",
    "expit",
    "expm1",
    "expn",
    "exprel",
    "factorial",
    "fdtr",
    "fdtrc",
    "fdtri",
    "gamma",
    "gammainc",
    "gammaincc",
    "gammainccinv",
    "gammaincinv",
    "gammaln",
    "gammasgn",
    "gdtr",
    "gdtrc",
    "huber",
    "hyp0f1",
    "hyp1f1",
    "hyp2f1",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "inv_boxcox",
    "inv_boxcox1p",
    "iv",
    "j0",
    "j1",
    "jn",
    "jv",
    "k0",
    "k0e",
    "k1",
    "k1e",
    "kl_div",
    "kn",
    "kv",
    "log1p",
    "log_expit",
    "log_ndtr",
    "log_softmax",
    "loggamma",
    "logit",
    "logsumexp",
    "multigammaln",
    "nbdtr",
    "nbdtrc",
    "ndtr",
    "ndtri",
    "ndtri_exp",
    "pdtr",
    "pdtrc",
    "pdtri",
    "poch",
    "polygamma",
    "pseudo_huber",
    "psi",
    "radian",
    "rel_entr",
    "rgamma",
    "sinc",
    "sindg",
    "softmax",
    "spence",
    "stdtr",
    "stdtrit",
    "tandg",
    "xlog1py",
    "xlogy",
    "y0",
    "y1",
    "yn",
    "yv",
    "zeta",
]


def __getattr__(name: str) -> Callable[..., Any]:
    """A function of SciPy's that is not listed, with a value alone."""
    if name.startswith("_") or not is_name(name):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return value_only(name)

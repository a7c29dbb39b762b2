"""scipy.special: its functions delegate to the namespace's `special` object."""

import array_api_compat
import numpy as np
import pytest

special = pytest.importorskip("scipy.special")

POSITIVE = np.asarray([0.7, 1.9, 0.3, 2.6, 1.1])
SHARE = np.asarray([0.2, 0.5, 0.35, 0.8, 0.65])
REAL = np.asarray([-1.2, 0.4, 0.9, 2.2, -0.3])
MATRIX = np.asarray([[1.3, 0.2, 0.7], [0.4, 2.1, 0.5], [0.6, 0.9, 1.7], [0.3, 1.1, 0.8]])
OTHER = POSITIVE[::-1] * 0.8 + 0.3


def like(x, values):
    return array_api_compat.array_namespace(x).asarray(values)


ON_POSITIVE = """
    cbrt cosdg cosm1 cotdg entr erf erfc erfcx exp1 exp10 exp2 exprel expi expit gamma gammaln
    gammasgn i0 i0e i1 i1e j0 j1 k0 k0e k1 k1e log_ndtr loggamma ndtr psi rgamma sinc sindg spence
    tandg y0 y1
"""
ON_SHARES = "ellipk ellipkm1 erfinv logit ndtri"
OF_TWO = """
    xlogy xlog1py rel_entr kl_div huber pseudo_huber betaln beta binom poch boxcox boxcox1p
    inv_boxcox
"""
CALLS = {name: (getattr(special, name), POSITIVE) for name in ON_POSITIVE.split()}
CALLS |= {name: (getattr(special, name), SHARE) for name in ON_SHARES.split()}
for _name in OF_TWO.split():
    _f = getattr(special, _name)
    CALLS[f"{_name} of the first"] = (lambda x, f=_f: f(x, like(x, OTHER)), POSITIVE)
    CALLS[f"{_name} of the second"] = (lambda x, f=_f: f(like(x, OTHER), x), POSITIVE)
CALLS |= {
    "gammainc": (lambda x: special.gammainc(like(x, OTHER), x), POSITIVE),
    "gammaincc": (lambda x: special.gammaincc(like(x, OTHER), x), POSITIVE),
    "gammaincinv": (lambda x: special.gammaincinv(like(x, POSITIVE), x), SHARE),
    "gammainccinv": (lambda x: special.gammainccinv(like(x, POSITIVE), x), SHARE),
    "betainc": (lambda x: special.betainc(like(x, POSITIVE), like(x, OTHER), x), SHARE),
    "betaincc": (lambda x: special.betaincc(like(x, POSITIVE), like(x, OTHER), x), SHARE),
    "betaincinv": (lambda x: special.betaincinv(like(x, POSITIVE), like(x, OTHER), x), SHARE),
    "chdtr": (lambda x: special.chdtr(like(x, OTHER), x), POSITIVE),
    "chdtrc": (lambda x: special.chdtrc(like(x, OTHER), x), POSITIVE),
    "stdtr": (lambda x: special.stdtr(like(x, POSITIVE), x), REAL),
    "stdtrit": (lambda x: special.stdtrit(like(x, POSITIVE + 1), x), SHARE),
    "zeta of q": (lambda x: special.zeta(like(x, POSITIVE + 2), x), POSITIVE),
    "polygamma": (lambda x: special.polygamma(2, x), POSITIVE),
    "multigammaln": (lambda x: special.multigammaln(x + 3, 2), POSITIVE),
    "fdtr": (lambda x: special.fdtr(like(x, POSITIVE + 1), like(x, OTHER), x), POSITIVE),
    "gdtr": (lambda x: special.gdtr(like(x, POSITIVE), like(x, OTHER), x), POSITIVE),
    "pdtr": (lambda x: special.pdtr(like(x, [1.0, 2.0, 3.0, 0.0, 4.0]), x), POSITIVE),
    "bdtr": (lambda x: special.bdtr(like(x, [1.0, 2.0, 3.0, 0.0, 4.0]), 5, x), SHARE),
    "expn": (lambda x: special.expn(2, x), POSITIVE),
    "yn": (lambda x: special.yn(2, x), POSITIVE),
    "hyp1f1": (lambda x: special.hyp1f1(like(x, POSITIVE), like(x, OTHER + 1), x), REAL),
    "logsumexp": (lambda x: special.logsumexp(x, axis=0), MATRIX),
    "logsumexp b": (lambda x: special.logsumexp(x, b=like(x, MATRIX)), MATRIX),
    "logsumexp sign": (
        lambda x: special.logsumexp(x, b=like(x, [1.0, -1.0, 2.0, -0.5, 1.0]), return_sign=True)[0],
        POSITIVE,
    ),
    "softmax": (lambda x: special.softmax(x, axis=1), MATRIX),
    "log_softmax": (lambda x: special.log_softmax(x, axis=1), MATRIX),
}
REFUSED = {
    "gammainc of a": (lambda x: special.gammainc(x, like(x, OTHER)), POSITIVE),
    "gammaincc of a": (lambda x: special.gammaincc(x, like(x, OTHER)), POSITIVE),
    "betainc of a": (lambda x: special.betainc(x, like(x, OTHER), like(x, SHARE)), POSITIVE),
    "chdtr of v": (lambda x: special.chdtr(x, like(x, OTHER)), POSITIVE),
    "zeta of x": (lambda x: special.zeta(x + 2), POSITIVE),
    "zetac": (lambda x: special.zetac(x + 2), POSITIVE),
}


@pytest.mark.parametrize("name", CALLS)
def test_differentiable(is_differentiable, name):
    is_differentiable(*CALLS[name])


@pytest.mark.parametrize("name", REFUSED)
def test_refused(is_refused, name):
    is_refused(*REFUSED[name])

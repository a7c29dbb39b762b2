"""Rows of the special functions; their references are SciPy's."""

from __future__ import annotations

from typing import Any

from portagrad.testing.table.domain import NONZERO, POSITIVE, REAL, UNIT, Domain
from portagrad.testing.table.row import Call, Operand, Row, array, call, given, unary

_HALF = Domain(0.1, 0.9)
_LARGE = Domain(1.2, 6.0)
_NEAR = Domain(-0.6, 0.6)


def _one(name: str, domain: Domain = REAL, **facts: Any) -> Row:
    """A function of one array that the library has."""
    return unary(f"special.{name}", domain, optional=True, **facts)


def _made(name: str, domain: Domain = REAL, **facts: Any) -> Row:
    """A function of one array that is made of standard functions."""
    return unary(f"special.{name}", domain, **facts)


def _row(name: str, *calls: Call, optional: bool = True, **facts: Any) -> Row:
    return Row(f"special.{name}", calls, optional=optional, **facts)


def _x(domain: Domain = POSITIVE) -> Operand:
    return array(2, 3, domain=domain)


def _two(domain: Domain, second: Domain | None = None, number: float = 1.5) -> tuple[Call, ...]:
    """Two arrays that broadcast, and an array and a number."""
    second = second or domain
    return (
        call(array(2, 1, domain=domain), array(3, domain=second)),
        call(array(3, domain=domain), number),
        call(number, array(3, domain=second)),
    )


_REAL_ERF = {
    "cupy": "cupyx.scipy.special.erf takes real numbers",
    "torch": "torch.special.erf takes real numbers",
    "jax": "jax.scipy.special.erf takes real numbers",
}

ERROR = [
    _one("erf"),
    _one("erf", complex=True, real=False, unlike=_REAL_ERF),
    _one("erfc"),
    _one("erfcx"),
    _one("erfi"),
    _one("dawsn"),
    _one("erfinv", UNIT),
    _one("erfcinv", Domain(0.2, 1.8)),
    _one("ndtr"),
    _one("log_ndtr"),
    _one("ndtri", _HALF),
    _row("owens_t", *_two(REAL)),
    _one("ndtri_exp", Domain(-3.0, -0.3)),
]

GAMMA = [
    _one("gamma", Domain(0.4, 3.0)),
    _one("gammaln", Domain(0.4, 4.0)),
    _one("loggamma", Domain(0.4, 4.0)),
    # SciPy has no polygamma of complex numbers, which the second derivative is.
    _one(
        "loggamma",
        Domain(0.4, 4.0),
        complex=True,
        real=False,
        order=1,
        unlike={"jax": "jax.scipy.special.digamma, its derivative, takes real numbers"},
    ),
    _one("rgamma", Domain(-3.4, 3.0)),
    _one("gammasgn", NONZERO, order=0),
    _one("psi", Domain(0.4, 4.0)),
    _one("digamma", Domain(0.4, 4.0)),
    _one("factorial", Domain(0.2, 3.0)),
    _row("polygamma", call(0, _x(_LARGE)), call(1, _x(_LARGE)), call(3, array(4, domain=_LARGE))),
    _row("multigammaln", call(_x(_LARGE), 1), call(_x(_LARGE), 3)),
    _row("zeta", call(2.5, _x(_LARGE)), call(3.0, array(4, domain=_LARGE))),
    _row("beta", *_two(Domain(0.5, 3.0))),
    _row("betaln", *_two(Domain(0.5, 3.0))),
    _row("binom", *_two(Domain(3.1, 5.0), Domain(0.3, 2.8), 1.5)[:2], call(4.5, array(3))),
    _row("poch", *_two(Domain(0.5, 3.0))),
    _row("gammainc", call(2.5, _x()), call(0.5, _x()), call(1.0, array(4, domain=POSITIVE))),
    _row("gammaincc", call(2.5, _x())),
    _row("gammaincinv", call(2.5, _x(_HALF))),
    _row("gammainccinv", call(2.5, _x(_HALF))),
    _row("betainc", call(2.5, 0.7, _x(_HALF)), call(1.0, 1.0, array(3, domain=_HALF))),
    _row("betaincc", call(2.5, 0.7, _x(_HALF))),
    _row("betaincinv", call(2.5, 0.7, _x(_HALF))),
    _row("betainccinv", call(2.5, 0.7, _x(_HALF))),
]

BESSEL = [
    *(_one(name, Domain(-4.0, 4.0)) for name in ("j0", "j1", "i0", "i1")),
    *(_one(name, NONZERO) for name in ("i0e", "i1e")),
    *(_one(name, Domain(0.5, 4.0)) for name in ("y0", "y1", "k0", "k1", "k0e", "k1e")),
    *(
        _row(name, call(order, _x(Domain(0.6, 4.0))))
        for name, order in (("jv", 1.5), ("jn", 0.5), ("yv", 1.5), ("iv", 0.5), ("kv", 1.5))
    ),
    _row("ive", call(1.5, _x(Domain(0.6, 4.0)))),
    _row("kve", call(1.5, _x(Domain(0.6, 4.0)))),
    _row("struve", call(1.5, _x(Domain(0.6, 4.0)))),
    _row("modstruve", call(0.5, _x(Domain(0.6, 4.0)))),
    *(_row(name, call(3, _x(Domain(0.6, 4.0)))) for name in ("yn", "kn")),
]

MADE = [
    _one("lambertw", Domain(0.2, 3.0)),
    _one("lambertw", complex=True, real=False, unlike={"jax": "its lambertw takes real numbers"}),
    _made("entr", POSITIVE),
    _made("expit"),
    _made("log_expit"),
    _made("logit", _HALF),
    _made("exp2"),
    _made("exp10"),
    _made("exprel"),
    _made("expm1"),
    _made("log1p", POSITIVE),
    _made("cosm1"),
    _made("sinc"),
    _row("rel_entr", *_two(POSITIVE), optional=False),
    _row("kl_div", *_two(POSITIVE), optional=False),
    _row("xlogy", *_two(POSITIVE), optional=False),
    _row("xlog1py", *_two(POSITIVE), optional=False),
    _row(
        "logsumexp",
        call(array(2, 3)),
        call(array(2, 3), axis=1),
        call(array(2, 3), axis=0, keepdims=True),
        call(array(2, 3), axis=1, b=array(2, 3, domain=POSITIVE)),
        call(array(3), b=array(3, domain=Domain(-3.0, -1.0)), return_sign=True),
        optional=False,
    ),
    _row("softmax", call(array(2, 3)), call(array(2, 3), axis=1), optional=False),
    _row("log_softmax", call(array(2, 3)), call(array(2, 3), axis=0), optional=False),
    _row("boxcox", *_two(POSITIVE, Domain(-1.5, 1.5), 0.7), optional=False),
    _row("boxcox1p", *_two(POSITIVE, Domain(-1.5, 1.5), 0.7), optional=False),
    _row("inv_boxcox", *_two(_HALF, Domain(-0.9, 0.9), 0.7), optional=False),
    _row("inv_boxcox1p", *_two(_HALF, Domain(-0.9, 0.9), 0.7), optional=False),
    _row("huber", *_two(Domain(0.9, 1.1), NONZERO), optional=False),
    _row("pseudo_huber", *_two(Domain(0.9, 1.1), REAL), optional=False),
    _row("radian", call(array(3), array(3), array(3)), call(array(2), 30.0, 1.5), optional=False),
]

OTHER = [
    _one("cbrt", NONZERO),
    _one("sindg", Domain(-100.0, 100.0)),
    _one("cosdg", Domain(-100.0, 100.0)),
    _one("tandg", Domain(-60.0, 60.0)),
    _one("cotdg", Domain(20.0, 60.0)),
    _one("exp1", Domain(0.4, 3.0)),
    _one("expi", Domain(0.4, 3.0)),
    _row("expn", call(3, _x(Domain(0.4, 3.0)))),
    _one("spence", Domain(0.4, 3.0)),
    _one("ellipk", Domain(-0.8, 0.8)),
    _one("ellipkm1", Domain(0.2, 1.3)),
    _one("ellipe", Domain(-0.8, 0.8)),
    _row("hyp0f1", call(1.5, _x(REAL))),
    _row("hyp1f1", call(0.7, 1.5, _x(REAL))),
    _row("hyp2f1", call(0.7, 1.2, 2.5, _x(_NEAR))),
    _row("bdtr", call(2.0, given(5), _x(_HALF))),
    _row("bdtrc", call(2.0, given(5), _x(_HALF))),
    _row("chdtr", call(3.0, _x())),
    _row("chdtrc", call(3.0, _x())),
    _row("chdtri", call(3.0, _x(_HALF))),
    _row("fdtr", call(3.0, 5.0, _x())),
    _row("fdtrc", call(3.0, 5.0, _x())),
    _row("fdtri", call(3.0, 5.0, _x(_HALF))),
    _row("gdtr", call(1.5, 2.5, _x())),
    _row("gdtrc", call(1.5, 2.5, _x())),
    _row("nbdtr", call(given(2), given(3), _x(_HALF))),
    _row("nbdtrc", call(given(2), given(3), _x(_HALF))),
    _row("pdtr", call(2.0, _x())),
    _row("pdtrc", call(2.0, _x())),
    _row("pdtri", call(2, _x(_HALF))),
    _row("stdtr", call(3.5, _x(REAL))),
    _row("stdtrit", call(3.5, _x(_HALF))),
]

ROWS = [*ERROR, *GAMMA, *BESSEL, *MADE, *OTHER]

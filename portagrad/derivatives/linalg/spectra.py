"""Derivatives of eigenvalues, singular values and their vectors.

K = Vᵀ gV is how the function sees the eigenvectors turn into one another. Of an
orthogonal (unitary) V only the part counts that is antisymmetric (-Hermitian).
"""

from __future__ import annotations

import math
from typing import Any

from portagrad import array_api as xp
from portagrad.array_api.data_type import is_complex
from portagrad.array_api.linalg import factors
from portagrad.derivatives.linalg.gaps import (
    Limit,
    is_small,
    largest,
    narrow,
    over_gaps,
)
from portagrad.derivatives.linalg.matrices import (
    adjoint,
    as_dtype_of,
    conj,
    is_diagonal,
    on_diagonal,
    real,
    transpose,
)
from portagrad.derivatives.linalg.spectral import (
    columns,
    is_fixed,
    with_eigenvalues,
    with_hermitian,
    with_singular,
)


def _sandwich(left: Any, middle: Any, right: Any) -> Any:
    return xp.matmul(left, xp.matmul(middle, right))


# --- Hermitian matrices --------------------------------------------------------------


def _eigvalsh(g: Any, x: Any) -> Any:
    return conj(with_hermitian(x, g, fixed=is_fixed(g)))


def _zeros_for_none(g: list[Any], out: tuple[Any, ...]) -> list[Any]:
    """The cotangents, with zeros for results that nobody used."""
    return [xp.zeros_like(x) if each is None else each for each, x in zip(g, out, strict=True)]


def _eigh(g: list[Any], x: Any, out: tuple[Any, Any]) -> Any:
    if g[1] is None:
        return _eigvalsh(g[0], x)
    w, v = out
    gw, gv = _zeros_for_none(g, out)
    if w.shape[-1] == 0:
        return xp.matmul(v, gv)
    k = xp.matmul(transpose(v), gv)
    scale = largest(k)
    c = (k + adjoint(k)) / 4
    limit = _reassembled(c, w, gw, scale)
    # A zero diagonal shows nothing: a projector on some eigenvectors has it, too.
    shown = ~is_small(xp.linalg.diagonal(c)[..., None], scale)
    limit = limit._replace(holds=limit.holds & (shown | transpose(shown) | limit.unseen))
    turns = over_gaps((k - adjoint(k)) / 2, w, gw, scale, limit)
    return _sandwich(conj(v), turns + as_dtype_of(on_diagonal(gw), turns), transpose(v))


def _reassembled(c: Any, w: Any, gw: Any, scale: Any) -> Limit:
    """For functions of V diag(w) Vᴴ, c is w times the cotangent that w would have.

    Its diagonal shows whether this is such a function; the other elements are
    then what two equal eigenvalues contribute.
    """
    weighted = w * gw
    off = real(xp.linalg.diagonal(c)) - weighted
    fits = is_small(off[..., None], xp.maximum(scale, largest(weighted[..., None])))[..., 0]
    away = xp.abs(w)[..., None] > narrow(w)
    holds = fits[..., :, None] & fits[..., None, :] & away
    divisor = as_dtype_of(xp.where(away, w[..., None], 1.0), c)
    # Where w is 0, having used the vectors leaves no trace in c.
    return Limit(c / divisor, holds, is_small(c, scale), (scale == 0) & away)


# --- singular values ------------------------------------------------------------------


def _svdvals(g: Any, x: Any) -> Any:
    """A singular value 0 is a kink, as abs at 0: it contributes 0."""
    return conj(with_singular(x, g, fixed=is_fixed(g))) if 0 not in x.shape[-2:] else x * 0.0


def _svd(g: list[Any], x: Any, out: tuple[Any, Any, Any]) -> Any:
    """With A and B the antisymmetric parts of K for U and V, at i, j.

    (A s_j + s_i B) / (s_j² - s_i²) = (A + B) / 2(s_j - s_i) + (A - B) / 2(s_j + s_i),
    of which only the first term minds equal singular values.
    """
    if g[0] is None and g[2] is None:
        return _svdvals(g[1], x)
    u, s, vh = out
    gu, gs, gvh = _zeros_for_none(g, out)
    v, gv = adjoint(vh), adjoint(gvh)
    count = s.shape[-1]
    if count == 0:
        return xp.zeros_like(x)
    ku, kv = xp.matmul(transpose(u), gu), xp.matmul(transpose(v), gv)
    scale = xp.maximum(largest(ku), largest(kv))
    outside_u, gauge_u = _outside(u, gu, ku, count)
    outside_v, gauge_v = _outside(v, gv, kv, count)
    u, v = u[..., :count], v[..., :count]
    ku, kv = ku[..., :count, :count], kv[..., :count, :count]
    a, b = ku - adjoint(ku), kv - adjoint(kv)
    limit = _reassembled((ku + adjoint(ku) + kv + adjoint(kv)) / 4, s, gs, scale)
    same = is_small(ku + adjoint(ku) - kv - adjoint(kv), scale)
    limit = limit._replace(holds=limit.holds & same, unseen=limit.unseen & same)
    turns = over_gaps((a + b) / 2, s, gs, scale, limit)
    inner = turns + _over_sums(a - b, s, gs, scale) + as_dtype_of(on_diagonal(gs), turns)
    result = _sandwich(conj(u), inner, transpose(v))
    if outside_u is not None:
        result = result + xp.matmul(_over_values(outside_u, s, gs, scale), transpose(v))
    if outside_v is not None:
        result = result + xp.matmul(conj(u), adjoint(_over_values(outside_v, s, gs, scale)))
    gauges = [gauge for gauge in (gauge_u, gauge_v) if gauge is not None]
    for gauge in gauges:
        # Vectors beyond the singular values span a space, and are arbitrary in it.
        turned = xp.any(~is_small(gauge, scale), axis=(-2, -1), keepdims=True)
        result = xp.where(turned, math.nan, result)
    return result


def _outside(u: Any, gu: Any, k: Any, count: int) -> tuple[Any, Any]:
    """How the singular vectors' cotangents point out of the space these span.

    And, where U is square because it was asked for, how the others turn among
    themselves. None where there is no outside.
    """
    if u.shape[-2] == count:
        return None, None
    if u.shape[-1] == count:
        return gu - xp.matmul(conj(u), k), None
    turns = k - adjoint(k)
    return xp.matmul(conj(u[..., count:]), turns[..., count:, :count]), turns[..., count:, count:]


def _over_sums(n: Any, s: Any, gs: Any, scale: Any) -> Any:
    """n_ij / 2(s_j + s_i); where both are 0 the function must not look, or it is nan."""
    total = s[..., None, :] + s[..., :, None]
    zero = total <= narrow(s)
    seen = xp.abs(gs)[..., None, :] + xp.abs(gs)[..., :, None]
    unseen = is_small(n, scale) & ((seen == 0) | is_diagonal(n))
    regular = n / as_dtype_of(xp.where(zero, 1.0, total * 2), n)
    return xp.where(zero, xp.where(unseen, xp.zeros_like(n), math.nan), regular)


def _over_values(n: Any, s: Any, gs: Any, scale: Any) -> Any:
    """n_ij / s_j; where that is 0 the function must not look, or it is nan."""
    s, gs = s[..., None, :], gs[..., None, :]
    zero = s == 0
    unseen = is_small(n, scale) & (gs == 0)
    regular = n / as_dtype_of(xp.where(zero, 1.0, s), n)
    return xp.where(zero, xp.where(unseen, xp.zeros_like(n), math.nan), regular)


# --- any square matrices ---------------------------------------------------------------


def _eigvals(g: Any, x: Any) -> Any:
    return transpose(with_eigenvalues(x, g, fixed=is_fixed(g)))


def _eig(g: list[Any], x: Any, out: tuple[Any, Any]) -> Any:
    """Each eigenvector has norm 1, which takes a multiple of itself from its change."""
    if g[1] is None:
        return _eigvals(g[0], x)
    w, v = out
    gw, gv = _zeros_for_none(g, out)
    if w.shape[-1] == 0:
        return xp.zeros_like(x)
    k = xp.matmul(transpose(v), gv)
    own = xp.linalg.diagonal(k)
    overlaps = conj(xp.matmul(adjoint(v), v))
    turns = k - columns(overlaps, as_dtype_of(xp.real(own), k))
    phases = as_dtype_of(xp.imag(own), k) * 1j
    if not is_complex(x):  # an eigenvector that is real stays real: its phase is fixed
        phases = xp.where(xp.equal(xp.imag(w), 0.0), 0.0, phases)
    turns = xp.where(is_diagonal(k), on_diagonal(phases), turns)
    middle = over_gaps(turns, w, gw, largest(k)) + on_diagonal(gw)
    return xp.linalg.solve(transpose(v), xp.matmul(middle, transpose(v)))


for _several in (factors.eig, factors.eigh, factors.svd):
    _several.primitive.takes_none = True  # of the values alone more is known

factors.eig.defvjp(x=_eig)
factors.eigh.defvjp(x=_eigh)
factors.svd.defvjp(x=_svd)
xp.linalg.eigvals.defvjp(x=_eigvals)
xp.linalg.eigvalsh.defvjp(x=_eigvalsh)
xp.linalg.svdvals.defvjp(x=_svdvals)

"""scipy.integrate, scipy.differentiate, scipy.optimize and scipy.spatial.transform."""

import itertools

import array_api_compat
import numpy as np
import pytest

import portagrad as pg

pytest.importorskip("scipy")
from scipy import differentiate, integrate, optimize, stats
from scipy.optimize import elementwise
from scipy.spatial.transform import RigidTransform, Rotation, Slerp

POSITIVE = np.asarray([0.7, 1.9, 0.3, 2.6, 1.1])
SHARE = np.asarray([0.2, 0.5, 0.35, 0.8, 0.65])
SAMPLE = np.sin(np.arange(24.0) * 1.3) + 0.02 * np.arange(24.0) ** 1.5
QUATERNIONS = np.asarray([[0.1, 0.7, -0.3, 0.6], [0.5, 0.2, 0.4, 0.8]])
VECTORS = np.asarray([[0.4, -0.2, 0.7], [1.2, 0.3, -0.5]])
POINTS = np.asarray([[1.3, 0.2, 0.7], [0.4, 2.1, 0.5], [0.6, 0.9, 1.7]])


def space(x):
    return array_api_compat.array_namespace(x)


def like(x, values):
    return space(x).asarray(values)


def bracket(x):
    return like(x, np.zeros(5) - 1), like(x, POSITIVE + 0.1), like(x, np.ones(5) * 5)


CALLS = {
    "trapezoid": (lambda x: integrate.trapezoid(x, dx=0.3), SAMPLE),
    "trapezoid of x": (lambda x: integrate.trapezoid(like(x, POSITIVE), x), POSITIVE),
    "cumulative_trapezoid": (lambda x: integrate.cumulative_trapezoid(x, initial=0), SAMPLE),
    "cumulative_simpson": (lambda x: integrate.cumulative_simpson(x, dx=0.5), SAMPLE),
    "cumulative_simpson of x": (
        lambda x: integrate.cumulative_simpson(like(x, POSITIVE), x=x),
        np.cumsum(POSITIVE),
    ),
    "romb": (integrate.romb, SAMPLE[:17]),
    "tanhsinh": (
        lambda x: (
            integrate.tanhsinh(
                lambda t, a: space(t).exp(-a * t * t), like(x, 0.0), like(x, 2.0), args=(x,)
            ).integral
        ),
        POSITIVE,
    ),
    "tanhsinh of a limit": (
        lambda x: integrate.tanhsinh(lambda t: space(t).exp(-t * t), like(x, 0.0), x).integral,
        POSITIVE,
    ),
    "nsum": (
        lambda x: (
            integrate.nsum(lambda k, p: 1 / k**p, like(x, 1.0), like(x, 50.0), args=(x + 2,)).sum
        ),
        POSITIVE,
    ),
    "cubature": (
        lambda x: (
            integrate.cubature(
                lambda t: space(t).exp(-x[0] * t[:, 0] ** 2) * t[:, 1] * x[1],
                like(x, [0.0, 0.0]),
                like(x, [1.0, 2.0]),
            ).estimate
        ),
        POSITIVE,
    ),
    "qmc_quad": (
        lambda x: (
            integrate.qmc_quad(
                lambda t: space(t).exp(-x[0] * space(t).sum(t * t, axis=0)),
                like(x, [0.0, 0.0]),
                like(x, [1.0, 1.0]),
                n_points=64,
                qrng=stats.qmc.Halton(2, seed=1),
            ).integral
        ),
        POSITIVE,
    ),
    "derivative": (
        lambda x: differentiate.derivative(lambda t: space(t).exp(t) * t, x).df,
        POSITIVE,
    ),
    "derivative of an argument": (
        lambda x: (
            differentiate.derivative(lambda t, a: space(t).sin(a * t), like(x, 0.5), args=(x,)).df
        ),
        POSITIVE,
    ),
    "jacobian": (
        lambda x: (
            differentiate.jacobian(
                lambda t: space(t).stack([t[0, ...] ** 2 * t[1, ...], t[1, ...] ** 3]), x
            ).df
        ),
        POSITIVE[:2],
    ),
    "hessian": (
        lambda x: differentiate.hessian(lambda t: t[0, ...] ** 2 * t[1, ...] ** 3, x).ddf,
        POSITIVE[:2],
    ),
    "find_root": (
        lambda x: (
            elementwise.find_root(
                lambda t, a: t * t * t - a,
                (like(x, np.zeros(5)), like(x, np.ones(5) * 3)),
                args=(x,),
            ).x
        ),
        POSITIVE,
    ),
    "find_minimum": (
        lambda x: (
            elementwise.find_minimum(lambda t, a: (t - a) ** 2 + a * a, bracket(x), args=(x,)).f_x
        ),
        POSITIVE,
    ),
    "bracket_root": (
        lambda x: (
            elementwise.bracket_root(
                lambda t, a: t * t * t - a, like(x, np.zeros(5)), args=(x,)
            ).bracket[1]
            * x
        ),
        POSITIVE,
    ),
    "bracket_minimum": (
        lambda x: (
            elementwise.bracket_minimum(
                lambda t, a: (t - a) ** 2, like(x, np.zeros(5)), args=(x,)
            ).bracket[1]
            * x
        ),
        POSITIVE,
    ),
    "rosen": (optimize.rosen, POSITIVE),
    "rosen_der": (optimize.rosen_der, POSITIVE),
    "rosen_hess": (optimize.rosen_hess, POSITIVE),
    "rosen_hess_prod": (lambda x: optimize.rosen_hess_prod(x, like(x, SHARE)), POSITIVE),
    "as_matrix": (lambda x: Rotation.from_quat(x).as_matrix(), QUATERNIONS),
    "from_matrix": (lambda x: Rotation.from_matrix(x).as_quat(), POINTS),
    "from_rotvec": (lambda x: Rotation.from_rotvec(x).as_quat(), VECTORS),
    "as_rotvec": (lambda x: Rotation.from_quat(x).as_rotvec(), QUATERNIONS),
    "from_euler": (lambda x: Rotation.from_euler("xyz", x).as_matrix(), VECTORS),
    "as_euler": (lambda x: Rotation.from_quat(x).as_euler("zyx"), QUATERNIONS),
    "from_mrp": (lambda x: Rotation.from_mrp(x).as_matrix(), VECTORS),
    "as_mrp": (lambda x: Rotation.from_quat(x).as_mrp(), QUATERNIONS),
    "from_davenport": (
        lambda x: Rotation.from_davenport(like(x, np.eye(3)), "extrinsic", x).as_quat(),
        VECTORS,
    ),
    "apply": (lambda x: Rotation.from_rotvec(x).apply(like(x, [1.0, 2.0, 3.0])), VECTORS),
    "apply to x": (lambda x: Rotation.from_rotvec(like(x, VECTORS)).apply(x), VECTORS),
    "product": (
        lambda x: (Rotation.from_rotvec(x) * Rotation.from_rotvec(x[::-1, :])).as_quat(),
        VECTORS,
    ),
    "power": (lambda x: (Rotation.from_rotvec(x) ** 0.4).as_matrix(), VECTORS),
    "inv": (lambda x: Rotation.from_rotvec(x).inv().as_rotvec(), VECTORS),
    "magnitude": (lambda x: Rotation.from_rotvec(x).magnitude(), VECTORS),
    "mean": (lambda x: Rotation.from_rotvec(x).mean().as_quat(), VECTORS),
    "align_vectors": (
        lambda x: Rotation.align_vectors(x, like(x, POINTS))[0].as_matrix(),
        POINTS + np.eye(3) * 0.3,
    ),
    "Slerp": (
        lambda x: Slerp(like(x, [0.0, 1.0]), Rotation.from_rotvec(x))(
            like(x, [0.3, 0.6])
        ).as_matrix(),
        VECTORS,
    ),
    "Slerp of t": (
        lambda x: Slerp(like(x, [0.0, 1.0]), Rotation.from_rotvec(like(x, VECTORS)))(x).as_matrix(),
        SHARE,
    ),
    "RigidTransform": (
        lambda x: RigidTransform.from_components(x[0, :], Rotation.from_rotvec(x[1, :])).apply(
            like(x, [1.0, 2.0, 3.0])
        ),
        VECTORS,
    ),
    "RigidTransform exp": (
        lambda x: RigidTransform.from_exp_coords(x).as_matrix(),
        np.asarray([0.1, 0.5, -0.3, 0.4, 0.7, 0.2]),
    ),
    "RigidTransform log": (
        lambda x: RigidTransform.from_components(
            x[0, :], Rotation.from_rotvec(x[1, :])
        ).as_exp_coords(),
        VECTORS,
    ),
}
for _rule in ("gk15", "gk21", "genz-malik"):
    CALLS[f"cubature, {_rule}"] = (
        (
            lambda x, rule=_rule: (
                integrate.cubature(
                    lambda t: space(t).exp(-x[0] * t[:, 0] ** 2) * space(t).cos(t[:, 1] * x[1]),
                    like(x, [0.0, 0.0]),
                    like(x, [1.0, 2.0]),
                    rule=rule,
                ).estimate
            )
        ),
        POSITIVE,
    )
for _direction in (-1, 0, 1):
    CALLS[f"derivative to {_direction}"] = (
        (
            lambda x, d=_direction: (
                differentiate.derivative(space(x).exp, x, step_direction=like(x, d)).df
            )
        ),
        POSITIVE,
    )
CALLS |= {
    "tanhsinh, log": (
        lambda x: (
            integrate.tanhsinh(
                lambda t, a: -a * t * t, like(x, 0.0), like(x, 1.0), args=(x,), log=True
            ).integral
        ),
        POSITIVE,
    ),
    "tanhsinh, backwards": (
        lambda x: integrate.tanhsinh(space(x).cos, x, like(x, 0.0)).integral,
        POSITIVE,
    ),
    "nsum, log": (
        lambda x: (
            integrate.nsum(
                lambda k, p: -p * space(k).log(k),
                like(x, 1.0),
                like(x, 30.0),
                args=(x + 2,),
                log=True,
            ).sum
        ),
        POSITIVE,
    ),
    "cubature of a limit": (
        lambda x: (
            integrate.cubature(
                lambda t: space(t).exp(-(t[:, 0] ** 2)) * t[:, 1], like(x, [0.0, 0.0]), x[:2]
            ).estimate
        ),
        POSITIVE,
    ),
    "cubature to infinity": (
        lambda x: (
            integrate.cubature(
                lambda t: space(t).exp(-x[0] * t[:, 0] ** 2),
                like(x, [-np.inf]),
                like(x, [np.inf]),
            ).estimate
        ),
        POSITIVE,
    ),
    "cumulative_simpson, initial": (
        lambda x: integrate.cumulative_simpson(x, initial=x[0]),
        SAMPLE,
    ),
    "jacobian of points": (
        lambda x: differentiate.jacobian(lambda t: t[0, ...] ** 2 * t[1, ...] + t[2, ...], x).df,
        POINTS[:, :2],
    ),
    "fixed_quad": (
        lambda x: integrate.fixed_quad(lambda t: np.exp(-x[0] * t), 0.0, x[1])[0],
        POSITIVE,
    ),
    "newton": (
        lambda x: optimize.newton(lambda t: t**3 - x[0], 1.0, fprime=lambda t: 3 * t**2),
        POSITIVE,
    ),
    "brent": (lambda x: optimize.brent(lambda t: (t - x[0]) ** 2), POSITIVE),
    "rosen of points": (optimize.rosen, POINTS),
    "small rotations": (lambda x: Rotation.from_rotvec(x * 1e-4).as_matrix(), VECTORS),
    "canonical": (lambda x: Rotation.from_quat(-x).as_quat(canonical=True), QUATERNIONS),
    "mean of weights": (
        lambda x: Rotation.from_rotvec(like(x, VECTORS)).mean(weights=x[:2]).as_matrix(),
        SHARE,
    ),
    "align_vectors of weights": (
        lambda x: Rotation.align_vectors(
            like(x, POINTS), like(x, POINTS[::-1] + np.eye(3)), weights=x[:3]
        )[0].as_matrix(),
        SHARE,
    ),
    "from_dual_quat": (
        lambda x: RigidTransform.from_dual_quat(x).as_matrix(),
        np.asarray([0.1, 0.7, -0.3, 0.6, 0.2, 0.1, 0.4, 0.3]),
    ),
}
#: Computes what it then leaves out: nan or inf, with an infinite slope.
MASKED = {
    "tanhsinh to infinity": (
        lambda x: (
            integrate.tanhsinh(
                lambda t, a: space(t).exp(-a * t * t),
                like(x, -np.inf),
                like(x, np.inf),
                args=(x,),
            ).integral
        ),
        POSITIVE,
    ),
    "tanhsinh from a limit to infinity": (
        lambda x: integrate.tanhsinh(lambda t: space(t).exp(-t * t), x, like(x, np.inf)).integral,
        POSITIVE,
    ),
    "nsum to infinity": (
        lambda x: (
            integrate.nsum(lambda k, p: 1 / k**p, like(x, 1.0), like(x, np.inf), args=(x + 2,)).sum
        ),
        POSITIVE,
    ),
}


def cubic(x):
    """t³ - x₀ as SciPy's root finders in C can be given it.

    Once a result could not be made a number they call again with that exception set, and what
    Python does then is anybody's guess: looking up an attribute may fail.
    """
    calls = itertools.count()
    return lambda t: t**3 - x[0] if isinstance(x, np.ndarray) or next(calls) == 0 else t


REFUSED = {
    "golden": (lambda x: optimize.golden(lambda t: (t - x[0]) ** 2), POSITIVE),
    "quad": (lambda x: integrate.quad(lambda t: np.exp(-x[0] * t), 0, 1)[0], POSITIVE),
    "odeint": (lambda x: integrate.odeint(lambda y, t: -y, x, [0.0, 1.0])[-1], POSITIVE),
    "brentq": (lambda x: optimize.brentq(cubic(x), 0.0, 3.0), POSITIVE),
    "least_squares": (lambda x: optimize.least_squares(lambda t: t - x, np.zeros(5)).x, POSITIVE),
    "simpson": (integrate.simpson, SAMPLE[:7]),
    "minimize": (lambda x: optimize.minimize(optimize.rosen, x).fun, POSITIVE),
    "root_scalar": (
        lambda x: optimize.root_scalar(cubic(x), bracket=(0, 3)).root,
        POSITIVE,
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_differentiable(is_differentiable, name):
    is_differentiable(*CALLS[name])


@pytest.mark.parametrize("name", MASKED)
def test_differentiable_in_what_is_kept(is_differentiable, name):
    with pg.absorbing_zeros():
        is_differentiable(*MASKED[name])


@pytest.mark.parametrize("name", REFUSED)
def test_refused(is_refused, name):
    is_refused(*REFUSED[name])

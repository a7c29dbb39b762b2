"""Random compositions of transforms, held to an oracle that has nothing of portagrad in it.

    python -m tests.autograd.test_compositions FIRST COUNT

tries more of them than the test does.
"""

import random
import sys
import warnings

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from tests.autograd import nested_duals as oracle
from tests.autograd.nested_duals import each, exp, log, plain, plus, scaled, sin, sqrt, tanh, times
from tests.autograd.nested_duals import total as osum

M = np.asarray([[0.4, -0.3, 0.2], [0.1, 0.5, -0.6], [-0.2, 0.3, 0.7]])
V, U, S = np.asarray([0.3, -0.5, 0.8]), np.asarray([1.0, 0.4, -0.2]), np.asarray([0.6, 1.1])
Ml, Vl, Ul, Sl = M.tolist(), V.tolist(), U.tolist(), S.tolist()

# --- functions of a vector, each beside what it computes on a list of numbers --------------------


def assigned(x):
    y = x * 1.0
    y[0] = y[1] * y[2]
    y[1:] *= x[0]
    y[np.asarray([2])] += xp.sin(x[:1])
    return y


def assigned_list(x):
    return [x[1] * x[2], x[1] * x[0], x[2] * x[0] + sin(x[0])]


def through_views(x):
    y = xp.reshape(xp.concat([x, x * 0.5]), (2, 3))
    row = y[1]
    row[:] = row * y[0]
    y[0, 1] = row[2]
    return y[0] + y[1]


def through_views_list(x):
    row = [0.5 * a * a for a in x]
    return [x[0] + row[0], row[2] + row[1], x[2] + row[2]]


def through_complex(x):
    z = x + 1j * x[::-1]
    w = z * z * xp.exp(1j * x * 0.5) / (2.0 + xp.conj(z) * z)
    return xp.real(w) + xp.imag(w) * 0.5 + xp.abs(z + 1.5) * 0.1


def through_complex_list(x):
    out = []
    for a, b in zip(x, x[::-1], strict=True):
        re, im, c, s = a * a - b * b, 2.0 * a * b, oracle.cos(0.5 * a), sin(0.5 * a)
        size = 2.0 + a * a + b * b
        far = sqrt((a + 1.5) * (a + 1.5) + b * b)
        out.append((re * c - im * s) / size + (re * s + im * c) / size * 0.5 + far * 0.1)
    return out


def looped(x):
    y = x
    for k in range(3):
        y = xp.sin(y) * (k + 1) + x if k % 2 else y * 0.7
    return y


def solved(x):
    matrix = xp.eye(3) * 2.0 + M * 0.3 + xp.expand_dims(x, axis=1) * 0.1 * x
    return xp.linalg.solve(matrix, x)


def solved_list(x):
    a = [[2.0 * (i == j) + Ml[i][j] * 0.3 + x[i] * 0.1 * x[j] for j in range(3)] for i in range(3)]
    b = list(x)
    for i in range(3):
        for r in range(i + 1, 3):
            factor = a[r][i] / a[i][i]
            a[r] = [p - factor * q for p, q in zip(a[r], a[i], strict=True)]
            b[r] = b[r] - factor * b[i]
    for i in (2, 1, 0):
        for c in range(i + 1, 3):
            b[i] = b[i] - a[i][c] * b[c]
        b[i] = b[i] / a[i][i]
    return b


def spread(x):
    mean = osum(x) / 3.0
    return sqrt(osum([(a - mean) * (a - mean) for a in x]) / 3.0)


def softmax_list(x):
    e = each(exp, x)
    return [a / osum(e) for a in e]


def by_matrix(x):
    return [osum(times(row, x)) for row in Ml]


BASE = {
    "sine": (lambda x: xp.sin(x) * x[::-1], lambda x: times(each(sin, x), x[::-1])),
    "exp": (
        lambda x: xp.exp(x * 0.3) * xp.sum(x),
        lambda x: [exp(0.3 * a) * osum(x) for a in x],
    ),
    "running sum": (
        lambda x: xp.tanh(x) + xp.cumulative_sum(x * x) * 0.1,
        lambda x: [tanh(a) + osum(times(x, x)[: i + 1]) * 0.1 for i, a in enumerate(x)],
    ),
    "matmul": (lambda x: xp.matmul(M, x) ** 2, lambda x: times(by_matrix(x), by_matrix(x))),
    "softmax": (lambda x: pg.kernels.softmax(x) * x, lambda x: times(softmax_list(x), x)),
    "where": (
        lambda x: xp.where(x > 0.15, x * x * x, xp.sin(x)),
        lambda x: [a * a * a if plain(a) > 0.15 else sin(a) for a in x],
    ),
    "concat": (
        lambda x: xp.concat([x[1:] * x[0], xp.sqrt(x[:1] ** 2 + 1)]),
        lambda x: [x[1] * x[0], x[2] * x[0], sqrt(x[0] * x[0] + 1.0)],
    ),
    "roll": (
        lambda x: x / (1.0 + xp.roll(x, 1) ** 2),
        lambda x: [a / (1.0 + b * b) for a, b in zip(x, [x[-1], *x[:-1]], strict=True)],
    ),
    "norm": (
        lambda x: x / xp.sqrt(xp.sum(x * x) + 0.5),
        lambda x: [a / sqrt(osum(times(x, x)) + 0.5) for a in x],
    ),
    "assigned": (assigned, assigned_list),
    "views": (through_views, through_views_list),
    "complex": (through_complex, through_complex_list),
    "loop": (
        looped,
        lambda x: scaled([sin(0.7 * a) * 2.0 + a for a in x], 0.7),
    ),
    "sort": (lambda x: xp.sort(x) * x, lambda x: times(sorted(x, key=plain), x)),
    "max": (
        lambda x: xp.max(x) * xp.sin(x) + xp.prod(x),
        lambda x: [max(x, key=plain) * sin(a) + x[0] * x[1] * x[2] for a in x],
    ),
    "logsumexp": (
        lambda x: xp.logsumexp(x * 2.0) * x - xp.std(x),
        lambda x: [log(osum([exp(2.0 * b) for b in x])) * a - spread(x) for a in x],
    ),
    "stopped": (
        lambda x: xp.sin(x) * pg.stop_gradient(x * x) + x,
        lambda x: [sin(a) * plain(a) ** 2 + a for a in x],
    ),
    "einsum": (
        lambda x: xp.einsum("i,ij,j->i", x, M, x),
        lambda x: times(x, by_matrix(x)),
    ),
    "solve": (solved, solved_list),
}

# --- transforms: from a function and its oracle to another function and its oracle ---------------

TRANSFORMS = {}


def transform(make):
    TRANSFORMS[make.__name__] = make
    return make


@transform
def jvp_along_itself(f, o):
    return (
        lambda x: pg.jvp(f, (x,), (xp.sin(x),))[1],
        lambda x: oracle.jvp(o, x, each(sin, x)),
    )


@transform
def jvp_of_two(f, o):
    return (
        lambda x: pg.jvp(lambda a, b: f(a) * b + a * x, (x, xp.cos(x)), (V, x * 0.5))[1],
        lambda x: oracle.jvp(
            lambda v: plus(times(o(v[:3]), v[3:]), times(v[:3], x)),
            x + each(oracle.cos, x),
            Vl + scaled(x, 0.5),
        ),
    )


@transform
def vjp_of_itself(f, o):
    return lambda x: pg.vjp(f, x)[1](x * 0.5)[0], lambda x: oracle.vjp(o, x, scaled(x, 0.5))


@transform
def vjp_with_aux(f, o):
    def ours(x):
        value, pullback, aux = pg.vjp(lambda z: (f(z), {"k": z * x}), x, has_aux=True)
        return pullback(value)[0] + aux["k"]

    return ours, lambda x: plus(oracle.vjp(o, x, o(x)), times(x, x))


@transform
def grad_over_a_variable(f, o):
    def theirs(x):
        fixed = o(x)
        return oracle.grad(lambda z: osum(times(o(z), fixed, z)), x)

    return lambda x: pg.grad(lambda z: xp.sum(f(z) * f(x) * z))(x), theirs


@transform
def grad_of_two(f, o):
    def theirs(x):
        both = oracle.grad(lambda v: osum(times(o(v[:3]), each(sin, v[3:]))), x + o(x))
        return plus(both[:3], both[3:])

    return (
        lambda x: sum(pg.grad(lambda a, b: xp.sum(f(a) * xp.sin(b)), (0, 1))(x, f(x))),
        theirs,
    )


@transform
def grad_of_the_last(f, o):
    return (
        lambda x: pg.grad(lambda c, z, *, k: xp.sum(f(z) * c) * k, -1)(x * x, x, k=2.0),
        lambda x: oracle.grad(lambda z: osum(times(o(z), times(x, x))) * 2.0, x),
    )


@transform
def grad_with_aux(f, o):
    def ours(x):
        both = pg.value_and_grad(lambda z: (xp.sum(f(z) ** 2) * 0.5, (z * x,)), has_aux=True)
        (value, (aux,)), gradient = both(x)
        return gradient + aux * 0.1 + value

    def theirs(x):
        energy = lambda z: osum(times(o(z), o(z))) * 0.5  # noqa: E731
        value = energy(x)
        return [g + a * a * 0.1 + value for g, a in zip(oracle.grad(energy, x), x, strict=True)]

    return ours, theirs


@transform
def grad_of_a_tree(f, o):
    def ours(x):
        g = pg.grad(lambda t: xp.sum(f(t["a"]) * t["b"][0] * t["c"][1]))(
            {"a": x, "b": (f(x),), "c": [x, 2.0 * x]}
        )
        return g["a"] + g["b"][0] + g["c"][1] + g["c"][0]

    def theirs(x):
        g = oracle.grad(lambda v: osum(times(o(v[:3]), v[3:6], v[6:])), x + o(x) + scaled(x, 2.0))
        return plus(g[:3], g[3:6], g[6:])

    return ours, theirs


@transform
def forward_jacobian(f, o):
    return lambda x: xp.matmul(pg.jacfwd(f)(x), x), lambda x: oracle.jvp(o, x, x)


@transform
def reverse_jacobian(f, o):
    return lambda x: xp.matmul(x, pg.jacrev(f)(x)), lambda x: oracle.vjp(o, x, x)


@transform
def diagonal_of_a_jacobian(f, o):
    return (
        lambda x: xp.linalg.diagonal(pg.jacobian(f)(x)),
        lambda x: [row[i] for i, row in enumerate(oracle.jacobian(o, x))],
    )


@transform
def hvp(f, o):
    return (
        lambda x: pg.hvp(lambda z: xp.sum(f(z) * z), (x,), (x * 0.3,)) * 0.3,
        lambda x: scaled(
            oracle.jvp(lambda y: oracle.grad(lambda z: osum(times(o(z), z)), y), x, scaled(x, 0.3)),
            0.3,
        ),
    )


@transform
def hessian(f, o):
    return (
        lambda x: xp.matmul(pg.hessian(lambda z: xp.sum(f(z) * U))(x), V),
        lambda x: oracle.jvp(lambda y: oracle.grad(lambda z: osum(times(o(z), Ul)), y), x, Vl),
    )


@transform
def linearize(f, o):
    def ours(x):
        value, push = pg.linearize(f, x)
        return push(x) + push(V) * value

    return ours, lambda x: plus(oracle.jvp(o, x, x), times(oracle.jvp(o, x, Vl), o(x)))


@transform
def vmap(f, o):
    return (
        lambda x: xp.sum(pg.vmap(f)(xp.stack([x, x * 0.5])), axis=0),
        lambda x: plus(o(x), o(scaled(x, 0.5))),
    )


@transform
def vmap_over_other_axes(f, o):
    def ours(x):
        mapped = pg.vmap(lambda a, b: f(a) * b, in_axes=(-1, None), out_axes=-1)
        return xp.sum(mapped(xp.stack([x, x * 0.5], axis=-1), x), axis=-1)

    return ours, lambda x: plus(times(o(x), x), times(o(scaled(x, 0.5)), x))


@transform
def vmap_over_a_variable(f, o):
    return (
        lambda x: xp.mean(pg.vmap(lambda s: f(x * s))(S), axis=0),
        lambda x: scaled(plus(*[o(scaled(x, s)) for s in Sl]), 0.5),
    )


@transform
def vmap_of_grad(f, o):
    def ours(x):
        one = pg.grad(lambda z, c: xp.sum(f(z * c) * x))
        return xp.sum(pg.vmap(one, in_axes=(None, 0))(x, S), axis=0)

    return ours, lambda x: plus(
        *[oracle.grad(lambda z, s=s: osum(times(o(scaled(z, s)), x)), x) for s in Sl]
    )


@transform
def vmap_of_trees(f, o):
    def ours(x):
        mapped = pg.vmap(
            lambda t: {"p": f(t["a"]) * t["b"][0], "q": t["b"][0] * x},
            in_axes=({"a": 0, "b": (1,)},),
            out_axes={"p": 0, "q": 0},
        )
        out = mapped({"a": xp.stack([x, x]), "b": (xp.stack([x, x * 2.0], axis=1),)})
        return out["p"][0] + out["q"][1]

    return ours, lambda x: plus(times(o(x), x), times(scaled(x, 2.0), x))


@transform
def vmap_of_vmap(f, o):
    def ours(x):
        inner = pg.vmap(lambda a, s: f(a) * s, in_axes=(None, 0))
        return pg.vmap(inner, in_axes=(0, None))(xp.stack([x, x * 0.5]), S)[1, 0, :]

    return ours, lambda x: scaled(o(scaled(x, 0.5)), Sl[0])


@transform
def one_by_one(f, o):
    def ours(x):
        rows = pg.map(lambda a, b: f(a) * b, xp.stack([x, x * 0.5]), x, in_axes=(0, None))
        return xp.sum(rows, axis=0)

    return ours, lambda x: plus(times(o(x), x), times(o(scaled(x, 0.5)), x))


@transform
def checkpoint(f, o):
    return pg.checkpoint(f), o


@transform
def checkpoint_over_a_variable(f, o):
    return lambda x: pg.checkpoint(lambda z: f(z) * x)(x), lambda x: times(o(x), x)


@transform
def checkpoint_of_no_argument(f, o):
    return lambda x: pg.checkpoint(lambda: f(x) * 2.0)(), lambda x: scaled(o(x), 2.0)


@transform
def checkpoint_of_a_constant_too(f, o):
    return (
        lambda x: pg.checkpoint(lambda z, c: {"r": f(z) * c, "n": 3})(x[::-1], V)["r"],
        lambda x: times(o(x[::-1]), Vl),
    )


@transform
def custom_vjp(f, o):
    stated = pg.custom_vjp(f)
    stated.defvjp(lambda x: (f(x), {"x": x}), lambda kept, g: (pg.vjp(f, kept["x"])[1](g)[0],))
    return stated, o


@transform
def custom_vjp_of_two(f, o):
    stated = pg.custom_vjp(lambda a, b: f(a) * b)

    def forward(a, b):
        value = f(a)
        return value * b, (a, b, value)

    def backward(kept, g):
        a, b, value = kept
        return pg.vjp(f, a)[1](g * b)[0], g * value

    stated.defvjp(forward, backward)
    return lambda x: stated(x, b=xp.sin(x)), lambda x: times(o(x), each(sin, x))


@transform
def custom_jvp(f, o):
    stated = pg.custom_jvp(f)
    stated.defjvp(lambda primals, tangents: pg.jvp(f, primals, tangents))
    return stated, o


@transform
def custom_jvp_of_a_tree(f, o):
    stated = pg.custom_jvp(lambda t: f(t["a"]) * t["b"])

    @stated.defjvp
    def _(primals, tangents):
        ((t,), (dt,)) = primals, tangents
        value, moved = pg.jvp(f, (t["a"],), (dt["a"],))
        return value * t["b"], moved * t["b"] + value * dt["b"]

    return lambda x: stated({"a": x, "b": x * x}), lambda x: times(o(x), x, x)


@transform
def stop_gradient(f, o):
    return (
        lambda x: f(pg.stop_gradient(x) * 0.5 + x * 0.5) + x * pg.stop_gradient(f(x)),
        lambda x: plus(
            o([plain(a) * 0.5 + a * 0.5 for a in x]),
            [a * plain(b) for a, b in zip(x, o(x), strict=True)],
        ),
    )


@transform
def composition(f, o):
    return lambda x: f(xp.tanh(f(x))), lambda x: o(each(tanh, o(x)))


@transform
def assignment(f, o):
    def ours(x):
        y = f(x) + 0.0 * x  # f may be constant, and nothing traced goes into a plain array
        y[1:] = y[:-1] * x[1:]
        y[0] += 1.0
        y *= x
        return y

    def theirs(x):
        y = o(x)
        return times([y[0] + 1.0, y[0] * x[1], y[1] * x[2]], x)

    return ours, theirs


@transform
def control_flow(f, o):
    def ours(x):
        for k in range(2):
            x = f(x) * 0.5 if k else xp.sin(x)
        return x

    return ours, lambda x: scaled(o(each(sin, x)), 0.5)


@transform
def jit(f, o):
    return pg.jit(f), o


@transform
def fixed_point(f, o):
    def theirs(x):
        p = o(x)
        y = list(p)
        for _ in range(60):
            y = [tanh(a) * 0.2 + b for a, b in zip(y, p, strict=True)]
        return y

    return (
        lambda x: pg.fixed_point(lambda y, p: 0.2 * xp.tanh(y) + p, xp.zeros_like(x), f(x)),
        theirs,
    )


# --- the test -----------------------------------------------------------------------------------


def drawn(seed):
    """A composition, where it is evaluated, and what it is made of."""
    chooser = random.Random(seed)
    path = [chooser.choice(list(BASE))]
    f, o = BASE[path[0]]
    for _ in range(chooser.randint(2, 4)):
        path.append(chooser.choice(list(TRANSFORMS)))
        f, o = TRANSFORMS[path[-1]](f, o)
    x = [chooser.uniform(0.2, 0.9) * chooser.choice([1, 1, -1]) for _ in range(3)]
    return f, o, x, path


def impossible(path):
    """A solver's loop depends on values, so that nothing above it can be recorded."""
    return "fixed_point" in path and "jit" in path[path.index("fixed_point") :]


def compare(seed):
    f, o, x, path = drawn(seed)
    if impossible(path):
        return "impossible"
    try:
        expected = np.asarray([float(plain(a)) for a in o(list(x))])
    except (OverflowError, ZeroDivisionError, ValueError):
        return "out of range"
    if not (np.isfinite(expected).all() and np.abs(expected).max() < 1e6):
        return "out of range"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = f(np.asarray(x))
    assert type(found) is np.ndarray
    bound = 1e-8 * max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound, err_msg=f"{seed}: {path}")
    return "right"


@pytest.mark.parametrize("seed", range(150))
def test_random_compositions(seed):
    """Two to four transforms in a row, of functions of every sort."""
    compare(seed)


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("base", ["sine", "assigned"])
def test_each_transform(name, base):
    f, o = TRANSFORMS[name](*BASE[base])
    x = [0.3, -0.5, 0.7]
    np.testing.assert_allclose(f(np.asarray(x)), o(x), rtol=1e-9, atol=1e-12)


if __name__ == "__main__":
    first, count = map(int, sys.argv[1:])
    outcomes = {}
    for seed in range(first, first + count):
        try:
            outcome = compare(seed)
        except Exception as error:
            outcome = "wrong"
            print(seed, drawn(seed)[3], type(error).__name__, str(error)[:300], flush=True)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    print(outcomes)

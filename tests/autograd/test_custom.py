"""custom_vjp, custom_jvp, checkpoint, stop_gradient."""

import tracemalloc

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.errors import NotDifferentiableError


@pg.custom_vjp
def stated(x, y):
    return xp.multiply(xp.sin(x), y)


stated.defvjp(
    lambda x, y: (xp.multiply(xp.sin(x), y), (x, y)),
    lambda kept, g: (g * xp.cos(kept[0]) * kept[1], g * xp.sin(kept[0])),
)


@pg.custom_jvp
def pushed(x, y):
    return xp.multiply(xp.sin(x), y)


@pushed.defjvp
def _(primals, tangents):
    (x, y), (dx, dy) = primals, tangents
    return xp.multiply(xp.sin(x), y), dx * xp.cos(x) * y + xp.sin(x) * dy


@pytest.mark.parametrize("f", [stated, pushed], ids=["vjp", "jvp"])
def test_a_stated_derivative_takes_part_in_every_transform(f):
    x, y = np.asarray(1.0), np.asarray(2.0)
    sin, cos = np.sin(1.0), np.cos(1.0)
    np.testing.assert_allclose(f(x, y), 2 * sin)
    np.testing.assert_allclose(pg.grad(f, (0, 1))(x, y), (2 * cos, sin))
    np.testing.assert_allclose(pg.grad(pg.grad(f))(x, y), -2 * sin)
    np.testing.assert_allclose(pg.grad(pg.grad(f), 1)(x, y), cos)
    np.testing.assert_allclose(pg.jvp(f, (x, y), (1.0, 0.5))[1], 2 * cos + 0.5 * sin)
    np.testing.assert_allclose(pg.hvp(lambda x: f(x, y), (x,), (3.0,)), -6 * sin)
    np.testing.assert_allclose(
        pg.grad(lambda x: pg.jvp(lambda z: f(z, y), (x,), (1.0,))[1])(x), -2 * sin
    )
    leaf = pg.tensor(1.0, requires_grad=True)
    f(leaf, y).backward()
    np.testing.assert_allclose(leaf.grad, 2 * cos)


def test_containers_in_and_out():
    @pg.custom_vjp
    def f(tree):
        return {"sum": tree["a"] + tree["b"], "product": tree["a"] * tree["b"]}

    f.defvjp(
        lambda tree: (
            {"sum": tree["a"] + tree["b"], "product": tree["a"] * tree["b"]},
            (tree["a"], tree["b"]),
        ),
        lambda kept, g: (
            {"a": g["sum"] + g["product"] * kept[1], "b": g["sum"] + g["product"] * kept[0]},
        ),
    )
    gradient = pg.grad(lambda t: f(t)["product"] * 2.0)({"a": 3.0, "b": 5.0})
    assert (float(gradient["a"]), float(gradient["b"])) == (10.0, 6.0)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda kept, g: (g, g), "wrong.*tuple of 1 cotangent.*got 2"),
        (lambda kept, g: g, "wrong.*tuple of 1 cotangent"),
        (lambda kept, g: (np.ones(3),), r"wrong: cotangent 0 has shape \(3,\).*\(2,\)"),
        (lambda kept, g: (np.asarray([1, 2]),), "wrong: cotangent 0 has dtype int64"),
        (lambda kept, g: (g * 1j,), "wrong: cotangent 0 has dtype complex128"),
        (lambda kept, g: (np.ones(2, "float32"),), "wrong: cotangent 0 has dtype float32"),
        (lambda kept, g: ("text",), "wrong: cotangent 0 is str"),
        (lambda kept, g: ({"a": g},), "wrong: cotangent 0 is not built .* dict with keys"),
        (lambda kept, g: ((g, g),), "wrong: cotangent 0 is not built .* tuple with keys"),
    ],
)
def test_a_wrong_rule_names_the_function(rule, words):
    @pg.custom_vjp
    def wrong(x):
        return x

    wrong.defvjp(lambda x: (x, None), rule)
    with pytest.raises(RuntimeError, match=words):
        pg.grad(lambda x: wrong(x).sum())(np.ones(2))


def test_a_cotangent_of_another_library():
    torch = pytest.importorskip("torch")

    @pg.custom_vjp
    def wrong(x):
        return x * 2

    wrong.defvjp(lambda x: (x * 2, None), lambda kept, g: (torch.ones(2),))
    with pytest.raises(RuntimeError, match="wrong: cotangent 0 is an array of torch"):
        pg.grad(lambda x: wrong(x).sum())(np.ones(2))


def test_none_stands_for_zero_at_any_depth():
    @pg.custom_vjp
    def f(tree):
        return tree["a"] * tree["b"][0] + tree["b"][1]

    f.defvjp(lambda t: (f.__wrapped__(t), t), lambda t, g: ({"a": g * t["b"][0], "b": None},))
    gradient = pg.grad(f)({"a": 2.0, "b": (3.0, 4.0)})
    assert [float(g) for g in (gradient["a"], *gradient["b"])] == [3.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda p, t: p[0], "wrong: the rule must return a pair"),
        (lambda p, t: (p[0], (t[0], t[0])), r"wrong: .* 2 tangent\(s\) for 1"),
        (lambda p, t: (p[0], t[0][:1]), r"wrong: .* shape \(1,\), the result \(2,\)"),
    ],
)
def test_a_wrong_tangent_names_the_function(rule, words):
    @pg.custom_jvp
    def wrong(x):
        return x * 2

    wrong.defjvp(rule)
    with pytest.raises(RuntimeError, match=words):
        pg.grad(lambda x: wrong(x).sum())(np.ones(2))


def test_arguments_by_name_and_rules_that_are_none():
    x = np.asarray([1.0, 2.0])
    found = pg.grad(lambda x: xp.sum(stated(y=3.0, x=x)))(x)
    np.testing.assert_allclose(found, 3.0 * np.cos(x))
    with pytest.raises(ValueError, match=r"stated\.defvjp: the backward rule must be a function"):
        stated.defvjp(lambda x: (x, None), None)


def test_a_function_without_its_rule_says_so():
    for decorator in (pg.custom_vjp, pg.custom_jvp):
        f = decorator(lambda x: x * 2)
        assert f(2.0) == 4.0
        with pytest.raises(TypeError, match="without a rule"):
            pg.grad(f)(2.0)


def segment(x):
    for _ in range(10):
        x = xp.sin(x * 1.01)
    return x


def test_checkpoint_gives_the_same_bits_for_less_memory():
    def chain(x, wrap):
        for _ in range(20):
            x = wrap(segment)(x)
        return xp.sum(x)

    x = np.random.default_rng(0).normal(size=50_000)
    peaks, gradients = [], []
    for wrap in (lambda f: f, pg.checkpoint):
        tracemalloc.start()
        gradients.append(pg.grad(lambda x, wrap=wrap: chain(x, wrap))(x))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    np.testing.assert_array_equal(*gradients)
    assert peaks[1] < peaks[0] / 5


@pytest.mark.parametrize("traced_input", [False, True])
def test_checkpoint_reaches_parameters_it_was_not_given(traced_input):
    network = pg.nn.Sequential(pg.nn.Linear(5, 4, seed=0), pg.nn.Tanh(), pg.nn.Linear(4, 3, seed=1))
    x = np.random.default_rng(0).normal(size=(2, 5)).astype("float32")
    found = []
    for wrap in (lambda f: f, pg.checkpoint):
        network.zero_grad()
        data = pg.tensor(x, requires_grad=True) if traced_input else x
        xp.sum(wrap(network)(data) ** 2).backward()
        found.append([p.grad for p in network.parameters()])
        if traced_input:
            found[-1].append(data.grad)
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_checkpoint_nests_and_composes():
    f = lambda x: xp.sum(pg.checkpoint(lambda y: pg.checkpoint(xp.sin)(y) * y)(x))  # noqa: E731
    plain = lambda x: xp.sum(xp.sin(x) * x)  # noqa: E731
    x = np.linspace(0.0, 1.0, 4)
    np.testing.assert_array_equal(pg.grad(f)(x), pg.grad(plain)(x))
    np.testing.assert_allclose(pg.hvp(f, (x,), (x,)), pg.hvp(plain, (x,), (x,)))
    second = pg.grad(lambda x: xp.sum(pg.grad(f)(x) ** 2))(x)
    np.testing.assert_allclose(second, pg.grad(lambda x: xp.sum(pg.grad(plain)(x) ** 2))(x))


def test_stop_gradient():
    assert float(pg.grad(lambda x: x * pg.stop_gradient(x))(3.0)) == 3.0
    tree = pg.stop_gradient({"a": np.ones(2), "b": "text"})
    assert tree["b"] == "text"
    inner = pg.grad(lambda x: pg.grad(lambda y: y * pg.stop_gradient(x * y))(x))
    assert float(inner(2.0)) == 0.0


@pytest.mark.parametrize("same", [False, True], ids=["two inputs", "one input twice"])
@pytest.mark.parametrize(
    "f",
    [
        stated,
        pushed,
        pg.checkpoint(lambda x, y: xp.sin(x) * y),
        lambda x, y: pg.checkpoint(lambda x: xp.sin(x) * y)(x),
        lambda x, y: pg.vmap(stated, in_axes=(0, None))(x[None], y)[0],
    ],
    ids=["vjp", "jvp", "checkpoint", "checkpoint over a variable", "in a vmap"],
)
def test_create_graph_through_a_stated_derivative(f, same):
    """Three derivatives, one after the other, as of the function written plainly."""
    derivatives = []
    for function in (f, lambda x, y: xp.sin(x) * y):
        x = pg.tensor(1.3, requires_grad=True)
        y = x if same else pg.tensor(0.4, requires_grad=True)
        value, found = function(x, y) * function(y, x) * x, []
        for _ in range(3):
            value.backward(create_graph=True)
            gradients = [x.grad] if same else [x.grad, y.grad]
            found += [float(g.data) for g in gradients]
            x.grad = y.grad = None
            value = gradients[0] * gradients[-1] * x
        derivatives.append(found)
    np.testing.assert_allclose(*derivatives, rtol=1e-12)


def test_create_graph_keeps_to_the_stated_rule():
    """What the rule says, however wrong, and its own derivative."""

    @pg.custom_vjp
    def cube(x):
        return x**3

    cube.defvjp(lambda x: (x**3, x * x), lambda squared, g: (g * squared,))
    x = pg.tensor(2.0, requires_grad=True)
    cube(x).backward(create_graph=True)
    first, x.grad = x.grad, None
    first.backward()
    assert (float(first.data), float(x.grad)) == (4.0, 4.0)


def test_checkpoint_of_plain_arrays_and_of_results_that_do_not_move():
    f = pg.checkpoint(lambda x: {"y": x * 2.0, "n": 3, "none": None, "up": x > 0, "c": np.ones(2)})
    plain = f(np.ones(2))
    assert type(plain["y"]) is np.ndarray
    x = pg.tensor(np.ones(2), requires_grad=True)
    found = f(x)
    assert (found["n"], found["none"]) == (3, None)
    assert found["y"].requires_grad
    assert not found["up"].requires_grad
    xp.sum(found["y"] * found["c"]).backward()
    np.testing.assert_array_equal(x.grad, [2.0, 2.0])


def test_checkpoint_over_a_value_of_a_newer_trace():
    """A dual that is closed over would hide what the tape has of the arguments."""
    x = np.asarray([0.3, 0.7])

    def moved(z):
        return pg.jvp(lambda d: pg.checkpoint(lambda z: xp.sin(z) * d)(z), (x,), (x,))[1]

    np.testing.assert_allclose(pg.grad(lambda z: xp.sum(moved(z)))(x), np.cos(x) * x)
    inner = pg.checkpoint(lambda z: xp.matmul(pg.jacfwd(xp.sin)(z), x))
    np.testing.assert_allclose(pg.grad(lambda z: xp.sum(inner(z)))(x), -np.sin(x) * x)
    np.testing.assert_allclose(pg.jit(inner)(x), np.cos(x) * x)


def test_checkpoint_keeps_a_copy_of_a_users_array():
    c = np.ones(2)

    def f(x):
        y = xp.sum(pg.checkpoint(lambda x, c: xp.sin(x) * c)(x, c))
        c[:] = 7.0
        return y

    np.testing.assert_allclose(pg.grad(f)(np.zeros(2)), [1.0, 1.0])


#: Layers in a segment: about the root of their number is what is kept least with.
SEGMENT = 14


def layers(count, wrap):
    """A chain of layers in segments; their weights are closed over."""

    def network(w, x):
        def segment(x):
            for _ in range(SEGMENT):
                x = xp.tanh(x * w + 0.1)
            return x

        for _ in range(count // SEGMENT):
            x = wrap(segment)(x)
        return xp.sum(x * x)

    return network


CHECKPOINTED = {
    "grad": lambda f, w, x: pg.grad(f)(w, x),
    "grad of vmap": lambda f, w, x: pg.grad(
        lambda w: xp.sum(pg.vmap(lambda x: f(w, x))(x)),
    )(w),
    "vmap of grad": lambda f, w, x: pg.vmap(pg.grad(f), in_axes=(None, 0))(w, x),
    "grad of jvp": lambda f, w, x: pg.grad(lambda w: pg.jvp(lambda x: f(w, x), (x,), (x,))[1])(w),
    "hvp": lambda f, w, x: pg.hvp(lambda w: f(w, x), (w,), (w,)),
    "nested": lambda f, w, x: pg.grad(pg.checkpoint(f))(w, x),
}


@pytest.mark.parametrize("transform", CHECKPOINTED.values(), ids=CHECKPOINTED)
def test_a_checkpointed_chain_of_200_layers(transform):
    w, x = np.asarray(0.7), np.random.default_rng(0).normal(size=(4, 5_000))
    peaks, gradients = [], []
    for wrap in (lambda f: f, pg.checkpoint):
        tracemalloc.start()
        gradients.append(transform(layers(210, wrap), w, x))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    np.testing.assert_array_equal(*gradients)
    assert peaks[1] < peaks[0] / 5


def test_a_primitive_of_ones_own_takes_part_in_every_transform(backend):
    @pg.primitive
    def cube(x):
        return x**3

    cube.defvjp(x=lambda g, x: g * 3 * x**2)
    x = pg.asarray([1.0, -2.0], dtype="float32")
    assert pg.to_numpy(pg.grad(lambda x: xp.sum(cube(x)))(x)).tolist() == [3.0, 12.0]
    assert pg.to_numpy(pg.jvp(cube, (x,), (x,))[1]).tolist() == [3.0, -24.0]
    second = pg.grad(lambda x: xp.sum(pg.grad(lambda x: xp.sum(cube(x)))(x)))
    assert pg.to_numpy(second(x)).tolist() == [6.0, -12.0]


def test_a_primitive_with_no_rule_says_so():
    @pg.primitive
    def cube(x):
        return x**3

    with pytest.raises(NotDifferentiableError, match="cube has no derivative"):
        pg.grad(cube)(2.0)


def test_constants_are_tensors_that_code_with_a_namespace_takes(backend):
    from array_api_compat import array_namespace

    x = pg.asarray([1.0, 2.0], dtype="float32")
    weights = pg.constant({"w": pg.asarray([3.0, 4.0], dtype="float32"), "n": 2})

    def f(x):
        return array_namespace(x, weights["w"]).sum(x * weights["w"]) * weights["n"]

    assert pg.to_numpy(pg.grad(f)(x)).tolist() == [6.0, 8.0]
    assert weights["n"] == 2
    assert not weights["w"].requires_grad

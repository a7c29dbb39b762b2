"""What the CuPy backend does in its own kernels, on a card: equal to the definitions."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels
from portagrad.backend import asarray, to_numpy, use_backend
from portagrad.testing.waits import host_waits

pytestmark = pytest.mark.gpu
TOLERANCE = {"float16": 3e-3, "float32": 3e-6, "float64": 1e-13}
#: The relative error of a product that each precision may have, by NVIDIA's formats.
PRECISION = {"ieee": 1e-6, "tf32": 2e-3, "bf16": 2e-2}


@pytest.fixture(autouse=True)
def fused():
    with use_backend("cupy") as backend:
        yield backend.kernels
    pg.set_matmul_precision("ieee")


def normal(*shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (3, 4, 10), (9, 33), (2, 1000), (2, 5000), (8,)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_rows(fused, name, shape, dtype):
    x = asarray(3 * normal(*shape, dtype=dtype))
    kernel, backward = getattr(kernels, name), getattr(kernels, f"{name}_backward")
    out = kernel(x)
    check(out, kernel.body(x.astype("float64")), TOLERANCE[dtype])
    g = asarray(normal(*shape, dtype=dtype, seed=1))
    expected = backward.body(g.astype("float64"), out.astype("float64"))
    check(backward(g, out), expected, TOLERANCE[dtype])
    taken = fused[name](x) is not NotImplemented
    assert taken == (shape[-1] <= 4096)


def test_rows_leave_other_axes_and_strides_to_the_definition(fused):
    x = asarray(normal(6, 8))
    for other, axis in ((x, 0), (x.T, -1), (x[:, ::2], -1)):
        assert fused["softmax"](other, axis=axis) is NotImplemented
        check(kernels.softmax(other, axis=axis), kernels.softmax.body(other, axis=axis), 1e-6)


@pytest.mark.parametrize("classes", [2, 10, 1000])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("labels", ["int64", "int32", "uint8"])
def test_cross_entropy(reduction, classes, labels):
    x = asarray(3 * normal(64, classes))
    target = asarray(np.random.default_rng(0).integers(0, min(classes, 200), 64).astype(labels))
    value = kernels.cross_entropy(x, target, reduction)
    check(value, kernels.cross_entropy.body(x, target, reduction), 1e-5)
    g = xp.ones_like(value) * 2
    made = kernels.cross_entropy_backward(g, x, target, reduction)
    check(made, kernels.cross_entropy_backward.body(g, x, target, reduction), 1e-5)


def test_a_label_out_of_range_is_nan():
    x, target = asarray(normal(3, 4)), asarray(np.array([0, 4, -1]))
    losses = to_numpy(kernels.cross_entropy(x, target, "none"))
    assert np.isnan(losses).tolist() == [False, True, True]


@pytest.mark.parametrize("precision", PRECISION)
@pytest.mark.parametrize("way", ["NN", "NT", "TN", "TT"])
def test_products_are_as_precise_as_asked(precision, way):
    pg.set_matmul_precision(precision)
    a, b = normal(96, 128), normal(128, 80, seed=1)
    left = asarray(a if way[0] == "N" else a.T.copy())
    right = asarray(b if way[1] == "N" else b.T.copy())
    left, right = left if way[0] == "N" else left.T, right if way[1] == "N" else right.T
    exact = a.astype("float64") @ b.astype("float64")
    error = np.abs(to_numpy(xp.matmul(left, right)) - exact).max() / np.abs(exact).max()
    assert error < PRECISION[precision]


@pytest.mark.parametrize("shape", [(1, 1), (1, 70), (1000, 3), (3000, 64), (100_000, 10)])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_column_sums(shape, dtype):
    from portagrad_cupy.columns import column_sum

    x = normal(*shape, dtype=dtype)
    made = to_numpy(column_sum(asarray(x)))
    size = np.abs(x.astype("float64")).sum(axis=0)
    assert np.all(np.abs(made - x.astype("float64").sum(axis=0)) <= TOLERANCE[dtype] * size)
    assert np.array_equal(to_numpy(column_sum(asarray(x))), made)  # the same in every run


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "name", ["leaky_relu", "elu", "softplus", "silu", "gelu", "normal_cdf", "normal_pdf"]
)
def test_activations(name, dtype):
    """Forward and backward, also far out where an overflow would be nan."""
    ends = [0.0, 1e-6, 5.0, 30.0, -30.0, 800.0, -800.0, np.inf, -np.inf, np.nan]
    x = np.concatenate([normal(50), ends]).astype(dtype)
    kernel, wide = getattr(kernels, name), asarray(x.astype("float64"))
    check(kernel(asarray(x)), kernel.body(wide), TOLERANCE[dtype])
    if name == "normal_pdf":
        return
    backward, g = getattr(kernels, f"{name}_backward"), normal(60, dtype=dtype, seed=1)
    kept = kernel(asarray(x)) if name in ("leaky_relu", "elu", "softplus") else asarray(x)
    expected = backward.body(asarray(g.astype("float64")), kept.astype("float64"))
    check(backward(asarray(g), kept), expected, 4 * TOLERANCE[dtype])


@pytest.mark.parametrize("shape", [(3,), (300,), (3000,), (2, 700)])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_layer_and_its_activation(activation, shape, dtype):
    """Forward and backward as one step of the tape, equal to the definitions in float64."""
    x, w, b = (
        normal(*each, dtype=dtype, seed=seed)
        for seed, each in enumerate([(*shape, 24), (24, 40), (40,)])
    )
    g = normal(*shape, 40, dtype=dtype, seed=3)
    layer = getattr(kernels, f"linear_{activation}")
    out, pull = pg.vjp(layer, *map(asarray, (x, w, b)))
    wide = [asarray(each.astype("float64")) for each in (x, w, b, g)]
    right, pull_wide = pg.vjp(
        lambda *each: getattr(kernels, activation)(kernels.linear(*each)), *wide[:3]
    )
    check(out, right, 8 * TOLERANCE[dtype])
    for found, expected in zip(pull(asarray(g)), pull_wide(wide[3]), strict=True):
        size = float(abs(expected).max())
        check(found / size, expected / size, 30 * TOLERANCE[dtype])


@pytest.mark.parametrize("shape", [(3, 2), (300, 70), (3000, 64), (2, 50_000, 10)])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_jitted_activation_is_pulled_back_and_summed_in_one_pass(activation, shape, dtype):
    backward = getattr(kernels, f"{activation}_backward")

    def f(g, out):
        pulled = backward(g, out)
        return pulled, kernels.linear_bias_backward(pulled)

    g, x = asarray(normal(*shape, dtype=dtype)), asarray(normal(*shape, dtype=dtype, seed=1))
    out = getattr(kernels, activation)(x)
    expected = backward.body(g.astype("float64"), out.astype("float64")).reshape(-1, shape[-1])
    jitted = pg.jit(f)
    for _ in range(3):
        pulled, sums = jitted(g, out)
    assert "launches 1: 1 groups" in jitted.explain()
    check(pulled.reshape(-1, shape[-1]), expected, TOLERANCE[dtype])
    size = to_numpy(abs(expected).sum(axis=0))
    error = np.abs(to_numpy(sums) - to_numpy(expected.sum(axis=0)))
    assert np.all(error <= TOLERANCE[dtype] * size)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_jitted_function_is_a_generated_kernel(seed, dtype):
    """Of arrays that are broadcast, of one that is not stored by rows, and of 0 dimensions."""
    shapes = [((64, 32), (32,), (64, 1)), ((7, 5), (5, 7), ()), ((2, 3, 8), (3, 1), (8,))][seed % 3]

    def f(x, y, z):
        y = y.T if y.shape == x.shape[::-1] and y.ndim == 2 else y
        return xp.exp(-x * x) * y + kernels.sigmoid(z), xp.where(x > y, x, z * 2.0), kernels.silu(x)

    arrays = [asarray(normal(*shape, dtype=dtype, seed=seed + i)) for i, shape in enumerate(shapes)]
    jitted = pg.jit(f)
    for _ in range(3):
        made = jitted(*arrays)
    assert "fused" in jitted.explain()
    for a, b in zip(made, f(*(x.astype("float64") for x in arrays)), strict=True):
        check(a, b, 4 * TOLERANCE[dtype])


@pytest.mark.parametrize("shape", [(7, 5), (2, 3, 5), (1, 5)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_linear(shape, bias, dtype):
    x, w = asarray(normal(*shape, dtype=dtype)), asarray(normal(5, 6, dtype=dtype, seed=1))
    b = asarray(normal(6, dtype=dtype, seed=2)) if bias else None
    wide = [None if each is None else each.astype("float64") for each in (x, w, b)]
    check(kernels.linear(x, w, b), kernels.linear.body(*wide), 4 * TOLERANCE[dtype])


@pytest.mark.parametrize("precision", PRECISION)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_linear_map_pulls_back_with_whatever_epilogue_there_is(dtype, precision):
    pg.set_matmul_precision(precision)
    x, w, b = (
        normal(*each, dtype=dtype, seed=seed)
        for seed, each in enumerate([(96, 64), (64, 128), (128,)])
    )
    g = normal(96, 128, dtype=dtype, seed=3)
    _, pull = pg.vjp(kernels.linear, *map(asarray, (x, w, b)))
    wide = [asarray(each.astype("float64")) for each in (x, w, b, g)]
    _, pull_wide = pg.vjp(kernels.linear, *wide[:3])
    tolerances = [max(30 * TOLERANCE[dtype], PRECISION[precision])] * 2 + [30 * TOLERANCE[dtype]]
    pairs = zip(pull(asarray(g)), pull_wide(wide[3]), tolerances, strict=True)
    for found, expected, tolerance in pairs:
        size = float(abs(expected).max())
        check(found / size, expected / size, tolerance)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        *(((2, 30, 40), right) for right in ((40, 50), (2, 40, 50), (40,))),
        *(((1, 3, 4), (1, 4, 5)), ((30, 40), (40,)), ((40,), (40, 50)), ((40,), (40,))),
    ],
)
def test_stacks_of_matrices_eager_and_jitted(left, right):
    """What cuBLASLt is not asked for cannot be captured, and is right all the same."""
    x, y = normal(*left), normal(*right, seed=1)
    jitted = pg.jit(lambda x, y: xp.matmul(x, y) * 2.0 + 1.0)
    for _ in range(3):
        check(jitted(asarray(x), asarray(y)), np.matmul(x, y) * 2 + 1, 1e-4)
    assert ("cannot be replayed" in jitted.explain()) == (right == (2, 40, 50))


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_products_backwards_can_be_captured_too(dtype):
    """Also of a cotangent that is one number seen as many, and without an epilogue for a bias."""

    def f(x, w, b):
        return pg.value_and_grad(lambda *each: xp.sum(kernels.linear(*each)), argnums=(0, 1, 2))(
            x, w, b
        )

    arrays = [
        asarray(normal(*shape, dtype=dtype, seed=n))
        for n, shape in enumerate([(96, 64), (64, 128), (128,)])
    ]
    jitted = pg.jit(f)
    for _ in range(3):
        value, slopes = jitted(*arrays)
    assert "cannot be replayed" not in jitted.explain()
    expected = f(*(each.astype("float64") for each in arrays))
    for found, right in zip((value, *slopes), (expected[0], *expected[1]), strict=True):
        size = float(abs(right).max())
        check(found / size, right / size, 30 * TOLERANCE[dtype])


def test_products_can_be_captured_in_a_graph():
    import cupy

    x, w, b = asarray(normal(32, 16)), asarray(normal(16, 8)), asarray(normal(8))
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        kernels.linear(x, w, b)  # plans, workspace and memory are there before the capture
        stream.begin_capture()
        y = kernels.linear(x, w, b)
        graph = stream.end_capture()
        x[...] = 2 * x
        graph.launch(stream)
        stream.synchronize()
    check(y, kernels.linear.body(x, w, b), 1e-5)


def test_a_jitted_step_is_the_eager_one_also_with_eager_work_between():
    def training():
        network = pg.nn.Sequential(
            pg.nn.Linear(16, 32, seed=0), pg.nn.Sigmoid(), pg.nn.Linear(32, 5, seed=1)
        )
        optimizer = pg.optim.SGD(network.parameters(), learning_rate=0.1, momentum=0.9)

        def step(x, y):
            optimizer.zero_grad()
            loss = pg.nn.CrossEntropyLoss()(network(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return network, optimizer, step

    network, optimizer, step = training()
    reference, other, plain = training()
    jitted, random = pg.jit(step), np.random.default_rng(0)
    for number in range(12):
        optimizer.learning_rate = other.learning_rate = 0.1 / (1 + number)
        x = asarray(random.normal(size=(8, 16)).astype("float32"))
        y = asarray(random.integers(0, 5, 8))
        if number % 3 == 2:
            for p in (*network.parameters(), *reference.parameters()):
                p.data = p.data * 0.9
            xp.exp(asarray(normal(512, 512)))  # memory that a captured pool must not share
        check(jitted(x, y), plain(x, y), 1e-4)
        for p, q in zip(network.parameters(), reference.parameters(), strict=True):
            check(p.data, q.data, 1e-4)
            check(p.grad, q.grad, 1e-4)
    assert "cannot be replayed" not in jitted.explain()


def steps(wing):
    """A training step of a wing, as a function of a batch that returns the loss."""
    if wing == "manual":
        layers = pg.manual.Sequential(
            pg.manual.Linear(16, 32, seed=0), pg.manual.Sigmoid(), pg.manual.Linear(32, 5, seed=1)
        )
        loss, optimizer = pg.manual.CrossEntropyLoss(), pg.optim.Adam(layers.parameters())

        def step(x, y):
            value = loss.forward(layers.forward(x), y)
            layers.backward_parameters(loss.backward())
            optimizer.step()
            optimizer.zero_grad()
            return value

        return step
    network = pg.nn.Sequential(
        pg.nn.Linear(16, 32, seed=0), pg.nn.Sigmoid(), pg.nn.Linear(32, 5, seed=1)
    )
    criterion, optimizer = pg.nn.CrossEntropyLoss(), pg.optim.Adam(network.parameters())

    def step(x, y):
        optimizer.zero_grad()
        value = criterion(network(x), y)
        value.backward()
        optimizer.step()
        return value

    return pg.jit(step) if wing == "jit" else step


@pytest.mark.parametrize("wing", ["manual", "nn", "jit"])
def test_a_training_step_never_waits_for_the_card(wing):
    import cupy

    step = steps(wing)
    x, y = asarray(normal(8, 16)), asarray(np.arange(8) % 5)
    for _ in range(4):  # kernels are compiled, plans made, graphs captured
        step(x, y)
    with host_waits(cupy) as waits:
        for _ in range(3):
            step(x, y)
    assert waits == []


def test_the_counter_sees_a_loss_that_is_read():
    import cupy

    loss = xp.sum(asarray(normal(8)))
    with host_waits(cupy) as waits:
        float(loss)
        to_numpy(loss)
        cupy.cuda.Device().synchronize()
    assert len(waits) == 3, waits
    assert all("test_cuda.py" in where for _, where in waits[:1])


def test_out_of_memory_names_the_call_and_the_card():
    import cupy

    x = asarray(normal(1, 1))
    wide = cupy.broadcast_to(x, (1 << 21, 1 << 21))
    with pytest.raises(cupy.cuda.memory.OutOfMemoryError) as caught:
        xp.exp(wide)
    assert isinstance(caught.value, pg.errors.OutOfMemoryError)
    assert str(caught.value).startswith("exp: Out of memory allocating")
    assert "On cuda:0, arrays take" in str(caught.value)
    check(xp.exp(x), np.exp(to_numpy(x)), 1e-5)  # and work goes on


def test_two_cards():
    import cupy

    if cupy.cuda.runtime.getDeviceCount() < 2:
        pytest.skip("one card")
    x, w = (asarray(normal(64, 64, seed=n), device="cuda:1") for n in range(2))
    with pytest.raises(pg.errors.MixedBackendsError, match=r"^matmul: .*cuda:1.*cuda:0"):
        xp.matmul(x, asarray(normal(64, 64)))
    y = kernels.softmax(kernels.linear(pg.tensor(x, requires_grad=True), w))
    assert y.device.id == 1
    check(y.data, kernels.softmax.body(kernels.linear.body(to_numpy(x), to_numpy(w))), 1e-5)
    check(pg.to_backend(x, "cupy", device="cuda:0"), to_numpy(x), 0)


def test_adjoined_streams_do_not_share_a_workspace():
    import cupy

    w = asarray(normal(512, 512))
    streams = [cupy.cuda.Stream(non_blocking=True) for _ in range(2)]
    inputs = [asarray(normal(512, 512, seed=seed)) for seed in range(2)]
    cupy.cuda.Device().synchronize()
    results = []
    for stream, x in zip(streams, inputs, strict=True):
        with stream:
            results.append([xp.matmul(x, w) for _ in range(20)])
    cupy.cuda.Device().synchronize()
    for x, made in zip(inputs, results, strict=True):
        expected = to_numpy(x).astype("float64") @ to_numpy(w).astype("float64")
        for each in made:
            np.testing.assert_allclose(to_numpy(each), expected, rtol=1e-4, atol=1e-3)


def check(found, expected, tolerance):
    found, expected = to_numpy(found), to_numpy(expected)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)

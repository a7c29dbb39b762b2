"""vmap and map: a function of one example is the stack of its results on all of them."""

import itertools
import zlib
from functools import partial
from typing import Any

import numpy as np
import pytest
from array_api_compat import device

import portagrad as pg
from portagrad import array_api as xp
from portagrad import batching, kernels
from portagrad.array import Array
from portagrad.array_api.assignment import index_set
from portagrad.backend import use_backend
from portagrad.batching.rule import reasons, rules
from portagrad.errors import ArgumentError, BatchingError, ShapeError
from portagrad.primitive import kernel, primitive
from portagrad.testing.table import TABLE
from portagrad.testing.table.check import make, trial
from portagrad.testing.table.coverage import primitives

BACKENDS = ("numpy", "array_api_strict", "torch")
EXAMPLES = 3
#: Rows whose results have as many elements as the values say.
OF_MANY_LENGTHS = {
    "arange",
    "nonzero",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
}


def values(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def same(actual: Any, expected: Any, tolerance: float = 1e-9) -> None:
    actual, expected = pg.to_numpy(pg.asarray(actual)), np.asarray(expected)
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def stack(results: list[Any]) -> Any:
    return np.stack([pg.to_numpy(pg.asarray(each)) for each in results])


# --- every function of the table -----------------------------------------------------------


def calls(name: str) -> list[Any]:
    dtypes = (("float64", "real"), ("complex128", "complex"))
    return [
        pytest.param(name, row, number, dtype, id=f"{name}-{row.name}-{number}-{dtype}")
        for row in TABLE
        if row.name not in OF_MANY_LENGTHS and name not in row.unlike
        for number in range(len(row.calls))
        for dtype, kind in dtypes[: 2 if name == "numpy" else 1]
        if getattr(row, kind)
    ]


@pytest.mark.parametrize(
    ("name", "row", "number", "dtype"), [case for name in BACKENDS for case in calls(name)]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_table(name: str, row: Any, number: int, dtype: str) -> None:
    """vmap(f), vmap(grad(f)) and grad of vmap(f) are what a loop gives."""
    if name != "numpy":
        pytest.importorskip(name)
    with use_backend(name) as backend:
        case = trial(row, number, dtype)
        if not case.leaves:
            return
        generator = np.random.default_rng(zlib.crc32(f"{row.name}{number}".encode()))
        drawn = [
            [
                make(
                    leaf.domain.draw(leaf.shape, generator, complex="complex" in dtype),
                    dtype,
                    backend,
                )
                for leaf in row.calls[number].leaves()
            ]
            for _ in range(EXAMPLES)
        ]
        try:
            expected = [case.run(*each) for each in drawn]
        except Exception as error:
            pytest.skip(f"{name} cannot do it unbatched: {error}")
        whole = [backend.xp.stack(list(column)) for column in zip(*drawn, strict=True)]
        for result, one in zip(pg.vmap(case.run)(*whole), zip(*expected, strict=True), strict=True):
            same(result, stack(list(one)))
        rest = drawn[0][1:]
        first = pg.vmap(case.run, in_axes=(0, *[None] * len(rest)))(whole[0], *rest)
        one_by_one = [case.run(each[0], *rest) for each in drawn]
        for result, one in zip(first, zip(*one_by_one, strict=True), strict=True):
            same(result, stack(list(one)))
        if row.order == 0:
            return
        every = tuple(range(len(whole)))
        loss = partial(weighted, case)
        gradient = pg.grad(loss, every)
        looped = [
            stack(list(column)) for column in zip(*(gradient(*e) for e in drawn), strict=True)
        ]
        outside = pg.grad(lambda *leaves: xp.sum(pg.vmap(loss)(*leaves)), every)(*whole)
        for found in (pg.vmap(gradient)(*whole), outside):
            for g, one in zip(found, looped, strict=True):
                same(g, one)


def weighted(case: Any, *leaves: Any) -> Any:
    """The results as one number, no element like another."""
    total: Any = 0.0
    for out in case.run(*leaves):
        if xp.isdtype(out.dtype, "complex floating"):
            out = xp.real(out) + xp.imag(out)
        if xp.isdtype(out.dtype, "real floating"):
            weights = xp.astype(xp.arange_like(out, out.size), out.dtype) + 1.0
            total = total + xp.sum(out * xp.reshape(weights, out.shape))
    return total


def test_every_primitive_has_a_rule_or_a_reason():
    """What is added to the library without either fails here."""
    without = [
        name
        for name, record in primitives(pg).items()
        if record not in rules and record not in reasons and not record.fusible
    ]
    assert without == []


@pytest.mark.parametrize("named", [False, True], ids=["by position", "by name"])
def test_the_newest_trace_is_found_among_operands_given_by_name(named):
    """An outer gradient with respect to x, a batch of bounds: the batch is the newer one."""
    x, low, high = values(4), values(3, seed=1) - 1.0, np.asarray(1.0)

    def total(x, low):
        clipped = xp.clip(x, min=low, max=high) if named else xp.clip(x, low, high)
        return xp.sum(clipped)

    found = pg.grad(lambda x, low: xp.sum(pg.vmap(partial(total, x))(low)), (0, 1))(x, low)
    expected = [pg.grad(total, (0, 1))(x, each) for each in low]
    same(found[0], sum(g for g, _ in expected))
    same(found[1], stack([g for _, g in expected]))


# --- kernels ---------------------------------------------------------------------------------


def kernel_calls() -> list[Any]:
    found: list[Any] = []
    for f in (kernels.sigmoid, kernels.tanh, kernels.relu, kernels.gelu, kernels.elu):
        found += [(f, [shape], {}) for shape in ((), (3,), (2, 3))]
    for f in (kernels.softmax, kernels.log_softmax):
        found += [(f, [(2, 3)], {"axis": axis}) for axis in (0, 1, -2)]
    found += [(kernels.append_ones, [(2, 3)], {"axis": axis}) for axis in (0, 1, -2)]
    found.append((kernels.leaky_relu, [(2, 3)], {"negative_slope": 0.2}))
    for shape in ((3,), (2, 3), (2, 2, 3)):
        found += [
            (kernels.linear, [shape, (3, 2), (2,)], {}),
            (kernels.linear, [shape, (3, 2)], {}),
        ]
    for reduction in ("mean", "sum", "none", "half_sum"):
        keyword = {"reduction": reduction}
        for shape in ((), (3,), (2, 3)):
            found.append((kernels.mse, [shape, shape], keyword))
            if reduction != "half_sum":
                found.append((kernels.bce, [("p", shape), ("p", shape)], keyword))
                found.append((kernels.bce_with_logits, [shape, ("p", shape)], keyword))
        if reduction != "half_sum":
            found.append((kernels.cross_entropy, [(2, 3), ("p", (2, 3))], keyword))
            found.append((kernels.cross_entropy, [(2, 3), ("label", (2,))], keyword))
            found.append((kernels.cross_entropy, [(3,), ("label", ())], keyword))
    return found


def drawn(specification: Any, generator: Any) -> Any:
    kind, shape = (
        specification
        if specification and isinstance(specification[0], str)
        else ("", specification)
    )
    if kind == "label":
        return pg.asarray(generator.integers(0, 3, size=(EXAMPLES, *shape)))
    if kind == "p":
        return pg.asarray(generator.uniform(0.1, 0.9, size=(EXAMPLES, *shape)))
    return pg.asarray(generator.normal(size=(EXAMPLES, *shape)))


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize(("f", "shapes", "keywords"), kernel_calls())
def test_kernels(name: str, f: Any, shapes: Any, keywords: Any) -> None:
    if name != "numpy":
        pytest.importorskip(name)
    generator = np.random.default_rng(0)
    with use_backend(name):
        operands = [drawn(shape, generator) for shape in shapes]
        floating = [i for i, x in enumerate(operands) if xp.isdtype(x.dtype, "real floating")]
        for axes in itertools.product((0, None), repeat=len(operands)):
            if all(axis is None for axis in axes):
                continue
            args = [x if a == 0 else x[0, ...] for x, a in zip(operands, axes, strict=True)]
            examples = [
                [x[i, ...] if a == 0 else x for x, a in zip(args, axes, strict=True)]
                for i in range(EXAMPLES)
            ]
            call = partial(f, **keywords)
            same(pg.vmap(call, in_axes=axes)(*args), stack([call(*each) for each in examples]))
            loss = squares(call)
            gradient = pg.grad(loss, tuple(floating))
            looped = [stack(list(g)) for g in zip(*(gradient(*e) for e in examples), strict=True)]
            for g, one in zip(pg.vmap(gradient, in_axes=axes)(*args), looped, strict=True):
                same(g, one)
            whole = pg.vmap(loss, in_axes=axes)
            outside = pg.grad(lambda *a, whole=whole: xp.sum(whole(*a)), tuple(floating))(*args)
            for i, g, one in zip(floating, outside, looped, strict=True):
                same(g, one if axes[i] == 0 else one.sum(axis=0))


def squares(f: Any) -> Any:
    def loss(*args: Any) -> Any:
        out = f(*args)
        return xp.sum(out * out)

    return loss


def test_a_kernel_without_a_rule_is_batched_by_its_body():
    @kernel
    def twice(x: Array, /) -> Array:
        return x + x

    twice.defvjp(x=lambda g: g * 20)  # a mistake, to see who is asked
    x = values(2, 3)
    same(pg.vmap(twice)(x), 2 * x)
    same(pg.vmap(pg.grad(lambda x: xp.sum(twice(x))))(x), np.full((2, 3), 20.0))


# --- indices -----------------------------------------------------------------------------------


def random_key(generator: Any, shape: Any) -> tuple[list[Any], list[Any]]:
    """A key with ("one", array) and ("each", arrays of all examples) in it, and the latter."""
    lengths = tuple(int(n) for n in generator.integers(1, 4, generator.integers(0, 3)))
    key: list[Any] = []
    for n in shape:
        if generator.random() < 0.1:
            key.append(None)
        kind = generator.random()
        if kind < 0.2:
            key.append(int(generator.integers(-n, n)))
        elif kind < 0.5:
            start, stop = sorted(int(i) for i in generator.integers(0, n + 1, 2))
            key.append(slice(start, stop))
        else:
            tail = lengths[int(generator.integers(0, len(lengths) + 1)) :]
            each = bool(generator.random() < 0.6)
            size = (EXAMPLES, *tail) if each else tail
            key.append(("each" if each else "one", generator.integers(-n, n, size)))
    return key, [part[1] for part in key if isinstance(part, tuple) and part[0] == "each"]


def built(key: list[Any], indices: Any) -> Any:
    rest = iter(indices)
    return tuple(
        (next(rest) if part[0] == "each" else pg.asarray(part[1]))
        if isinstance(part, tuple)
        else part
        for part in key
    )


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("seed", range(60))
def test_any_key(name: str, seed: int) -> None:
    """Picking and assigning, with keys that examples share and keys of their own."""
    if name != "numpy":
        pytest.importorskip(name)
    generator = np.random.default_rng(seed)
    shape = tuple(int(n) for n in generator.integers(1, 4, generator.integers(1, 4)))
    key, own = random_key(generator, shape)

    def pick(x: Any, *indices: Any) -> Any:
        return xp.getitem(x, built(key, indices))

    def put(x: Any, v: Any, *indices: Any) -> Any:
        return index_set(x, v, built(key, indices))

    def example(x: Any, i: int) -> Any:
        return x[i, ...]

    with use_backend(name):
        x = pg.asarray(generator.normal(size=(EXAMPLES, *shape)))
        arrays = [pg.asarray(each) for each in own]
        rows = [(example(x, i), *(example(each, i) for each in arrays)) for i in range(EXAMPLES)]
        try:
            expected = stack([pick(*row) for row in rows])
        except Exception as error:
            pytest.skip(f"{name} has no such key: {error}")
        same(pg.vmap(pick)(x, *arrays), expected)
        weights = pg.asarray(generator.normal(size=expected.shape))
        gradient = pg.grad(lambda x, w, *rest: xp.sum(pick(x, *rest) * w))
        looped = [gradient(r[0], example(weights, i), *r[1:]) for i, r in enumerate(rows)]
        same(pg.vmap(gradient)(x, weights, *arrays), stack(looped))
        outside = pg.grad(lambda x: xp.sum(pg.vmap(pick)(x, *arrays) * weights))(x)
        same(outside, stack(looped))
        if arrays:
            axes = (None, *[0] * len(arrays))
            common = example(x, 0)
            same(
                pg.vmap(pick, in_axes=axes)(common, *arrays),
                stack([pick(common, *row[1:]) for row in rows]),
            )
        try:
            assigned = [put(r[0], example(weights, i), *r[1:]) for i, r in enumerate(rows)]
        except Exception:
            return  # the library cannot assign there at all
        same(pg.vmap(put)(x, weights, *arrays), stack(assigned))
        slope = pg.grad(lambda v, x, *rest: xp.sum(put(x, v, *rest) ** 2))
        looped = [slope(example(weights, i), *r) for i, r in enumerate(rows)]
        same(pg.vmap(slope)(weights, x, *arrays), stack(looped))


def test_an_index_out_of_range_never_reads_a_neighbour():
    with pytest.raises(IndexError, match="axis 0 of length 3"):
        pg.vmap(lambda x, i: x[i])(values(4, 3), np.asarray([0, 1, 2, 3]))


def test_an_index_of_an_outer_vmap():
    x, i = values(2, 5), np.asarray([0, 3, 4])
    pick = pg.vmap(lambda i: pg.vmap(lambda row: row[i])(x))
    same(pick(i), np.stack([x[:, k] for k in i]))


def test_embedding_rows():
    table, words = values(7, 3), np.asarray([[0, 6], [2, 2]])
    gradient = pg.grad(lambda table, words: xp.sum(table[words] ** 2))
    found = pg.vmap(gradient, in_axes=(None, 0))(table, words)
    same(found, stack([gradient(table, each) for each in words]))


def test_assignment_and_views():
    def f(x: Any, i: Any) -> Any:
        x[1] = x[0] * 2
        x[i] = -1.0
        x[x > 1] = 0.0
        column = x.reshape(3, 1)
        column[2] = 9.0
        y = xp.zeros_like(x)
        y[:2] += x[1:]
        return x, y

    def with_numpy(x: Any, i: int) -> Any:
        x = x.copy()
        x[1] = x[0] * 2
        x[i] = -1.0
        x[x > 1] = 0.0
        x[2] = 9.0
        y = np.zeros_like(x)
        y[:2] += x[1:]
        return x, y

    x, i = values(5, 3), np.asarray([0, 1, 2, 0, 1])
    before = x.copy()
    expected = [with_numpy(row, k) for row, k in zip(x, i, strict=True)]
    for result, one in zip(pg.vmap(f)(x, i), zip(*expected, strict=True), strict=True):
        same(result, np.stack(one))
    same(x, before)


def test_assignment_into_what_all_examples_share():
    def f(x: Any, shared: Any) -> Any:
        shared[0] = x
        return shared

    shared = np.zeros(2)
    same(pg.vmap(f, in_axes=(0, None))(np.asarray([1.0, 2.0]), shared), [[1.0, 0.0], [2.0, 0.0]])
    same(shared, [0.0, 0.0])


# --- axes and containers -----------------------------------------------------------------------


@pytest.mark.parametrize("in_axis", [0, 1, 2, -1, -3])
@pytest.mark.parametrize("out_axis", [0, 1, 2, -1, -2])
def test_axes(backend: Any, in_axis: int, out_axis: int) -> None:
    x = values(2, 3, 4).astype("float32")
    result = pg.vmap(lambda a: a * 2, in_axes=in_axis, out_axes=out_axis)(pg.asarray(x))
    same(result, np.moveaxis(x, in_axis, out_axis) * 2, 1e-6)


def test_in_axes_per_argument():
    a, b = values(2, 5), values(5, 3)
    f = pg.vmap(lambda a, b: xp.sum(a) * b, in_axes=(1, 0))
    same(f(a, b), a.sum(axis=0)[:, None] * b)
    same(pg.vmap(lambda a, b: a @ b, in_axes=(None, 1), out_axes=1)(b.T, b), b.T @ b)
    same(pg.vmap(lambda a, b: a + b)(a, b=a), a + a)


def test_in_axes_of_containers():
    tree = {"w": values(4, 3), "b": [values(3), values(4)]}
    f = pg.vmap(
        lambda t, x: {"y": t["w"] + t["b"][0] * x, "z": (t["b"][1], x)},
        in_axes=({"w": 0, "b": [None, 0]}, None),
        out_axes={"y": 1, "z": (0, None)},
    )
    result = f(tree, 2.0)
    same(result["y"], (tree["w"] + tree["b"][0] * 2).T)
    same(result["z"][0], tree["b"][1])
    assert result["z"][1] == 2.0


def test_what_is_the_same_for_all_is_repeated():
    x = values(3, 2)
    same(pg.vmap(lambda a: 1.5)(x), np.full(3, 1.5))
    shared = pg.vmap(lambda a, b: b, in_axes=(0, None), out_axes=-1)(x, values(2))
    same(shared, np.stack([values(2)] * 3, axis=-1))
    shared[0, 0] = 7.0  # memory of its own
    assert shared[0, 1] != 7.0


def test_axis_size():
    same(pg.vmap(lambda a: a.sum(), in_axes=None, axis_size=3)(np.ones(2)), np.full(3, 2.0))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: pg.vmap(np.add)(values(4, 3), values(3, 3)),
            ShapeError,
            r"argument 0 has 4 along axis 0 of shape \(4, 3\); argument 1 has 3 along axis 0",
        ),
        (lambda: pg.vmap(np.add)(values(4), 2.0), ArgumentError, "argument 1 is 2.0"),
        (
            lambda: pg.vmap(np.add, in_axes=(0, 1))(values(4, 3), values(3)),
            ShapeError,
            r"argument 1 has shape \(3,\) and no axis 1",
        ),
        (lambda: pg.vmap(np.add, in_axes=(0,))(values(4), values(4)), ArgumentError, "1 entries"),
        (lambda: pg.vmap(np.add, in_axes=None)(values(4), 1.0), ArgumentError, "axis_size"),
        (lambda: pg.vmap(np.add, in_axes="ab")(values(4), 1.0), ArgumentError, "got str"),
        (
            lambda: pg.vmap(lambda t: t["a"], in_axes=({"b": 0},))({"a": values(3)}),
            ArgumentError,
            "in_axes of argument 0 are not built as it is",
        ),
        (
            lambda: pg.vmap(lambda a: a, out_axes=None)(values(3)),
            ArgumentError,
            "not the same for all examples",
        ),
        (lambda: pg.vmap(lambda a: a, out_axes=2)(values(3, 2)), ArgumentError, "out_axes is 2"),
        (lambda: pg.vmap(lambda a: "text")(values(3)), BatchingError, "is a str"),
        (lambda: pg.vmap(lambda a: xp.sum(a, axis=1))(values(3, 2)), IndexError, "axis 1"),
        (lambda: pg.vmap(lambda a: xp.sum(a, axis=-2))(values(3, 2)), IndexError, "axis -2"),
        (lambda: pg.vmap(lambda a: a.reshape(4))(values(3, 2)), ShapeError, "2 elements"),
    ],
)
def test_errors_name_the_argument_and_the_axes(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_no_examples():
    f = pg.grad(lambda x: (x * x).sum())
    assert pg.vmap(f)(np.zeros((0, 3))).shape == (0, 3)
    with pytest.raises(ArgumentError, match="without an example"):
        pg.map(f, np.zeros((0, 3)))


# --- values of a batch ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x if x.sum() > 0 else -x,
        lambda x: float(x[0]),
        lambda x: int(x[0]),
        lambda x: x[0].item(),
        lambda x: np.asarray(x),
        lambda x: np.arange(3)[x[0] > 0],
        pg.grad(lambda x: x.sum() if x[0] > 0 else -x.sum()),
    ],
)
def test_a_batch_has_no_single_value(read: Any) -> None:
    with pytest.raises(BatchingError, match=r"vmap\(.*for each example.*portagrad.map"):
        pg.vmap(read)(values(4, 3))


def test_what_all_examples_share_has_a_value():
    result = pg.vmap(lambda x, n: x * float(n) if n > 1 else x, in_axes=(0, None))
    same(result(values(3), np.asarray(2.0)), values(3) * 2)


@pytest.mark.parametrize("f", [xp.nonzero, xp.unique_values, lambda x: x[x > 0]])
def test_results_of_many_lengths(f: Any) -> None:
    with pytest.raises(BatchingError, match=r"portagrad\.map"):
        pg.vmap(f)(values(4, 3))


def test_a_primitive_without_a_rule():
    @primitive
    def spread(x: Array, /) -> Array:
        return x.max() - x.min()

    x = values(4, 3)
    expected = x.max(axis=1) - x.min(axis=1)
    with pytest.raises(BatchingError, match=r"spread has no batching rule.*portagrad.map.*rule"):
        pg.vmap(spread)(x)
    same(pg.map(spread, x), expected)

    @batching.rule(spread)
    def _(call: batching.Call) -> Any:
        (x,) = call.values
        return xp.max(x, axis=-1) - xp.min(x, axis=-1)

    same(pg.vmap(spread)(x), expected)


def test_map_is_a_loop():
    def f(x: Any, scale: float) -> Any:
        return {"largest": x.max() * scale, "sign": 1 if float(x[0]) > 0 else -1}

    x = values(4, 3)
    result = pg.map(f, x, 2.0, in_axes=(0, None))
    same(result["largest"], x.max(axis=1) * 2)
    assert pg.to_numpy(result["sign"]).tolist() == np.where(x[:, 0] > 0, 1, -1).tolist()
    same(pg.grad(lambda x: pg.map(lambda row: (row**2).sum(), x).sum())(x), 2 * x)


# --- with the other transforms --------------------------------------------------------------------


def network(generator: Any, *sizes: int) -> list[dict[str, Any]]:
    return [
        {
            "weight": pg.asarray(generator.normal(size=(m, n)), dtype="float32"),
            "bias": pg.asarray(generator.normal(size=n), dtype="float32"),
        }
        for m, n in itertools.pairwise(sizes)
    ]


def loss(layers: list[dict[str, Any]], x: Any, label: Any) -> Any:
    *hidden, last = layers
    for layer in hidden:
        x = kernels.relu(kernels.linear(x, layer["weight"], layer["bias"]))
    return kernels.cross_entropy(kernels.linear(x, last["weight"], last["bias"]), label)


def test_per_example_gradients(backend: Any) -> None:
    generator = np.random.default_rng(0)
    layers = network(generator, 5, 4, 3)
    x = pg.asarray(generator.normal(size=(6, 5)), dtype="float32")
    labels = pg.asarray(generator.integers(0, 3, 6))
    value, found = pg.vmap(pg.value_and_grad(loss), in_axes=(None, 0, 0))(layers, x, labels)
    one = pg.value_and_grad(loss)
    looped = [one(layers, x[i, ...], labels[i, ...]) for i in range(6)]
    same(value, stack([v for v, _ in looped]), 1e-4)
    for i, layer in enumerate(found):
        for name, gradient in layer.items():
            assert type(gradient) is type(layers[i][name])
            same(gradient, stack([g[i][name] for _, g in looped]), 1e-4)


def test_tensors_go_in_and_gradients_come_back():
    net = pg.nn.Sequential(pg.nn.Linear(3, 4, seed=0), pg.nn.Tanh(), pg.nn.Linear(4, 2, seed=1))
    x = pg.tensor(values(5, 3).astype("float32"), requires_grad=True)
    out = pg.vmap(net)(x)
    assert isinstance(out, pg.Tensor)
    out.sum().backward()
    mapped = [x.grad, *(p.grad for p in net.parameters())]
    other = pg.tensor(x.data, requires_grad=True)
    net.zero_grad()
    net(other).sum().backward()
    for g, expected in zip(mapped, [other.grad, *(p.grad for p in net.parameters())], strict=True):
        same(g, expected, 1e-5)


def test_nested():
    a, b = values(3, 4), values(5, 4)
    table = pg.vmap(lambda x: pg.vmap(lambda y: xp.vecdot(x, y))(b))
    same(table(a), a @ b.T)
    both = pg.vmap(pg.vmap(lambda x, y: x * y, in_axes=(None, 0)), in_axes=(0, None))
    same(both(a[:, 0], b[:, 0]), np.outer(a[:, 0], b[:, 0]))
    other = pg.vmap(pg.vmap(xp.matmul, in_axes=(0, None)), in_axes=(None, 2), out_axes=-1)
    c = values(4, 2, 6)
    same(other(a, c), np.einsum("ij,jkl->ikl", a, c))


COMPOSITIONS = {
    "grad of grad": lambda f: pg.grad(lambda x: xp.sum(pg.grad(f)(x) ** 2)),
    "jvp of grad": lambda f: lambda x: pg.jvp(pg.grad(f), (x,), (x * x,))[1],
    "grad of jvp": lambda f: pg.grad(lambda x: pg.jvp(f, (x,), (xp.sin(x),))[1]),
    "vjp": lambda f: lambda x: pg.vjp(lambda z: xp.tanh(z) * f(z), x)[1](x)[0],
    "grad of a sum over a vmap": lambda f: pg.grad(
        lambda x: xp.sum(pg.vmap(lambda t: f(x * t))(xp.stack([x, x * 2])))
    ),
}


def scalar(x: Any) -> Any:
    return xp.sum(xp.exp(xp.sin(x)) * xp.cumulative_sum(x)) + xp.prod(x) + xp.max(x) * x[0]


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_compositions(backend: Any, name: str) -> None:
    transformed = COMPOSITIONS[name](scalar)
    x = pg.asarray(values(4, 3), dtype="float32")
    looped = stack([transformed(x[i, ...]) for i in range(4)])
    same(pg.vmap(transformed)(x), looped, 1e-4)


def test_derivatives_of_a_vmap():
    x, t = values(4, 3), values(4, 3, seed=1)
    mapped = pg.vmap(scalar)
    gradient = stack([pg.grad(scalar)(row) for row in x])
    same(pg.grad(lambda x: mapped(x).sum())(x), gradient)
    same(pg.jvp(mapped, (x,), (t,))[1], (gradient * t).sum(axis=1))
    same(pg.vjp(mapped, x)[1](np.ones(4))[0], gradient)


def test_stated_derivatives():
    @pg.custom_vjp
    def scaled(x: Any, w: Any) -> Any:
        return xp.sum(x * w)

    scaled.defvjp(
        lambda x, w: (xp.sum(x * w), (x, w)), lambda kept, g: (g * kept[1] * 10, g * kept[0] * 100)
    )
    x, w = values(4, 3), values(3)
    mapped = pg.vmap(scaled, in_axes=(0, None))
    same(mapped(x, w), x @ w)
    inside = pg.vmap(pg.grad(scaled, (0, 1)), in_axes=(0, None))(x, w)
    same(inside[0], np.stack([w * 10] * 4))
    same(inside[1], x * 100)
    outside = pg.grad(lambda x, w: mapped(x, w).sum(), (0, 1))(x, w)
    same(outside[0], np.stack([w * 10] * 4))
    same(outside[1], x.sum(axis=0) * 100)


def test_dtypes_are_kept(backend: Any) -> None:
    x = pg.asarray(values(4, 3), dtype="float32")
    result = pg.vmap(lambda a: a / 2 + xp.mean(a) * 1.5)(x)
    assert result.dtype == x.dtype
    assert device(result) == device(x)
    assert type(result) is type(x)


def test_map_says_which_results_do_not_go_together():
    with pytest.raises(ShapeError, match=r"map\(<lambda>\): .* not one shape .* \(1,\), \(2,\)"):
        pg.map(lambda a: xp.arange(int(a)), np.asarray([1, 2]))
    with pytest.raises(ArgumentError, match="result for example 1 is not built as that for exam"):
        pg.map(lambda a: (a,) if a > 1 else (a, a), np.asarray([1.0, 2.0]))


@pytest.mark.parametrize("name", BACKENDS)
def test_plain_tangents_and_cotangents_inside(name):
    """Not every library's arrays leave `array * traced` to the traced operand."""
    if name != "numpy":
        pytest.importorskip(name)
    with use_backend(name):
        x, v = (pg.asarray(values(*shape, seed=9)) for shape in ((2, 3), (3,)))
        f = lambda x: xp.sin(x) * x  # noqa: E731
        slope = np.cos(pg.to_numpy(x)) * pg.to_numpy(x) + np.sin(pg.to_numpy(x))
        expected = slope * pg.to_numpy(v)
        same(pg.vmap(lambda x: pg.jvp(f, (x,), (v,))[1])(x), expected)
        same(pg.vmap(lambda x: pg.vjp(f, x)[1](v)[0])(x), expected)
        same(pg.vmap(lambda x: pg.linearize(f, x)[1](v))(x), expected)

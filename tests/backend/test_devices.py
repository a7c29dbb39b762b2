"""Arrays on two cards: each operation runs where its arrays are. On a stand-in, not on a GPU."""

import gc
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import array_api_compat.numpy
import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad.backend import (
    Backend,
    NotCapturable,
    UnknownDeviceError,
    backend_of,
)
from portagrad.errors import DtypeError, MixedBackendsError, OutOfMemoryError
from tests.backend import two_cards
from tests.backend.two_cards import Cards


def where(x):
    return x.device_id


def test_a_device_is_chosen_by_name_whatever_is_current(cards):
    pg.set_backend("cupy", device="cuda:1")
    assert Cards.current == 1
    Cards.current = 0
    made = [xp.zeros(3), xp.ones((2, 2)), xp.arange(4), xp.linspace(0, 1, 5), xp.full(3, 2.0)]
    made += [pg.asarray([1.0]), pg.asarray(np.ones(2)), xp.zeros_like(made[0]), xp.eye(3)]
    assert list(map(where, made)) == [1] * len(made)
    assert Cards.current == 0
    assert Cards.over_the_bus == []


@pytest.mark.parametrize("device", ["cuda:1", 1])
def test_every_creation_function_takes_a_device(cards, device):
    with pg.use_backend("cupy"):
        like = pg.asarray(np.ones(3))
        made = [
            xp.zeros(3, device=device),
            xp.empty(3, device=device),
            xp.arange(3, device=device),
            xp.zeros_like(like, device=device),
            xp.full_like(like, 2.0, device=device),
            xp.astype(like, np.float32, device=device),
            xp.asarray(like, device=device),
            pg.asarray([1.0], device=device),
            pg.tensor([1.0], device=device).data,
            pg.nn.Linear(2, 3, device=device).weight.data,
        ]
    assert list(map(where, made)) == [1] * len(made)
    assert Cards.over_the_bus == []
    assert Cards.current == 0
    with pytest.raises(UnknownDeviceError, match=r"'cuda:0', 'cuda:1'"):
        xp.zeros_like(like, device="cuda:7")


def test_a_scope_makes_its_device_the_current_one_and_gives_it_back(cards):
    with pg.use_backend("cupy", device="cuda:1"):
        assert Cards.current == 1
        with pg.use_backend("cupy", device="cuda:0"):
            assert Cards.current == 0
        assert Cards.current == 1
        with pg.use_backend("numpy"):
            assert Cards.current == 1
    assert Cards.current == 0


def test_a_generator_in_a_scope_leaves_the_callers_device_alone(cards):
    @pg.use_backend("cupy", device="cuda:1")
    def devices():
        yield Cards.current
        yield Cards.current

    found = []
    for device in devices():
        found += [device, Cards.current]
    assert found == [1, 0, 1, 0]


def test_arrays_go_there_and_back(cards):
    x = np.arange(6.0).reshape(2, 3)
    there = pg.to_backend(x, "cupy", device="cuda:1")
    other = pg.to_backend(there, "cupy", device="cuda:0")
    assert (where(there), where(other)) == (1, 0)
    assert where(pg.to_backend(there, "cupy")) == 1  # nothing was asked for
    for each in (there, other, pg.to_backend(other, "cupy", device="cuda:1")):
        assert pg.to_numpy(each).tolist() == x.tolist()
    assert isinstance(pg.to_backend(there, "numpy"), np.ndarray)
    assert Cards.over_the_bus == []


def test_a_copy_between_cards_waits_for_both_sides(cards):
    x = pg.asarray(np.ones(3), backend="cupy", device="cuda:1")
    Cards.queued.clear()
    stream = two_cards.Stream("of the user")
    with stream:
        pg.to_backend(x, "cupy", device="cuda:0")
    made, waits, copy, copied, gives_back = Cards.queued
    assert made == ("record", made[1], "default of 1")
    assert waits == ("wait", made[1], "of the user")
    assert copy == ("copy", 1, "of the user")
    assert copied == ("record", copied[1], "of the user")
    assert gives_back == ("wait", copied[1], "default of 1")


def test_a_copy_is_refused_where_none_may_be_made(cards):
    x = pg.asarray(np.ones(3), backend="cupy", device="cuda:1")
    with pytest.raises(ValueError, match="from cuda:1 to cuda:0 is a copy"):
        pg.asarray(x, device="cuda:0", copy=False)
    assert pg.asarray(x, device="cuda:1", copy=False) is x


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("add", xp.add),
        ("matmul", xp.matmul),
        ("maximum", xp.maximum),
        ("linear", lambda x, w: pg.kernels.linear(x, w, w[0])),
        ("concat", lambda x, y: xp.concat([x, y])),
        ("where", lambda x, y: xp.where(x > 0, x, y)),
    ],
)
@pytest.mark.parametrize("traced", [False, True])
def test_arrays_of_two_cards_are_refused(cards, name, function, traced):
    x, y = (pg.asarray(np.ones((2, 2)), backend="cupy", device=each) for each in (0, 1))
    if traced:
        x, y = (pg.tensor(each, requires_grad=True) for each in (x, y))
    for _ in range(2):
        Cards.over_the_bus.clear()
        with pytest.raises(MixedBackendsError) as caught:
            function(x, y)
        message = str(caught.value)
        assert "arrays of cupy on two devices: cuda:0 (" in message
        assert "shape (2, 2)) and cuda:1 (" in message
        assert "portagrad.to_backend(x, 'cupy', device='cuda:1')" in message
        assert message.count("two devices") == 1
        assert "[" in message
        assert Cards.over_the_bus == []


def test_the_error_names_the_function(cards):
    x, y = (pg.asarray(np.ones(2), backend="cupy", device=each) for each in (0, 1))
    with pytest.raises(MixedBackendsError, match=r"^atan2: .*\[x1: \(2,\) float64, x2: "):
        xp.atan2(x, y)


PROGRAMS = {
    "element-wise": lambda x, w: xp.sum(xp.tanh(x * 2.0 + 1.0) * xp.exp(-x)),
    "fan-out": lambda x, w: xp.sum(x * x + x * xp.sin(x)),
    "product": lambda x, w: xp.mean(xp.matmul(x, w) ** 2),
    "rows": lambda x, w: xp.sum(pg.kernels.log_softmax(pg.kernels.linear(x, w))[:, 0]),
    "shapes": lambda x, w: xp.sum(xp.concat([x, xp.flip(x)]) * xp.reshape(w, (1, 9))[:, :3]),
    "reductions": lambda x, w: xp.std(x) + xp.max(x) + xp.sum(xp.cumulative_sum(x, axis=1)),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_runs_on_its_arrays_card(cards, program):
    """Forward, with another card current throughout, and NumPy's values."""
    hosts = [np.random.default_rng(0).normal(size=shape) for shape in ((2, 3), (3, 3))]
    tensors = [pg.tensor(x, backend="cupy", device="cuda:1", requires_grad=True) for x in hosts]
    assert Cards.current == 0
    value = PROGRAMS[program](*tensors)
    assert where(value.data) == 1
    expected = PROGRAMS[program](*(pg.tensor(x) for x in hosts))
    np.testing.assert_allclose(value.data.get(), expected.data, rtol=1e-12)
    assert Cards.over_the_bus == []


def gradients(program):
    """The gradients of a program on card 1, and NumPy's."""
    hosts = [np.random.default_rng(0).normal(size=shape) for shape in ((2, 3), (3, 3))]
    found = []
    for keywords in ({"backend": "cupy", "device": "cuda:1"}, {"backend": "numpy"}):
        tensors = [pg.tensor(x, requires_grad=True, **keywords) for x in hosts]
        PROGRAMS[program](*tensors).backward()
        found.append([x.grad for x in tensors if x.grad is not None])
    return found


def check_gradients(ours, theirs):
    for g, expected in zip(ours, theirs, strict=True):
        assert where(g) == 1
        np.testing.assert_allclose(g.get(), expected, rtol=1e-12)
    assert Cards.over_the_bus == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_gradient_in_a_scope_runs_on_its_device(cards, program):
    with pg.use_backend("cupy", device="cuda:1"):
        check_gradients(*gradients(program))


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_gradient_runs_on_its_arrays_card(cards, program):
    assert Cards.current == 0
    check_gradients(*gradients(program))


def test_a_training_step_in_a_scope_runs_on_its_device(cards):
    with pg.use_backend("cupy", device="cuda:1"):
        network = pg.nn.Sequential(pg.nn.Linear(3, 4), pg.nn.Tanh(), pg.nn.Linear(4, 2))
        optimizer = pg.optim.SGD(network.parameters(), learning_rate=0.1, momentum=0.9)
        x, target = pg.asarray(np.ones((5, 3), "float32")), pg.asarray(np.zeros(5, "int64"))
        for _ in range(2):
            optimizer.zero_grad()
            loss = pg.nn.CrossEntropyLoss()(network(x), target)
            loss.backward()
            optimizer.step()
        assert {where(p.data) for p in network.parameters()} == {1}
    assert Cards.over_the_bus == []
    assert Cards.current == 0


def test_memory_errors_say_what_the_card_has(cards):
    x = pg.asarray(np.ones(3), backend="cupy", device="cuda:1")

    class OutOfMemory(MemoryError):
        def __init__(self, size, total, limit=0):
            super().__init__(f"Out of memory allocating {size:,} bytes (allocated so far: {total})")

    def no_room(x):
        raise OutOfMemory(8 << 30, 70 << 30)

    @pg.primitive
    def grow(x):
        return no_room(x)

    with pytest.raises(OutOfMemory) as caught:
        grow(x)
    assert isinstance(caught.value, OutOfMemoryError)
    message = str(caught.value)
    assert message.startswith("grow: Out of memory allocating 8,589,934,592 bytes")
    assert "[x: (3,) float64]" in message
    assert (
        "On cuda:1, arrays take 60 GiB, CuPy's pool keeps 10 GiB that they have left, and 3 of "
        "80 GiB are free. Try a smaller batch" in message
    )


def test_bfloat16_is_refused_with_what_to_do_instead(cards):
    with pytest.raises(DtypeError, match="cupy has no dtype 'bfloat16'") as caught:
        pg.asarray([1.0], dtype="bfloat16", backend="cupy")
    for advice in ("float16 here", "MixedPrecision", 'set_matmul_precision("bf16")'):
        assert advice in str(caught.value)
    with pytest.raises(DtypeError, match="no dtype 'complex32'") as caught:
        pg.asarray([1.0], dtype="complex32", backend="cupy")
    assert "MixedPrecision" not in str(caught.value)


def test_what_a_bfloat16_of_somebody_elses_is(cards):
    dtype = SimpleNamespace(name="bfloat16")
    assert cards.xp.isdtype(dtype, "real floating")
    assert cards.xp.isdtype(dtype, ("integral", "numeric"))
    assert not cards.xp.isdtype(dtype, "integral")
    assert cards.xp.isdtype(np.dtype("float32"), "real floating")
    assert cards.xp.finfo(np.dtype("float32")).bits == 32
    if find_spec("ml_dtypes"):
        assert cards.xp.finfo(dtype).bits == 16
        import ml_dtypes

        x = two_cards.ndarray(np.ones(3, ml_dtypes.bfloat16), 0)
        y = pg.tensor(x, requires_grad=True)
        (y * y).backward(x)  # a cotangent of the result's dtype
        assert y.grad.dtype == x.dtype
        with pytest.raises(DtypeError, match="cupy has no dtype 'bfloat16'"):
            cards.asarray(x, dtype="bfloat16")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint64"])
@pytest.mark.parametrize(
    "bounds", [(-1, 1), (None, 1), (0.5, None), (None, None), (-1000, 1000), "arrays"]
)
def test_clipping_is_the_standards_and_picks_nothing_by_a_mask(cards, dtype, bounds):
    """array-api-compat's has the host wait for how many elements are out of bounds."""
    values = np.array([[0, 1, 2], [3, 5, 100]]).astype(dtype)
    if dtype.startswith("float"):
        values[0, 0] = np.nan
    if bounds == "arrays":
        bounds = np.array([[1.0], [4.0]], "float32"), np.array([2.0, 4.0, 50.0])
    x = pg.asarray(values, backend="cupy", device="cuda:1")
    given = [
        pg.asarray(each, backend="cupy", device="cuda:1") if isinstance(each, np.ndarray) else each
        for each in bounds
    ]
    made = cards.xp.clip(x, *given)
    expected = array_api_compat.numpy.clip(values, *bounds)
    assert (where(made), made.dtype) == (1, values.dtype)
    np.testing.assert_array_equal(made.get(), expected)
    assert not np.may_share_memory(made.values, x.values)
    assert not {"getitem", "setitem"} & set(Cards.over_the_bus)
    assert Cards.over_the_bus == []


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "uint8", "complex64"])
def test_signs_are_the_standards_and_pick_nothing_by_a_mask(cards, dtype):
    values = np.array([0, 3, 5, 100]).astype(dtype)
    if dtype not in ("int8", "uint8"):
        values = np.append(values, [np.nan, np.inf, -np.inf, -2]).astype(dtype)
    if dtype == "complex64":
        values = np.array([0, 3 - 4j, np.nan, -2j], dtype)
    with np.errstate(all="ignore"):
        made = cards.xp.sign(pg.asarray(values, backend="cupy", device="cuda:1"))
    assert (where(made), made.dtype) == (1, values.dtype)
    np.testing.assert_allclose(made.get(), np.sign(values), rtol=1e-6)
    assert not {"getitem", "setitem"} & set(Cards.over_the_bus)


@pytest.mark.parametrize(
    "shapes",
    [
        *(((3, 3), right) for right in ((3,), (3, 2), (2, 3, 2))),
        *(((2, 3, 3), right) for right in ((2, 3, 1), (3, 2), (4, 1, 3, 2))),
    ],
)
def test_systems_are_broadcast(cards, shapes):
    random = np.random.default_rng(0)
    x, y = (random.normal(size=shape) for shape in shapes)
    there = (pg.asarray(each, backend="cupy", device="cuda:1") for each in (x, y))
    made = cards.xp.linalg.solve(*there)
    np.testing.assert_allclose(made.get(), np.linalg.solve(x, y))


def test_the_namespaces_product_is_the_backends_own(cards, monkeypatch):
    """The derivative of a product is made of it, eager work included."""
    x = pg.asarray(np.ones((2, 2)), backend="cupy", device="cuda:1")
    assert cards.xp.matmul(x, x).get().tolist() == [[2.0, 2.0]] * 2
    own = SimpleNamespace(matmul=lambda x1, x2: "own")
    monkeypatch.setitem(sys.modules, "portagrad_cupy.products", own)
    assert cards.xp.matmul(x, x) == "own"


@pytest.mark.parametrize("axes", [0, ([], []), ((), [])])
@pytest.mark.parametrize("shapes", [((), (2, 3)), ((2,), ()), ((), ())])
def test_a_product_with_what_has_no_axes(cards, shapes, axes):
    """The derivative of a result without axes is one."""
    x, y = (np.arange(1.0, 7.0)[: int(np.prod(shape))].reshape(shape) for shape in shapes)
    there = (pg.asarray(each, backend="cupy", device="cuda:1") for each in (x, y))
    made = cards.xp.tensordot(*there, axes=axes)
    np.testing.assert_array_equal(made.get(), np.multiply.outer(x, y))


@pytest.mark.parametrize("count", [1, 2])
def test_frequencies_are_made_on_a_device(cards, count):
    """array-api-compat's refuse any, also the only one there is."""
    Cards.count = count
    from portagrad_cupy import CupyBackend

    made = CupyBackend().xp.fft.fftfreq(8, d=0.5, device=two_cards.Device(count - 1))
    assert where(made) == count - 1
    np.testing.assert_array_equal(made.get(), np.fft.fftfreq(8, 0.5))


def test_memory_is_released_on_the_backends_card(cards):
    pg.get_backend("cupy", device="cuda:1").release_memory()
    assert ("freed", 1) in Cards.queued


def test_products_follow_the_current_stream_with_a_workspace_of_its_own(cards, monkeypatch):
    """One handle for a card, one workspace for each stream of it, kept for the next product."""
    for name in ("portagrad_cupy.cublaslt", "portagrad_cupy.cublaslt.multiply"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    from portagrad_cupy.cublaslt import multiply

    runs = []

    class Plan:
        def __init__(self, problem, handle, workspace):
            self.chosen = SimpleNamespace(workspaceSize=workspace)

        def run(self, handle, a, b, y, workspace, size, stream):
            runs.append((handle, workspace, stream))

    monkeypatch.setattr(multiply, "Plan", Plan)
    monkeypatch.setattr(multiply, "call", lambda name, *arguments: None)
    other = two_cards.Stream("another")
    for index in (0, 1):
        with two_cards.Device(index):
            x = pg.asarray(np.ones((4, 4)), backend="cupy", device=index)
            multiply.product(x, x)
            multiply.product(x, x)
            with other:
                multiply.product(x, x)
    first, again, aside, *rest = runs
    assert first == again
    assert first[2] == Cards.streams[0].ptr
    stream = other.ptr
    assert (aside[0], aside[2]) == (first[0], stream)
    assert rest[0][0] is not first[0]
    assert len({workspace for _, workspace, _ in runs}) == 4
    assert {len(each) for each in multiply._workspaces.values()} == {1, 2}  # `other` was on both
    del other, stream
    gc.collect()
    assert len(multiply._workspaces) == 2  # those of the default streams
    # On a card that is not the current one, cuBLASLt's handle would not do.
    assert multiply.product(x, x) is None
    for name in ("portagrad_cupy.cublaslt", "portagrad_cupy.cublaslt.multiply"):
        sys.modules.pop(name, None)


def test_a_product_that_is_refused_is_left_to_cupy_from_then_on(cards, monkeypatch):
    for name in ("portagrad_cupy.cublaslt", "portagrad_cupy.cublaslt.multiply"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    from portagrad_cupy.cublaslt import multiply

    runs = []

    class Plan:
        def __init__(self, problem, handle, workspace):
            self.chosen = SimpleNamespace(workspaceSize=0)

        def run(self, *arguments):
            runs.append(arguments)
            raise multiply.CublasLtError("cublasLtMatmul answered CUBLAS_STATUS_NOT_SUPPORTED (15)")

    monkeypatch.setattr(multiply, "Plan", Plan)
    monkeypatch.setattr(multiply, "call", lambda name, *arguments: None)
    x = pg.asarray(np.ones((4, 4)), backend="cupy")
    assert [multiply.product(x, x) for _ in range(3)] == [None] * 3
    assert len(runs) == 1
    for name in ("portagrad_cupy.cublaslt", "portagrad_cupy.cublaslt.multiply"):
        sys.modules.pop(name, None)


def test_a_graph_is_launched_on_the_stream_that_is_current_then(cards, graphs):
    x = pg.asarray(np.ones(3), backend="cupy")
    before = Cards.streams[0].name
    launch, (y,) = graphs.capture(lambda: [xp.exp(x)], lambda: None)
    names = [entry[0] for entry in Cards.queued]
    assert names == ["freed", "record", "wait", "synchronize", "begin", "end"]
    assert Cards.queued[1][2] == before
    assert {entry[-1] for entry in Cards.queued[2:]} == {"of a capture"}
    assert where(y) == 0
    with two_cards.Stream("of the user"):
        launch()
    launch()
    assert Cards.queued[-2:] == [("launch", "of the user"), ("launch", before)]


def test_work_of_another_card_is_not_taken_for_captured(cards, graphs):
    """It would run at once, and a replay would leave old numbers."""
    x = pg.asarray(np.ones(3), backend="cupy", device="cuda:1")
    with pytest.raises(NotCapturable, match="results are on cuda:1, not cuda:0"):
        graphs.capture(lambda: [xp.exp(x)], lambda: None)
    with pg.use_backend("cupy", device="cuda:1"):
        launch, _ = graphs.capture(lambda: [xp.exp(x)], lambda: None)
        launch()


def test_numbers_from_the_host_are_not_captured(cards, graphs):
    """A replay would send what is in that memory by then."""
    cupy = sys.modules["cupy"]
    with pytest.raises(NotCapturable, match="sends numbers from the host"):
        graphs.capture(lambda: [cupy.array_from_host([1.0])], lambda: None)
    assert [entry[0] for entry in Cards.queued][-2:] == ["begin", "end"]
    cupy.array_from_host([1.0])  # outside of a capture it may


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotImplementedError("calling cuBLAS API during stream capture"), NotCapturable),
        (RuntimeError("cudaErrorStreamCaptureUnsupported"), NotCapturable),
        (RuntimeError("cudaErrorMemoryAllocation: out of memory"), RuntimeError),
        (MemoryError("Out of memory allocating 8 bytes"), MemoryError),
    ],
)
def test_what_fails_in_a_capture_alone_is_not_capturable(cards, graphs, error, kind):
    x, calls = pg.asarray(np.ones(3), backend="cupy"), []

    def work():
        calls.append(1)
        if len(calls) == 2:
            raise error
        return [xp.exp(x)]

    with pytest.raises(kind, match=str(error)[:20]):
        graphs.capture(work, lambda: None)
    assert Cards.queued[-1] == ("end", "of a capture")


def test_nothing_is_wrapped_twice(cards):
    assert cards.guarded(cards.xp.exp) is cards.xp.exp
    plain = cards.guarded(len)
    assert plain is not len
    assert cards.guarded(plain) is plain


def test_one_card_wraps_nothing(cards):
    Cards.count = 1
    from portagrad_cupy import CupyBackend

    backend = CupyBackend()
    assert backend.xp.exp is sys.modules["array_api_compat.cupy"].exp
    assert backend.guarded(len) is len


def test_a_missing_function_is_still_said_to_be_missing(cards):
    assert getattr(cards.xp, "no_such_function", None) is None
    with pytest.raises(AttributeError, match=r"array_api_compat\.cupy.*no_such_function"):
        cards.xp.no_such_function  # noqa: B018


def test_other_libraries_need_no_guard():
    assert Backend().guarded(len) is len
    assert Backend().make_current() is None
    assert backend_of(np.ones(1)).guarded(len) is len


@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "uint16", "int32", "int64", "float16", "float32", "complex64", "complex128"],
)
@pytest.mark.parametrize("shape", [(4,), (4, 3)])
def test_values_are_added_where_an_index_comes_twice(cards, dtype, shape):
    """Of dtypes that CuPy adds to and of the others; a warning would be an error."""
    values = np.arange(np.prod(shape)).reshape(shape) - 3
    values = (values * (1 - 2j) if dtype.startswith("complex") else values).astype(dtype)
    places, expected = np.array([1, 3, 1, 1]), np.zeros(shape, dtype)
    np.add.at(expected, places, values)
    there, key = (pg.asarray(x, backend="cupy", device="cuda:1") for x in (values, places))
    made = cards.index_add(there, (key,), shape)
    assert (made.dtype, where(made)) == (np.dtype(dtype), 1)
    assert made.get().tolist() == expected.tolist()
    assert Cards.over_the_bus == []

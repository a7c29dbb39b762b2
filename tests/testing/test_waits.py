"""What makes the host wait is seen: on modules made up like CuPy, as there is no card."""

from types import ModuleType, SimpleNamespace

import pytest

from portagrad.testing.waits import METHODS, host_waits


@pytest.fixture
def library():
    """A module with CuPy's classes: `item` gets, and `get` declares that it waits."""
    made = ModuleType("cupy")
    hook = SimpleNamespace(_declare_synchronize=lambda: None)

    class Compiled:  # methods that Python inherits from compiled code
        def get(self):
            hook._declare_synchronize()
            return 3.0

        def item(self):
            return self.get()

        def __float__(self):
            return self.item()

        def __bool__(self):
            return bool(self.get())

    class ndarray(Compiled):
        pass

    class Stream:
        def synchronize(self):
            return "done"

    class Event(Stream):
        pass

    made.ndarray = ndarray
    made._core = SimpleNamespace(syncdetect=hook)
    made.cuda = SimpleNamespace(
        Stream=Stream,
        Event=Event,
        Device=lambda: SimpleNamespace(synchronize=lambda: hook._declare_synchronize()),
        runtime=SimpleNamespace(
            memcpyDeviceToHost=2,
            **{name: lambda *args, **keywords: None for name in ("memcpy", "memcpyAsync")},
            **{
                name: lambda *args: None
                for name in ("deviceSynchronize", "streamSynchronize", "eventSynchronize")
            },
        ),
    )
    return made


@pytest.mark.parametrize(
    ("what", "wait"),
    [
        ("ndarray.get", lambda m: m.ndarray().get()),
        ("ndarray.item", lambda m: m.ndarray().item()),
        ("ndarray.__float__", lambda m: float(m.ndarray())),
        ("ndarray.__bool__", lambda m: bool(m.ndarray())),
        ("Stream.synchronize", lambda m: m.cuda.Stream().synchronize()),
        ("Event.synchronize", lambda m: m.cuda.Event().synchronize()),
        ("_declare_synchronize", lambda m: m.cuda.Device().synchronize()),
        ("deviceSynchronize", lambda m: m.cuda.runtime.deviceSynchronize()),
        ("streamSynchronize", lambda m: m.cuda.runtime.streamSynchronize(0)),
        ("memcpy", lambda m: m.cuda.runtime.memcpy(1, 2, 8, 2)),
        ("memcpyAsync", lambda m: m.cuda.runtime.memcpyAsync(1, 2, 8, kind=2, stream=0)),
    ],
)
def test_a_wait_is_noted_once_with_its_line(library, what, wait):
    with host_waits(library) as waits:
        wait(library)
    ((found, where),) = waits
    assert found == what
    assert "test_waits.py:" in where
    assert ("lambda: hook" if what == "_declare_synchronize" else "lambda m: ") in where


def test_what_is_queued_is_no_wait(library):
    with host_waits(library) as waits:
        library.cuda.runtime.memcpy(1, 2, 8, 1)
        library.cuda.runtime.memcpyAsync(1, 2, 8, 3, 0)
    assert waits == []


def test_results_come_through_and_each_call_counts(library):
    with host_waits(library) as waits:
        assert float(library.ndarray()) == 3.0
        assert library.ndarray().get() == 3.0
        assert library.cuda.Stream().synchronize() == "done"
    assert [each.what for each in waits] == [
        "ndarray.__float__",
        "ndarray.get",
        "Stream.synchronize",
    ]


def test_an_error_inside_is_no_excuse_to_stop_counting(library):
    def fails(self):
        raise RuntimeError("the card is gone")

    library.cuda.Stream.synchronize = fails
    with host_waits(library) as waits:
        with pytest.raises(RuntimeError):
            library.cuda.Stream().synchronize()
        library.ndarray().get()
    assert len(waits) == 2


def test_afterwards_everything_is_as_before(library):
    before = dict(vars(library.ndarray)), dict(vars(library.cuda.runtime))
    with host_waits(library) as waits, pytest.raises(KeyError), host_waits(library):
        raise KeyError
    assert (dict(vars(library.ndarray)), dict(vars(library.cuda.runtime))) == before
    library.ndarray().get()
    assert waits == []


@pytest.mark.nogpu
def test_it_finds_its_places_in_cupy():
    """CuPy's classes let themselves be watched, and have what is watched."""
    cupy = pytest.importorskip("cupy")
    from portagrad.testing.waits import COPIES, RUNTIME, _places

    names = [name for _, name, _, _ in _places(cupy)]
    assert {*RUNTIME, *COPIES, "_declare_synchronize"} <= set(names)
    assert set(METHODS["ndarray"]) - set(names) <= {"__index__", "__array__"}
    with host_waits(cupy) as waits:
        pass
    assert waits == []
    assert "get" not in vars(cupy.ndarray)

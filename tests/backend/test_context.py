"""Which backend is in force: order of precedence, scopes, isolation, decorators."""

import asyncio
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import portagrad as pg
from portagrad.backend import (
    Backend,
    UnknownDeviceError,
    asarray,
    get_backend,
    register_backend,
    set_backend,
    use_backend,
)
from portagrad.errors import (
    ArgumentError,
    BackendError,
    BackendUnusableError,
    UnknownBackendError,
)

pytest.importorskip("array_api_strict")
STRICT = "array_api_strict"


class Dead(Backend):
    """Its library is there, its device is not; `alive` brings it to life."""

    name = "dead"
    library = "numpy"
    namespace = "array_api_compat.numpy"
    alive = False

    def check_device(self):
        if not self.alive:
            raise OSError("no current")


def name():
    return get_backend().name


def on_new_thread(function):
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def python(code, **environment):
    """What a fresh interpreter prints; its last line on stderr where it fails."""
    done = subprocess.run(
        [sys.executable, "-c", "import portagrad.backend as b\n" + code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return lines[-1] if lines else ""


# --- get_backend and set_backend -----------------------------------------------------


def test_numpy_is_the_default_and_the_repr_says_all_four():
    backend = get_backend()
    assert (backend.name, backend.version, backend.device) == ("numpy", np.__version__, "cpu")
    assert backend.xp.__name__ == "array_api_compat.numpy"
    assert repr(backend) == (
        f"Backend(name='numpy', version='{np.__version__}', device='cpu', "
        f"xp='array_api_compat.numpy')"
    )


def test_set_backend_holds_for_every_thread():
    set_backend(STRICT, device="device1")
    assert on_new_thread(name) == STRICT
    assert get_backend().device_name() == "device1"
    assert asarray([1.0]).device == get_backend().device


@pytest.mark.parametrize("wrong", ["no_such_backend", "dead"])
def test_on_any_failure_the_old_backend_stays(wrong):
    register_backend("dead", Dead())
    set_backend(STRICT, device="device1")
    before = get_backend()
    with pytest.raises(BackendError, match=r"Active backend: array_api_strict .* on device1\.$"):
        set_backend(wrong)
    assert get_backend() is before


def test_a_wrong_device_leaves_the_old_backend_and_names_those_there_are():
    with pytest.raises(UnknownDeviceError, match="'CPU_DEVICE', 'device1'") as caught:
        set_backend(STRICT, device="device9")
    assert isinstance(caught.value, ValueError)
    assert name() == "numpy"
    with pytest.raises(UnknownDeviceError, match=r"numpy has no device 'cuda'.*'cpu'"):
        set_backend("numpy", device="cuda")


def test_set_backend_probes_every_time_and_remembers_no_failure():
    dead = Dead()
    register_backend("dead", dead)
    with pytest.raises(BackendUnusableError, match="'device' stage"):
        set_backend("dead")
    dead.alive = True
    set_backend("dead")
    with use_backend("dead"):
        pass
    dead.alive = False
    with pytest.raises(BackendUnusableError):
        set_backend("dead")
    assert name() == "dead"


def test_a_device_object_and_a_backend_object_will_do():
    strict = pytest.importorskip(STRICT)
    set_backend(STRICT, device=strict.Device("device2"))
    chosen = get_backend()
    assert chosen.device_name() == "device2"
    set_backend("numpy")
    with use_backend(chosen):
        assert get_backend().device_name() == "device2"


def test_get_backend_by_name():
    assert get_backend(STRICT).name == STRICT
    assert get_backend(STRICT, device="device1").device_name() == "device1"
    assert name() == "numpy"
    with use_backend(STRICT, device="device2"):
        assert get_backend(STRICT).device_name() == "device2"
        assert get_backend("numpy").name == "numpy"


# --- order of precedence ---------------------------------------------------------------


def test_argument_then_scope_then_process_then_environment_then_numpy(monkeypatch):
    assert name() == "numpy"
    monkeypatch.setenv("PORTAGRAD_BACKEND", STRICT)
    assert name() == STRICT
    set_backend("numpy")
    assert name() == "numpy"
    register_backend("inner", "portagrad_numpy:backend")
    with use_backend(STRICT):
        assert name() == STRICT
        with use_backend("inner"):
            assert name() == "inner"
            assert type(asarray([1.0], backend=STRICT)).__module__.startswith(STRICT)
            set_backend(STRICT)
            assert name() == "inner"
        assert name() == STRICT
    assert name() == STRICT  # from set_backend, inside


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_variable_is_none(monkeypatch, text):
    monkeypatch.setenv("PORTAGRAD_BACKEND", text)
    assert name() == "numpy"


def test_the_variable_in_a_fresh_process():
    assert python("print(b.get_backend().name)", PORTAGRAD_BACKEND=STRICT) == STRICT
    assert python("print(b.asarray([1.0]).device)", PORTAGRAD_BACKEND=f" {STRICT} ").endswith(
        "Device('CPU_DEVICE')"
    )


def test_a_wrong_variable_is_an_error_at_first_use_and_names_itself():
    assert python("print('imported')", PORTAGRAD_BACKEND="cuppy") == "imported"
    message = python("b.asarray([1.0])", PORTAGRAD_BACKEND="cuppy")
    assert "UnknownBackendError" in message
    assert "PORTAGRAD_BACKEND asks for 'cuppy'" in message
    assert "Did you mean 'cupy'" in message
    assert message.endswith("Active backend: none yet; PORTAGRAD_BACKEND names 'cuppy'.")


def test_a_wrong_variable_hinders_nobody_who_chooses():
    code = "b.set_backend('numpy'); print(b.get_backend().name)"
    assert python(code, PORTAGRAD_BACKEND="cuppy") == "numpy"
    code = "\nwith b.use_backend('numpy'): print(b.get_backend().name)"
    assert python(code, PORTAGRAD_BACKEND="cuppy") == "numpy"


def test_a_variable_that_cannot_be_had_never_falls_back(monkeypatch):
    register_backend("dead", Dead())
    monkeypatch.setenv("PORTAGRAD_BACKEND", "dead")
    for _ in range(2):
        with pytest.raises(
            BackendUnusableError, match=r"PORTAGRAD_BACKEND asks for 'dead'.*no cur"
        ):
            get_backend()


# --- use_backend -------------------------------------------------------------------------


def test_it_gives_the_backend_and_takes_itself_back():
    with use_backend(STRICT, device="device1") as backend:
        assert backend is get_backend()
        assert backend.device_name() == "device1"
    assert name() == "numpy"


def test_it_is_safe_against_exceptions():
    with pytest.raises(KeyError), use_backend(STRICT):
        raise KeyError
    assert name() == "numpy"


def test_what_fails_on_entry_changes_nothing():
    register_backend("dead", Dead())
    with use_backend(STRICT):
        for wrong in ("dead", "cuppy"):
            with pytest.raises(BackendError, match=r"array_api_strict .* on CPU_DEVICE"):
                use_backend(wrong).__enter__()
            assert name() == STRICT


def test_one_object_is_re_entrant():
    use = use_backend(STRICT)
    with use:
        with use_backend("numpy"):
            with use:
                with use:
                    assert name() == STRICT
                assert name() == STRICT
            assert name() == "numpy"
        assert name() == STRICT
    assert name() == "numpy"
    with use:
        assert name() == STRICT
    assert name() == "numpy"


def test_threads_do_not_see_each_others_scopes():
    with use_backend(STRICT):
        assert on_new_thread(name) == "numpy"


def test_one_object_in_many_threads():
    use = use_backend(STRICT)
    barrier = threading.Barrier(4)
    seen = []

    def work():
        for _ in range(50):
            barrier.wait()
            with use:
                seen.append(name())
            seen.append(name())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen.count(STRICT) == seen.count("numpy") == 200
    assert name() == "numpy"


def test_asyncio_tasks_do_not_see_each_others_scopes():
    use = use_backend(STRICT, device="device1")  # one object, in both tasks at once

    async def task(scope, expected):
        seen = []
        for _ in range(5):
            with scope:
                await asyncio.sleep(0)
                seen.append(name())
            await asyncio.sleep(0)
            seen.append(name())
        assert seen == [expected, "numpy"] * 5

    async def main():
        await asyncio.gather(
            task(use, STRICT), task(use, STRICT), task(use_backend("numpy"), "numpy")
        )

    asyncio.run(main())
    assert name() == "numpy"


def test_a_task_inherits_the_scope_it_was_made_in():
    async def main():
        with use_backend(STRICT):
            task = asyncio.ensure_future(asyncio.to_thread(name))
        assert await task == STRICT
        assert name() == "numpy"

    asyncio.run(main())


def test_scopes_left_out_of_order():
    """Two generators, suspended inside their scopes and closed first in, first out."""

    def suspended(which):
        with use_backend(which):
            yield name()

    first, second = suspended(STRICT), suspended("numpy")
    assert [next(first), next(second)] == [STRICT, "numpy"]
    first.close()
    assert name() == "numpy"
    second.close()
    assert name() == "numpy"
    with use_backend(STRICT):
        third = suspended("numpy")
        next(third)
    assert name() == "numpy"
    third.close()
    assert name() == "numpy"


# --- as a decorator ------------------------------------------------------------------------


def test_decorated_functions_of_every_kind():
    use = use_backend(STRICT)

    @use
    def plain(x, *, y=2):
        """Its own words."""
        return name(), x, y

    @use
    async def coroutine():
        await asyncio.sleep(0)
        return name()

    assert plain(1, y=3) == (STRICT, 1, 3)
    assert (plain.__name__, plain.__doc__) == ("plain", "Its own words.")
    assert asyncio.run(coroutine()) == STRICT

    class Thing:
        @use
        def method(self):
            return self, name()

    thing = Thing()
    assert thing.method() == (thing, STRICT)
    assert name() == "numpy"


def test_a_decorated_function_may_call_itself():
    @use_backend(STRICT)
    def countdown(n):
        return [name()] if n == 0 else [name(), *countdown(n - 1)]

    assert countdown(5) == [STRICT] * 6
    assert name() == "numpy"


def test_a_decorated_generator_sees_it_and_its_consumer_does_not():
    @use_backend(STRICT)
    def generate(count):
        sent = []
        try:
            for _ in range(count):
                try:
                    sent.append((yield name()))
                except KeyError:
                    sent.append(f"caught in {name()}")
        finally:
            sent.append(f"left in {name()}")
            log.extend(sent)
        return "returned"

    log = []
    generator = generate(3)
    assert name() == "numpy"
    assert next(generator) == STRICT
    assert name() == "numpy"
    assert generator.send("hello") == STRICT
    assert generator.throw(KeyError()) == STRICT
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == "returned"
    assert log == ["hello", f"caught in {STRICT}", None, f"left in {STRICT}"]

    log = []
    generator = generate(3)
    next(generator)
    generator.close()
    assert log == [f"left in {STRICT}"]
    assert name() == "numpy"
    generator = generate(1)
    next(generator)
    with pytest.raises(ZeroDivisionError):
        generator.throw(ZeroDivisionError())


def test_a_decorated_async_generator():
    log = []

    @use_backend(STRICT)
    async def generate():
        try:
            for _ in range(3):
                await asyncio.sleep(0)
                log.append((yield name()))
        finally:
            log.append(f"left in {name()}")

    async def main():
        seen = [(each, name()) async for each in generate()]
        assert seen == [(STRICT, "numpy")] * 3
        assert log.pop() == f"left in {STRICT}"
        generator = generate()
        await generator.__anext__()
        assert await generator.asend("sent") == STRICT
        await generator.aclose()
        assert log[-2:] == ["sent", f"left in {STRICT}"]
        generator = generate()
        await generator.__anext__()
        with pytest.raises(KeyError):
            await generator.athrow(KeyError())
        assert log[-1] == f"left in {STRICT}"
        assert name() == "numpy"

    asyncio.run(main())


def test_decorating_imports_nothing_and_calling_raises():
    @use_backend("no_such_backend")
    def function():
        raise AssertionError("unreachable")

    with pytest.raises(UnknownBackendError, match="no_such_backend"):
        function()
    code = (
        "import sys\n@b.use_backend('array_api_strict')\ndef f(): return b.get_backend().name\n"
        "print('array_api_strict' in sys.modules, f())"
    )
    assert python(code) == f"False {STRICT}"


def test_a_class_cannot_be_decorated():
    with pytest.raises(TypeError, match="decorates functions, not the class Thing"):

        @use_backend("numpy")
        class Thing:
            pass


def test_matmul_precision_is_one_of_three():
    assert pg.get_matmul_precision() == "ieee"
    try:
        pg.set_matmul_precision("tf32")
        assert pg.get_matmul_precision() == "tf32"
        with pytest.raises(ArgumentError, match=r"set_matmul_precision: .*'ieee', 'tf32', 'bf16'"):
            pg.set_matmul_precision("fp8")
        assert pg.get_matmul_precision() == "tf32"
    finally:
        pg.set_matmul_precision("ieee")

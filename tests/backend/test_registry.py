"""Which backends are known, where they come from, and plugins that are broken."""

import re
import sys
import threading

import pytest

from portagrad.backend import Backend, get_backend, list_backends, register_backend, set_backend
from portagrad.backend import registry as registry_module
from portagrad.backend.registry import Registry
from portagrad.errors import (
    ArgumentError,
    BackendError,
    BackendLoadError,
    BackendNotInstalledError,
    UnknownBackendError,
)

OURS = {"array_api_strict", "cupy", "numpy", "torch"}


def statuses():
    return {each.name: each for each in list_backends()}


# --- portagrad's own -----------------------------------------------------------


def test_every_first_party_backend_is_listed_with_its_source():
    found = statuses()
    assert found.keys() >= OURS
    assert {found[name].source for name in OURS} == {"portagrad 0.1.0"}
    assert found["numpy"].status == "ready"
    assert found["numpy"].reason == ""
    assert found["numpy"].version == sys.modules["numpy"].__version__


def test_unknown_name_suggests_near_ones_and_ends_with_what_is_active():
    with pytest.raises(UnknownBackendError) as caught:
        set_backend("cuppy")
    message = str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, BackendError)
    assert "Did you mean 'cupy'" in message
    assert "array_api_strict, cupy, dask, jax, numpy, torch" in message
    assert message.endswith(f"Active backend: numpy {sys.modules['numpy'].__version__} on cpu.")


@pytest.mark.parametrize(("wrong", "near"), [("NumPy", "'numpy'"), ("pytorch", "'torch'")])
def test_near_names(wrong, near):
    with pytest.raises(UnknownBackendError, match=f"Did you mean {near}"):
        set_backend(wrong)


def test_a_name_like_no_other_gets_no_suggestion():
    with pytest.raises(UnknownBackendError) as caught:
        set_backend("zzzz")
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize("wrong", [sys, 3, "", ["numpy"]])
def test_what_is_no_name_is_refused(wrong):
    with pytest.raises(UnknownBackendError, match="string such as 'numpy'"):
        set_backend(wrong)


def test_missing_library_gives_the_exact_pip_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # as if it were not installed
    with pytest.raises(BackendNotInstalledError) as caught:
        set_backend("cupy")
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    (line,) = re.findall(r'`pip install "portagrad\[cuda1[23]x\]"`', str(caught.value))
    assert str(caught.value).endswith("on cpu.")
    status = statuses()["cupy"]
    assert status.status == "not installed"
    assert line.strip("`") in status.reason
    assert status.version is None


@pytest.mark.parametrize(("driver", "extra"), [(12080, "12"), (13000, "13"), (None, "13")])
def test_the_extra_is_that_of_the_driver(monkeypatch, driver, extra):
    class Library:
        def cuDriverGetVersion(self, pointer):
            pointer._obj.value = driver

    def load(name):
        if driver is None:
            raise OSError(name)
        return Library()

    monkeypatch.setattr("ctypes.CDLL", load)
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(BackendNotInstalledError, match=rf"portagrad\[cuda{extra}x\]"):
        set_backend("cupy")


def test_missing_library_found_again_once_it_is_there(monkeypatch):
    """A failure is never remembered."""
    pytest.importorskip("array_api_strict")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "array_api_strict", None)
        with pytest.raises(BackendNotInstalledError, match="pip install array-api-strict"):
            set_backend("array_api_strict")
    assert set_backend("array_api_strict").name == "array_api_strict"


# --- register_backend ------------------------------------------------------------


def test_register_by_path_under_any_name():
    register_backend("mine", "portagrad_numpy:backend")
    assert statuses()["mine"].source == "registered in process"
    assert set_backend("mine").name == "mine"
    assert get_backend().name == "mine"
    assert "'mine'" in repr(get_backend())


def test_register_an_object_and_a_class():
    class Mine(Backend):
        name = "numpy"
        namespace = "array_api_compat.numpy"

    register_backend("object", Mine())
    assert set_backend("object").name == "object"
    register_backend("class", "portagrad_numpy:NumpyBackend")
    assert set_backend("class").name == "class"


def test_registering_imports_nothing_yet():
    register_backend("later", "no_such_module_at_all:backend")
    with pytest.raises(BackendLoadError, match="no_such_module_at_all"):
        set_backend("later")


def test_a_later_registration_replaces_an_earlier_one():
    register_backend("mine", "no_such_module_at_all:backend")
    register_backend("mine", "portagrad_numpy:backend")
    assert set_backend("mine").name == "mine"


@pytest.mark.parametrize("target", ["portagrad_numpy", ":backend", "portagrad_numpy:", 3, None])
def test_a_target_of_another_form_is_refused(target):
    with pytest.raises(ArgumentError, match=r"package\.module:attribute"):
        register_backend("mine", target)


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(ArgumentError, match="the name must be a string"):
        register_backend(name, "portagrad_numpy:backend")


# --- third parties ----------------------------------------------------------------


def test_plugins_good_and_broken_side_by_side(install, good_plugin):
    install(
        "plug-many",
        [
            "plug_good = plug_good:backend",
            "plug_raises = plug_raises:backend",
            "plug_exits = plug_exits:backend",
            "plug_lacks = plug_lacks:backend",
            "plug_other = plug_other:backend",
            "plug_gone = plug_gone:backend",
            "plug_needs = plug_needs:backend",
        ],
        plug_good=good_plugin,
        plug_raises="raise RuntimeError('a broken wheel')",
        plug_exits="import sys; sys.exit(3)",
        plug_lacks="",
        plug_other="backend = 3",
        plug_needs="import plug_needs_this_library",
    )
    found = statuses()
    assert found.keys() > OURS
    assert found["plug_good"].status == "ready"
    assert found["plug_good"].source == "plug-many 1.5"
    reasons = {
        "plug_raises": "RuntimeError: a broken wheel",
        "plug_exits": "SystemExit: 3",
        "plug_lacks": "has no attribute 'backend'",
        "plug_other": "is no portagrad.backend.Backend with a name, but 3",
        "plug_gone": "No module named 'plug_gone'",
        "plug_needs": "No module named 'plug_needs_this_library'",
    }
    for name, reason in reasons.items():
        assert found[name].status == "broken", name
        assert reason in found[name].reason
        with pytest.raises(BackendLoadError, match=r"plug-many 1\.5") as caught:
            set_backend(name)
        assert isinstance(caught.value, ImportError)
        assert reason in str(caught.value)
        assert str(caught.value).endswith("on cpu.")
    with pytest.raises(BackendLoadError) as caught:
        set_backend("plug_raises")
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert found["numpy"].status == "ready"
    assert set_backend("plug_good").name == "plug_good"


def test_a_plugin_that_imports_its_missing_library_is_not_installed(install):
    install(
        "plug-missing",
        ["plug_library = plug_adapter:backend"],
        plug_adapter="import plug_library",
    )
    assert statuses()["plug_library"].status == "not installed"
    with pytest.raises(BackendNotInstalledError, match="pip install plug_library"):
        set_backend("plug_library")


def test_a_plugin_installed_a_moment_ago_is_found(install, good_plugin):
    with pytest.raises(UnknownBackendError):
        set_backend("plug_late")
    install("plug-late", ["plug_late = plug_late:backend"], plug_late=good_plugin)
    assert set_backend("plug_late").name == "plug_late"


@pytest.mark.parametrize("text", ["[portagrad.backends]\nno equals sign\n", "portagrad.backends"])
def test_metadata_that_cannot_be_read_breaks_nothing(install, text):
    install("plug-garbled", text)
    assert statuses()["numpy"].status == "ready"
    assert set_backend("numpy").name == "numpy"


def test_nobody_takes_a_name_from_portagrad(install, good_plugin):
    install(
        "aaa-plug",
        ["numpy = plug_thief:backend", "plug_twice = plug_twice:backend"],
        plug_thief="raise RuntimeError",
    )
    install("plug-zzz", ["plug_twice = plug_thief:backend"], plug_twice=good_plugin)
    found = statuses()
    assert found["numpy"].status == "ready"
    assert found["numpy"].source == "portagrad 0.1.0 (also claimed by aaa-plug 1.5)"
    assert found["plug_twice"].status == "ready"
    assert found["plug_twice"].source == "aaa-plug 1.5 (also claimed by plug-zzz 1.5)"


def test_a_backend_whose_methods_fail_is_listed_as_broken(install, good_plugin):
    method = "    def diagnose(self):\n        raise KeyError('odd')\n"
    install(
        "plug-odd",
        ["plug_odd = plug_odd:backend"],
        plug_odd=good_plugin.replace("\nbackend =", method + "\nbackend ="),
    )
    assert statuses()["plug_odd"].status == "broken"
    assert "odd" in statuses()["plug_odd"].reason


@pytest.mark.parametrize(
    ("method", "stage", "status"),
    [
        ("check_import", "import", "broken"),
        ("check_device", "device", "no device"),
        ("check_kernel", "kernel", "broken"),
        ("check_matmul", "matmul", "broken"),
    ],
)
def test_the_stage_that_fails_is_named_in_the_librarys_own_words(method, stage, status):
    class Failing(Backend):
        name = "failing"
        library = "numpy"
        namespace = "array_api_compat.numpy"

        def hint(self, stage):
            return f"Mend the {stage}."

    def fail(self):
        raise OSError("the library's own words.")

    setattr(Failing, method, fail)
    register_backend("failing", Failing())
    found = statuses()["failing"]
    assert (found.status, found.reason) == (status, f"{stage}: OSError: the library's own words")
    with pytest.raises(BackendError) as caught:
        set_backend("failing")
    assert isinstance(caught.value, RuntimeError)
    assert f"the '{stage}' stage" in str(caught.value)
    assert f"OSError: the library's own words. Mend the {stage}. Active" in str(caught.value)
    assert get_backend().name == "numpy"


def test_a_kernel_that_computes_wrong_numbers_is_noticed():
    class Wrong(Backend):
        name = "wrong"
        library = "numpy"
        namespace = "array_api_compat.numpy"

        def to_numpy(self, x):
            return super().to_numpy(x) + 1

    register_backend("wrong", Wrong())
    assert (
        statuses()["wrong"].reason == "kernel: RuntimeError: the result is [3.0] instead of [2.0]"
    )


# --- threads ------------------------------------------------------------------------


def test_the_metadata_is_read_once_however_many_threads_ask(monkeypatch):
    reads = []
    read = registry_module.declared_entries

    def counted():
        reads.append(threading.get_ident())
        return read()

    monkeypatch.setattr(registry_module, "declared_entries", counted)
    fresh = Registry()
    loaded = []
    barrier = threading.Barrier(8)

    def load():
        barrier.wait()
        loaded.append(fresh.load("numpy"))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reads) == 1
    assert len(loaded) == 8
    assert len(set(map(id, loaded))) == 1


def test_without_portagrads_metadata_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(registry_module, "declared_entries", lambda: iter(()))
    with pytest.raises(UnknownBackendError, match=r"pip install -e \."):
        Registry().load("numpy")

"""The fixtures and options that other tests lean on."""

import pytest

from portagrad.backend import asarray, get_backend

strict = pytest.importorskip("array_api_strict")
pytest_plugins = ["pytester"]


def test_the_backend_fixture_is_in_force(backend, xp):
    assert get_backend() is backend
    assert backend.xp is xp


def test_float64_is_had_where_it_is_promised(backend, float64):
    assert asarray([1.0], dtype=float64).dtype == backend.xp.float64


@pytest.mark.parametrize("read", [bool, float, int, complex, lambda x: [1, 2][x]])
def test_no_host_sync_refuses_to_read_a_value(no_host_sync, read):
    x = strict.asarray(1)
    read(x)
    with no_host_sync(), pytest.raises(AssertionError, match="reads a value"):
        read(x)
    read(x)


def test_no_host_sync_refuses_shapes_that_depend_on_values(no_host_sync):
    x = strict.asarray([1.0, 2.0])
    with no_host_sync(), pytest.raises(RuntimeError, match="boolean_indexing"):
        x[x > 1]
    with no_host_sync(), pytest.raises(RuntimeError, match="data_dependent_shapes"):
        strict.nonzero(x)
    assert x[x > 1].shape == (1,)


def test_no_host_sync_lets_a_step_pass(no_host_sync):
    device = strict.Device("device1")
    w = strict.ones((3, 2), dtype=strict.float32, device=device)
    with no_host_sync():
        loss = strict.sum((strict.ones((4, 3), dtype=strict.float32, device=device) @ w) ** 2)
    assert float(loss) == 72.0


def test_require_gpu_turns_a_skip_into_a_failure(pytester, request):
    """`gpu` tests are always collected; without a GPU they skip with the probe's reason."""
    if "cupy" in [each.name for each in ready()]:
        pytest.skip("there is a GPU")
    pytester.makeconftest((request.config.rootpath / "tests" / "conftest.py").read_text())
    pytester.makeini("[pytest]\nmarkers = gpu: needs a GPU\n")
    pytester.makepyfile(
        "import pytest\n@pytest.mark.gpu\ndef test_it(): pass\ndef test_other(backend): pass\n"
    )
    skipped = pytester.runpytest_inprocess("-rs", "-p", "no:cacheprovider")
    outcomes = skipped.parseoutcomes()
    assert outcomes["skipped"] >= 2
    assert "failed" not in outcomes
    skipped.stdout.fnmatch_lines(["SKIPPED*cupy*Active backend: numpy*"])
    failed = pytester.runpytest_inprocess("--require-gpu", "-p", "no:cacheprovider")
    outcomes = failed.parseoutcomes()
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == 2
    failed.stdout.fnmatch_lines(["*cupy*Active backend: numpy*"])


def ready():
    from portagrad.backend import list_backends

    return [each for each in list_backends() if each.status == "ready"]

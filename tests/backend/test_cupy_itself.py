"""CuPy itself, on a card that computes nothing: what it is asked of is what it takes.

A process has the whole of CuPy under it, its compiler included, and a runtime that looks at what
would be launched (card/runtime.c). No result of it is a GPU result.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

cupy = pytest.importorskip("cupy")
HERE = Path(__file__).parent / "card"
pytestmark = [
    pytest.mark.nogpu,
    pytest.mark.skipif(cupy.cuda.is_available(), reason="there is a GPU"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the driver is one of Linux"),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What came of the steps in card/__main__.py."""
    library = pytest.importorskip("portagrad_cupy.cublaslt").shared_library
    pytest.importorskip("nvidia.cu13", reason="needs nvidia-cuda-nvrtc, -runtime, -crt")
    compiler = shutil.which("gcc") or pytest.skip("needs gcc")
    try:
        library()
    except OSError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("card")
    target = folder / "libcuda.so.1"
    command = [compiler, "-shared", "-fPIC", "-O1", f"-Wl,-soname,{target.name}", "-o", str(target)]
    subprocess.run([*command, str(HERE / "runtime.c")], check=True)
    done = subprocess.run(
        [sys.executable, str(HERE), str(target)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"CUPY_CACHE_DIR": str(folder / "kernels")},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_step_is_captured_in_one_graph(found):
    """A product of CuPy's own, a mask, or a number from the host would end the capture."""
    assert len(found["steps"]) > 5
    assert {name: step["said"] for name, step in found["steps"].items() if step["said"]} == {}
    assert {step["graphs"] for step in found["steps"].values()} == {1}


def test_nothing_is_refused_by_the_runtime(found):
    assert found["launches"] > 100
    assert found["refused"] == 0

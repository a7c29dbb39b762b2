"""The tests of this folder, in a process in which SciPy's array-API mode is on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("scipy", minversion="1.16")


def test_gradients_through_other_peoples_code():
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [*command, str(Path(__file__).parent)],
        env=os.environ | {"SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
    assert " passed" in ran.stdout

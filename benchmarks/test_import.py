"""What does `import portagrad` cost beyond NumPy's own import? (The aim: under 0.15 s.)"""

import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

CODE = (
    "import time, numpy; t = time.perf_counter(); import portagrad; print(time.perf_counter() - t)"
)


def test_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment = dict(os.environ, PYTHONPYCACHEPREFIX=str(tmp_path))
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    runs = []
    for _ in range(6):  # the first compiles
        done = subprocess.run(
            [sys.executable, "-c", CODE],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        runs.append(float(done.stdout))
    with capsys.disabled():
        print(f"\nimport portagrad beyond NumPy: {statistics.median(runs[1:]):.3f} s")

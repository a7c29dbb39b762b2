"""Working on a checkout as it is: nothing installed but Python, NumPy and CuPy."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
WHEELS = CHECKOUT / "wheels"
#: What the checks import beside CuPy and NumPy, all of it pure Python: modules, by distribution.
CARRIED = {
    "array-api-compat": "array_api_compat",
    "array-api-strict": "array_api_strict",
    "hypothesis": "hypothesis",
    "iniconfig": "iniconfig",
    "packaging": "packaging",
    "pluggy": "pluggy",
    "pygments": "pygments",
    "pytest": "pytest",
    "sortedcontainers": "sortedcontainers",
}


def pack() -> int:
    """Download what another machine may lack, as wheels; the exit status of pip."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    # hypothesis has a wheel for every system only without its compiled part.
    command += ["--platform", "any", "--dest", str(WHEELS), *CARRIED]
    code = subprocess.run(command, check=False).returncode
    if code == 0:
        print(f"gpu_check: {WHEELS} holds what a machine without a network may lack")
    return code


def use() -> None:
    """Make this checkout what `import portagrad` finds, here and in processes to come."""
    # A wheel of pure Python can be imported from as it is. What is installed comes first.
    wheels = sorted(map(str, WHEELS.glob("*-any.whl")))
    sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "backends")]
    sys.path += wheels
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [str(CHECKOUT), str(CHECKOUT / "backends"), *filter(None, inherited), *wheels]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))


def missing(parts: Collection[str]) -> list[str]:
    """Distributions that these parts need and this Python lacks."""
    needed = {"numpy": "numpy", **CARRIED}
    if "tests" not in parts:
        needed = {name: needed[name] for name in ("numpy", "array-api-compat")}
    return [name for name, module in needed.items() if find_spec(module) is None]


def register_backends() -> None:
    """Make the backends known that this checkout declares.

    Entry points exist only for what is installed, so they are read from pyproject.toml.
    """
    import portagrad
    from portagrad.backend.registry import registry

    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name, target in project["entry-points"]["portagrad.backends"].items():
        if name not in registry.entries():
            portagrad.register_backend(name, target)

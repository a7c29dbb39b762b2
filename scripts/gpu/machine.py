"""What was checked, and on what: the commit, the card, its driver, what is installed."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from typing import Any

from scripts.gpu.checkout import CHECKOUT

PACKAGES = (
    *("numpy", "array-api-compat", "cupy-cuda12x", "cupy-cuda13x", "ml_dtypes", "torch", "triton"),
    *("jax", "jaxlib", "pytest"),
)


def device() -> dict[str, Any]:
    """The card, its driver and the CUDA libraries in use."""
    import cupy

    runtime = cupy.cuda.runtime
    properties = runtime.getDeviceProperties(cupy.cuda.Device().id)
    return {
        "card": properties["name"].decode(),
        "cards": runtime.getDeviceCount(),
        "compute_capability": f"{properties['major']}.{properties['minor']}",
        "multiprocessors": properties["multiProcessorCount"],
        "memory_gib": round(properties["totalGlobalMem"] / 2**30, 1),
        "driver": output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
        "cuda_driver_api": runtime.driverGetVersion(),
        "cuda_runtime": runtime.runtimeGetVersion(),
        "tf32": os.environ.get("CUPY_TF32", "0"),
    }


def versions() -> dict[str, str]:
    """What is installed of what the results depend on."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """What was checked: the commit, and whether the tree differs from it."""
    head = output("git", "-C", str(CHECKOUT), "rev-parse", "HEAD")
    if not head:
        return os.environ.get("PORTAGRAD_COMMIT", "unknown")
    changed = output("git", "-C", str(CHECKOUT), "status", "--porcelain", "--untracked-files=no")
    return head + (" with changes" if changed else "")


def output(*command: str) -> str:
    """What a command prints; nothing where it fails or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()

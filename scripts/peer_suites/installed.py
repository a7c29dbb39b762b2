"""A copy of an installed package whose tests are told of one more array library."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path


def copied(package: str, libraries: str, scratch: Path) -> Path:
    """The package's folder, and that of the shared libraries it brings, copied into `scratch`."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed here: it is its tests that are to run")
    installed = Path(spec.origin).parent
    for source in (installed, installed.with_name(libraries)):
        if source.exists() and not (scratch / source.name).exists():
            shutil.copytree(source, scratch / source.name)
    return installed


def patched(file: Path, original: Path, anchor: str, text: str) -> None:
    """`file` as `original` is, with `text` after the only line `anchor`."""
    content = original.read_text(encoding="utf-8")
    if content.count(anchor) != 1:
        raise SystemExit(f"{original} has changed: there is no line {anchor!r} to patch after")
    file.write_text(content.replace(anchor, anchor + text), encoding="utf-8")

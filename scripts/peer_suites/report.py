"""What both suites need: pytest in a process of its own, its results, the page in docs/."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "peer-suites.md"


@dataclass
class Results:
    """The tests of one run, by name: what became of each, and why."""

    passed: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, case: ElementTree.Element) -> None:
        """Count one test case of a JUnit file; a test that errs after it failed counts once."""
        trouble = case.find("failure")
        if trouble is None:
            trouble = case.find("error")
        skipped = case.find("skipped")
        if trouble is not None:
            self.failed[name] = _reason(trouble)
            self.passed.discard(name)
        elif skipped is not None:
            self.skipped[name] = skipped.get("message", "")
        else:
            self.passed.add(name)


def _reason(trouble: ElementTree.Element) -> str:
    lines = [line[4:].strip() for line in (trouble.text or "").splitlines() if line[:2] == "E "]
    return next((line for line in lines if line), trouble.get("message", ""))


def read(junit: Path) -> Results:
    """The results in a JUnit file."""
    results = Results()
    for case in ElementTree.parse(junit).iter("testcase"):
        results.add(f"{case.get('classname')}::{case.get('name')}", case)
    return results


def pytest(
    arguments: list[str], junit: Path, *, cwd: Path, path: list[Path], **environment: str
) -> Results:
    """Run pytest in a process of its own, with `path` before everything on its import path."""
    before = os.environ.get("PYTHONPATH")
    folders = [*map(str, path), str(CHECKOUT), str(CHECKOUT / "backends"), before or ""]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short"]
    log = junit.with_suffix(".log")
    with log.open("w", encoding="utf-8") as out:
        code = subprocess.run(
            [*command, f"--junitxml={junit}", *arguments],
            cwd=cwd,
            env=os.environ | environment | {"PYTHONPATH": os.pathsep.join(filter(None, folders))},
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if code not in (0, 1, 5):  # all passed, some failed, there were none
        raise SystemExit(f"pytest stopped with exit code {code}; see {log}")
    return read(junit)


def versions(*names: str) -> str:
    """The versions of installed distributions, for the page."""
    found = [f"{name} {metadata.version(name)}" for name in names]
    python = ".".join(map(str, sys.version_info[:3]))
    return ", ".join([*found, f"Python {python}"])


def table(header: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_section(name: str, text: str) -> None:
    """Replace the part of the page between the marks of one suite."""
    start, end = f"<!-- {name}: written by scripts/peer_suites -->", f"<!-- end of {name} -->"
    page = PAGE.read_text(encoding="utf-8")
    if start not in page or end not in page:
        raise SystemExit(f"{PAGE} has no section {name}: it needs the lines\n{start}\n{end}")
    block = f"{start}\n\n{text.strip()}\n\n{end}"
    pattern = re.escape(start) + ".*?" + re.escape(end)
    PAGE.write_text(re.sub(pattern, lambda _: block, page, flags=re.DOTALL), encoding="utf-8")

"""What all suites need: pytest in a process of its own, its results, the page in docs/."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "peer-suites.md"
#: The environment variable that names the library under the Tensors of bound.py.
BACKEND = "PORTAGRAD_PEER_BACKEND"
#: What without_conversion.py notes of a test in which a conversion was refused.
REFUSED = "conversion refused"


@dataclass
class Results:
    """The tests of one run, by name: what became of each, and why."""

    date: str
    passed: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    """Those of the failed in which the code under test wanted a NumPy array."""
    skipped: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, case: ElementTree.Element) -> None:
        """Count one test case of a JUnit file; a test that errs after it failed counts once."""
        trouble = case.find("failure")
        if trouble is None:
            trouble = case.find("error")
        skipped = case.find("skipped")
        if trouble is not None:
            self.failed[name] = (trouble.get("message") or "failed").partition("\n")[0]
            self.passed.discard(name)
            if any(noted.get("name") == REFUSED for noted in case.iter("property")):
                self.refused.add(name)
        elif skipped is not None:
            self.skipped[name] = skipped.get("message", "")
        else:
            self.passed.add(name)

    def others(self, known: dict[str, str]) -> Counter[str]:
        """What else failed, and why, with how many cases each: a known reason or the message."""
        found: Counter[str] = Counter()
        for name in sorted(self.failed.keys() - self.refused):
            test = name.partition("[")[0].replace("::", ".").rpartition(".tests.")[2]
            message = f"`{self.failed[name][:160].replace('`', '')}`"
            found[f"{test}: {known.get(test, message)}"] += 1
        return found


def read(junit: Path) -> Results:
    """The results in a JUnit file."""
    tree = ElementTree.parse(junit)
    suite = next(tree.iter("testsuite"))
    results = Results((suite.get("timestamp") or "")[:10])
    for case in tree.iter("testcase"):
        results.add(f"{case.get('classname')}::{case.get('name')}", case)
    return results


def pytest(
    arguments: Iterable[str | Path],
    junit: Path,
    *,
    cwd: Path,
    path: Iterable[Path] = (),
    environment: dict[str, str],
) -> Results:
    """Run pytest in a process of its own, with `path` before everything on its import path.

    A run whose JUnit file is there has finished, and is not repeated.
    """
    if junit.exists():
        return read(junit)
    before = os.environ.get("PYTHONPATH")
    folders = [*map(str, path), str(CHECKOUT), str(CHECKOUT / "backends"), before or ""]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line"]
    log, unfinished = junit.with_suffix(".log"), junit.with_suffix(".part")
    with log.open("w", encoding="utf-8") as out:
        code = subprocess.run(
            [*command, f"--junitxml={unfinished}", *map(str, arguments)],
            cwd=cwd,
            env=os.environ | environment | {"PYTHONPATH": os.pathsep.join(filter(None, folders))},
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if code not in (0, 1, 5):  # all passed, some failed, there were none
        raise SystemExit(f"pytest stopped with exit code {code}:\n{log.read_text('utf-8')[-2000:]}")
    unfinished.rename(junit)
    return read(junit)


def versions(*names: str) -> str:
    """The versions of installed distributions, for the page."""
    found = [f"{name} {metadata.version(name)}" for name in names]
    python = ".".join(map(str, sys.version_info[:3]))
    return ", ".join([*found, f"Python {python}"])


def commit(checkout: Path) -> str:
    """The commit of a checkout, for the page."""
    command = ["git", "-C", str(checkout), "log", "-1", "--format=%h of %cs"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def table(header: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def show(name: str, each: Results) -> None:
    """Print the counts of one part of a suite in which conversion is forbidden."""
    parts = each.passed, each.refused, each.failed.keys() - each.refused, each.skipped
    print(name, *map(len, parts), sep="\t", flush=True)


def without_conversion(
    found: dict[str, Results], whole: Iterable[str], known: dict[str, str]
) -> str:
    """The table of a suite in which conversion is forbidden, and why what else failed did."""
    rows: list[list[object]] = []
    for name, each in found.items():
        other = len(each.failed) - len(each.refused)
        counts = [len(each.passed), len(each.refused), other, len(each.skipped)]
        rows.append([f"**{name}**" if name in whole else name, *counts, each.date])
    sums: list[object] = [sum(int(str(row[i])) for row in rows) for i in range(1, 5)]
    header = ["package", "passed", "conversion refused", "failed otherwise", "skipped there"]
    lines = [
        f"- {name}, {reason} ({count})"
        for name, each in found.items()
        for reason, count in each.others(known).items()
    ]
    return "\n".join([table([*header, "run on"], [*rows, ["all", *sums, ""]]), "", *lines])


def write_section(name: str, text: str) -> None:
    """Replace the part of the page between the marks of one suite."""
    start, end = f"<!-- {name}: written by scripts/peer_suites -->", f"<!-- end of {name} -->"
    page = PAGE.read_text(encoding="utf-8")
    if start not in page or end not in page:
        raise SystemExit(f"{PAGE} has no section {name}: it needs the lines\n{start}\n{end}")
    block = f"{start}\n\n{text.strip()}\n\n{end}"
    pattern = re.escape(start) + ".*?" + re.escape(end)
    PAGE.write_text(re.sub(pattern, lambda _: block, page, flags=re.DOTALL), encoding="utf-8")

"""The evidence of a run: what JSON holds, told to people."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Results = Mapping[str, Mapping[str, Any]]
#: Outcomes that are as they should be. A test that is skipped is told with its reason, and is no
#: failure: one that finds no card fails (`--require-gpu`).
GOOD = ("passed", "xfailed")
#: Tests that are listed in the Markdown; the JSON has all.
LISTED = 60


def counts(results: Results) -> dict[str, int]:
    """How many tests had which outcome."""
    found: dict[str, int] = {}
    for result in results.values():
        found[result["outcome"]] = found.get(result["outcome"], 0) + 1
    return found


def told(found: Mapping[str, int]) -> str:
    """Counts as words."""
    return ", ".join(f"{number} {outcome}" for outcome, number in found.items()) or "none"


def by_file(results: Results) -> dict[str, dict[str, int]]:
    """The counts of each test file."""
    files: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, result in results.items():
        files.setdefault(name.partition("::")[0], {})[name] = result
    return {file: counts(inside) for file, inside in files.items()}


def wrong(evidence: Mapping[str, Any]) -> list[str]:
    """What failed, a line for each part; nothing where nothing did."""
    found = []
    tests = evidence.get("tests")
    if tests is not None:
        found_there = counts(tests.get("results", {}))
        bad = {o: n for o, n in found_there.items() if o not in (*GOOD, "skipped")}
        if bad or tests.get("crashed"):
            ended = f"; ended with exit status {tests['exit_code']}" if tests.get("crashed") else ""
            found.append(f"tests: {told(bad)}{ended}")
        elif not found_there:
            found.append("tests: none ran")
        elif not any(map(found_there.get, GOOD)):
            found.append(f"tests: none passed, {told(found_there)}")
    for part in ("benchmark", "peers"):
        own = evidence.get(part)
        if own is not None and not own.get("rows"):
            found.append(f"{part}: nothing was measured{_ending(own)}")
        elif own is not None and own.get("crashed"):
            found.append(f"{part}: did not finish{_ending(own)}")
    return found


def unfinished(evidence: Mapping[str, Any]) -> list[str]:
    """What there was no time for, a line for each part."""
    found = []
    tests = evidence.get("tests", {})
    left = tests.get("collected", 0) - len(tests.get("results", {}))
    if left > 0:
        found.append(f"tests: {left} of {tests['collected']} were not run")
    found += [
        f"{part}: ended when its time was over"
        for part in ("tests", "benchmark", "peers")
        if evidence.get(part, {}).get("timed_out")
    ]
    cut = [e for e in evidence.get("peers", {}).get("left_out", []) if "no time" in e["reason"]]
    if cut:
        found.append(f"peers: {len(cut)} cases were not reached")
    return found


def _ending(part: Mapping[str, Any]) -> str:
    if part.get("timed_out"):
        return " (ended when its time was over)"
    return f" (exit status {part['exit_code']})" if part.get("exit_code") else ""


def markdown(evidence: Mapping[str, Any]) -> str:
    """The evidence for people."""
    device = evidence["device"]
    lines = [
        f"# portagrad on {device['card']}, {evidence['date'][:10]}",
        "",
        f"Commit {evidence['commit']}. `{evidence['command']}`",
        "",
    ]
    for heading, found in (("Wrong", wrong(evidence)), ("Unfinished", unfinished(evidence))):
        lines += [f"**{heading}.** {'; '.join(found)}.", ""] if found else []
    lines += ["| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in (device | evidence["versions"]).items()]
    if "tests" in evidence:
        lines += ["", *_tests(evidence["tests"])]
    if "benchmark" in evidence:
        lines += ["", "## Benchmark", "", *_benchmark(evidence["benchmark"])]
    if "peers" in evidence:
        text = evidence["peers"].get("table", "The benchmark beside the peers did not finish.")
        lines += ["", "## Beside the peers", "", text.rstrip()]
    return "\n".join(lines) + "\n"


def _tests(tests: Mapping[str, Any]) -> list[str]:
    results: Results = tests.get("results", {})
    lines = [
        f"## Tests: {told(counts(results))}",
        "",
        "The JSON beside this file has the result of every test.",
        "",
        "| file | tests |",
        "|---|---|",
        *(f"| `{file}` | {told(found)} |" for file, found in by_file(results).items()),
    ]
    bad = [(name, r) for name, r in results.items() if r["outcome"] not in GOOD]
    if bad:
        lines += ["", "| not passed | why |", "|---|---|"]
        for name, result in bad[:LISTED]:
            reason = result.get("reason", "").replace("|", "\\|")
            lines.append(f"| `{name}` | {result['outcome']}: {reason} |")
        if bad[LISTED:]:
            lines.append(f"| {len(bad) - LISTED} more | |")
    return lines


def _benchmark(benchmark: Mapping[str, Any]) -> list[str]:
    rows = benchmark.get("rows", [])
    if not rows:
        return [f"The benchmark did not finish{_ending(benchmark)}."]
    columns = list(rows[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values())
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def earlier(folder: Path, card: str, commit: str) -> dict[str, Any]:
    """The latest evidence of this commit on such a card; empty where there is none."""
    for path in sorted(folder.glob(f"gpu-*-{_slug(card)}.json"), reverse=True):
        with contextlib.suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if found.get("commit") == commit:
                return found
    return {}


def good(tests: Mapping[str, Any]) -> dict[str, Any]:
    """The tests of a run that need not be run again."""
    results: Results = tests.get("results", {})
    return {name: r for name, r in results.items() if r["outcome"] in GOOD}


def _slug(card: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", card.lower()).strip("-")


def write(evidence: Mapping[str, Any], folder: Path) -> Path:
    """Write both files, over those of an earlier part of the same run; their path less suffix."""
    stem = folder / f"gpu-{evidence['date'][:10]}-{_slug(evidence['device']['card'])}"
    folder.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".json").write_text(json.dumps(evidence, indent=1) + "\n", encoding="utf-8")
    stem.with_suffix(".md").write_text(markdown(evidence), encoding="utf-8")
    return stem

"""`scripts/gpu_check` from its arguments to its exit status."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.gpu import checkout, evidence, machine, parts


def parse(
    arguments: Sequence[str] | None, description: str
) -> tuple[argparse.Namespace, list[str]]:
    """The options, and the rest, which goes to pytest."""
    parser = argparse.ArgumentParser(
        prog="scripts/gpu_check",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Anything else goes to pytest: `scripts/gpu_check --parts tests -k softmax`.",
    )
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=list(parts.PARTS),
        default=list(parts.PARTS),
        help="default: all",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=540.0,
        help="for all parts together; default 540. What there is no time for is said",
    )
    parser.add_argument(
        "--evidence", type=Path, default=checkout.CHECKOUT / "evidence", metavar="DIR"
    )
    parser.add_argument(
        "--pack", action="store_true", help="download what another machine may lack, as wheels"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on where the evidence of this commit ends: tests that passed are not run again, "
        "and parts that are not asked for are kept",
    )
    parser.add_argument("--done", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--part", help=argparse.SUPPRESS)  # of those, or a share of the tests
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    return parser.parse_known_args(arguments)


def main(arguments: Sequence[str] | None = None, description: str = "") -> int:
    """Check, write the evidence, and say by the exit status whether all was well."""
    options, extra = parse(arguments, description)
    if options.pack:
        return checkout.pack()
    checkout.use()
    if lacks := checkout.missing(options.parts):
        rest = [part for part in options.parts if part != "tests"]
        return say(
            f"this Python lacks {', '.join(lacks)}. Install them, or run `scripts/gpu_check "
            f"--pack` where pip can download, and bring the folder wheels/ along"
            + f"; without pytest, `--parts {' '.join(rest)}` measures"
            * (bool(rest) and not checkout.missing(rest))
        )
    checkout.register_backends()
    if options.part:
        parts.run(options.part, options.seconds, options.answer, extra, options.done)
        return 0

    import portagrad

    try:
        with portagrad.use_backend(parts.BACKEND):
            device = machine.device()
    except portagrad.errors.BackendError as error:
        return say(f"no GPU to check. {' '.join(str(error).split())}")
    return check(options, extra, device)


def check(options: argparse.Namespace, extra: Sequence[str], device: dict[str, Any]) -> int:
    """Do the parts one after the other; the evidence is written anew after each."""
    found: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": machine.commit(),
        "command": " ".join(["scripts/gpu_check", *sys.argv[1:]]),
        "device": device,
        "versions": machine.versions(),
    }
    if options.resume:
        before = evidence.earlier(options.evidence, device["card"], found["commit"])
        found |= {part: before[part] for part in parts.PARTS if part in before}
    end = time.monotonic() + options.seconds
    stem = evidence.write(found, options.evidence)
    chosen = [part for part in parts.PARTS if part in options.parts]
    for part in chosen:
        # The last part has no use for what it leaves.
        share = 1.0 if part == chosen[-1] else parts.PARTS[part]
        seconds = max(1.0, (end - time.monotonic()) * share - parts.GRACE)
        print(f"gpu_check: {part}, for {seconds:.0f} s at most ...", file=sys.stderr, flush=True)
        if part == "tests":
            found[part] = tests(seconds, extra, evidence.good(found.get(part, {})))
        else:
            found[part] = parts.in_a_process(part, seconds)
        stem = evidence.write(found, options.evidence)
    return conclude(found, stem)


def tests(seconds: float, extra: Sequence[str], known: dict[str, Any]) -> dict[str, Any]:
    """Run the tests that are not known to pass."""
    if known:
        print(f"gpu_check: {len(known)} tests have passed before", file=sys.stderr, flush=True)
    found = parts.in_a_process("tests", seconds, extra, list(known))
    found["results"] = known | found.get("results", {})
    found["collected"] = len(known) + found.get("collected", 0)
    return found


def conclude(found: dict[str, Any], stem: Path) -> int:
    """Say what came of it; the exit status."""
    wrong, unfinished = evidence.wrong(found), evidence.unfinished(found)
    if "tests" in found:
        print(f"gpu_check: tests: {evidence.told(evidence.counts(found['tests']['results']))}")
    for line in wrong:
        print(f"gpu_check: WRONG: {line}")
    for line in unfinished:
        print(f"gpu_check: no time: {line}; --seconds gives more, --resume goes on")
    print(f"gpu_check: {stem}.json and .md written")
    return 1 if wrong else 2 if unfinished else 0


def say(line: str) -> int:
    """Say why there is nothing to do, in a line."""
    print(f"gpu_check: {line}", file=sys.stderr)
    return 1

"""Running a person's own code in a process of its own.

An endless loop in it can be ended, and whatever it prints, breaks or leaves
behind stays with it.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from portagrad.errors import ArgumentError


def in_child(entry: str, request: dict[str, Any], path: Path, seconds: float) -> dict[str, Any]:
    """What the function `entry` ("module:name") answers to a request, in a child process.

    Raises `ArgumentError` about the file at `path` where no answer came in time,
    or none at all.
    """
    code = "from portagrad.cli.child import answer; answer()"
    # Whoever runs from a checkout has it on the path only by where they stand.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with tempfile.TemporaryDirectory() as folder:
        reply, errors = Path(folder) / "reply.json", Path(folder) / "errors"
        # -P: a file of one's own named like a module of Python's is not taken for that.
        command = [sys.executable, "-P", "-c", code, entry, json.dumps(request), str(reply)]
        with errors.open("wb") as said:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=said, start_new_session=True,
            )  # fmt: skip
            try:
                code_of_exit = process.wait(seconds)
            except subprocess.TimeoutExpired as late:
                raise ArgumentError(
                    f"{path}: not done after {seconds:g} s: an endless loop? --timeout gives more "
                    f"time"
                ) from late
            finally:
                _end(process)
        if not reply.exists():
            with errors.open("rb") as said:
                said.seek(max(0, errors.stat().st_size - 2000))
                lines = said.read().decode(errors="replace").strip().splitlines()
            raise ArgumentError(
                f"{path} ended Python itself (exit code {code_of_exit}): "
                f"{lines[-1] if lines else 'it said nothing'}"
            )
        answered: dict[str, Any] = json.loads(reply.read_text(encoding="utf-8"))
        return answered


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the child and, where the system knows groups, what it has started itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


# --- in the child -----------------------------------------------------------------


class _Nowhere(io.TextIOBase):
    """Where a person's prints go: a loop of them must not fill the memory."""

    printed = False

    def write(self, text: str) -> int:
        """Note that there was something."""
        _Nowhere.printed = True
        return len(text)


def answer() -> None:
    """Do what the command line asks; leave the answer in a file, whole or not at all."""
    entry, request, reply = sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3])
    module, _, name = entry.partition(":")
    function = getattr(importlib.import_module(module), name)
    with contextlib.redirect_stdout(_Nowhere()):
        answered = function(request) | {"printed": _Nowhere.printed}
    draft = reply.with_suffix(".part")
    draft.write_text(json.dumps(answered), encoding="utf-8")
    os.replace(draft, reply)

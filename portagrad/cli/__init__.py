"""The command line: `portagrad train`, `backends`, `bench`, `check`, `learn`, `explain`.

Commands only parse, print and write; what they do is in the floors below. An
exit code of 0 is success, 2 a wrong use, 1 a failure, 130 Ctrl-C, and each of
the last three comes with one line on standard error.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from portagrad.backend import UnknownDeviceError
from portagrad.cli.parser import make_parser
from portagrad.errors import ArgumentError, PortagradError, UnknownBackendError

SUCCESS, FAILURE, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

#: What a person can put right on the command line.
WRONG = (ArgumentError, UnknownBackendError, UnknownDeviceError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code. `arguments` are sys.argv's by default."""
    command = "portagrad"
    for stream in (sys.stdout, sys.stderr):
        # Formulas hold letters that not every terminal has; a ? in their place is no failure.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        options = make_parser().parse_args(arguments)
        command = f"portagrad {options.command}"
        options.run(options)
        sys.stdout.flush()
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else SUCCESS
    except KeyboardInterrupt:
        return _say(f"{command}: interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has seen enough. Without this, Python complains at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except WRONG as error:
        return _say(f"{command}: error: {error}", WRONG_USE)
    except PortagradError as error:
        return _say(f"{command}: failed: {error}", FAILURE)
    except OSError as error:
        return _say(f"{command}: failed: {error.strerror or error}", FAILURE)
    except MemoryError as error:
        return _say(f"{command}: failed: out of memory. {error}", FAILURE)
    return SUCCESS


def _say(message: str, code: int) -> int:
    """One line on standard error, whatever the message holds; returns the code."""
    print(" ".join(message.split()), file=sys.stderr)
    return code

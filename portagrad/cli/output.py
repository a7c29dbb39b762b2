"""Files that a command writes: refused early, written whole or not at all."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from portagrad.errors import ArgumentError


@dataclass(frozen=True)
class OutputFile:
    """A file to be written when a command is done.

    An old file of that name is replaced in one go by the whole new one; until
    then it stays as it was. What is no regular file (/dev/stdout, a pipe) is
    written to.
    """

    path: Path

    def check(self) -> None:
        """Raise `ArgumentError` unless the file can be written; leaves nothing behind."""
        try:
            if self.path.is_dir():
                raise ArgumentError(f"cannot write {self.path}: it is a folder; name a file in it")
            if not self.path.parent.is_dir():
                raise ArgumentError(
                    f"cannot write {self.path}: there is no folder {self.path.parent}; create it "
                    f"first, or name a file elsewhere"
                )
            if self._in_place():
                if not os.access(self.path, os.W_OK):
                    raise PermissionError(13, "Permission denied")
            else:
                self._replace(b"", keep=False)
        except (OSError, ValueError) as error:
            if isinstance(error, ArgumentError):
                raise
            reason = getattr(error, "strerror", None) or error
            raise ArgumentError(
                f"cannot write {self.path}: {reason}; name a file in a folder that you may write to"
            ) from error

    def write(self, content: bytes) -> None:
        """Write the content, whole. Raises OSError where that fails after all."""
        try:
            if self._in_place():
                self.path.write_bytes(content)
            else:
                self._replace(content, keep=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            reason = f"{self.path} could not be written: {error.strerror or error}"
            raise OSError(error.errno, reason) from error

    def _in_place(self) -> bool:
        """Is it something that must be written to, and not be replaced?"""
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            return False
        return not stat.S_ISREG(mode) or not os.access(self.path, os.W_OK)

    def _replace(self, content: bytes, *, keep: bool) -> None:
        target = Path(os.path.realpath(self.path))  # a link stays one
        draft = target.with_name(f".portagrad-{os.getpid()}-{target.suffix[:8]}.part")
        try:
            draft.write_bytes(content)
            if keep:
                os.replace(draft, target)
        finally:
            with suppress(FileNotFoundError):
                draft.unlink()


def require_different(*paths: Path | None) -> list[Path]:
    """The paths that are given. Raises `ArgumentError` where one is named twice."""
    given = [path for path in paths if path is not None]
    if len({os.path.realpath(path) for path in given}) < len(given):
        raise ArgumentError(f"the plot and the JSON cannot both be written to {given[0]}")
    return given

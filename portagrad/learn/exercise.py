"""What an exercise is: a name, its texts, and the cases that an answer is held to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

Function = Callable[..., Any]


@dataclass(frozen=True)
class Gradient:
    """A gradient that must be that of `f` by its first `count` arguments."""

    what: str
    """The case in a few words, for a person."""
    derive: Callable[[Function, Any], Function]
    """From the learner's function and g to one of the arguments, as `pg.diagnose` takes it."""
    f: Function
    args: tuple[Any, ...]
    count: int = 1
    g: Any = None
    """What flows back into the learner's function, where that is not a loss's own."""


@dataclass(frozen=True)
class Value:
    """A result that must have a value; `start` is where an update began."""

    what: str
    call: Callable[[Function], Any]
    expected: Any
    start: Any = None
    close: float = 1e-6
    belongs: str = ""
    """What must be returned, where the names in `expected` do not say it."""


@dataclass(frozen=True)
class Exercise:
    """One exercise. The name is the function's, the file's and the command line's."""

    name: str
    title: str
    stage: str
    cases: Callable[[], Sequence[Gradient | Value]]
    slips: Mapping[str, Function] = field(default_factory=dict)
    """Wrong answers that people give, by what is to be said of them."""

    @property
    def statement(self) -> str:
        """The file to start from."""
        return _text("statements", self.name)

    @property
    def solution(self) -> str:
        """A file that is right, with the derivation."""
        return _text("solutions", self.name)

    @property
    def hints(self) -> list[str]:
        """Hints, the first giving least away."""
        return [hint.strip() for hint in _text("hints", self.name).split("\n---\n")]


def _text(folder: str, name: str) -> str:
    place = resources.files("portagrad.learn").joinpath(folder, f"{name}.txt")
    return place.read_text(encoding="utf-8")

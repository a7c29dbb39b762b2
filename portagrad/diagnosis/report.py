"""What a diagnosis says."""

from __future__ import annotations

import dataclasses

RIGHT = "right"
WRONG = "wrong"


@dataclasses.dataclass(frozen=True)
class Mistake:
    """Something that is wrong with a gradient."""

    name: str
    """Its name in the catalogue, or "unexplained"."""
    location: str
    """Which gradients: names of arguments or parameters."""
    factor: float | None
    """How many times the right gradient it is, where that is one number."""
    sentence: str
    """What is wrong, for a person."""

    def __str__(self) -> str:
        return f"{self.location}: {self.name}. {self.sentence}"


@dataclasses.dataclass(frozen=True)
class Report:
    """What is wrong with a gradient. True where nothing is."""

    verdict: str
    """"right" or "wrong"."""
    mistakes: tuple[Mistake, ...]
    checked: tuple[str, ...]
    """The gradients that were looked at, by name."""
    points: int
    """At how many points."""
    notes: tuple[str, ...] = ()
    """What else is worth knowing."""

    def __bool__(self) -> bool:
        return self.verdict == RIGHT

    def __str__(self) -> str:
        names = ", ".join(self.checked)
        if self:
            lines = [f"right: the gradient of {names}, at {self.points} points"]
        else:
            lines = [f"wrong: the gradient of {names}"]
        lines += [f"  {mistake}" for mistake in self.mistakes]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)

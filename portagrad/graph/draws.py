"""Random numbers inside a recorded function: every replay draws its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from portagrad.errors import JitError
from portagrad.graph.graph import NumberFunction
from portagrad.graph.recording import Recorded, RecordedNumber, Recorder, users_line
from portagrad.primitive import traced_types

#: Methods of a generator that return numbers and change nothing but its state.
DRAWS = frozenset(
    name
    for name, method in vars(np.random.Generator).items()
    if callable(method) and not name.startswith("_")
) - {"shuffle", "spawn"}


class Draw(NumberFunction):
    """One call of a generator's method. It is neither shared nor dropped."""


class RecordingGenerator(np.random.Generator):
    """Stands in for a generator while a function is recorded; draws from the same stream."""

    def __init__(self, generator: np.random.Generator, recorder: Recorder) -> None:
        super().__init__(generator.bit_generator)
        object.__setattr__(self, "_own", (generator, recorder))

    @property
    def generator(self) -> np.random.Generator:
        """What it stands in for."""
        return super().__getattribute__("_own")[0]  # type: ignore[no-any-return]

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_") or name == "generator":
            return super().__getattribute__(name)
        generator, recorder = super().__getattribute__("_own")
        if name not in DRAWS:
            raise JitError(
                f"{recorder.name}, under portagrad.jit, uses Generator.{name}{users_line()}: only "
                f"what returns random numbers can be replayed (x[generator.permutation(n)] "
                f"shuffles x)"
            )

        def draw(*args: Any, **keywords: Any) -> Any:
            if any(type(x) in traced_types for x in (*args, *keywords.values())):
                raise JitError(
                    f"{recorder.name}, under portagrad.jit, calls Generator.{name} with a value "
                    f"that depends on its arguments{users_line()}: draw standard numbers, and "
                    f"scale them"
                )
            if keywords.get("out") is not None:
                raise JitError(
                    f"{recorder.name}, under portagrad.jit: Generator.{name}(out=...) writes into "
                    f"an array; use what it returns"
                )
            method = getattr(generator, name)
            drawn = method(*args, **keywords)
            call = Draw(f"generator.{name}", lambda: method(*args, **keywords))
            operation = recorder.graph.add(call, (), {}, 0, [drawn], False)
            kind = Recorded if hasattr(drawn, "dtype") else RecordedNumber
            return kind(drawn, recorder, operation.output)

        return draw

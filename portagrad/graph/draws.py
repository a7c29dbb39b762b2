"""Random numbers inside a recorded function: every replay draws its own."""

from __future__ import annotations

import random
from collections.abc import Mapping
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


#: What random numbers are drawn from.
STREAMS = (np.random.Generator, np.random.RandomState, random.Random)


class Randomness:
    """Has anybody drawn random numbers that a replay would not draw anew?

    `streams` are those within reach; from the `replayed` ones among them it would.
    """

    def __init__(self, streams: list[Any], replayed: list[Any]) -> None:
        self._replayed = [(each, _position(each)) for each in replayed]
        known = {id(each) for each in replayed}
        others = [(each, type(each).__name__) for each in streams if id(each) not in known]
        others += [
            (np.random, "numpy.random's global functions"),
            (random, "the module random"),
        ]
        self._others = [(each, what, _position(each)) for each, what in others]

    def check(self, name: str) -> None:
        """Refuse a function that drew random numbers which a replay would draw again."""
        for each, what, position in self._others:
            if _position(each) != position:
                raise JitError(
                    f"{name}, under portagrad.jit, draws random numbers from {what}: a replay "
                    f"would use the same numbers again. Give them as an argument, or draw from a "
                    f"numpy.random.Generator that is an argument or that the function closes over"
                )

    def rewind(self) -> None:
        """As if nothing had been drawn: the recording is none."""
        for generator, state in self._replayed:
            generator.bit_generator.state = state


def _position(stream: Any) -> Any:
    if isinstance(stream, np.random.Generator):
        return _comparable(stream.bit_generator.state)
    if hasattr(stream, "get_state"):
        return _comparable(stream.get_state(legacy=False))
    return stream.getstate()


def _comparable(state: Any) -> Any:
    if isinstance(state, Mapping):
        return {key: _comparable(each) for key, each in state.items()}
    return state.tolist() if isinstance(state, np.ndarray) else state

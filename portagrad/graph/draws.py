"""Random numbers inside a recorded function: every replay draws its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from portagrad.errors import JitError
from portagrad.graph.graph import NumberFunction
from portagrad.graph.recording import Recorded, RecordedNumber, Recorder
from portagrad.primitive import traced_types

#: Methods of a generator that return numbers and change nothing but its state.
DRAWS = frozenset(
    {"random", "uniform", "normal", "standard_normal", "integers", "choice", "permutation"}
    | {"exponential", "standard_exponential", "gamma", "standard_gamma", "beta", "binomial"}
    | {"poisson", "laplace", "gumbel", "logistic", "lognormal", "bytes", "permuted", "triangular"}
    | {"standard_t", "standard_cauchy", "chisquare", "geometric", "multinomial", "dirichlet"}
)


class Draw(NumberFunction):
    """One call of a generator's method. It is neither shared nor dropped."""


class RecordingGenerator(np.random.Generator):
    """Stands in for a generator while a function is recorded; draws from the same stream."""

    def __init__(self, generator: np.random.Generator, recorder: Recorder) -> None:
        super().__init__(generator.bit_generator)
        object.__setattr__(self, "_own", (generator, recorder))

    def __getattribute__(self, name: str) -> Any:
        if name not in DRAWS:
            return super().__getattribute__(name)
        generator, recorder = super().__getattribute__("_own")

        def draw(*args: Any, **keywords: Any) -> Any:
            if any(type(x) in traced_types for x in (*args, *keywords.values())):
                raise JitError(
                    f"{recorder.name}, under portagrad.jit, calls Generator.{name} with a value "
                    f"that depends on its arguments: draw standard numbers, and scale them"
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

"""The mistakes that can be named, by how they are found.

    relations   from the right gradient and the parameters alone: factors, signs, orders, shapes
    sums        from the loss's terms, a parameter's several uses, the examples of a batch
    steps       from the program: one step's derivative replaced by a wrong one
    products    the same, for matrix products

Each is a function from a sight (a point, the right gradient, the derived one)
to hypotheses. A hypothesis is a prediction, never a guess: it is named only
where it gives the derived gradient, number by number, at several points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from portagrad.diagnosis.catalogue.products import product_mistakes
from portagrad.diagnosis.catalogue.relations import (
    factor_mistakes,
    parameter_mistakes,
    relation_mistakes,
    shape_mistakes,
)
from portagrad.diagnosis.catalogue.steps import step_mistakes
from portagrad.diagnosis.catalogue.sums import (
    example_mistakes,
    term_mistakes,
    use_mistakes,
)
from portagrad.diagnosis.hypothesis import Hypothesis, Sight
from portagrad.diagnosis.problem import Problem

Finder = Callable[[Problem, Sight], Iterator[Hypothesis]]

#: Cheap ones first: the dear ones are asked only for what these leave unexplained.
FINDERS: tuple[Finder, ...] = (
    factor_mistakes,
    relation_mistakes,
    shape_mistakes,
    parameter_mistakes,
    term_mistakes,
    use_mistakes,
    example_mistakes,
    step_mistakes,
    product_mistakes,
)

"""Nothing is forgotten: every function has a row, every primitive a rule."""

from portagrad import array_api
from portagrad.testing.table import coverage


def test_every_function_has_a_row_or_a_reason():
    assert coverage.without_row() == set()


def test_every_row_has_a_function():
    assert coverage.without_function() == set()


def test_every_primitive_states_a_rule():
    assert coverage.without_rule() == set()


def test_the_walk_finds_primitives_in_every_chapter():
    found = coverage.primitives(array_api)
    assert {
        "portagrad.array_api.elementwise.exp",
        "portagrad.array_api.data_type.convert",
        "portagrad.array_api.statistical.sum",
    } <= set(found)
    assert len(found) > 100

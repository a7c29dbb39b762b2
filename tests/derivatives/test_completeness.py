"""Nothing is forgotten: every function has a row, every primitive a rule."""

from pathlib import Path

import pytest

from portagrad import array_api
from portagrad.testing.contract import CHAPTERS
from portagrad.testing.contract.page import page
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


def test_the_page_of_the_numeric_contract_is_up_to_date():
    written = Path(__file__).parents[2] / "docs" / "numeric-contract.md"
    if not written.parent.is_dir():
        pytest.skip("the documentation is not here")
    assert written.read_text() == page(CHAPTERS), (
        "write it with: python -m portagrad.testing.contract > docs/numeric-contract.md"
    )

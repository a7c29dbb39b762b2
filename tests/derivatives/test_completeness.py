"""Nothing is forgotten: every function has a row, every primitive a rule."""

from pathlib import Path

import pytest

from portagrad import array_api
from portagrad.testing.contract import CHAPTERS
from portagrad.testing.contract.page import page as contract_page
from portagrad.testing.table import coverage
from portagrad.testing.table.page import page as coverage_page


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


@pytest.mark.parametrize(
    ("name", "module", "expected"),
    [
        ("numeric-contract.md", "contract", lambda: contract_page(CHAPTERS)),
        ("coverage.md", "table", coverage_page),
    ],
)
def test_a_generated_page_is_up_to_date(name, module, expected):
    written = Path(__file__).parents[2] / "docs" / name
    if not written.parent.is_dir():
        pytest.skip("the documentation is not here")
    assert written.read_text() == expected(), (
        f"write it with: python -m portagrad.testing.{module} > docs/{name}"
    )

"""Nothing is forgotten: every function has a row, every primitive a rule."""

from pathlib import Path

import pytest

from portagrad import array_api
from portagrad.backend.registry import registry
from portagrad.errors import BackendError
from portagrad.testing.contract import CHAPTERS
from portagrad.testing.contract.page import page as contract_page
from portagrad.testing.table import coverage, dask_page
from portagrad.testing.table.page import page as coverage_page
from portagrad.testing.table.page import recorded
from portagrad.testing.table.support import LIBRARIES, column


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


def documented(name):
    written = Path(__file__).parents[2] / "docs" / name
    if not written.parent.is_dir():
        pytest.skip("the documentation is not here")
    return written.read_text()


def test_the_page_of_the_numeric_contract_is_up_to_date():
    assert documented("numeric-contract.md") == contract_page(CHAPTERS), (
        "write it with: python -m portagrad.testing.contract > docs/numeric-contract.md"
    )


WRITE = "write it with: python -m portagrad.testing.table docs"


def test_the_page_of_coverage_is_up_to_date_but_for_the_libraries_columns():
    text = documented("coverage.md")
    assert text == coverage_page(recorded(text)), WRITE


def why_not(library):
    try:
        registry.load(library).probe()
    except BackendError as error:
        return str(error)
    return ""


COSTLY = {"jax": pytest.mark.tables, "dask": pytest.mark.tables}


@pytest.mark.parametrize(
    "library", [pytest.param(name, marks=COSTLY.get(name, ())) for name in LIBRARIES]
)
def test_a_librarys_column_of_coverage_is_up_to_date(library):
    pytest.importorskip("scipy", reason="SciPy says what is right")
    if reason := why_not(library):
        pytest.skip(reason)
    found = column(library)
    assert recorded(documented("coverage.md"))[library] == found, f"{WRITE} {library}"


@pytest.mark.tables
def test_the_page_of_dask_is_up_to_date():
    if reason := why_not("dask"):
        pytest.skip(reason)
    assert documented("dask.md") == dask_page.page(), f"{WRITE} dask"

"""The suite that says whether values and derivatives are right on a backend: the two tables.

A plugin's tests subclass it:

    class TestMine(DerivativeConformance):
        name = "mine"
        unlike = {"unique_all": "the library has none"}

and pytest runs every row of `portagrad.testing.table` and of the numeric contract.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from portagrad.backend import Backend, asarray, use_backend
from portagrad.errors import BackendError, BackwardError, MissingFunctionError
from portagrad.testing.contract import CONTRACT, Special, check_special
from portagrad.testing.table import TABLE, Row, check
from portagrad.testing.table.layout import LAYOUTS


def rows(*, order: int = 0, **wanted: bool) -> pytest.MarkDecorator:
    """The rows of which this is true, as parameters of a test."""
    chosen = [
        row
        for row in TABLE
        if row.order >= order and all(getattr(row, fact) == value for fact, value in wanted.items())
    ]
    return pytest.mark.parametrize("row", chosen, ids=[row.name for row in chosen])


@pytest.mark.filterwarnings("error")
class DerivativeTests:
    """The tests themselves, on whatever backend the fixture `backend` puts in force."""

    #: By the name of a function, or of a row of the contract: why the library cannot do it.
    unlike: Mapping[str, str] = {}
    #: Only the first call of every row: for a library that compiles each shape anew.
    quick = False

    @pytest.fixture
    def float64(self, backend: Backend) -> str:
        """The name of the exact dtype, where the backend has it."""
        try:
            asarray(0.0, dtype="float64", backend=backend)
        except Exception as error:  # each library says this in its own way
            pytest.skip(f"no float64: {error}")
        return "float64"

    def hold(
        self,
        row: Row,
        backend: Backend,
        dtype: str,
        *checks: Callable[[check.Trial], None],
        arrange: Callable[[Any], Any] | None = None,
    ) -> None:
        """Hold a backend to each call of a row; skip what its library does not have."""
        reason = row.unlike.get(backend.name) or self.unlike.get(row.name)
        if reason:
            pytest.skip(reason)
        if row.name.startswith("special."):
            pytest.importorskip("scipy", reason="SciPy says what is right")
        calls = range(len(row.calls)) if arrange is None and not self.quick else [0]
        with _skipping(row.optional):
            for number in calls:
                case = check.trial(row, number, dtype, arrange)
                for each in checks:
                    each(case)

    @rows(real=True)
    def test_value(self, row: Row, backend: Backend, float64: str) -> None:
        """Every result is NumPy's."""
        self.hold(row, backend, float64, check.check_value)

    @rows(real=True)
    def test_gradient(self, row: Row, backend: Backend, float64: str) -> None:
        """Every gradient is what differences say, and has manners."""
        self.hold(row, backend, float64, check.check_gradient)

    @rows(real=True)
    def test_gradient_in_float32(self, row: Row, backend: Backend) -> None:
        """So it is in single precision, and stays there."""
        self.hold(row, backend, "float32", check.check_gradient)

    @rows(real=True, order=2)
    def test_second_order(self, row: Row, backend: Backend, float64: str) -> None:
        """The gradient of the gradient is what differences of the gradient say."""
        self.hold(row, backend, float64, check.check_second_order)

    @rows(complex=True)
    def test_complex(self, row: Row, backend: Backend, float64: str) -> None:
        """Complex numbers: the value, and the direction of steepest ascent."""
        self.hold(row, backend, "complex128", check.check_value, check.check_gradient)

    @rows(complex=True, order=2)
    def test_complex_second_order(self, row: Row, backend: Backend, float64: str) -> None:
        """And its derivative."""
        self.hold(row, backend, "complex128", check.check_second_order)

    @rows(analytic=True)
    def test_complex_step(self, row: Row, backend: Backend, float64: str) -> None:
        """Analytic functions, to nearly all digits."""
        self.hold(row, backend, float64, check.check_complex_step)

    @rows(real=True, order=1)
    def test_layouts(self, row: Row, backend: Backend, float64: str) -> None:
        """Strided, reversed, transposed and read-only operands."""
        for arrange in LAYOUTS:
            self.hold(row, backend, float64, check.check_gradient, arrange=arrange)

    @pytest.mark.parametrize("special", CONTRACT, ids=[each.name for each in CONTRACT])
    def test_contract(self, special: Special, backend: Backend, float64: str) -> None:
        """The numeric contract."""
        if backend.name in special.unlike or special.name in self.unlike:
            pytest.skip(self.unlike.get(special.name, "the library's own value is another one"))
        with warnings.catch_warnings(), _skipping(special.optional):
            if special.pole:
                warnings.simplefilter("ignore", RuntimeWarning)
            check_special(special)


class DerivativeConformance(DerivativeTests):
    """The same tests on the backend `name`, on its device `device`."""

    name: str
    device: str | None = None

    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        """The backend under test, in force."""
        try:
            with use_backend(self.name, device=self.device) as backend:
                yield backend
        except BackendError as error:
            pytest.skip(str(error))


class _skipping:
    """Skip where an optional function is missing, on the way there or on the way back."""

    def __init__(self, optional: bool) -> None:
        self._optional = optional

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        missing = error.__cause__ if isinstance(error, BackwardError) else error
        if self._optional and isinstance(missing, MissingFunctionError):
            pytest.skip(str(missing))

"""The table of derivatives' tests: a row per public function of `portagrad.array_api`.

`row.py` says what a row is, `reference.py` what NumPy and differences say about
it, `check.py` holds a backend to that. The rows are in files by subject.
"""

from __future__ import annotations

from portagrad.testing.table import (
    beyond,
    choosing,
    creation,
    elementwise,
    fft,
    linalg,
    linear_algebra,
    manipulation,
    sorting,
    special,
    statistical,
)
from portagrad.testing.table.row import Row as Row

TABLE: tuple[Row, ...] = (
    *creation.ROWS,
    *elementwise.ROWS,
    *manipulation.ROWS,
    *statistical.ROWS,
    *linear_algebra.ROWS,
    *choosing.ROWS,
    *sorting.ROWS,
    *linalg.ROWS,
    *fft.ROWS,
    *beyond.ROWS,
    *special.ROWS,
)

_OF_NUMBERS = "makes an array of numbers, or of shapes: there is nothing to differentiate"
_OF_DTYPES = "is about dtypes or shapes and takes no values"
_ELSEWHERE = "is tested where it belongs: "

#: Every public function that has no row, and why.
WITHOUT_ROW: dict[str, str] = {
    "arange_like": _OF_NUMBERS,
    "broadcast_shapes": _OF_DTYPES,
    "can_cast": _OF_DTYPES,
    "empty": _OF_NUMBERS,
    "empty_like": _OF_NUMBERS,
    "eye": _OF_NUMBERS,
    "fft.fftfreq": _OF_NUMBERS,
    "fft.rfftfreq": _OF_NUMBERS,
    "finfo": _OF_DTYPES,
    "from_dlpack": _ELSEWHERE + "a Tensor that is differentiated refuses to be exported",
    "getitem": _ELSEWHERE + "indexing has tests of its own, over kinds of keys",
    "iinfo": _OF_DTYPES,
    "index_add": _ELSEWHERE + "it is the derivative of indexing",
    "isdtype": _OF_DTYPES,
    "ones": _OF_NUMBERS,
    "result_type": _OF_DTYPES,
    "zeros": _OF_NUMBERS,
}

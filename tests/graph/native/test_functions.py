"""exp, tanh, sigmoid and log against extended precision, over the whole range of each type."""

from typing import Any

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from portagrad.graph.native import functions  # noqa: E402

#: Units in the last place that a result may be off.
ALLOWED = 2.0


def sample(dtype: Any) -> Any:
    """Numbers of every magnitude, the ends of the ranges, and what is no number."""
    random = np.random.default_rng(0)
    bits = random.integers(0, 2**64, 400_000, dtype=np.uint64, endpoint=False)
    anywhere = bits.astype(f"uint{8 * np.dtype(dtype).itemsize}").view(dtype)
    limit = np.log(np.finfo(dtype).max)
    parts = [
        anywhere[np.isfinite(anywhere)],
        *(random.uniform(-edge, edge, 100_000) for edge in (1.3, 20.0, limit * 1.2)),
        1 + random.uniform(-1e-3, 1e-3, 50_000),
        [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, np.finfo(dtype).tiny, np.finfo(dtype).max],
    ]
    with np.errstate(over="ignore"):
        return np.concatenate([np.asarray(part).astype(dtype) for part in parts])


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


EXACT = {"exp": np.exp, "tanh": np.tanh, "log": np.log, "sigmoid": sigmoid}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", EXACT)
def test_within_two_units_in_the_last_place(name: str, dtype: Any) -> None:
    if np.finfo(np.longdouble).nmant <= np.finfo(dtype).nmant:
        pytest.skip("no type here is more precise")
    function = getattr(functions, f"{name}_{np.dtype(dtype).name}")

    @numba.njit(error_model="numpy")
    def each(x: Any, out: Any) -> None:
        for i in range(x.size):
            out[i] = function(x[i])

    x = sample(dtype)
    found = np.empty_like(x)
    each(x, found)
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(np.longdouble))
        rounded = exact.astype(dtype)
        finite = np.isfinite(rounded)
        units = np.abs(found - exact) / np.spacing(np.abs(rounded))
    np.testing.assert_array_equal(found[~finite], rounded[~finite])
    assert units[finite].max() <= ALLOWED, x[finite][units[finite].argmax()]
    np.testing.assert_array_equal(
        np.signbit(found[rounded == 0]), np.signbit(rounded[rounded == 0])
    )

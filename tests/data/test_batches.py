from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from portagrad import asarray, to_numpy
from portagrad.backend import Backend, backend_of
from portagrad.data import batches
from portagrad.errors import ArgumentError, ShapeError


def host(epoch: Any) -> list[Sequence[float]]:
    return [[to_numpy(part).tolist() for part in batch] for batch in epoch]


def test_every_backend_sees_the_same_batches(backend: Backend) -> None:
    rows = np.arange(23, dtype="float32")
    table = np.stack([rows, rows + 100], axis=1)
    expected = host(batches(table, rows, batch_size=5, seed=3, epoch=2))
    moved = asarray(table), asarray(rows)
    got = list(batches(*moved, batch_size=5, seed=3, epoch=2))
    assert host(got) == expected
    assert all(backend.device_of(part) == backend.device for batch in got for part in batch)
    assert all(backend_of(part).namespace == backend.namespace for batch in got for part in batch)


def test_an_epoch_has_each_row_once_and_keeps_rows_together() -> None:
    x = np.arange(10)
    parts = list(batches(x, x * 7, batch_size=4, seed=0))
    assert [len(part) for part, _ in parts] == [4, 4, 2]
    assert sorted(np.concatenate([part for part, _ in parts])) == list(range(10))
    assert all(np.array_equal(other, part * 7) for part, other in parts)


def test_order_is_a_function_of_seed_and_epoch() -> None:
    x = np.arange(50)

    def order(**options: int) -> list[int]:
        return [int(i) for (part,) in batches(x, batch_size=7, **options) for i in part]

    assert order(seed=1, epoch=4) == order(seed=1, epoch=4)
    assert len({tuple(order(seed=s, epoch=e)) for s in (0, 1) for e in (0, 1)}) == 4
    assert order(seed=0) != list(range(50))


def test_a_batch_may_be_larger_than_the_data() -> None:
    (only,) = batches(np.arange(3), batch_size=100, shuffle=False)
    assert only[0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("size", [0, -1])
def test_refuses_a_batch_size_at_the_call(size: int) -> None:
    with pytest.raises(ArgumentError, match=f"batch_size must be at least 1, got {size}"):
        batches(np.arange(3), batch_size=size)


def test_refuses_arrays_of_different_lengths() -> None:
    with pytest.raises(ShapeError, match=r"\(3, 2\), \(4,\)"):
        batches(np.ones((3, 2)), np.ones(4), batch_size=2)


def test_refuses_no_arrays() -> None:
    with pytest.raises(ArgumentError, match="at least one array"):
        batches(batch_size=2)


def test_no_value_of_a_device_is_read(no_host_sync: Any) -> None:
    x = asarray(np.ones((9, 2), "float32"), backend="array_api_strict", device="device1")
    with no_host_sync():
        assert len(list(batches(x, batch_size=4))) == 3

"""A formula's namespace: the library's own for plain arrays, portagrad's where one is traced."""

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api
from portagrad.array_api.namespace import array_namespace
from portagrad.errors import MixedBackendsError


def test_plain_arrays_have_their_library_s_own(backend):
    x = pg.asarray(np.ones(2, dtype="float32"))
    assert array_namespace(x) is backend.xp
    assert array_namespace(x, 2.0) is backend.xp
    assert array_namespace(x, None, x) is backend.xp


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_traced_value_at_any_place_is_enough(count):
    plain, traced = np.ones(2), pg.tensor(np.ones(2))
    for place in range(count):
        operands = [plain] * count
        operands[place] = traced
        assert array_namespace(*operands) is array_api


def test_two_libraries():
    strict = pytest.importorskip("array_api_strict")
    for operands in [(np.ones(1), strict.ones(1)), (np.ones(1), np.ones(1), strict.ones(1))]:
        with pytest.raises(MixedBackendsError, match=r"numpy.*array_api_strict"):
            array_namespace(*operands)

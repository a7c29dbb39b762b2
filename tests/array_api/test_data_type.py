"""Dtypes and constants, of the active backend and of others."""

import math

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp


def test_constants():
    assert (xp.e, xp.pi, xp.inf, xp.newaxis) == (math.e, math.pi, math.inf, None)
    assert math.isnan(xp.nan)


def test_dtypes_are_the_active_backends(backend):
    for name in ("bool", "int8", "uint16", "int64", "float32", "complex64"):
        assert getattr(xp, name) == getattr(backend.xp, name)
    info = xp.__array_namespace_info__()
    assert info.dtypes()["float32"] == xp.float32


def test_no_other_names():
    with pytest.raises(AttributeError, match="float33"):
        xp.float33  # noqa: B018


def test_questions_about_a_dtype_go_to_its_own_library(backend):
    """Whichever backend is active: a dtype is an argument, as an array is."""
    dtype, integers = xp.float32, xp.int16
    with pg.use_backend("numpy"):
        assert xp.isdtype(dtype, "real floating")
        assert not xp.isdtype(dtype, ("integral", "bool"))
        assert xp.finfo(dtype).bits == 32
        assert xp.iinfo(integers).max == 2**15 - 1
        assert xp.can_cast(integers, xp.result_type(integers, integers))


def test_dtypes_of_numpy_in_all_their_forms():
    for dtype in (np.float32, np.dtype("float32")):
        assert xp.isdtype(dtype, "real floating")
        assert xp.result_type(np.ones(2, dtype="int8"), dtype) == np.float32
        assert xp.finfo(dtype).bits == 32
    assert xp.finfo(np.ones(2)).bits == 64
    assert xp.can_cast(np.ones(2, dtype="int8"), np.int16)

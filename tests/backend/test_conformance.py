"""portagrad's own backends pass the suite that plugins subclass."""

import pytest

from portagrad.testing import BackendConformance


class TestNumpy(BackendConformance):
    name = "numpy"


class TestStrict(BackendConformance):
    name = "array_api_strict"


class TestStrictOnADevice(BackendConformance):
    name = "array_api_strict"
    device = "device1"


class TestStrictWithoutFloat64(BackendConformance):
    name = "array_api_strict"
    device = "no_float64"


class TestTorch(BackendConformance):
    name = "torch"


@pytest.mark.gpu
class TestCupy(BackendConformance):
    name = "cupy"

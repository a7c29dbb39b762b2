"""Activations at the ends of their range, on every library, without a warning."""

import math

import numpy as np
import pytest

import portagrad as pg
from portagrad import array_api as xp
from portagrad import kernels

inf, nan = math.inf, math.nan


def float32(values):
    return pg.asarray(np.asarray(values, dtype="float32"))


def gradient_of_sum(function, x):
    return pg.to_numpy(pg.grad(lambda x: xp.sum(function(x)))(x))


@pytest.mark.usefixtures("backend")
class TestSigmoid:
    def test_ends_are_exact(self):
        x = float32([-inf, -1000, 0, 1000, inf])
        assert pg.to_numpy(kernels.sigmoid(x)).tolist() == [0, 0, 0.5, 1, 1]
        assert gradient_of_sum(kernels.sigmoid, x).tolist() == [0, 0, 0.25, 0, 0]

    def test_small_values_keep_their_digits(self):
        x = float32([-5, -20, -40, -80])
        exact = [1 / (1 + math.exp(-v)) for v in (-5, -20, -40, -80)]
        assert pg.to_numpy(kernels.sigmoid(x)) == pytest.approx(exact, rel=5e-7, abs=0)

    def test_nan_stays_nan(self):
        assert math.isnan(float(kernels.sigmoid(float32(nan))))

    def test_nothing_overflows_in_16_bits(self, backend):
        if not hasattr(backend.xp, "float16"):
            pytest.skip("the library has no float16")
        points = [-1000, -12, -4, 0, 10.5, 11, 12, 1000]
        x = pg.asarray(np.asarray(points, dtype="float16"))
        exact = [0, *(1 / (1 + math.exp(-v)) for v in points[1:])]
        found = kernels.sigmoid.body(x)
        assert found.dtype == x.dtype
        assert pg.to_numpy(found) == pytest.approx(exact, rel=2e-3, abs=1e-7)
        assert pg.to_numpy(found)[-3:].tolist() == [1, 1, 1]

    def test_body_has_the_right_slope_at_0(self):
        assert gradient_of_sum(kernels.sigmoid.body, float32([0.0])) == 0.25


@pytest.mark.usefixtures("backend")
class TestTanh:
    def test_ends_are_exact(self):
        x = float32([-1000, 0, 1000])
        assert pg.to_numpy(kernels.tanh(x)).tolist() == [-1, 0, 1]
        assert gradient_of_sum(kernels.tanh, x).tolist() == [0, 1, 0]


@pytest.mark.usefixtures("backend")
class TestRelu:
    def test_value(self):
        x = float32([-inf, -1, -0.0, 0, 2, inf])
        assert pg.to_numpy(kernels.relu(x)).tolist() == [0, 0, 0, 0, 2, inf]

    @pytest.mark.parametrize("function", [kernels.relu, kernels.relu.body], ids=["rule", "body"])
    def test_slope_at_0_is_0(self, function):
        x = float32([-1, -0.0, 0, 2])
        assert gradient_of_sum(function, x).tolist() == [0, 0, 0, 1]

    def test_nan_stays_nan(self):
        assert math.isnan(float(kernels.relu(float32(nan))))

    def test_what_is_cut_off_gets_exactly_0_even_of_an_infinite_cotangent(self):
        out = kernels.relu(float32([-1, 1]))
        g = kernels.relu_backward(float32([inf, inf]), out)
        assert pg.to_numpy(g).tolist() == [0, inf]


@pytest.mark.usefixtures("backend")
class TestSoftmax:
    def test_large_logits(self):
        s = pg.to_numpy(kernels.softmax(float32([[1000, -1000, 1000]])))
        assert s.tolist() == [[0.5, 0, 0.5]]

    def test_some_minus_infinity(self):
        x = float32([-inf, 0, 0])
        assert pg.to_numpy(kernels.softmax(x)).tolist() == [0, 0.5, 0.5]
        g = pg.grad(lambda x: xp.sum(kernels.softmax(x) * float32([1, 2, 4])))(x)
        assert pg.to_numpy(g).tolist() == [0, -0.5, 0.5]

    def test_a_row_without_an_answer_is_nan_and_the_others_are_not(self):
        s = pg.to_numpy(kernels.softmax(float32([[-inf, -inf], [inf, 0], [nan, 0], [3, 3]])))
        assert np.isnan(s[:3]).all()
        assert s[3].tolist() == [0.5, 0.5]

    def test_along_another_axis(self):
        s = pg.to_numpy(kernels.softmax(float32([[0, 1000], [0, -1000]]), axis=0))
        assert s.tolist() == [[0.5, 1], [0.5, 0]]

    def test_the_whole_jacobian(self):
        """The derivative is no factor per element: off the diagonal there is something too."""
        x = float32([1, 2, 3])
        s = pg.to_numpy(kernels.softmax(x)).astype(float)
        rows = [
            pg.to_numpy(pg.grad(lambda x, i=i: kernels.softmax(x)[i])(x)) for i in range(len(s))
        ]
        assert np.stack(rows) == pytest.approx(np.diag(s) - np.outer(s, s), abs=1e-6)


@pytest.mark.usefixtures("backend")
class TestLogSoftmax:
    def test_no_underflow(self):
        x = float32([1000, -1000])
        assert pg.to_numpy(kernels.log_softmax(x)).tolist() == [0, -2000]
        assert gradient_of_sum(lambda x: kernels.log_softmax(x)[1], x).tolist() == [-1, 1]

    def test_minus_infinity(self):
        value = pg.to_numpy(kernels.log_softmax(float32([[-inf, 0], [-inf, -inf]])))
        assert value[0].tolist() == [-inf, 0]
        assert np.isnan(value[1]).all()
        g = gradient_of_sum(lambda x: kernels.log_softmax(x)[1], float32([-inf, 0]))
        assert g.tolist() == [0, 0]

"""x[key] = v, x += v, through views, on every library, against central differences."""

import numpy as np
import pytest

import portagrad as pg


def differences(f, x, h=1e-6):
    slope = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[i] = h
        slope[i] = (float(f(x + step)) - float(f(x - step))) / (2 * h)
    return slope


def elements(x):
    y = x * 2.0
    y[1, 0] = x[0, 1] ** 2
    y[-1, ...] = 3.0 * x[0, ...]
    return (y * y).sum()


def a_column(x):
    y = x * 1.0
    y[:, 1] = y[:, 0] * x[1, 1]
    return (y**3).sum()


def a_number(x):
    y = x * x
    y[0, ...] = 5.0
    return (y * x).sum()


def a_mask(x):
    y = x * x
    y[x > 2.5] = 7.0
    y[x < 1.5] = y[x < 1.5] * x[1, 1]
    return (y * x).sum()


def the_transpose(x):
    y = x * 1.0
    z = y.T
    z[0, :] = y[:, 1] * 2.0
    return (y * y * y).sum()


def a_view_of_a_view(x):
    y = x * 1.0
    row = y[1:, ...]
    last = row[0, ...]
    last[1] = x[0, 0] * x[0, 1]
    last[0] *= x[1, 1]
    return (y * y).sum() + (row**3).sum()


def the_base_under_a_view(x):
    y = x * 1.0
    row = y[0, ...]
    y[0, 1] = x[1, 1] ** 2
    return (row**2).sum()


def in_place(x):
    y = x * 1.0
    z = y
    y += x * x
    y *= 2.0
    y -= 1.0
    y /= x + 3.0
    y **= 2
    return (z * x).sum()


def an_earlier_reader(x):
    y = x * 1.0
    early = y * y  # keeps the old value
    y[0, ...] = 0.0
    return (early + y).sum()


def rows(x):
    y = x * 1.0
    for row in y:
        row[0] = row[1] * 2.0
    return (y * y).sum()


PROGRAMS = [
    elements,
    a_column,
    a_number,
    a_mask,
    the_transpose,
    a_view_of_a_view,
    the_base_under_a_view,
    in_place,
    an_earlier_reader,
    rows,
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_assignment(backend, float64, program):
    values = np.asarray([[1.0, 2.0], [3.0, 4.0]])
    x = pg.asarray(values, dtype=float64)
    value, gradient = pg.value_and_grad(program)(x)
    np.testing.assert_allclose(float(value), program(values.copy()), rtol=1e-12)
    np.testing.assert_allclose(
        pg.to_numpy(gradient), differences(program, values), rtol=1e-7, atol=1e-6
    )
    np.testing.assert_array_equal(pg.to_numpy(x), values)


def test_repeated_indices_last_one_counts():
    def program(x):
        y = pg.array_api.zeros(3) * x[0]
        y[[0, 2, 2]] = x
        y[[0, 2, 2]] += x * x
        return (y * np.asarray([1.0, 2.0, 3.0])).sum()

    x = np.asarray([2.0, 3.0, 5.0])
    np.testing.assert_allclose(pg.grad(program)(x), differences(program, x), atol=1e-6)


def test_into_an_array_made_inside():
    def program(x):
        xp = x.__array_namespace__()
        y = xp.zeros(4)
        y[1] = x[0] * x[1]
        y[2:] = x
        return xp.sum(y * y)

    np.testing.assert_allclose(pg.grad(program)(np.asarray([2.0, 3.0])), [40.0, 30.0])


def test_into_a_constant_tensor():
    buffer = pg.tensor(np.zeros(2))

    def program(x):
        buffer[0] = x[0] * 3.0
        return (buffer * x).sum()

    gradient = pg.grad(program)(np.asarray([2.0, 5.0]))
    np.testing.assert_allclose(gradient, [12.0, 0.0])
    assert isinstance(gradient, np.ndarray)


def test_the_dtype_of_the_left_side_stays():
    x = pg.tensor(np.asarray([1, 2], dtype="int32"))
    x += pg.tensor(np.asarray([1, 2], dtype="int64"))
    assert x.dtype == np.int32
    y = pg.tensor(np.ones(2, "float32"))
    y[0] = np.float64(2.0)
    y *= np.float64(2.0)
    assert y.dtype == np.float32
    with pytest.raises(ValueError, match=r"\(2,\).*\(3, 1\)"):
        y += np.ones((3, 1))


def test_a_leaf_is_not_cut_off():
    x = pg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="no_grad"):
        x += 1.0
    with pytest.raises(RuntimeError, match="no_grad"):
        x[0] = x[1] * 2.0
    with pg.no_grad():
        x += 1.0
        x[0] = 5.0
    np.testing.assert_array_equal(x.data, [5.0, 3.0])
    (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad, [10.0, 6.0])


def test_into_an_ndarray_is_refused():
    target = np.zeros(2)

    def program(x):
        target[0] = x[0]
        return (x * target).sum()

    with pytest.raises((TypeError, ValueError)):
        pg.grad(program)(np.ones(2))

    def in_place(x):
        y = np.zeros(2)
        y += x
        return y.sum()

    with pytest.raises(TypeError, match="ndarray"):
        pg.grad(in_place)(np.ones(2))


def to_its_argument(x):
    x[0, 1] = x[0, 0] * x[1, 1]
    x *= x
    return (x * x).sum()


def to_a_view_of_its_argument(x):
    row = x[0, ...]
    row[1] = row[0] * 3.0
    return (x * x).sum()


@pytest.mark.parametrize("program", [to_its_argument, to_a_view_of_its_argument])
def test_a_function_that_assigns_to_its_argument(program):
    x = np.asarray([[1.0, 2.0], [3.0, 4.0]])
    expected = differences(lambda y: program(y.copy()), x)
    np.testing.assert_allclose(pg.grad(program)(x), expected, rtol=1e-7, atol=1e-5)
    _, pullback = pg.vjp(program, x)
    np.testing.assert_allclose(pullback(1.0)[0], expected, rtol=1e-7, atol=1e-5)
    _, slope = pg.jvp(program, (x,), (np.ones_like(x),))
    np.testing.assert_allclose(slope, expected.sum(), rtol=1e-7)
    _, push = pg.linearize(program, x)
    np.testing.assert_allclose(push(np.ones_like(x)), expected.sum(), rtol=1e-7)
    np.testing.assert_array_equal(x, [[1.0, 2.0], [3.0, 4.0]])

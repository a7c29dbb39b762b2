"""Operations that are written out as text do what the tape does."""

import sys
import threading

import numpy as np

import portagrad as pg
from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.primitive import kernel


def leaf(values, requires_grad=True):
    return pg.tensor(np.asarray(values, dtype="float64"), requires_grad=requires_grad)


def test_a_kernel_of_one_array_may_change_its_shape():
    @kernel
    def total(x: Array, /) -> Array:
        return xp.sum(x)

    total.defvjp(x=lambda g, x: g * xp.ones_like(x))
    weights = np.asarray([1.0, 2.0, 4.0])
    for _ in range(3):  # the second call is the one written out
        x = leaf([5.0, 6.0, 7.0])
        y = total(x)
        xp.sum(y * weights).backward()
        np.testing.assert_array_equal(x.grad, [7.0, 7.0, 7.0])


def test_threads_that_meet_new_masks_at_once():
    interval = sys.getswitchinterval()
    failures = []

    def work(number, function, start):
        try:
            start.wait()
            for count in range(number, number + 6):
                a, b = leaf(np.ones(3), bool(count & 1)), leaf(np.ones(3), bool(count & 2))
                xp.sum(function(a, b) * leaf(np.ones(3))).backward()
        except BaseException as error:
            failures.append(error)

    def product(x1: Array, x2: Array, factor: float = 1.0) -> Array:
        return xp.multiply(x1, x2)

    try:
        sys.setswitchinterval(1e-6)
        for _ in range(10):
            function = kernel(product)
            function.defvjp(x1=lambda g, x2: g * x2, x2=lambda g, x1: g * x1)
            start = threading.Barrier(4)
            threads = [threading.Thread(target=work, args=(n, function, start)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not failures, failures

"""What a definition costs on a library with no kernels of its own: Python calls of portagrad's.

The bounds are what was measured. A function of portagrad's own where the library's would do is
several calls more.
"""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import portagrad as pg
from portagrad import kernels

HERE = str(Path(pg.__file__).parent) + os.sep


def calls_of_portagrad(function, *operands):
    """How many Python functions of portagrad's are called by what has been called before."""
    function(*operands)
    count = 0

    def note(frame, event, _):
        nonlocal count
        file = frame.f_code.co_filename  # what is written out as text has no file that ends so
        count += event == "call" and file.startswith(HERE) and file.endswith(".py")

    sys.setprofile(note)
    try:
        function(*operands)
    finally:
        sys.setprofile(None)
    return count


@pytest.fixture
def arrays():
    pytest.importorskip("array_api_strict")
    with pg.use_backend("array_api_strict"):
        shapes = {"x": (4, 3), "weight": (3, 5), "bias": (5,), "g": (4, 5), "y": (4, 5)}
        made = {k: pg.asarray(np.full(shape, 0.5)) for k, shape in shapes.items()}
        yield made | {"one": pg.asarray(1.0), "labels": pg.asarray(np.asarray([0, 1, 2, 3]))}


@pytest.mark.parametrize(
    ("name", "operands", "most"),
    [
        ("linear", "x weight bias", 9),
        ("linear_x_backward", "g weight", 4),
        ("linear_weight_backward", "g x", 4),
        ("linear_bias_backward", "g", 3),
        ("sigmoid", "x", 7),
        ("sigmoid_backward", "x x", 3),
        ("relu", "x", 3),
        ("softplus", "x", 11),
        ("mse", "g y", 10),
        ("mse_backward", "one g y", 4),
        ("cross_entropy", "g labels", 28),
        ("cross_entropy_backward", "one g labels", 24),
    ],
)
def test_of_a_definition(arrays, name, operands, most):
    function = getattr(kernels, name)
    assert calls_of_portagrad(function, *map(arrays.get, operands.split())) <= most

"""Clipping is torch's, in value and in gradients; nothing waits and nothing is written into."""

import math

import numpy as np
import pytest

import portagrad as pg
from portagrad import manual, nn, optim
from portagrad.errors import ArgumentError

SHAPES = ((3, 2), (4,), (), (2, 1, 2))


def parameters(dtype="float32", scale=1.0):
    random = np.random.default_rng(0)
    made = []
    for shape in SHAPES:
        p = nn.Parameter(pg.asarray(np.zeros(shape, dtype=dtype)))
        p.grad = pg.asarray(np.asarray(random.normal(size=shape) * scale, dtype=dtype))
        made.append(p)
    return made


@pytest.mark.parametrize("norm_type", [1, 2, 3.5, math.inf])
@pytest.mark.parametrize("limit", [0.5, 1e3])
def test_the_norm_is_clipped_as_torch_does(norm_type, limit):
    torch = pytest.importorskip("torch")
    mine = parameters("float64")
    theirs = [torch.zeros(shape, dtype=torch.float64) for shape in SHAPES]
    for p, q in zip(mine, theirs, strict=True):
        q.grad = torch.asarray(pg.to_numpy(p.grad))
    norm = optim.clip_grad_norm(mine, limit, norm_type)
    peer = torch.nn.utils.clip_grad_norm_(theirs, limit, norm_type)
    assert float(norm) == pytest.approx(float(peer), rel=1e-12)
    for p, q in zip(mine, theirs, strict=True):
        assert p.grad == pytest.approx(q.grad.numpy(), rel=1e-12)


@pytest.mark.usefixtures("backend")
def test_on_every_library():
    mine = parameters()
    before = [pg.to_numpy(p.grad) for p in mine]
    whole = np.sqrt(sum(float(np.sum(g**2)) for g in before))
    norm = optim.clip_grad_norm(mine, whole / 4)
    assert tuple(norm.shape) == ()
    assert float(norm) == pytest.approx(whole, rel=1e-6)
    for p, g in zip(mine, before, strict=True):
        assert p.grad.dtype == p.data.dtype
        assert pg.to_numpy(p.grad) == pytest.approx(g / 4, rel=1e-5)
    optim.clip_grad_value(mine, 0.01)
    for p, g in zip(mine, before, strict=True):
        assert pg.to_numpy(p.grad) == pytest.approx(np.clip(g / 4, -0.01, 0.01), rel=1e-5)


def test_gradients_are_replaced_and_not_written_into():
    p = manual.Parameter([1.0])
    gradient = p.grad = np.full(1, 8.0, dtype="float32")
    optim.clip_grad_norm([p], 1.0)
    optim.clip_grad_value([p], 0.1)
    assert gradient.tolist() == [8]
    assert p.grad.tolist() == pytest.approx([0.1])


def test_parameters_of_two_dtypes_and_one_listed_twice():
    a, b = nn.Parameter(np.zeros(1, dtype="float32")), nn.Parameter(np.zeros(1))
    a.grad, b.grad = np.full(1, 3.0, dtype="float32"), np.full(1, 4.0)
    still = nn.Parameter(np.zeros(1))
    assert float(optim.clip_grad_norm([a, b, a, still], 1.0)) == pytest.approx(5)
    assert (a.grad.dtype, b.grad.dtype) == (np.float32, np.float64)
    assert a.grad == pytest.approx(0.6)
    assert still.grad is None


def test_all_gradients_0():
    p = nn.Parameter([1.0])
    p.grad = np.zeros(1, dtype="float32")
    assert float(optim.clip_grad_norm([p], 1.0)) == 0
    assert p.grad.tolist() == [0]


@pytest.mark.parametrize("function", [optim.clip_grad_norm, optim.clip_grad_value])
def test_what_is_refused(function):
    name, (p,) = function.__name__, [nn.Parameter([1.0])]
    with pytest.raises(ArgumentError, match=f"{name}: no parameter has a gradient: call it betwe"):
        function([p], 1.0)
    p.grad = np.ones(1, dtype="float32")
    for wrong in (0, -1, "x", math.nan):
        with pytest.raises(ArgumentError, match=rf"{name}: .* must be a number above 0, got"):
            function([p], wrong)
    with pytest.raises(ArgumentError, match=f"{name}: expected parameters, got the module itself"):
        function(nn.Linear(1, 1), 1.0)
    with pytest.raises(ArgumentError, match="norm_type must be 1 or more"):
        optim.clip_grad_norm([p], 1.0, 0.5)

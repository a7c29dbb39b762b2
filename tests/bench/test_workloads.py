"""The benchmark does what its figures say: the same work, and every product counted."""

import array_api_compat.numpy as namespace
import numpy as np
import pytest

from portagrad.backend import get_backend
from portagrad.bench import PARTS, WINGS, WORKLOADS, Workload, cases
from portagrad_numpy import kernels as numpy_kernels

LINEAR = Workload("small linear", (4, 6), 3, loss=False)
MLP = Workload("small mlp", (4, 6, 5, 3), 8, loss=True)


@pytest.fixture
def backend():
    return get_backend("numpy")


def test_products_of_a_linear_layer():
    assert LINEAR.forward_products() == [(3, 4, 6)]
    assert LINEAR.backward_products() == [(4, 3, 6), (3, 6, 4)]


def test_nobody_asks_for_the_gradient_of_the_data():
    assert len(MLP.forward_products()) == 3
    assert MLP.backward_products() == [(4, 8, 6), (6, 8, 5), (8, 5, 6), (5, 8, 3), (8, 3, 5)]


def test_the_stated_workloads_are_the_ones_measured():
    assert [(w.widths, w.batch) for w in WORKLOADS] == [
        ((2048, 2048), 2048),
        ((784, 512, 256, 10), 256),
        ((1024, 2048, 2048, 1024), 1024),
    ]


@pytest.mark.parametrize("workload", [LINEAR, MLP], ids=lambda w: w.name)
def test_flops_count_two_for_each_multiply_add(workload, backend):
    by_part = {case.part: case.flops for case in cases(workload, backend)}
    backward = sum(2 * m * k * n for m, k, n in workload.backward_products())
    forward = sum(2 * m * k * n for m, k, n in workload.forward_products())
    assert by_part == {"step": forward + backward, "backward": backward}


@pytest.mark.parametrize("workload", [LINEAR, MLP], ids=lambda w: w.name)
@pytest.mark.parametrize("wing", WINGS)
@pytest.mark.parametrize("part", PARTS)
def test_the_whole_does_the_counted_products_and_no_other(
    workload, wing, part, backend, monkeypatch
):
    case = dict(zip(PARTS, cases(workload, backend, wings=(wing,))))[part]
    case.prepare()
    done = []

    def counting(a, b, out=None):
        done.append((*a.shape, b.shape[1]))
        return np.matmul(a, b, out)

    monkeypatch.setattr(namespace, "matmul", counting)
    monkeypatch.setattr(numpy_kernels, "product", counting)
    case.whole()
    expected = workload.backward_products()
    if part == "step":
        expected = workload.forward_products() + expected
    assert sorted(done) == sorted(expected)


@pytest.mark.parametrize("workload", [LINEAR, MLP], ids=lambda w: w.name)
def test_both_wings_train_from_the_same_weights(workload, backend):
    """The networks are equal before the first step and after the third."""
    steps = [case for case in cases(workload, backend) if case.part == "step"]
    trainees = [case.whole.__self__ for case in steps]

    def weights(trainee):
        return [np.asarray(parameter.data) for parameter in trainee.network.parameters()]

    before = weights(trainees[0])
    for step in range(4):
        for manual, auto in zip(*map(weights, trainees)):
            np.testing.assert_allclose(manual, auto, rtol=1e-5, atol=1e-6, err_msg=f"step {step}")
        for case in steps:
            case.prepare()
            case.whole()
    assert not any(np.array_equal(a, b) for a, b in zip(before, weights(trainees[0])))


@pytest.mark.parametrize("wing", WINGS)
def test_a_backward_can_be_timed_again_and_again(wing, backend):
    case = dict(zip(PARTS, cases(MLP, backend, wings=(wing,))))["backward"]
    gradients = []
    for _ in range(2):
        case.prepare()
        case.whole()
        parameters = case.whole.__self__.network.parameters()
        gradients.append([np.array(parameter.grad) for parameter in parameters])
    for first, second in zip(*gradients):
        np.testing.assert_array_equal(first, second)

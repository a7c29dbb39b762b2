"""torch's own autograd goes through the kernels: nothing that it holds is written over."""

import pytest

from portagrad import kernels

torch = pytest.importorskip("torch")
SHAPES = {"x": (4, 3), "weight": (3, 5), "bias": (5,), "g": (4, 3)}
CALLS = {
    "linear": lambda a: kernels.linear(a["x"], a["weight"], a["bias"]),
    "linear_sigmoid": lambda a: kernels.linear_sigmoid(a["x"], a["weight"], a["bias"]),
    "linear_tanh": lambda a: kernels.linear_tanh(a["x"], a["weight"], a["bias"]),
    "linear_relu": lambda a: kernels.linear_relu(a["x"], a["weight"], a["bias"]),
    "sigmoid": lambda a: kernels.sigmoid(a["x"]),
    "sigmoid_backward": lambda a: kernels.sigmoid_backward(a["g"], a["x"]),
    "tanh_backward": lambda a: kernels.tanh_backward(a["g"], a["x"]),
    "softmax": lambda a: kernels.softmax(a["x"]),
    "mse": lambda a: kernels.mse(a["x"], a["g"]),
    "cross_entropy": lambda a: kernels.cross_entropy(a["x"], torch.tensor([0, 2, 1, 1])),
}


@pytest.mark.parametrize("name", CALLS)
def test_torch_differentiates_a_kernel(name):
    torch.manual_seed(0)
    made = {
        key: torch.randn(shape, dtype=torch.float64, requires_grad=True)
        for key, shape in SHAPES.items()
    }

    def value(*arrays):
        return CALLS[name](dict(zip(made, arrays, strict=True)))

    assert torch.autograd.gradcheck(value, tuple(made.values()))

"""Another opinion: torch's own derivatives of the same calls, to nearly all digits."""

import numpy as np
import pytest

import portagrad as pg
from portagrad.testing.table import TABLE, check
from portagrad.testing.table.reference import program, resolve

torch = pytest.importorskip("torch")
compat = pytest.importorskip("array_api_compat.torch")

#: Where torch's answer is another one, and why ours is right (test_table.py says that it is).
DIFFERENT = {
    "asarray": "torch.asarray(copy=True) leaves its graph",
    "linalg.svd": "torch leaves out how the columns beyond the rank turn",
    "median": "torch.median takes the lower one of two, and one of equals",
    "put": "torch.put is another function",
}


def torchs_gradients(row, number, dtype):
    """What torch's autograd says of a call, or a skip where it has nothing to say."""
    call = row.calls[number]
    known = check.trial(row, number, dtype).known
    leaves = [torch.tensor(x, requires_grad=True) for x in known.leaves]
    function = resolve(compat, row.name)

    def given(each):
        return torch.tensor(np.asarray(each.values, dtype=each.dtype or dtype))

    outputs = program(row, call, compat, function, given)(*leaves)
    loss = torch.zeros((), dtype=torch.float64)
    for out, weight in zip(outputs, known.weights, strict=True):
        if out.requires_grad:
            loss = loss + (out * torch.tensor(weight)).real.sum()
    found = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
    return [g.resolve_conj().resolve_neg().numpy() for g in found]


def cases():
    for row in TABLE:
        home = compat
        for part in row.name.split("."):
            home = getattr(home, part, None)
        if home is None or row.order == 0 or "torch" in row.unlike or row.name in DIFFERENT:
            continue
        for dtype, wanted in (("float64", row.real), ("complex128", row.complex)):
            if wanted:
                yield pytest.param(row, dtype, id=f"{row.name}-{dtype}")


@pytest.mark.parametrize(("row", "dtype"), list(cases()))
def test_torch_agrees(row, dtype):
    compared = 0
    with pg.use_backend("torch"):
        for number in range(len(row.calls)):
            case = check.trial(row, number, dtype)
            if not case.leaves:
                continue
            try:
                expected = torchs_gradients(row, number, dtype)
            except (RuntimeError, TypeError, NotImplementedError, ValueError) as error:
                reason = str(error).splitlines()[0]
                continue
            compared += 1
            for found, other in zip(check.gradients(case), expected, strict=True):
                np.testing.assert_allclose(
                    pg.to_numpy(found), other, rtol=1e-9, atol=1e-11, err_msg=str(case)
                )
    if not compared:
        pytest.skip(f"torch cannot: {reason}")

"""The systems train to the same numbers on NumPy, torch and array-api-strict."""

import numpy as np
import pytest

from portagrad.backend import use_backend
from portagrad.train import Settings, run

pytest.importorskip("sklearn")
SYSTEMS = {"quadratic": "0_8", "xor": "3_7", "breast-cancer": "3_7", "digits": "1_10"}


@pytest.fixture(scope="module")
def reference():
    """The losses of every step on NumPy, by system."""
    return {}


def losses(system, backend, optimizer):
    settings = Settings.of(
        system, epochs=2, warmup=1, schedule="cosine", optimizer=optimizer, seed=77, data_seed=78
    )
    with use_backend(backend):
        result = run(settings)
    return np.asarray([history.step_losses for history in result.histories.values()])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("backend_name", ["torch", "array_api_strict"])
@pytest.mark.parametrize("system", SYSTEMS, ids=[f"{row}-{name}" for name, row in SYSTEMS.items()])
def test_the_same_losses_to_rounding(system, backend_name, optimizer, reference):
    """Both wings, every step: rounding is 6e-8, and grows with the steps."""
    pytest.importorskip(backend_name)
    key = system, optimizer
    if key not in reference:
        reference[key] = losses(system, "numpy", optimizer)
    found = losses(system, backend_name, optimizer)
    assert found.shape == reference[key].shape
    assert found == pytest.approx(reference[key], rel=1e-4, abs=1e-6)

"""Seed 3, row 3.6: a learner fills in one derivative and is told where and by what factor."""

from pathlib import Path

import pytest

from portagrad.cli import main
from portagrad.learn import EXERCISES


def check(path: Path, code: int, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["learn", "check", str(path)]) == code
    return str(capsys.readouterr().out)


def test_3_6_the_seeds_exercises_are_all_there():
    wanted = {
        "sigmoid_backward", "linear_backward", "mse_backward", "bce_backward",
        "cross_entropy_backward", "two_layer_gradients", "deep_gradients", "accumulate",
        "features_first_gradients",
    }  # fmt: skip
    assert wanted <= set(EXERCISES)


def test_3_6_from_the_empty_file_to_right(tmp_path, capsys):
    assert main(["learn", "start", "features_first_gradients", "--folder", str(tmp_path)]) == 0
    capsys.readouterr()
    path = tmp_path / "features_first_gradients.py"
    assert "returns None" in check(path, 1, capsys)
    path.write_text(EXERCISES["features_first_gradients"].solution)
    assert "is right" in check(path, 0, capsys)


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        # The seed's own remark: "I didn't bother with the 1/N part".
        (" - y) / samples", " - y)", "7 times the right gradient"),
        ("w[:-1] * h * (1 - h)", "w[:-1] * h", "W: "),
        ("(w[:-1]", "(-w[:-1]", "-1 times the right gradient"),
        ("h1 @ error", "h1 @ error.mean(axis=0, keepdims=True)", "ValueError"),
    ],
)
def test_3_6_the_seeds_mistakes_are_told(right, wrong, expected, tmp_path, capsys):
    solution = EXERCISES["features_first_gradients"].solution
    assert right in solution
    path = tmp_path / "features_first_gradients.py"
    path.write_text(solution.replace(right, wrong))
    if expected == "ValueError":
        assert main(["learn", "check", str(path)]) == 2
        assert expected in capsys.readouterr().err
        return
    assert expected in check(path, 1, capsys)

"""`portagrad explain`."""

import pytest

from portagrad.cli import main

FILE = """
import numpy as np
import portagrad as pg
from portagrad import array_api as xp
args = (2.0, -0.5)
x = (np.ones((4, 2)),)

def f(a, b):
    print("noise")
    return xp.tanh(a * b + b)

net = pg.nn.Sequential(pg.nn.Linear(2, 3, seed=0))
"""


def said(arguments, code, capsys):
    assert main(["explain", *map(str, arguments)]) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert err.count("\n") == (1 if code else 0)
    return out, err


def test_both_wings_say_the_same_of_sizes(capsys):
    by_hand, _ = said(["2,3,1"], 0, capsys)
    by_tape, _ = said(["2,3,1", "--gradients", "auto"], 0, capsys)
    assert by_hand == by_tape
    assert "dW = Xᵀ g" in by_hand


@pytest.mark.parametrize("loss", ["none", "mse", "bce-with-logits", "cross-entropy"])
def test_every_loss_and_format(loss, tmp_path, capsys):
    for table, picture in (("a.txt", "a.svg"), ("a.md", "a.dot"), ("a.html", "b.svg")):
        arguments = ["3,4,2", "--loss", loss, "--activation", "sigmoid", "--rows", 5]
        said([*arguments, "--output", tmp_path / table, "--graph", tmp_path / picture], 0, capsys)
        assert "Sigmoid" in (tmp_path / table).read_text(encoding="utf-8")
        assert "layers.0.weight" in (tmp_path / picture).read_text(encoding="utf-8")


def test_a_function_and_a_network_of_ones_own(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    out, _ = said([f"{path}:f", "--graph", tmp_path / "f.svg"], 0, capsys)
    assert "v2 = a × b" in out
    assert "noise" not in out
    assert (tmp_path / "f.svg").read_text(encoding="utf-8").startswith("<svg")
    _, err = said([f"{path}:net"], 2, capsys)
    assert "loss is a float" in err
    _, err = said([f"{path}:f", "--output", tmp_path / "f.md"], 2, capsys)
    assert "--graph" in err
    path.write_text(FILE.replace("args", "other").replace("x = (", "args = ("))
    out, _ = said([f"{path}:net"], 0, capsys)
    assert "Linear" in out


@pytest.mark.parametrize(
    ("target", "extra", "expected"),
    [
        ("3", [], "one size"),
        ("3,x", [], "no layer size"),
        ("nowhere.py:f", [], "no such file"),
        ("mine.py", [], "neither FILE.py:NAME"),
        ("mine.py:g", [], "defines no g"),
        ("mine.py:broken", [], "ZeroDivisionError"),
        ("mine.py:forever", ["--timeout", "2"], "endless loop"),
        ("2,1", ["--graph", "x.png"], "must end in .svg, .dot"),
        ("2,1", ["--output", "x.svg"], "must end in .txt"),
        ("2,1", ["--output", "no/x.md"], "no folder"),
        ("2,1", ["--loss", "hinge"], "invalid choice"),
    ],
)
def test_wrong_use(target, extra, expected, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    broken = "def broken(a, b):\n    return 1 / 0\ndef forever(a, b):\n    while True: pass\n"
    (tmp_path / "mine.py").write_text(FILE + broken)
    _, err = said([target, *extra], 2, capsys)
    assert expected in err

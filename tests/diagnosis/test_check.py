"""`portagrad check FILE.py:function`."""

from pathlib import Path

import pytest

from portagrad.cli import main

FILE = """
import sys, time
import numpy as np

args = (np.array([1.0, 2.0]), np.array([[1.0, 0.0], [2.0, 1.0], [1.0, 1.0]]), np.zeros(3))

def loss(w, x, y):
    return ((x @ w - y) ** 2).sum() / (2 * len(x))

def other(w, x, y):
    return -loss(w, x, y)

def gradient(w, x, y):
    print("noise")
    return x.T @ (x @ w - y) / len(x)

def double(w, x, y):
    return 2 * gradient(w, x, y)

def nothing(w, x, y):
    gradient(w, x, y)

def shape(w, x, y):
    return np.ones((5, 3))

def text(w, x, y):
    return "gradient"

def raises(w, x, y):
    return x @ y @ y @ w

def forever(w, x, y):
    while True:
        time.sleep(0.01)

def leaves(w, x, y):
    import os
    os._exit(3)

def exits(w, x, y):
    sys.exit(0)

def two(w, x):
    return w

number = 3

def drawn():
    return args

def failing():
    raise RuntimeError("no data")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def said(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    assert main(["check", *arguments]) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert err.count("\n") == (1 if code else 0)
    return out, err


def test_right(file, capsys):
    out, _ = said([f"{file}:gradient"], 0, capsys)
    assert out.startswith("right")
    assert "noise" not in out


def test_wrong(file, capsys):
    out, err = said([f"{file}:double"], 1, capsys)
    assert "2.000 times" in out
    assert "constant factor" in err


def test_other_names(file, capsys):
    out, _ = said([f"{file}:gradient", "--loss", "other", "--args", "drawn"], 1, capsys)
    assert "sign" in out
    said([f"{file}:gradient", "--argnums", "0", "--seed", "4"], 0, capsys)


@pytest.mark.parametrize(
    ("function", "expected"),
    [("nothing", "None"), ("shape", "(5, 3)"), ("text", "no array of numbers")],
)
def test_wrong_results(file, capsys, function, expected):
    out, _ = said([f"{file}:{function}"], 1, capsys)
    assert expected in out


@pytest.mark.parametrize(
    ("target", "extra", "expected"),
    [
        ("raises", [], "line 30"),
        ("leaves", [], "exit code 3"),
        ("exits", [], "SystemExit"),
        ("two", [], "does not take the 3 argument(s)"),
        ("number", [], "not a function"),
        ("gradien", [], "defines no gradien; it defines"),
        ("gradient", ["--loss", "lost"], "defines no lost"),
        ("gradient", ["--args", "failing"], "RuntimeError: no data"),
        ("gradient", ["--args", "missing"], "defines no missing"),
        ("gradient", ["--argnums", "7"], "argnums"),
        ("gradient", ["--argnums", "x"], "no list of positions"),
        ("forever", ["--timeout", "3"], "endless loop"),
        ("gradient", ["--timeout", "0"], "--timeout"),
    ],
)
def test_wrong_use(file, capsys, target, extra, expected):
    _, err = said([f"{file}:{target}", *extra], 2, capsys)
    assert expected in err


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("def gradient(:", "line 1"),
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("1 / 0", "ZeroDivisionError"),
        ("\x00", "null bytes"),
        ("def gradient(x): return x\ndef loss(x): return x", "no args and no example"),
        ("raise SystemExit(0)", "SystemExit"),
    ],
)
def test_broken_files(tmp_path, capsys, content, expected):
    path = tmp_path / "broken.py"
    path.write_text(content)
    _, err = said([f"{path}:gradient"], 2, capsys)
    assert expected in err


@pytest.mark.parametrize("target", ["nowhere.py:f", "no_colon.py", ".:f", "x.py:1"])
def test_no_file(target, capsys):
    said([target], 2, capsys)

"""`portagrad learn`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from portagrad.cli import main
from portagrad.learn import EXERCISES

FUNCTION = (
    "# portagrad learn: sigmoid_backward\nimport numpy as np\ndef sigmoid_backward(g, out):\n"
)
RIGHT = FUNCTION + "    return g * out * (1 - out)\n"


def said(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    assert main(["learn", *arguments]) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert err.count("\n") == (1 if code else 0)
    return out, err


def test_the_list(capsys):
    out, _ = said([], 0, capsys)
    for number, exercise in enumerate(EXERCISES.values(), 1):
        assert any(
            line.split()[:2] == [str(number), exercise.name] and exercise.title in line
            for line in out.splitlines()
        )
    assert max(map(len, out.splitlines())) <= 100


def test_start_fill_in_check(tmp_path, capsys):
    out, _ = said(["start", "2", "linear-backward", "--folder", str(tmp_path)], 0, capsys)
    path = tmp_path / "sigmoid_backward.py"
    assert (tmp_path / "linear_backward.py").exists()
    assert str(path) in out
    out, err = said(["check", str(path)], 1, capsys)
    assert "returns None" in out
    assert "not right yet" in err
    path.write_text(path.read_text().replace("...", "print('g'); return g * out * (1 - out)"))
    out, _ = said(["check", str(path)], 0, capsys)
    assert "is right, in 3 of 3 cases" in out
    assert "not shown" in out
    assert "next: portagrad learn start tanh_backward" in out


def test_nothing_is_written_over(tmp_path, capsys):
    said(["start", "1", "--folder", str(tmp_path)], 0, capsys)
    path = tmp_path / "numerical_derivative.py"
    path.write_text("mine")
    _, err = said(["start", "2", "1", "--folder", str(tmp_path)], 2, capsys)
    assert "--force" in err
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]
    said(["start", "1", "--folder", str(tmp_path), "--force"], 0, capsys)
    assert "def numerical_derivative" in path.read_text()


def test_hints_and_solutions(capsys):
    first, _ = said(["hint", "linear_backward"], 0, capsys)
    third, _ = said(["hint", "linear_backward", "3"], 0, capsys)
    assert "hint 1 of 3" in first
    assert "hint 3 of 3" in third
    assert "portagrad learn solution linear_backward" in third
    out, _ = said(["solution", "6"], 0, capsys)
    assert out == EXERCISES["linear_backward"].solution


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["hint", "sigmoid"], "did you mean sigmoid_backward?"),
        (["hint", "20"], "there is no exercise '20'"),
        (["hint", "0"], "there is no exercise"),
        (["hint", "2", "4"], "has 3 hints"),
        (["hint", "2", "x"], "whole number"),
        (["hint"], "required"),
        (["solution", "x y"], "there is no exercise"),
        (["start", "2", "--folder", "no/such/folder"], "there is no folder"),
        (["check"], "required"),
        (["check", "nowhere.py"], "no such file"),
        (["check", "."], "is a folder"),
        (["chek"], "invalid choice"),
    ],
)
def test_wrong_use(arguments, expected, capsys):
    _, err = said(arguments, 2, capsys)
    assert expected in err


#: What a file may hold that no answer can be had from, and what is said.
BROKEN = {
    "syntax error": ("def sigmoid_backward(g, out:", "line 1"),
    "empty": ("", "defines no sigmoid_backward"),
    "binary": ("\x00\x01\x02", "null bytes"),
    "another function": ("def sigmoid(x): return x", "it defines sigmoid"),
    "no function": ("sigmoid_backward = 3", "is a int, not a function"),
    "too few parameters": ("def sigmoid_backward(g): return g", "TypeError"),
    "raises": (FUNCTION + "    return g @ out", "line 4"),
    "raises on loading": ("1 / 0", "ZeroDivisionError"),
    "import": ("import nothing_of_that_name", "ModuleNotFoundError"),
    "recursion": (FUNCTION + "    return sigmoid_backward(g, out)", "RecursionError"),
    "exit": (FUNCTION + "    raise SystemExit(0)", "SystemExit"),
    "exit on loading": ("import sys; sys.exit()", "SystemExit"),
    "leaves": (FUNCTION + "    import os; os._exit(0)", "ended Python itself (exit code 0)"),
    "interrupts": (FUNCTION + "    raise KeyboardInterrupt", "ended Python itself"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files(tmp_path, capsys, name):
    content, expected = BROKEN[name]
    path = tmp_path / "sigmoid_backward.py"
    path.write_text(content)
    _, err = said(["check", str(path)], 2, capsys)
    assert expected in err


ENDLESS = [
    "while True: pass",
    "while True: print('x' * 1000)",
    "import subprocess; subprocess.run(['sleep', '60'])",
]


@pytest.mark.parametrize("body", ENDLESS)
def test_an_endless_loop_is_ended(tmp_path, capsys, body):
    path = tmp_path / "sigmoid_backward.py"
    path.write_text(f"{FUNCTION}    {body}")
    _, err = said(["check", str(path), "--timeout", "2"], 2, capsys)
    assert "endless loop" in err


def test_bytes_that_are_no_text(tmp_path, capsys):
    path = tmp_path / "sigmoid_backward.py"
    path.write_bytes(b"\xff\xfe\x80")
    said(["check", str(path)], 2, capsys)


def test_a_file_of_another_name(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(RIGHT)
    said(["check", str(path)], 0, capsys)
    path.write_text(RIGHT.partition("\n")[2])
    _, err = said(["check", str(path)], 2, capsys)
    assert "--exercise NAME" in err
    said(["check", str(path), "--exercise", "2"], 0, capsys)
    path.rename(tmp_path / "mine.txt")
    _, err = said(["check", str(tmp_path / "mine.txt"), "--exercise", "2"], 2, capsys)
    assert "must end in .py" in err


def test_prints_do_not_hide_the_answer(tmp_path, capsys):
    path = tmp_path / "sigmoid_backward.py"
    noise = "import sys, os; print('noise'); print('x', file=sys.stderr); os.write(1, b'y')"
    path.write_text(RIGHT.replace("    return", f"    {noise}; return"))
    out, _ = said(["check", str(path)], 0, capsys)
    assert "noise" not in out


def test_a_neighbour_named_like_a_module_is_not_taken_for_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "numpy.py").write_text("raise SystemExit('mine')")
    (tmp_path / "sigmoid_backward.py").write_text(RIGHT)
    said(["check", "sigmoid_backward.py"], 0, capsys)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_that_lacks_greek_letters(encoding, tmp_path):
    for arguments in (["learn"], ["learn", "solution", "2"], ["explain", "2,3,1"]):
        done = subprocess.run(
            [sys.executable, "-m", "portagrad", *arguments], cwd=tmp_path, capture_output=True,
            env=os.environ | {"PYTHONIOENCODING": encoding}, check=True,
        )  # fmt: skip
        assert b"?" in done.stdout
        assert done.stderr == b""


def test_everything_works_without_a_network_or_an_account(tmp_path: Path, capsys, monkeypatch):
    """No socket is opened, and nothing outside the folder is written."""
    import socket

    def refuse(*args: object, **keywords: object) -> None:
        raise AssertionError("a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    said(["start", "2", "--folder", str(tmp_path)], 0, capsys)
    said(["check", str(tmp_path / "sigmoid_backward.py")], 1, capsys)
    assert [p.name for p in tmp_path.iterdir()] == ["sigmoid_backward.py"]

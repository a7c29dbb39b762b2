"""What may be written on the command line."""

from __future__ import annotations

import argparse
import math
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn, TypeAlias

from portagrad.cli import backends, bench, check, explain, learn, train
from portagrad.data import DATASETS
from portagrad.train import ACTIVATIONS, Settings
from portagrad.train.settings import DTYPES, GRADIENTS, OPTIMIZERS, SCHEDULES

TRAIN = """\
Train a multilayer network. By default it is trained twice, from the same weights:
once by hand-derived gradients and once by automatic ones, and the two are
compared at every step."""

EXAMPLES = """\
examples:
  portagrad train digits --plot digits.png
  portagrad train digits --gradients auto --backend torch --epochs 10
  portagrad train digits --layers 64,256,128,10 --activation tanh --json digits.json
"""


class OneLineParser(argparse.ArgumentParser):
    """An argument parser that says what is wrong in one line, without the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Exit with 2."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


Commands: TypeAlias = "argparse._SubParsersAction[OneLineParser]"


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; `run` in its result is the command's function."""
    parser = OneLineParser(
        prog="portagrad",
        description="Gradients for any array library: hand-derived and automatic.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"portagrad {_version()} (Python {platform.python_version()})",
    )
    commands = parser.add_subparsers(title="commands", dest="command", required=True)
    _add_train(commands)
    _add_backends(commands)
    _add_bench(commands)
    _add_check(commands)
    _add_learn(commands)
    _add_explain(commands)
    return parser


def _add_train(commands: Commands) -> None:
    parser = commands.add_parser(
        "train",
        help="train a network on a data set, by hand-derived and by automatic gradients",
        description=TRAIN,
        epilog=f"{_defaults()}\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=train.run)
    parser.add_argument("dataset", choices=DATASETS, help="what to learn")
    learning = parser.add_argument_group("how to learn")
    learning.add_argument(
        "--gradients",
        choices=GRADIENTS,
        default="both",
        help="whose gradients to train with (default: both, and compare them)",
    )
    learning.add_argument(
        "--layers",
        type=_sizes,
        metavar="N,N,...",
        help="the size of every layer, from the data's features to its classes: 64,128,10",
    )
    learning.add_argument(
        "--activation", choices=tuple(ACTIVATIONS), help="what stands between the linear layers"
    )
    learning.add_argument("--epochs", type=_whole(1), metavar="N", help="passes through the data")
    learning.add_argument("--batch-size", type=_whole(1), metavar="N", help="samples in a step")
    learning.add_argument(
        "--learning-rate", type=_number(0, above=True), metavar="X", help="step size"
    )
    learning.add_argument(
        "--momentum",
        type=_number(0, below=1),
        metavar="X",
        help="what is kept of the step before, by sgd",
    )
    learning.add_argument("--optimizer", choices=tuple(OPTIMIZERS), help="what takes the steps")
    learning.add_argument(
        "--schedule", choices=SCHEDULES, help="how the step size goes down, to 0 at the end"
    )
    learning.add_argument(
        "--warmup", type=_whole(0), metavar="N", help="epochs in which the step size goes up first"
    )
    learning.add_argument(
        "--weight-decay", type=_number(0), metavar="X", help="pull of each weight towards 0"
    )
    learning.add_argument(
        "--seed",
        type=_whole(0),
        default=0,
        metavar="N",
        help="decides the first weights and the order of the batches (default: 0)",
    )
    learning.add_argument(
        "--data-seed",
        type=_whole(0),
        metavar="N",
        help="draw the test samples by this seed (default: every fourth of each class, always)",
    )
    place = parser.add_argument_group("where to compute")
    place.add_argument(
        "--backend",
        metavar="NAME",
        help="the array library, as listed by `portagrad backends` "
        "(default: $PORTAGRAD_BACKEND or numpy)",
    )
    place.add_argument("--device", metavar="NAME", help="a device of that library, such as cuda:0")
    place.add_argument(
        "--dtype", choices=DTYPES, default="float32", help="precision (default: float32)"
    )
    _add_outputs(parser, "draw loss, accuracy and predictions (.png, .svg or .pdf)")


def _defaults() -> str:
    """What each data set is trained with, as a table."""
    columns = ("layers", "activation", "epochs", "batch_size", "learning_rate", "weight_decay")
    rows = [("default settings", *(name.replace("_", "-") for name in columns))]
    for dataset in DATASETS:
        settings = Settings.of(dataset)
        layers, *rest = (getattr(settings, name) for name in columns)
        rows.append((f"  {dataset}", ",".join(map(str, layers)), *(f"{value}" for value in rest)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows)
    return "".join(lines)


def _add_backends(commands: Commands) -> None:
    parser = commands.add_parser(
        "backends",
        help="list the array libraries and whether they can be used here",
        description="List the array libraries that portagrad knows, and whether each can be used.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=backends.run)


def _add_bench(commands: Commands) -> None:
    parser = commands.add_parser(
        "bench",
        help="measure how much of a training step is matrix products",
        description=(
            "Time training steps and the bare matrix products inside them. "
            "efficiency = bare products / whole."
        ),
        allow_abbrev=False,
    )
    parser.set_defaults(run=bench.run)
    parser.add_argument(
        "--backends",
        type=_names,
        metavar="A,B,...",
        help="array libraries to measure (default: every one that is ready); "
        "speed-ups are over the first",
    )
    _add_outputs(parser, "draw the efficiencies (.png, .svg or .pdf)")


def _add_check(commands: Commands) -> None:
    parser = commands.add_parser(
        "check",
        help="say what is wrong with a hand-derived gradient",
        description=check.CONVENTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=check.run)
    parser.add_argument("target", metavar="FILE.py:function", help="the hand-derived gradient")
    parser.add_argument(
        "--loss", default="loss", metavar="NAME", help="the function in FILE.py (default: loss)"
    )
    parser.add_argument(
        "--args", metavar="NAME", help="the arguments in FILE.py (default: args, or example)"
    )
    parser.add_argument(
        "--argnums",
        type=_positions,
        metavar="N,N,...",
        help="the arguments that the gradient is of, counted from 0 (default: as many as it "
        "returns)",
    )
    _add_timeout(parser, 60.0)
    parser.add_argument(
        "--seed",
        type=_whole(0),
        default=0,
        metavar="N",
        help="decides the other points that are tried (default: 0)",
    )


def _add_learn(commands: Commands) -> None:
    parser = commands.add_parser(
        "learn",
        help="exercises: derive a gradient, be told what is wrong with it",
        description=learn.CONVENTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=learn.show)
    actions: Commands = parser.add_subparsers(title="actions", dest="action")

    def action(name: str, run: Callable[..., None], text: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=text, description=text, allow_abbrev=False)
        added.set_defaults(run=run)
        return added

    start = action("start", learn.start, "write the file of an exercise, to be filled in")
    start.add_argument("names", nargs="+", metavar="NAME", help="the exercise, by name or number")
    start.add_argument(
        "--folder", type=Path, default=Path(), metavar="DIR", help="where (default: here)"
    )
    start.add_argument("--force", action="store_true", help="write over a file that is there")
    examine = action("check", learn.check, "say whether an answer is right, or what is wrong")
    examine.add_argument("file", type=Path, metavar="FILE", help="the file that was filled in")
    examine.add_argument(
        "--exercise", metavar="NAME", help="the exercise it answers (default: its first line says)"
    )
    _add_timeout(examine, 30.0)
    hint = action("hint", learn.hint, "print a hint")
    hint.add_argument("name", metavar="NAME", help="the exercise, by name or number")
    hint.add_argument(
        "level", nargs="?", type=_whole(1), default=1, metavar="LEVEL",
        help="1, 2 or 3: how much to give away (default: 1)",
    )  # fmt: skip
    solution = action("solution", learn.solution, "print a right answer with its derivation")
    solution.add_argument("name", metavar="NAME", help="the exercise, by name or number")


def _add_explain(commands: Commands) -> None:
    parser = commands.add_parser(
        "explain",
        help="write the chain rule of a network as a table, draw a computation",
        description=explain.CONVENTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=explain.run)
    parser.add_argument(
        "target", type=_explained, metavar="TARGET", help="layer sizes, or FILE.py:NAME"
    )
    network = parser.add_argument_group("the network, where sizes are given")
    network.add_argument(
        "--activation", choices=tuple(explain.ACTIVATIONS), default="tanh",
        help="what stands between the linear layers (default: tanh)",
    )  # fmt: skip
    network.add_argument(
        "--loss", choices=tuple(explain.LOSSES), default="mse",
        help="whose gradients flow back (default: mse)",
    )  # fmt: skip
    network.add_argument(
        "--gradients", choices=("manual", "auto"), default="manual",
        help="hand-derived layers, or the tape (default: manual)",
    )  # fmt: skip
    network.add_argument(
        "--rows", type=_whole(1), default=4, metavar="N", help="samples in the batch (default: 4)"
    )
    network.add_argument(
        "--seed", type=_whole(0), default=0, metavar="N",
        help="decides weights, inputs and targets (default: 0)",
    )  # fmt: skip
    outputs = parser.add_argument_group("what to write")
    outputs.add_argument(
        "--output", type=Path, metavar="FILE", help="write the table (.txt, .md or .html)"
    )
    outputs.add_argument(
        "--graph",
        type=Path,
        metavar="FILE",
        help="draw every operation (.svg, or .dot for graphviz)",
    )
    _add_timeout(parser, 60.0)


def _add_timeout(parser: argparse.ArgumentParser, seconds: float) -> None:
    parser.add_argument(
        "--timeout",
        type=_number(0, above=True),
        default=seconds,
        metavar="SECONDS",
        help=f"how long it may take (default: {seconds:g})",
    )


def _add_outputs(parser: argparse.ArgumentParser, what: str) -> None:
    outputs = parser.add_argument_group("what to write")
    outputs.add_argument("--plot", type=Path, metavar="FILE", help=what)
    outputs.add_argument("--json", type=Path, metavar="FILE", help="write all numbers as JSON")


# --- values ------------------------------------------------------------------


def _sizes(text: str) -> tuple[int, ...]:
    """Layer sizes: "64,128,10"."""
    sizes = []
    for part in text.split(","):
        try:
            size = int(part)
        except ValueError:
            size = 0
        if size < 1:
            raise argparse.ArgumentTypeError(
                f"{part!r} in {text!r} is no layer size; "
                "give whole numbers of at least 1, such as 64,128,10"
            )
        sizes.append(size)
    if len(sizes) < 2:
        raise argparse.ArgumentTypeError(
            f"{text!r} is one size; give at least an input and an output size, such as 64,10"
        )
    return tuple(sizes)


def _explained(text: str) -> tuple[int, ...] | str:
    """Layer sizes, or a name in a file."""
    return text if ":" in text or text.endswith(".py") else _sizes(text)


def _positions(text: str) -> list[int]:
    """Positions of arguments: "0,2"."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of positions, such as 0,1") from None


def _names(text: str) -> list[str]:
    """Names of backends: "numpy,cupy"."""
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of different names, such as numpy,torch"
        )
    return names


def _whole(smallest: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = smallest - 1
        if value < smallest:
            raise argparse.ArgumentTypeError(
                f"must be a whole number of at least {smallest}, got {text!r}"
            )
        return value

    return whole


def _number(low: float, *, above: bool = False, below: float = math.inf) -> Callable[[str], float]:
    """A finite number from `low` (or above it) to below `below`."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (low <= value < below) or (above and value == low):
            span = f"above {low:g}" if above else f"of at least {low:g}"
            span += f" and below {below:g}" if math.isfinite(below) else ""
            raise argparse.ArgumentTypeError(f"must be a number {span}, got {text!r}")
        return value

    return number


def _version() -> str:
    try:
        return version("portagrad")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "of an uninstalled source tree"

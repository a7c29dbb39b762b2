"""`portagrad explain`: the chain-rule table of a network, the graph of a function."""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

import numpy as np

from portagrad import manual, nn
from portagrad.cli.child import in_child
from portagrad.cli.file import Refusal, loaded, told
from portagrad.cli.output import OutputFile, require_different
from portagrad.errors import ArgumentError, PortagradError
from portagrad.module import Module

CONVENTION = """\
Write the chain rule of a network as a table: per layer what it computes, the local
derivative as a formula, and what flows back, with shapes and norms. Read the left half
downwards and the right half upwards: g in a formula is the dX of the layer below.

TARGET is
  the sizes of a network's layers    2,3,1
  FILE.py:NAME                       a network, or any function of arrays, in a file of
                                     yours. The file also defines args, what to call it
                                     with: a tuple; for a network (x,) or (x, loss, target)

  portagrad explain 2,3,1 --loss bce-with-logits
  portagrad explain 64,32,10 --activation relu --loss cross-entropy --output table.html
  portagrad explain mine.py:f --graph graph.svg"""

ACTIVATIONS = {"tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "ReLU"}
LOSSES = {
    "none": None, "mse": "MSELoss", "bce-with-logits": "BCEWithLogitsLoss",
    "cross-entropy": "CrossEntropyLoss",
}  # fmt: skip
TABLES, PICTURES = (".txt", ".md", ".html"), (".svg", ".dot")


def run(options: argparse.Namespace) -> None:
    """Print the table or the steps; write what is asked for."""
    for path in require_different(options.output, options.graph):
        kinds = TABLES if path is options.output else PICTURES
        if path.suffix not in kinds:
            raise ArgumentError(f"{path}: the name must end in {', '.join(kinds)}")
        OutputFile(path).check()
    graph = options.graph.suffix if options.graph else ""
    if isinstance(options.target, tuple):
        texts = _texts(*_network(options, options.gradients))
        if graph:
            # On the tape, where the parameters are inputs too: the same numbers.
            texts |= _drawn(*_network(options, "auto"), graph)
    else:
        texts = _of_file(options, graph)
    print(texts[".txt"])
    for path in (options.output, options.graph):
        if path is not None:
            if path.suffix not in texts:
                raise ArgumentError(f"{path}: a function has no table; --graph FILE.svg draws it")
            OutputFile(path).write(texts[path.suffix].encode())
            print(f"wrote {path}")


def _network(options: argparse.Namespace, gradients: str) -> tuple[Any, tuple[Any, ...]]:
    """A network of the given sizes, an input and a target, all by one seed."""
    wing = {"manual": manual, "auto": nn}[gradients]
    layers: list[Any] = []
    for number, (a, b) in enumerate(itertools.pairwise(options.target)):
        if number:
            layers.append(getattr(wing, ACTIVATIONS[options.activation])())
        layers.append(wing.Linear(a, b, seed=options.seed + number))
    random = np.random.default_rng(options.seed)
    rows, outputs = options.rows, options.target[-1]
    x = random.normal(size=(rows, options.target[0]))
    name = LOSSES[options.loss]
    if name is None:
        return wing.Sequential(*layers), (x,)
    target: Any = random.normal(size=(rows, outputs))
    if name == "BCEWithLogitsLoss":
        target = (target > 0).astype(np.float64)
    elif name == "CrossEntropyLoss":
        target = random.integers(0, outputs, size=rows)
    return wing.Sequential(*layers), (x, getattr(wing, name)(), target)


def _texts(network: Module, args: tuple[Any, ...]) -> dict[str, str]:
    """A network's table, by suffix."""
    from portagrad.explain import trace_table

    table = trace_table(network, *args)
    page = f"<!doctype html><meta charset='utf-8'><title>chain rule</title>{table.html()}\n"
    return {".txt": str(table), ".md": table.markdown(), ".html": page}


def _drawn(what: Any, args: tuple[Any, ...], graph: str) -> dict[str, str]:
    """A graph, by suffix."""
    from portagrad.explain import computation_graph

    drawn = computation_graph(what, *args)
    return {graph: drawn.svg() if graph == ".svg" else drawn.dot() if graph else str(drawn)}


# --- a file of one's own ------------------------------------------------------


def _of_file(options: argparse.Namespace, graph: str) -> dict[str, str]:
    file, colon, name = options.target.rpartition(":")
    if not colon or not name.isidentifier():
        raise ArgumentError(
            f"{options.target!r} is neither FILE.py:NAME nor the sizes of layers, such as 2,3,1"
        )
    path = Path(file)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "there is no such file"
        raise ArgumentError(f"{file}: {what}; give FILE.py:NAME")
    request = {"path": file, "name": name, "graph": graph}
    said = in_child("portagrad.cli.explain:child", request, path, options.timeout)
    if refused := said.get("refused"):
        raise ArgumentError(refused)
    texts: dict[str, str] = said["texts"]
    return texts


def child(request: dict[str, Any]) -> dict[str, Any]:
    """The explanation that the command line asks for."""
    path, name = request["path"], request["name"]
    try:
        scope = loaded(Path(path))
        for wanted in (name, "args"):
            if wanted not in scope:
                hint = ": args = (...), what to call it with" if wanted == "args" else ""
                raise Refusal(f"{path} defines no {wanted}{hint}")
        args = scope["args"]
        args = tuple(args) if isinstance(args, (tuple, list)) else (args,)
        what, graph = scope[name], request["graph"]
        texts = _texts(what, args) if isinstance(what, Module) else _drawn(what, args, "")
        if graph:
            texts |= _drawn(what, args, graph)
        return {"texts": {suffix or ".txt": text for suffix, text in texts.items()}}
    except Refusal as refusal:
        return {"refused": str(refusal)}
    except PortagradError as error:
        return {"refused": f"{path}: {error}"}
    except (Exception, SystemExit) as error:
        return {"refused": f"{path}: {name} failed: {told(error, path)}"}

"""The chain-rule table of a network: per layer what comes in, and what flows back."""

from __future__ import annotations

import collections
import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portagrad.explain.flow import LOSS, Flow, Passage, norm, watch
from portagrad.explain.formulas import formulas
from portagrad.primitive import innermost

HEAD = ("", "layer", "forward", "shape", "norm", "back", "shape", "norm")
#: How wide the text may be, and from widest to narrowest how wide the columns of the layer and the
#: two formulas may be, which go on in the next line.
WIDTH = 100
LIMITS = tuple(
    {1: layer, 2: forward, 5: back}
    for layer in (28, 20, 14)
    for forward, back in ((44, 36), (26, 28), (20, 28), (20, 22), (16, 20), (14, 16))
)


@dataclass(frozen=True)
class Gradient:
    """Something that flows back: by what formula, in which shape, how large."""

    name: str
    """"X" for what goes on to the layer before, else a parameter's name."""
    formula: str
    shape: tuple[int, ...]
    norm: float


@dataclass(frozen=True)
class Stage:
    """One layer of the table."""

    name: str
    path: str
    forward: str
    came_in: tuple[int, ...]
    shape: tuple[int, ...]
    norm: float
    gradients: tuple[Gradient, ...]


@dataclass(frozen=True)
class TraceTable:
    """What `trace_table` found. Prints as text; a notebook shows it as HTML."""

    stages: tuple[Stage, ...]
    input_shape: tuple[int, ...]
    input_norm: float
    result: str
    """What the gradients are those of."""

    def __str__(self) -> str:
        return _text(self)

    def _repr_html_(self) -> str:
        return self.html()

    def markdown(self) -> str:
        """The table in Markdown."""
        rows = [HEAD, *_rows(self)]
        cells = [[c.replace("|", "\\|") for c in row] for row in rows]
        lines = ["| " + " | ".join(row) + " |" for row in cells]
        lines.insert(1, "|" + "|".join("--:" if h in ("norm",) else "---" for h in HEAD) + "|")
        return "\n".join(lines) + f"\n\n{self.result}\n"

    def html(self) -> str:
        """The table in HTML, to stand in any page."""
        style = "text-align:left;padding:2px 10px;vertical-align:top;white-space:nowrap"
        parts = ["<table style='border-collapse:collapse'>", "<thead><tr>"]
        parts += [f"<th style='{style}'>{html.escape(h)}</th>" for h in HEAD]
        parts.append("</tr></thead><tbody>")
        for row in _rows(self):
            line = "border-top:1px solid #bbb" if row[0] else ""
            parts.append(f"<tr style='{line}'>")
            for head, cell in zip(HEAD, row, strict=True):
                right = ";text-align:right" if head == "norm" else ""
                parts.append(f"<td style='{style}{right}'>{html.escape(cell)}</td>")
            parts.append("</tr>")
        parts.append(f"</tbody></table><p>{html.escape(self.result)}</p>")
        return "".join(parts)


def trace_table(network: Any, x: Any, loss: Any = None, target: Any = None) -> TraceTable:
    """The chain-rule table of a network at an input.

    Per layer: what it computes and in which shape, how a gradient passes back
    through it, as a formula, and what flows back: to the layer before and to
    each parameter, with shapes and norms. Read the left half downwards and the
    right half upwards: g in a layer's formula is the dX of the layer below it.

    network: of `portagrad.manual` or `portagrad.nn`, any module; x: its input.
    With a `loss` of the same wing and a `target` the gradients are the loss's;
    without, those of the sum of the outputs. The network's own `.grad` stay
    as they are.

    >>> import portagrad as pg
    >>> network = pg.nn.Sequential(pg.nn.Linear(2, 3, seed=0), pg.nn.Tanh())
    >>> table = trace_table(network, pg.asarray([[1.0, 2.0]]))
    >>> table.stages[0].gradients[1].formula, table.stages[0].gradients[1].shape
    ('dW = Xᵀ g', (2, 3))

    Raises `ArgumentError` for what is no network, and for a loss of the other wing.
    """
    flow = watch(network, x, loss, target)
    stages = tuple(_stage(p, flow) for p in flow.passages)
    first = flow.passages[0] if flow.passages else None
    came_in = first.x if first is not None else x
    of = "the sum of the outputs (no loss was given: g is 1 everywhere)"
    if loss is not None:
        value = innermost(flow.passages[-1].y)
        single = _shape(value) == ()
        of = f"the loss, {float(value):.6g}" if single else "the sum of the losses"
    result = f"gradients of {of}; a norm is √Σ of squares"
    uses = collections.Counter(stage.path for stage in stages)
    for path, count in uses.items():
        if count > 1 and path:
            result += f"; {path} is used {count} times, and its parameters' gradients are sums"
    return TraceTable(stages, _shape(came_in), norm(came_in), result)


def _stage(passage: Passage, flow: Flow) -> Stage:
    forward, back = formulas(passage.layer)
    gradients = []
    if passage.dx is not None:
        gradients.append(Gradient("X", back.get("X", "dX"), _shape(passage.dx), norm(passage.dx)))
    prefix = f"{passage.path}." if passage.path else ""
    for name, g in flow.gradients.items():
        own = name.removeprefix(prefix)
        if not name.startswith(prefix) or passage.path == LOSS or g is None:
            continue
        gradients.append(Gradient(own, back.get(own, f"d{own}"), _shape(g), norm(g)))
    kind, path = passage.layer, "" if passage.path == LOSS else passage.path
    name = type(kind).__name__ if hasattr(kind, "forward") else getattr(kind, "__name__", "f")
    return Stage(
        name, path, forward, _shape(passage.x), _shape(passage.y), norm(passage.y),
        tuple(gradients),
    )  # fmt: skip


def _shape(x: Any) -> Any:
    """The shape, or those of several arrays."""
    if isinstance(x, (tuple, list)):
        return tuple(map(_shape, x))
    return tuple(int(n) for n in getattr(x, "shape", ()))


# --- as text ---------------------------------------------------------------------


def _rows(table: TraceTable) -> list[tuple[str, ...]]:
    """Cells, a row per gradient."""
    rows: list[tuple[str, ...]] = [
        ("0", "input", "X", str(table.input_shape), _number(table.input_norm), "", "", "")
    ]
    for number, stage in enumerate(table.stages, 1):
        below = stage.path if len(stage.gradients) > 1 else ""
        name = stage.name if below else f"{stage.name} {stage.path}".rstrip()
        front = (str(number), name, stage.forward, str(stage.shape), _number(stage.norm))
        for g in stage.gradients or (None,):
            back = (g.formula, str(g.shape), _number(g.norm)) if g else ("nothing", "", "")
            rows.append((*front, *back))
            front, below = ("", below, "", "", ""), ""
    return rows


def _text(table: TraceTable) -> str:
    """Aligned columns, as narrow as they must be."""
    rows = [HEAD, *_rows(table)]
    lines: list[str] = []
    for limits in LIMITS:
        lines = _aligned(rows, limits)
        if max(map(len, lines)) <= WIDTH:
            break
    lines.insert(1, "─" * max(map(len, lines)))
    return "\n".join([*lines, "", *textwrap.wrap(table.result, WIDTH)])


def _aligned(rows: Sequence[tuple[str, ...]], limits: dict[int, int]) -> list[str]:
    blocks = []
    for row in rows:
        cells = [textwrap.wrap(cell, limits.get(i, WIDTH)) or [""] for i, cell in enumerate(row)]
        height = max(map(len, cells))
        blocks.append([cell + [""] * (height - len(cell)) for cell in cells])
    widths = [max(len(line) for b in blocks for line in b[i]) for i in range(len(HEAD))]
    return [
        _joined([
            part.rjust(width) if HEAD[i] in ("norm", "") else part.ljust(width)
            for i, (part, width) in enumerate(zip(parts, widths, strict=True))
        ])
        for block in blocks
        for parts in zip(*block, strict=True)
    ]  # fmt: skip


def _joined(cells: Sequence[str]) -> str:
    return ("  ".join(cells[:5]) + " │ " + "  ".join(cells[5:])).rstrip()


def _number(value: float) -> str:
    return f"{value:.4g}"

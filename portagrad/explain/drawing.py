"""A graph as a picture: SVG with a layout of our own, and DOT for graphviz."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from portagrad.explain.layout import laid_out

Edges = Sequence[tuple[int, int]]

FONT, SMALL, LINE = 13, 11, 16
PADDING = 8.0
MARGIN = 16.0
#: By kind: fill and border.
COLOURS = {
    "input": ("#e8f1fb", "#2a6fb0"),
    "constant": ("#f4f4f4", "#999999"),
    "operation": ("#ffffff", "#444444"),
    "result": ("#e9f6ec", "#2c8a4b"),
}
GRADIENT_COLOUR = "#b03a2e"
FAMILY = "ui-sans-serif, system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif"


@dataclass(frozen=True)
class Box:
    """An input, a constant, an operation, or the operation that gives the result."""

    kind: str
    """"input", "constant", "operation" or "result"."""
    label: str
    value: str = ""
    gradient: str = ""
    detail: str = ""
    """The arguments that are no arrays: "axis=0"."""


def svg(boxes: Sequence[Box], edges: Edges, title: str) -> str:
    """One SVG document, needing nothing from outside."""
    layout = laid_out([_size(box) for box in boxes], edges)
    width, height = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{-MARGIN:.0f} {-MARGIN:.0f} {width:.0f} {height:.0f}" role="img" '
        f'font-family="{FAMILY}">',
        f"<title>{_escaped(title)}</title>",
        f'<rect x="{-MARGIN:.0f}" y="{-MARGIN:.0f}" width="100%" height="100%" fill="#ffffff"/>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#777777"/>'
        "</marker></defs>",
    ]
    parts += [
        f'<path d="{_curve(points)}" fill="none" stroke="#777777" stroke-width="1.2" '
        f'marker-end="url(#tip)"/>'
        for points in layout.arrows
    ]
    for box, place in zip(boxes, layout.places, strict=True):
        left, top = place.x - place.width / 2, place.y - place.height / 2
        fill, stroke = COLOURS[box.kind]
        dash = ' stroke-dasharray="4 3"' if box.kind == "constant" else ""
        parts.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{place.width:.1f}" '
            f'height="{place.height:.1f}" rx="6" fill="{fill}" stroke="{stroke}"{dash}/>'
        )
        for number, (text, size, colour) in enumerate(_lines(box)):
            y = top + PADDING + LINE * number + 11
            weight = ' font-weight="600"' if number == 0 else ""
            parts.append(
                f'<text x="{place.x:.1f}" y="{y:.1f}" text-anchor="middle" font-size="{size}" '
                f'fill="{colour}"{weight}>{_escaped(text)}</text>'
            )
    return "\n".join([*parts, "</svg>"]) + "\n"


def dot(boxes: Sequence[Box], edges: Edges, title: str) -> str:
    """The graph in graphviz's language."""
    lines = [
        f"digraph {_quoted(title)} {{",
        "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11];',
        '  edge [color="#777777"];',
    ]
    for number, box in enumerate(boxes):
        fill, stroke = COLOURS[box.kind]
        text = "\n".join(text for text, _, _ in _lines(box))
        lines.append(
            f"  n{number} [label={_quoted(text)}, fillcolor={_quoted(fill)}, "
            f"color={_quoted(stroke)}];"
        )
    lines += [f"  n{a} -> n{b};" for a, b in edges]
    return "\n".join([*lines, "}"]) + "\n"


def _lines(box: Box) -> list[tuple[str, int, str]]:
    """What a box says: name, arguments, value, gradient."""
    lines = [(box.label, FONT, "#1a1a1a")]
    if box.detail:
        lines.append((box.detail, SMALL, "#777777"))
    if box.value:
        lines.append((box.value, SMALL, "#1a1a1a"))
    if box.gradient:
        lines.append((box.gradient, SMALL, GRADIENT_COLOUR))
    return lines


def _size(box: Box) -> tuple[float, float]:
    lines = _lines(box)
    bold = [1.12] + [1.0] * len(lines)
    width = max(_width(t) * size * b for (t, size, _), b in zip(lines, bold)) + 2 * PADDING
    return max(width, 44.0), LINE * len(lines) + 2 * PADDING - 3


def _width(text: str) -> float:
    """About how wide a text is, in sizes of its font: a viewer's own font is not known here."""
    narrow = sum(c in " ()[],.:;|il1'-" for c in text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return 0.62 * (len(text) - narrow - wide) + 0.42 * narrow + 1.0 * wide


def _curve(points: list[tuple[float, float]]) -> str:
    """A smooth line: curves between columns, straight through them."""
    path = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
    for number in range(1, len(points)):
        (x0, y0), (x1, y1) = points[number - 1], points[number]
        if number % 2 == 0:
            path += f" L{x1:.1f},{y1:.1f}"
            continue
        middle = (x0 + x1) / 2
        path += f" C{middle:.1f},{y0:.1f} {middle:.1f},{y1:.1f} {x1:.1f},{y1:.1f}"
    return path


def _escaped(text: str) -> str:
    """For XML, which has no place for control characters even as entities."""
    printable = "".join(c if c >= " " or c in "\t\n" else "\ufffd" for c in text)
    return html.escape(printable)


def _quoted(text: str) -> str:
    body = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{body}"'

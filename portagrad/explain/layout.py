"""Where the boxes of a graph go: in columns, by Sugiyama's method.

A box stands one column to the right of the last box it is made from, an input
just left of its first use. An arrow over several columns gets a bend in each,
which is ordered like a box. Within a column boxes are ordered by the mean place
of their neighbours, in a few sweeps, and then moved towards it as far as the
room allows (Sugiyama, Tagawa and Toda, IEEE Transactions on Systems, Man, and
Cybernetics 11 (1981) 109).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

SWEEPS = 8
COLUMN_GAP, ROW_GAP = 46.0, 14.0


@dataclass
class Place:
    """A box, or a bend of an arrow: its centre."""

    width: float
    height: float
    column: int = 0
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class Layout:
    """Every box's place, and every arrow as a line of points."""

    places: list[Place]
    arrows: list[list[tuple[float, float]]]
    width: float
    height: float


def laid_out(sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]]) -> Layout:
    """Places for boxes of (width, height), in an order in which no arrow points back."""
    places = [Place(*size) for size in sizes]
    _columns(places, edges)
    routes = [_route(places, a, b) for a, b in edges]
    links = [pair for route in routes for pair in pairwise(route)]
    columns: list[list[int]] = [[] for _ in range(max((p.column for p in places), default=-1) + 1)]
    for number, place in enumerate(places):
        columns[place.column].append(number)
    left: dict[int, list[int]] = {i: [] for i in range(len(places))}
    right: dict[int, list[int]] = {i: [] for i in range(len(places))}
    for a, b in links:
        right[a].append(b)
        left[b].append(a)
    _rows(places, columns, left, right)
    width = _across(places, columns)
    top = min((p.y - p.height / 2 for p in places), default=0.0)
    for place in places:
        place.y -= top
    height = max((p.y + p.height / 2 for p in places), default=0.0)
    arrows = [_points(places, route) for route in routes]
    return Layout(places[: len(sizes)], arrows, width, height)


def _columns(places: list[Place], edges: Sequence[tuple[int, int]]) -> None:
    made_from: dict[int, list[int]] = {}
    used_by: dict[int, list[int]] = {}
    for a, b in edges:
        made_from.setdefault(b, []).append(a)
        used_by.setdefault(a, []).append(b)
    for number, place in enumerate(places):
        place.column = max((places[a].column + 1 for a in made_from.get(number, [])), default=0)
    for number, place in enumerate(places):
        if number not in made_from and number in used_by:
            place.column = max(0, min(places[b].column for b in used_by[number]) - 1)


def _route(places: list[Place], a: int, b: int) -> list[int]:
    """From a box to another through a new bend in every column between."""
    route = [a]
    for column in range(places[a].column + 1, places[b].column):
        places.append(Place(0.0, 6.0, column))
        route.append(len(places) - 1)
    return [*route, b]


def _rows(
    places: list[Place],
    columns: list[list[int]],
    left: dict[int, list[int]],
    right: dict[int, list[int]],
) -> None:
    for column in columns:
        _stacked(places, column)
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        for column in columns if forward else reversed(columns):
            near = left if forward else right
            wanted = {i: _mean(places, near[i], places[i].y) for i in column}
            column.sort(key=lambda i, wanted=wanted: wanted[i])  # type: ignore[misc]
            _stacked(places, column)
    for sweep in range(2 * SWEEPS):
        for column in columns if sweep % 2 else reversed(columns):
            # Bends and inputs pull less than what lies on the way.
            wanted = {i: _mean(places, left[i] + right[i], places[i].y) for i in column}
            _moved(places, column, wanted)


def _mean(places: list[Place], numbers: list[int], otherwise: float) -> float:
    return sum(places[i].y for i in numbers) / len(numbers) if numbers else otherwise


def _stacked(places: list[Place], column: list[int]) -> None:
    """One below the other around 0, in the order of the list."""
    total = sum(places[i].height + ROW_GAP for i in column) - ROW_GAP
    y = -total / 2
    for i in column:
        places[i].y = y + places[i].height / 2
        y += places[i].height + ROW_GAP


def _moved(places: list[Place], column: list[int], wanted: dict[int, float]) -> None:
    """As near to the wanted places as their order and the gaps allow.

    Neighbours that want the same room form a block, which goes where its
    members want on the average: the least squares solution.
    """
    blocks: list[tuple[float, int]] = []  # where its first member would be, how many they are
    offset = 0.0
    for k, i in enumerate(column):
        if k:
            before = places[column[k - 1]]
            offset += (before.height + places[i].height) / 2 + ROW_GAP
        mean, count = wanted[i] - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, its_count = blocks.pop()
            mean = (mean * count + other * its_count) / (count + its_count)
            count += its_count
        blocks.append((mean, count))
    offset, k = 0.0, 0
    for mean, count in blocks:
        for _ in range(count):
            i = column[k]
            if k:
                offset += (places[column[k - 1]].height + places[i].height) / 2 + ROW_GAP
            places[i].y = mean + offset
            k += 1


def _across(places: list[Place], columns: list[list[int]]) -> float:
    x = 0.0
    for column in columns:
        width = max((places[i].width for i in column), default=0.0)
        for i in column:
            places[i].x = x + width / 2
            if places[i].width == 0:
                places[i].width = width  # a bend is a straight piece through its column
        x += width + COLUMN_GAP
    return x - COLUMN_GAP


def _points(places: list[Place], route: list[int]) -> list[tuple[float, float]]:
    """From a box's right side to another's left, straight through the columns between."""
    points = []
    for number, i in enumerate(route):
        place = places[i]
        if number > 0:
            points.append((place.x - place.width / 2, place.y))
        if number < len(route) - 1:
            points.append((place.x + place.width / 2, place.y))
    return points

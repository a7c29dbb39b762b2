"""Which functions there are, and what each of them has: a row, a rule, or a reason."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from portagrad import array_api
from portagrad.primitive import Primitive
from portagrad.testing.table import TABLE, WITHOUT_ROW

EXTENSIONS = ("fft", "linalg", "special")


def public_functions() -> dict[str, Any]:
    """Every public function of `portagrad.array_api`, those of extensions with a dot."""
    found = dict(_functions(array_api))
    for name in EXTENSIONS:
        chapter = getattr(array_api, name, None)
        if isinstance(chapter, ModuleType):
            found |= {f"{name}.{each}": function for each, function in _functions(chapter)}
    return found


def _functions(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name in getattr(module, "__all__", None) or dir(module):
        value = getattr(module, name)
        if name.startswith("_") or not callable(value) or inspect.isclass(value):
            continue
        yield name, value


def without_row() -> set[str]:
    """Functions that the table has forgotten: there is neither a row nor a reason."""
    return set(public_functions()) - {row.name for row in TABLE} - set(WITHOUT_ROW)


def without_function() -> set[str]:
    """Rows and reasons of functions that are gone, or that have both."""
    rows = {row.name for row in TABLE}
    return ((rows | set(WITHOUT_ROW)) - set(public_functions())) | (rows & set(WITHOUT_ROW))


def primitives(module: ModuleType, seen: set[str] | None = None) -> dict[str, Primitive]:
    """Every primitive that is reachable in a package, by the name of its function."""
    seen = set() if seen is None else seen
    seen.add(module.__name__)
    found: dict[str, Primitive] = {}
    for value in list(vars(module).values()):
        if isinstance(value, ModuleType):
            inside = value.__name__.startswith(module.__name__ + ".")
            if inside and value.__name__ not in seen:
                found |= primitives(value, seen)
        elif isinstance(getattr(value, "primitive", None), Primitive):
            found[f"{value.__module__}.{value.__name__}"] = value.primitive
    return found


def without_rule() -> set[str]:
    """Primitives that are neither constant nor made of others, and state no derivative."""
    return {
        name
        for name, primitive in primitives(array_api).items()
        if not (primitive.constant or primitive.fusible or primitive.has_rules)
    }

"""Which backends there are, and loading the one that is wanted.

Two sources: distributions that declare an entry point in the group
`portagrad.backends` (portagrad's own backends do just that), and
`register_backend` in this process. Nothing is imported until a backend is asked
for, and one that cannot be loaded is an error for itself alone.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module

from portagrad.backend.active import active_line
from portagrad.backend.probe import is_missing, not_installed, own_words
from portagrad.backend.protocol import Backend
from portagrad.errors import ArgumentError, BackendLoadError, UnknownBackendError

GROUP = "portagrad.backends"


@dataclass(frozen=True)
class Entry:
    """Where a backend is to be found, and who says so."""

    name: str
    target: str | Backend
    source: str


class Registry:
    """The known backends by name. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._declared: dict[str, Entry] | None = None
        self._registered: dict[str, Entry] = {}
        self._loaded: dict[Entry, Backend] = {}

    # --- what is known ---------------------------------------------------------

    def register(self, name: str, target: str | Backend) -> None:
        """Make a backend known in this process; a later call replaces an earlier one."""
        if not _is_name(name):
            raise ArgumentError(f"register_backend: the name must be a string, got {name!r}")
        if not isinstance(target, Backend) and not _is_path(target):
            raise ArgumentError(
                f"register_backend({name!r}, ...): give a Backend, or where to find one as "
                f"'package.module:attribute'; got {target!r}"
            )
        self._registered[name] = Entry(name, target, "registered in process")

    def entries(self, *, fresh: bool = False) -> dict[str, Entry]:
        """Every known backend by name; what was registered here comes first.

        The distributions' metadata is read once, as that takes tens of
        milliseconds. `fresh` reads it again, for what was installed since.
        """
        with self._lock:
            if self._declared is None or fresh:
                self._declared = dict(declared_entries())
            return {**self._declared, **self._registered}

    def find(self, name: str) -> Entry | None:
        """The entry of a name, or None."""
        return self.entries().get(name) or self.entries(fresh=True).get(name)

    # --- loading ---------------------------------------------------------------

    def load(self, name: str) -> Backend:
        """The backend of that name; its array library is not imported yet.

        Raises `UnknownBackendError`, or `BackendLoadError` where the backend's own
        package fails.
        """
        if not _is_name(name):
            raise UnknownBackendError(
                f"A backend is named by a string such as 'numpy', or given as a Backend; "
                f"got {name!r}. {active_line()}"
            )
        entry = self.find(name)
        if entry is None:
            raise self._unknown(name)
        return self.load_entry(entry)

    def load_entry(self, entry: Entry) -> Backend:
        """The backend that an entry leads to, the same object every time."""
        loaded = self._loaded.get(entry)
        if loaded is None:
            # No lock while foreign code runs: two threads may both import, one result is kept.
            loaded = self._loaded.setdefault(entry, _import_backend(entry))
        return loaded

    def known(self) -> str:
        """The known names, as a sentence of an error message."""
        names = sorted(self.entries())
        if names:
            return f"Known backends: {', '.join(names)}."
        return (
            "No backend is known at all: portagrad's own are found through its installed "
            "metadata, so install it, be it with: pip install -e ."
        )

    def _unknown(self, name: str) -> UnknownBackendError:
        near = difflib.get_close_matches(name.lower(), self.entries(), n=2, cutoff=0.5)
        guess = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        return UnknownBackendError(
            f"Unknown backend {name!r}.{guess} {self.known()} {active_line()}"
        )


def declared_entries() -> Iterator[tuple[str, Entry]]:
    """The backends that installed distributions declare.

    A distribution whose metadata cannot be read declares none. Where several
    claim a name, portagrad's own entry stands, else the first by the
    distributions' names: an installed package takes no backend away unasked.
    """
    # Costs 25 ms, more than the rest of `import portagrad`: only when it is needed.
    from importlib.metadata import distributions

    claims: dict[str, list[tuple[bool, str, str, Entry]]] = {}
    seen = set()
    for distribution in distributions():
        try:
            text = distribution.read_text("entry_points.txt") or ""
            if GROUP not in text:
                continue
            title, version = distribution.metadata["Name"] or "?", distribution.version
            if title in seen:
                continue  # shadowed by an earlier folder of sys.path, as its modules are
            seen.add(title)
            for point in distribution.entry_points.select(group=GROUP):
                entry = Entry(point.name, point.value, f"{title} {version}")
                claim = (title != "portagrad", title, version or "", entry)
                claims.setdefault(point.name, []).append(claim)
        except Exception:  # foreign metadata may be broken in any way
            continue
    for name, candidates in claims.items():
        first, *others = sorted(candidates, key=lambda claim: claim[:3])
        entry = first[3]
        if others:
            ignored = ", ".join(claim[3].source for claim in others)
            entry = Entry(name, entry.target, f"{entry.source} (also claimed by {ignored})")
        yield name, entry


def _import_backend(entry: Entry) -> Backend:
    """Import what an entry names. Raises `BackendLoadError`, chained to the cause."""
    if isinstance(entry.target, Backend):
        found: object = entry.target
    else:
        module, _, attribute = entry.target.partition(":")
        try:
            found = import_module(module.strip())
            for part in attribute.strip().split("."):
                found = getattr(found, part)
            if isinstance(found, type) and issubclass(found, Backend):
                found = found()
        except (Exception, SystemExit) as error:  # whatever foreign code may raise
            own = module.partition(".")[0].strip()
            if is_missing(error, entry.name) and own != entry.name:
                # A plugin that imports its library at the top, where the library is not there.
                pip_line = f"pip install {entry.name}"
                raise not_installed(entry.name, entry.name, pip_line) from error
            raise BackendLoadError(
                f"The backend {entry.name!r} ({entry.target}, from {entry.source}) could not be "
                f"loaded: {own_words(error)}. Other backends are not affected. {active_line()}"
            ) from error
    if not isinstance(found, Backend) or not found.library:
        raise BackendLoadError(
            f"The backend {entry.name!r} ({entry.target}, from {entry.source}) could not be "
            f"loaded: it is no portagrad.backend.Backend with a name, but {found!r}. "
            f"{active_line()}"
        )
    return found if found.name == entry.name else found.named(entry.name)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name != ""


def _is_path(target: object) -> bool:
    """Is it of the form `package.module:attribute`?"""
    return isinstance(target, str) and all(target.partition(":"))


#: The registry of this process.
registry = Registry()

"""Third-party plugins as an installer would leave them, and CuPy on a machine of two cards."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from portagrad.backend import register_backend
from portagrad.backend.dispatch import forget_types
from tests.backend import two_cards

#: The source of a plugin that works, on NumPy under another name.
GOOD = """
from portagrad.backend.protocol import Backend

class Good(Backend):
    name = "{name}"
    library = "numpy"
    namespace = "array_api_compat.numpy"

backend = Good()
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Write a distribution into a folder of sys.path: its entry points and its modules.

    `text` is its entry_points.txt; a list is the lines for backends. A module's
    source may name itself as {name}.
    """
    folder = tmp_path / "plugins"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def write(distribution: str, text: str | list[str], **modules: str) -> None:
        information = folder / f"{distribution.replace('-', '_')}-1.5.dist-info"
        information.mkdir()
        if isinstance(text, list):
            text = "\n".join(["[portagrad.backends]", *text])
        (information / "entry_points.txt").write_text(text)
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n"
        )
        for name, source in modules.items():
            (folder / f"{name}.py").write_text(source.format(name=name))

    yield write
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def good_plugin() -> str:
    return GOOD


@pytest.fixture
def cards(monkeypatch):
    """The CuPy backend on two cards that NumPy stands in for; the current one is 0."""
    # A class of its own, as what runs on a type is remembered.
    own = type("ndarray", (two_cards.ndarray,), {"__module__": "cupy"})
    monkeypatch.setattr(two_cards, "ndarray", own)
    monkeypatch.setitem(sys.modules, "cupy", two_cards.cupy())
    monkeypatch.setitem(sys.modules, "array_api_compat.cupy", two_cards.compat())
    for name in ("devices", "namespace"):
        monkeypatch.delitem(sys.modules, f"portagrad_cupy.{name}", raising=False)
    products = SimpleNamespace(matmul=lambda x, y: NotImplemented)  # CuPy multiplies itself
    monkeypatch.setitem(sys.modules, "portagrad_cupy.products", products)
    from portagrad_cupy import CupyBackend

    backend = CupyBackend()
    backend.__dict__["_fused"] = {}  # they are launched by CuPy itself
    backend.__dict__["pullbacks"] = {}
    register_backend("cupy", backend)
    yield backend
    for name in ("devices", "namespace"):
        sys.modules.pop(f"portagrad_cupy.{name}", None)
    forget_types()


@pytest.fixture
def graphs(cards, monkeypatch):
    monkeypatch.delitem(sys.modules, "portagrad_cupy.graphs", raising=False)
    from portagrad_cupy.graphs import CudaGraphs

    yield CudaGraphs()
    sys.modules.pop("portagrad_cupy.graphs", None)

"""Third-party plugins as an installer would leave them: modules beside their metadata."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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

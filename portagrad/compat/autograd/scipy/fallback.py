"""What a module does not define itself is SciPy's own function, for plain arrays."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

from portagrad.compat.autograd.numpy.adapted import adapted
from portagrad.errors import MissingExtraError, NotDifferentiableError
from portagrad.primitive import newest_trace, settled
from portagrad.tree import tree_leaves, tree_map


def library(name: str) -> Any:
    """A module of SciPy, such as "scipy.linalg".

    Raises `MissingExtraError` without SciPy.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"{name} is needed for this and SciPy is not installed: pip install scipy"
        ) from error


def from_module(name: str) -> Callable[[str], Any]:
    """A module's `__getattr__`: the name in SciPy's module of that name."""

    def find(attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        value = getattr(library(name), attribute)
        if name == "scipy.special" and callable(value):
            return adapted(value)  # ufuncs, which ask traced values what to do
        return _of_constants(value) if inspect.isfunction(value) else value

    return find


def _of_constants(function: Callable[..., Any]) -> Callable[..., Any]:
    """SciPy's own function, which has no derivative here."""

    @functools.wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:
        given = tree_map(settled, (args, keywords))
        if newest_trace(tree_leaves(given)) is not None:
            raise NotDifferentiableError(
                f"{function.__module__}.{function.__name__} has no derivative here, but an "
                f"argument of it is being differentiated: state one with primitive and defvjp"
            )
        return function(*given[0], **given[1])

    return call


def from_distribution(name: str) -> Callable[[str], Any]:
    """The same for a distribution of `scipy.stats`: rvs, ppf, fit, ..."""

    def find(attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return getattr(getattr(library("scipy.stats"), name), attribute)

    return find

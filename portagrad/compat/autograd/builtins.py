"""isinstance and type of the values inside, and containers.

Containers need nothing: traced values live in plain dicts, lists and tuples.
"""

from __future__ import annotations

import builtins
from builtins import dict as dict
from builtins import list as list
from builtins import tuple as tuple
from typing import Any

from portagrad.primitive import innermost


def isinstance(obj: Any, class_or_tuple: Any) -> bool:
    """Is obj, or the array inside of it, of such a class?"""
    return builtins.isinstance(innermost(obj), class_or_tuple)


def type(obj: Any) -> Any:
    """The class of obj, or of the array inside of it."""
    return builtins.type(innermost(obj))

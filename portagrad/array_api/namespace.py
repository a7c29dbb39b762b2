"""Whose functions a formula calls: the array library's own, or portagrad's for traced values."""

from __future__ import annotations

from typing import Any

from portagrad import array_api
from portagrad.array import Namespace
from portagrad.backend import namespace, namespaces
from portagrad.primitive import traced_types


def array_namespace(x: Any, y: Any = None, z: Any = None, /) -> Namespace:
    """The namespace for a formula's functions of these operands, asked for once.

    A formula serves plain arrays and traced values alike. On plain arrays each of portagrad's
    own functions would look for traces and for the library again, in the time of a small
    operation.

    Raises `MixedBackendsError` for plain arrays of two libraries.
    """
    kind = type(x)
    found = namespaces.get(kind)
    if found is not None and (y is None or type(y) is kind) and (z is None or type(z) is kind):
        return found  # of one plain type, nearly always
    if type(x) in traced_types or type(y) in traced_types or type(z) in traced_types:
        return array_api
    if z is not None:
        namespace(x, z)  # in pairs, which is quicker than all at once
    return namespace(x, y)

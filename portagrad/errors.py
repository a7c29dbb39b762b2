"""Every exception portagrad raises on purpose.

Each is a subclass of :class:`PortagradError` *and* of the built-in a Python
programmer would expect, so ``except ValueError`` keeps working. A message says
what happened, where, what is active, and what to do.
"""

from __future__ import annotations


class PortagradError(Exception):
    """The base of every error portagrad raises on purpose."""


# --- array libraries ---------------------------------------------------------


class BackendError(PortagradError):
    """Something about an array library: which one, is it there, does it work."""


class UnknownBackendError(BackendError, ValueError):
    """No backend of that name is known."""


class BackendNotInstalledError(BackendError, ImportError):
    """The backend is known, its array library is not installed."""


class BackendUnusableError(BackendError, RuntimeError):
    """The array library imports, but a stage of its probe failed (no GPU, say)."""


class BackendLoadError(BackendError, ImportError):
    """The backend's own package could not be loaded."""


class MixedBackendsError(BackendError, TypeError):
    """Arrays of two libraries, or on two devices, met in one operation."""


class MissingFunctionError(BackendError, NotImplementedError):
    """The array library has no such function."""


class OutOfMemoryError(PortagradError, MemoryError):
    """There was no memory for a result.

    Beside this it is an error of the library's own class, such as CuPy's or torch's.
    """

    # Not the library's: CuPy's and NumPy's take sizes and shapes, and make a text of those.

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[type[OutOfMemoryError], tuple[str]]:
        # The class that it has beside this one is made where it arises.
        return OutOfMemoryError, (str(self),)


# --- arguments ---------------------------------------------------------------


class ArgumentError(PortagradError, ValueError):
    """An argument has a value the function cannot take."""


class ShapeError(ArgumentError):
    """Shapes do not fit together."""


class AxisError(ShapeError, IndexError):
    """An array has no such axis."""


class DtypeError(PortagradError, TypeError):
    """An array has a dtype the function cannot take."""


class DataError(PortagradError, RuntimeError):
    """A data set could not be had, or is not what it should be."""


# --- derivatives -------------------------------------------------------------


class NotDifferentiableError(PortagradError, TypeError):
    """A derivative was asked for where none is defined."""


class BackwardError(PortagradError, RuntimeError):
    """The walk back through a graph could not be done."""


class BatchingError(PortagradError, RuntimeError):
    """Something cannot be done for all examples of a batch at once."""


class JitError(PortagradError, RuntimeError):
    """A function cannot be recorded and replayed as it is written."""

    #: What stands for the value that was read, where one was.
    value: object = None


# --- training and pictures ---------------------------------------------------


class DivergedError(PortagradError, ArithmeticError):
    """The loss of a training run is no number any more."""


class MissingExtraError(PortagradError, ImportError):
    """An optional library is needed for this and not installed."""

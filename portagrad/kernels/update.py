"""What an optimizer does to all of its parameters: kernels over lists of arrays.

A result is added to in the memory that it has: on a library that allocates as NumPy does, each
large array that is new costs a page fault for every 4 KiB of it.

They are no primitives: nobody differentiates an update, and whoever traces one, a
recording of a training step, sees the element-wise functions of its body. On plain arrays
a backend may do the whole list at once, under the same name.
"""

from __future__ import annotations

import functools
import inspect
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.array_api.data_type import is_complex
from portagrad.backend import backend_of, explained
from portagrad.primitive import on_numbers, traced_types

#: `g += x` as an expression.
iadd: Callable[[Any, Any], Any] = operator.iadd

P = ParamSpec("P")
R = TypeVar("R", covariant=True)

#: Keeps the quotient finite where every gradient is 0; torch's.
TINY = 1e-6


class Update(Protocol, Generic[P, R]):
    """A function of lists of arrays, which a backend may have a version of."""

    body: Callable[..., Any]
    #: What runs, by the type of the first array; forgotten by `.clear()`.
    versions: dict[type, Callable[..., Any]]
    __name__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...  # noqa: D102


def update(body: Callable[P, R]) -> Update[P, R]:
    """Make `body`, in standard functions, the definition of a kernel over lists of arrays.

    The backend of the first array is asked for `backend.kernels[name]`. It answers
    NotImplemented for lists that it leaves to the definition: of several dtypes, devices or
    libraries, or with traced values among them.
    """
    versions: dict[type, Callable[..., Any]] = {}
    signature = inspect.signature(body)
    definition = cast("Callable[..., Any]", body)

    def version(array: Any) -> Callable[..., Any]:
        own = None if type(array) in traced_types else backend_of(array).kernels.get(body.__name__)
        versions[type(array)] = found = own or body
        return found

    @functools.wraps(body)
    def function(*given: Any, **named: Any) -> Any:
        if named:
            bound = signature.bind(*given, **named)
            bound.apply_defaults()
            given = bound.args
        array = given[0][0]
        run = versions.get(type(array)) or version(array)
        try:
            made = run(*given)
            return definition(*given) if made is NotImplemented else made
        except Exception as error:
            raise _located(body.__name__, error, given) from error.__cause__

    made = cast(Any, function)
    made.body, made.versions = body, versions
    return cast("Update[P, R]", function)


def _located(name: str, error: Exception, given: Sequence[Any]) -> Exception:
    """A library's error where memory ended or devices met, with what was to be updated."""
    arrays = given[0]
    largest = max(arrays, key=lambda x: math.prod(x.shape))
    dtype = str(largest.dtype).rpartition(".")[2]
    said = f"{name}: {error} [{len(arrays)} arrays, the largest {tuple(largest.shape)} {dtype}]"
    return explained(error, said, arrays) or error


@update
def sgd_update(
    parameters: Sequence[Array],
    gradients: Sequence[Array],
    velocities: Sequence[Array | None],
    learning_rate: float,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> tuple[list[Array], list[Array]]:
    """A step of gradient descent: the parameters after it, and the velocities.

    For each parameter θ with gradient g and velocity v, η the learning rate, μ the momentum
    and λ the weight decay: g ← g + λ θ; v ← μ v + g, or g where v is None; θ ← θ - η v.

    All of one parameter have its shape, and the results its dtype: new arrays. Without
    momentum nothing is remembered, and the second list is empty.
    """
    remembered: list[Array] = []
    back = -learning_rate
    if not momentum and not weight_decay:
        return [iadd(g * back, data) for data, g in zip(parameters, gradients)], remembered
    updated = []
    for data, g, v in zip(parameters, gradients, velocities):
        if weight_decay:
            g = g + data * weight_decay
        if momentum:
            # The first velocity is a copy: the gradient belongs to its parameter.
            g = xp.astype(g, g.dtype, copy=True) if v is None else like(v, data) * momentum + g
            remembered.append(g)
        updated.append(iadd(g * back, data))  # in one array
    return updated, remembered


@update
def adam_update(
    parameters: Sequence[Array],
    gradients: Sequence[Array],
    means: Sequence[Array | None],
    squares: Sequence[Array | None],
    steps: Sequence[int],
    learning_rate: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> tuple[list[Array], list[Array], list[Array]]:
    """A step of Adam: the parameters after it, the means of gradients and of their squares.

    For each parameter θ with gradient g in its step t = 1, 2, ...::

        g ← g + λ θ                    (decoupled: θ ← θ - η λ θ instead)
        m ← β₁ m + (1 - β₁) g          (None stands for 0)
        v ← β₂ v + (1 - β₂) g²
        θ ← θ - η (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + ε)

    All of one parameter have its shape, and the results its dtype: new arrays. g² of a complex
    gradient is |g|².
    """
    first, second = betas
    updated, new_means, new_squares = [], [], []
    for data, g, mean, square, step in zip(parameters, gradients, means, squares, steps):
        if weight_decay and decoupled:
            data = data * (1 - learning_rate * weight_decay)
        elif weight_decay:
            g = g + data * weight_decay
        m, v = g * (1 - first), g * (xp.conj(g) if is_complex(g) else g) * (1 - second)
        if mean is not None and square is not None:
            m, v = like(mean, data) * first + m, like(square, data) * second + v
        # The corrections are numbers: they scale the step, not the arrays.
        size = learning_rate / (1 - first**step)
        root = xp.sqrt(v) * on_numbers(root_correction, second, step) + eps
        new = m / root
        new *= -size
        new += data
        updated.append(new)
        new_means.append(m)
        new_squares.append(v)
    return updated, new_means, new_squares


def like(remembered: Array, data: Array) -> Array:
    """What is remembered of a parameter, in the dtype that the parameter has now."""
    same = remembered.dtype == data.dtype
    return remembered if same else xp.astype(remembered, data.dtype)


def root_correction(beta: float, step: int) -> float:
    """What makes the root of a mean of squares, begun at 0, one of all of them."""
    return 1 / math.sqrt(1 - beta**step)


@update
def clip_norm(
    gradients: Sequence[Array], max_norm: float, norm_type: float = 2.0
) -> tuple[list[Array], Array]:
    """Gradients times min(1, max_norm / (norm + 1e-6)), and the norm of all together before.

    The norm is a 0-d array where the gradients are: no device waits. Each gradient keeps its
    dtype. None is written into; a backend may return one itself where the factor is 1.
    """
    norms = [xp.linalg.vector_norm(g, ord=norm_type) for g in gradients]
    if len(norms) > 1:
        # Of one dtype: gradients may be of several, and nothing is promoted in a stack.
        dtype = functools.reduce(xp.result_type, norms[1:], norms[0].dtype)
        norms = [xp.astype(norm, dtype) for norm in norms]
    norm = xp.linalg.vector_norm(xp.stack(norms), ord=norm_type)
    factor = xp.minimum(max_norm / (norm + TINY), 1.0)
    return [g * xp.astype(factor, g.dtype) for g in gradients], norm

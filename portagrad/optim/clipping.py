"""Gradients that are cut to size between the backward and the step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from portagrad import array_api as xp
from portagrad.array import Array
from portagrad.errors import ArgumentError
from portagrad.kernels import clip_norm
from portagrad.optim.optimizer import named


def clip_grad_norm(parameters: Iterable[Any], max_norm: float, norm_type: float = 2.0) -> Array:
    """Scale all gradients by one factor, so that their norm together is at most `max_norm`.

    The factor is min(1, max_norm / (norm + 1e-6)), as in torch's
    `clip_grad_norm_`; `norm_type` is 2, another p of at least 1, or infinity.
    `.grad` is replaced, not written into. Pascanu, Mikolov and Bengio, "On the
    difficulty of training recurrent neural networks" (ICML 2013), algorithm 1.

    Returns the norm before, a 0-d array where the gradients are: no device
    waits. It is infinite or nan where a gradient is; every gradient is then nan
    or 0. Raises `ArgumentError` where no parameter has a gradient.

    >>> import numpy as np
    >>> from portagrad import nn
    >>> p = nn.Parameter([3.0, 4.0])
    >>> p.grad = np.asarray([3.0, 4.0], dtype="float32")
    >>> float(clip_grad_norm([p], 1.0))
    5.0
    >>> p.grad.round(3)
    array([0.6, 0.8], dtype=float32)
    """
    limit = _limit("clip_grad_norm", "max_norm", max_norm)
    if not norm_type >= 1:
        raise ArgumentError(f"clip_grad_norm: norm_type must be 1 or more, got {norm_type!r}")
    trained = _with_gradients("clip_grad_norm", parameters)
    clipped, norm = clip_norm([p.grad for p in trained], limit, float(norm_type))
    for parameter, gradient in zip(trained, clipped):
        parameter.grad = gradient
    return norm


def clip_grad_value(parameters: Iterable[Any], clip_value: float) -> None:
    """Cut every element of every gradient to ±`clip_value`; nan stays nan.

    `.grad` is replaced, not written into. Raises `ArgumentError` where no
    parameter has a gradient.
    """
    limit = _limit("clip_grad_value", "clip_value", clip_value)
    for parameter in _with_gradients("clip_grad_value", parameters):
        parameter.grad = xp.clip(parameter.grad, -limit, limit)


def _limit(function: str, name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not number > 0:
        raise ArgumentError(f"{function}: {name} must be a number above 0, got {value!r}")
    return number


def _with_gradients(function: str, parameters: Iterable[Any]) -> list[Any]:
    """Each parameter that has a gradient, once."""
    found = {id(parameter): parameter for _, parameter in named(parameters, function)}
    trained = [parameter for parameter in found.values() if parameter.grad is not None]
    if not trained:
        raise ArgumentError(
            f"{function}: no parameter has a gradient: call it between the backward and the step"
        )
    return trained

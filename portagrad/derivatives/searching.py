"""Derivatives of choosing: the gradient goes where the value came from."""

from __future__ import annotations

from portagrad import array_api as xp
from portagrad.array_api.namespace import array_namespace

xp.where.defvjp(
    condition=lambda g, condition: xp.zeros_like(condition),  # where a library takes numbers
    x1=lambda g, condition: array_namespace(g, condition).where(condition, g, 0.0),
    x2=lambda g, condition: array_namespace(g, condition).where(condition, 0.0, g),
)

"""Batching of the element-wise functions: all of them, as that is what they are."""

from __future__ import annotations

from portagrad.array_api import elementwise as chapter
from portagrad.batching.kinds import elementwise, primitives_of

elementwise(*primitives_of(chapter))

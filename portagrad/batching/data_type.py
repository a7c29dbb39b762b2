"""Batching of conversions."""

from __future__ import annotations

from portagrad.array_api.data_type import convert, convert_to_discrete, move
from portagrad.batching.kinds import elementwise

elementwise(convert, convert_to_discrete, move)

"""A check that older programs call."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from portagrad.compat.autograd.test_util import check_grads


def quick_grad_check(
    fun: Callable[..., Any],
    arg0: Any,
    extra_args: Sequence[Any] = (),
    kwargs: dict[str, Any] | None = None,
    **ignored: Any,
) -> None:
    """`check_grads` in reverse mode with respect to the first argument; deprecated in favour."""
    warnings.warn("quick_grad_check is deprecated: use check_grads", stacklevel=2)
    check_grads(lambda x: fun(x, *extra_args, **(kwargs or {})), modes=["rev"], order=1)(arg0)

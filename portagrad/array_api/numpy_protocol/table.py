"""NumPy's functions that are the standard's under other names.

A row is the part of NumPy's signature that we have: what stands before `/` goes
to the standard's function by position, the rest by name, `ddof=correction` under
another one. The function has the same name unless `->` says otherwise.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

from portagrad import array_api
from portagrad.array_api.numpy_protocol.operands import lifted

ROWS = """
    all(a, /, axis, keepdims)
    any(a, /, axis, keepdims)
    argmax(a, /, axis, keepdims)
    argmin(a, /, axis, keepdims)
    astype(x, dtype, /, copy)
    bincount(x, /, weights, minlength)
    broadcast_to(array, shape, /)
    can_cast(from_, to, /)
    convolve(a, v, /, mode)
    count_nonzero(a, /, axis, keepdims)
    cross(a, b, /, axis) -> linalg.cross
    cumulative_prod(x, /, axis, dtype, include_initial)
    cumulative_sum(x, /, axis, dtype, include_initial)
    empty_like(prototype, /, dtype, device)
    expand_dims(a, /, axis)
    fix(x, /) -> trunc
    flip(m, /, axis)
    full_like(a, fill_value, /, dtype, device)
    imag(val, /)
    interp(x, xp, fp, /, left, right, period)
    isin(element, test_elements, /, invert)
    matrix_transpose(x, /)
    median(a, /, axis, keepdims)
    moveaxis(a, source, destination, /)
    nan_to_num(x, /, copy, nan, posinf, neginf)
    nanargmax(a, /, axis, keepdims)
    nanargmin(a, /, axis, keepdims)
    nanmax(a, /, axis, keepdims)
    nanmean(a, /, axis, keepdims)
    nanmedian(a, /, axis, keepdims)
    nanmin(a, /, axis, keepdims)
    nanprod(a, /, axis, dtype, keepdims)
    nanquantile(a, q, /, axis, keepdims, method)
    nanstd(a, /, axis, keepdims, ddof=correction, correction)
    nansum(a, /, axis, dtype, keepdims)
    nanvar(a, /, axis, keepdims, ddof=correction, correction)
    nonzero(a, /)
    ones_like(a, /, dtype, device)
    quantile(a, q, /, axis, keepdims, method)
    real(val, /)
    repeat(a, repeats, /, axis)
    reshape(a, shape, /, copy)
    roll(a, shift, /, axis)
    searchsorted(a, v, /, side, sorter)
    sinc(x, /)
    take_along_axis(arr, indices, /, axis)
    tensordot(a, b, /, axes)
    tril(m, /, k)
    triu(m, /, k)
    unique_all(x, /)
    unique_counts(x, /)
    unique_inverse(x, /)
    unique_values(x, /)
    unstack(x, /, axis)
    zeros_like(a, /, dtype, device)

    linalg.cholesky(a, /, upper)
    linalg.cross(x1, x2, /, axis)
    linalg.det(a, /)
    linalg.diagonal(x, /, offset)
    linalg.eig(a, /)
    linalg.eigh(a, /)
    linalg.eigvals(a, /)
    linalg.eigvalsh(a, /)
    linalg.inv(a, /)
    linalg.matmul(x1, x2, /)
    linalg.matrix_norm(x, /, keepdims, ord)
    linalg.matrix_power(a, n, /)
    linalg.matrix_rank(A, /, rtol)
    linalg.matrix_transpose(x, /)
    linalg.outer(x1, x2, /)
    linalg.slogdet(a, /)
    linalg.solve(a, b, /)
    linalg.svdvals(x, /)
    linalg.tensordot(x1, x2, /, axes)
    linalg.trace(x, /, offset, dtype)
    linalg.vecdot(x1, x2, /, axis)
    linalg.vector_norm(x, /, axis, keepdims, ord)

    fft.fft(a, /, n, axis, norm)
    fft.ifft(a, /, n, axis, norm)
    fft.rfft(a, /, n, axis, norm)
    fft.irfft(a, /, n, axis, norm)
    fft.hfft(a, /, n, axis, norm)
    fft.ihfft(a, /, n, axis, norm)
    fft.fftn(a, /, s, axes, norm)
    fft.ifftn(a, /, s, axes, norm)
    fft.rfftn(a, /, s, axes, norm)
    fft.irfftn(a, /, s, axes, norm)
    fft.fftshift(x, /, axes)
    fft.ifftshift(x, /, axes)
"""
_ROW = re.compile(r"([\w.]+)\((.*), /(.*)\)(?: -> ([\w.]+))?")


@functools.cache
def _array_parameters(function: Callable[..., Any]) -> frozenset[int]:
    """The positions of a function's arguments that are arrays; a list there is made one."""
    parameters = inspect.signature(function).parameters.values()
    return frozenset(i for i, each in enumerate(parameters) if "Array" in str(each.annotation))


def _row(line: str) -> tuple[str, Callable[..., Any]]:
    """NumPy's name, and a function that takes NumPy's arguments by NumPy's names."""
    matched = _ROW.fullmatch(line)
    assert matched is not None, line
    name, before, after, path = matched.groups()
    operands = before.split(", ")
    words = [word.strip() for word in after.split(",") if word.strip()]
    ours = {theirs: own or theirs for theirs, _, own in (word.partition("=") for word in words)}
    steps = (path or name).split(".")

    def call(**given: Any) -> Any:
        # Found when it is called: this file is read before the whole of array_api is there.
        function: Any = functools.reduce(getattr, steps, array_api)
        takes_arrays = _array_parameters(function)
        positional = [given.pop(each) for each in operands]
        for i, value in enumerate(positional):
            if i in takes_arrays and isinstance(value, list):
                positional[i] = lifted(value)
        return function(*positional, **{ours[key]: value for key, value in given.items()})

    kind = inspect.Parameter.KEYWORD_ONLY
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(each, kind) for each in (*operands, *ours)]
    )
    return name, call


TABLE = dict(_row(line.strip()) for line in ROWS.splitlines() if line.strip())

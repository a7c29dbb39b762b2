"""One product on CuPy's arrays: the plan for it, a workspace, and the call."""

from __future__ import annotations

import ctypes
import threading
from collections import OrderedDict
from typing import Any
from weakref import WeakKeyDictionary

import cupy

from portagrad_cupy.cublaslt.library import CublasLtError, Epilogue, Handle, call
from portagrad_cupy.cublaslt.plan import DATA_TYPES, Plan, Problem, Stored, stored

#: Plans that are kept, per thread and device; a plan takes about 2 KB.
PLANS = 512
#: What NVIDIA advises for Hopper, and for cards before it.
WORKSPACE_HOPPER = 32 << 20
WORKSPACE = 8 << 20


class OneThread(threading.local):
    """Plans of this thread: the address of a bias is written into a plan before each call."""

    def __init__(self) -> None:
        self.plans: OrderedDict[tuple[int, Problem], Plan | None] = OrderedDict()


_here = OneThread()
_handles: dict[int, Handle] = {}
#: By stream, as two must not write into one, and device; it goes when the stream does. A
#: captured graph keeps its stream.
_workspaces: WeakKeyDictionary[Any, dict[int, Any]] = WeakKeyDictionary()


def product(
    a: Any,
    b: Any,
    *,
    out: Any = None,
    bias: Any = None,
    bias_gradient: Any = None,
    accumulate: bool = False,
    precision: str = "ieee",
) -> Any:
    """Y = A B, Y = A B + bias, or `out` += A B; None where cuBLASLt cannot do it as asked.

    a: (n, k), b: (k, m) of one floating dtype, copied where they are stored neither by rows nor
    by columns;
    out: (n, m) stored by rows; bias: (m,). `bias_gradient`, of shape (m,), is filled
    with the sums of b's columns on the way. Queued on CuPy's current stream.

    precision is how products of float32 may be made: "ieee", "tf32" or "bf16", always
    summed in float32.
    """
    problem = _problem(a, b, out, bias, bias_gradient, accumulate, precision)
    if problem is None:
        readable = _readable(a), _readable(b)
        if readable[0] is a and readable[1] is b:
            return None
        return product(
            *readable,
            out=out,
            bias=bias,
            bias_gradient=bias_gradient,
            accumulate=accumulate,
            precision=precision,
        )
    device = a.device.id
    plan = _plan(device, problem)
    if plan is None:
        return None
    if out is None:
        out = cupy.empty((problem.rows, problem.columns), dtype=a.dtype)
    extra = bias if bias is not None else bias_gradient
    if extra is not None:
        plan.point_bias(extra.data.ptr)
    stream = cupy.cuda.get_current_stream()
    size = plan.chosen.workspaceSize
    workspace = _workspace(device, stream).ptr if size else 0
    try:
        plan.run(_handle(device), a.data.ptr, b.data.ptr, out.data.ptr, workspace, size, stream.ptr)
    except CublasLtError:  # the algorithm that it chose does not take these addresses, say
        _here.plans[device, problem] = None
        return None
    return out


def _readable(x: Any) -> Any:
    """A copy of a matrix that cuBLASLt cannot read as it lies: a broadcast cotangent, say."""
    if x.dtype.name not in DATA_TYPES or x.ndim != 2 or stored(x.shape, x.strides, x.itemsize):
        return x
    return cupy.ascontiguousarray(x)


def _problem(
    a: Any,
    b: Any,
    out: Any,
    bias: Any,
    bias_gradient: Any,
    accumulate: bool,
    precision: str,
) -> Problem | None:
    """What is asked, in cuBLASLt's terms; None where its arrays are not what it takes."""
    dtype = a.dtype.name
    if a.ndim != 2 or b.ndim != 2 or dtype not in DATA_TYPES or b.dtype != a.dtype:
        return None
    if a.device != b.device or a.device.id != cupy.cuda.runtime.getDevice():
        return None
    if (
        a.shape[1] != b.shape[0]
        or not a.size
        or not b.size
        or (bias is not None and bias_gradient is not None)
    ):
        return None
    ways = [stored(x.shape, x.strides, x.itemsize) for x in (a, b)]
    result = Stored(True, b.shape[1])
    if out is not None:
        given = stored(out.shape, out.strides, out.itemsize)
        if given is None or not given.by_rows or out.dtype != a.dtype:
            return None
        result = given
    for vector in (bias, bias_gradient):
        if vector is not None and not (vector.flags.c_contiguous and vector.dtype == a.dtype):
            return None
    if ways[0] is None or ways[1] is None:
        return None
    epilogue = Epilogue.CUBLASLT_EPILOGUE_DEFAULT
    if bias is not None:
        epilogue = Epilogue.CUBLASLT_EPILOGUE_BIAS
    elif bias_gradient is not None:
        epilogue = Epilogue.CUBLASLT_EPILOGUE_BGRADA
    addresses = [x.data.ptr for x in (a, b, out, bias, bias_gradient) if x is not None]
    return Problem(
        rows=a.shape[0],
        inner=a.shape[1],
        columns=b.shape[1],
        a=ways[0],
        b=ways[1],
        leading=result.leading,
        dtype=dtype,
        precision=precision if dtype == "float32" else "ieee",
        epilogue=epilogue,
        accumulate=accumulate,
        alignment=16 if not any(address % 16 for address in addresses) else a.itemsize,
    )


def _plan(device: int, problem: Problem) -> Plan | None:
    """The plan for a problem, made when it first comes up; None where there is none."""
    plans = _here.plans
    key = device, problem
    if key in plans:
        plans.move_to_end(key)
        return plans[key]
    try:
        plan = Plan(problem, _handle(device), _workspace_size(device))
    except CublasLtError:
        plan = None  # an epilogue that is not offered for this shape, say
    plans[key] = plan
    if len(plans) > PLANS:
        plans.popitem(last=False)
    return plan


def _handle(device: int) -> Handle:
    handle = _handles.get(device)
    if handle is None:
        handle = Handle()
        call("cublasLtCreate", ctypes.byref(handle))
        _handles[device] = handle
    return handle


def _workspace_size(device: int) -> int:
    major = cupy.cuda.Device(device).compute_capability[:-1]
    return WORKSPACE_HOPPER if int(major) >= 9 else WORKSPACE


def _workspace(device: int, stream: Any) -> Any:
    """Memory for products on one stream, kept: a captured graph goes on using it."""
    own = _workspaces.setdefault(stream, {})
    memory = own.get(device)
    if memory is None:
        memory = own[device] = cupy.cuda.alloc(_workspace_size(device))
    return memory

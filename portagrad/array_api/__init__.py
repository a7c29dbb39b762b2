"""The Array API standard's functions, on plain arrays and on traced values alike.

This floor says *what* is computed; `derivatives/`, with the same file names,
says how it pulls back.
"""

# isort: skip_file
# One block for each chapter, which isort would make a statement for each name.

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from portagrad.array import DType as DType
from portagrad.array_api import (
    fft as fft,
    linalg as linalg,
)
from portagrad.array_api.array_object import ArrayObject as ArrayObject
from portagrad.array_api.beyond import (
    angle as angle,
    bincount as bincount,
    convolve as convolve,
    cumprod as cumprod,
    cumsum as cumsum,
    cumulative_logsumexp as cumulative_logsumexp,
    cumulative_max as cumulative_max,
    cumulative_min as cumulative_min,
    einsum as einsum,
    interp as interp,
    log_sigmoid as log_sigmoid,
    logsumexp as logsumexp,
    median as median,
    nan_to_num as nan_to_num,
    nanargmax as nanargmax,
    nanargmin as nanargmin,
    nancumprod as nancumprod,
    nancumsum as nancumsum,
    nanmax as nanmax,
    nanmean as nanmean,
    nanmedian as nanmedian,
    nanmin as nanmin,
    nanprod as nanprod,
    nanquantile as nanquantile,
    nanstd as nanstd,
    nansum as nansum,
    nanvar as nanvar,
    pad as pad,
    put as put,
    quantile as quantile,
    safe_where as safe_where,
    scatter_add as scatter_add,
    sinc as sinc,
    softplus as softplus,
    stop_gradient as stop_gradient,
    xlogy as xlogy,
)
from portagrad.array_api.constants import (
    e as e,
    inf as inf,
    nan as nan,
    newaxis as newaxis,
    pi as pi,
)
from portagrad.array_api.conversion import (
    asarray as asarray,
    from_dlpack as from_dlpack,
)
from portagrad.array_api.creation import (
    arange as arange,
    arange_like as arange_like,
    empty as empty,
    empty_like as empty_like,
    eye as eye,
    full as full,
    full_like as full_like,
    linspace as linspace,
    meshgrid as meshgrid,
    ones as ones,
    ones_like as ones_like,
    tril as tril,
    triu as triu,
    zeros as zeros,
    zeros_like as zeros_like,
)
from portagrad.array_api.data_type import (
    astype as astype,
    can_cast as can_cast,
    finfo as finfo,
    iinfo as iinfo,
    isdtype as isdtype,
    result_type as result_type,
)
from portagrad.array_api.dtypes import (
    active_dtype as _active_dtype,
    array_namespace_info as _array_namespace_info,
)
from portagrad.array_api.elementwise import (
    abs as abs,
    acos as acos,
    acosh as acosh,
    add as add,
    asin as asin,
    asinh as asinh,
    atan as atan,
    atan2 as atan2,
    atanh as atanh,
    bitwise_and as bitwise_and,
    bitwise_invert as bitwise_invert,
    bitwise_left_shift as bitwise_left_shift,
    bitwise_or as bitwise_or,
    bitwise_right_shift as bitwise_right_shift,
    bitwise_xor as bitwise_xor,
    ceil as ceil,
    clip as clip,
    conj as conj,
    copysign as copysign,
    cos as cos,
    cosh as cosh,
    divide as divide,
    equal as equal,
    exp as exp,
    expm1 as expm1,
    floor as floor,
    floor_divide as floor_divide,
    greater as greater,
    greater_equal as greater_equal,
    hypot as hypot,
    imag as imag,
    isfinite as isfinite,
    isinf as isinf,
    isnan as isnan,
    less as less,
    less_equal as less_equal,
    log as log,
    log10 as log10,
    log1p as log1p,
    log2 as log2,
    logaddexp as logaddexp,
    logical_and as logical_and,
    logical_not as logical_not,
    logical_or as logical_or,
    logical_xor as logical_xor,
    maximum as maximum,
    minimum as minimum,
    multiply as multiply,
    negative as negative,
    nextafter as nextafter,
    not_equal as not_equal,
    positive as positive,
    pow as pow,
    real as real,
    reciprocal as reciprocal,
    remainder as remainder,
    round as round,
    sign as sign,
    signbit as signbit,
    sin as sin,
    sinh as sinh,
    sqrt as sqrt,
    square as square,
    subtract as subtract,
    tan as tan,
    tanh as tanh,
    trunc as trunc,
)
from portagrad.array_api.indexing import (
    getitem as getitem,
    index_add as index_add,
    take as take,
    take_along_axis as take_along_axis,
)
from portagrad.array_api.linear_algebra import (
    matmul as matmul,
    matrix_transpose as matrix_transpose,
    tensordot as tensordot,
    vecdot as vecdot,
)
from portagrad.array_api.manipulation import (
    broadcast_arrays as broadcast_arrays,
    broadcast_shapes as broadcast_shapes,
    broadcast_to as broadcast_to,
    concat as concat,
    expand_dims as expand_dims,
    flip as flip,
    moveaxis as moveaxis,
    permute_dims as permute_dims,
    repeat as repeat,
    reshape as reshape,
    roll as roll,
    squeeze as squeeze,
    stack as stack,
    tile as tile,
    unstack as unstack,
)
from portagrad.array_api.searching import (
    argmax as argmax,
    argmin as argmin,
    count_nonzero as count_nonzero,
    nonzero as nonzero,
    searchsorted as searchsorted,
    where as where,
)
from portagrad.array_api.set import (
    isin as isin,
    unique_all as unique_all,
    unique_counts as unique_counts,
    unique_inverse as unique_inverse,
    unique_values as unique_values,
)
from portagrad.array_api.sorting import (
    argsort as argsort,
    sort as sort,
)
from portagrad.array_api.statistical import (
    all as all,
    any as any,
    cumulative_prod as cumulative_prod,
    cumulative_sum as cumulative_sum,
    max as max,
    mean as mean,
    min as min,
    prod as prod,
    std as std,
    sum as sum,
    var as var,
)
from portagrad.array_api.utility import diff as diff

__array_api_version__ = "2025.12"
__array_namespace_info__ = _array_namespace_info

if TYPE_CHECKING:
    from portagrad.array_api import special as special

    # A type checker, unlike `__getattr__` below, still finds misspelt names.
    bool: DType
    int8: DType
    int16: DType
    int32: DType
    int64: DType
    uint8: DType
    uint16: DType
    uint32: DType
    uint64: DType
    float32: DType
    float64: DType
    complex64: DType
    complex128: DType
else:

    def __getattr__(name):
        if name == "special":  # made when it is first asked for: a hundred functions more
            return _import_module("portagrad.array_api.special")
        return _active_dtype(name)

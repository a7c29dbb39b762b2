"""The Array API standard's functions, on plain arrays and on traced values alike.

This floor says *what* is computed; `derivatives/`, with the same file names,
says how it pulls back.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from portagrad.array import DType as DType
from portagrad.array_api import fft as fft
from portagrad.array_api import linalg as linalg
from portagrad.array_api.array_object import ArrayObject as ArrayObject
from portagrad.array_api.beyond import (
    angle as angle,
)
from portagrad.array_api.beyond import (
    bincount as bincount,
)
from portagrad.array_api.beyond import (
    convolve as convolve,
)
from portagrad.array_api.beyond import (
    einsum as einsum,
)
from portagrad.array_api.beyond import (
    interp as interp,
)
from portagrad.array_api.beyond import (
    log_sigmoid as log_sigmoid,
)
from portagrad.array_api.beyond import (
    logsumexp as logsumexp,
)
from portagrad.array_api.beyond import (
    median as median,
)
from portagrad.array_api.beyond import (
    nan_to_num as nan_to_num,
)
from portagrad.array_api.beyond import (
    nanargmax as nanargmax,
)
from portagrad.array_api.beyond import (
    nanargmin as nanargmin,
)
from portagrad.array_api.beyond import (
    nancumprod as nancumprod,
)
from portagrad.array_api.beyond import (
    nancumsum as nancumsum,
)
from portagrad.array_api.beyond import (
    nanmax as nanmax,
)
from portagrad.array_api.beyond import (
    nanmean as nanmean,
)
from portagrad.array_api.beyond import (
    nanmedian as nanmedian,
)
from portagrad.array_api.beyond import (
    nanmin as nanmin,
)
from portagrad.array_api.beyond import (
    nanprod as nanprod,
)
from portagrad.array_api.beyond import (
    nanquantile as nanquantile,
)
from portagrad.array_api.beyond import (
    nanstd as nanstd,
)
from portagrad.array_api.beyond import (
    nansum as nansum,
)
from portagrad.array_api.beyond import (
    nanvar as nanvar,
)
from portagrad.array_api.beyond import (
    pad as pad,
)
from portagrad.array_api.beyond import (
    put as put,
)
from portagrad.array_api.beyond import (
    quantile as quantile,
)
from portagrad.array_api.beyond import (
    safe_where as safe_where,
)
from portagrad.array_api.beyond import (
    scatter_add as scatter_add,
)
from portagrad.array_api.beyond import (
    sinc as sinc,
)
from portagrad.array_api.beyond import (
    softplus as softplus,
)
from portagrad.array_api.beyond import (
    stop_gradient as stop_gradient,
)
from portagrad.array_api.beyond import (
    xlogy as xlogy,
)
from portagrad.array_api.constants import (
    e as e,
)
from portagrad.array_api.constants import (
    inf as inf,
)
from portagrad.array_api.constants import (
    nan as nan,
)
from portagrad.array_api.constants import (
    newaxis as newaxis,
)
from portagrad.array_api.constants import (
    pi as pi,
)
from portagrad.array_api.conversion import asarray as asarray
from portagrad.array_api.conversion import from_dlpack as from_dlpack
from portagrad.array_api.creation import (
    arange as arange,
)
from portagrad.array_api.creation import (
    arange_like as arange_like,
)
from portagrad.array_api.creation import (
    empty as empty,
)
from portagrad.array_api.creation import (
    empty_like as empty_like,
)
from portagrad.array_api.creation import (
    eye as eye,
)
from portagrad.array_api.creation import (
    full as full,
)
from portagrad.array_api.creation import (
    full_like as full_like,
)
from portagrad.array_api.creation import (
    linspace as linspace,
)
from portagrad.array_api.creation import (
    meshgrid as meshgrid,
)
from portagrad.array_api.creation import (
    ones as ones,
)
from portagrad.array_api.creation import (
    ones_like as ones_like,
)
from portagrad.array_api.creation import (
    tril as tril,
)
from portagrad.array_api.creation import (
    triu as triu,
)
from portagrad.array_api.creation import (
    zeros as zeros,
)
from portagrad.array_api.creation import (
    zeros_like as zeros_like,
)
from portagrad.array_api.data_type import (
    astype as astype,
)
from portagrad.array_api.data_type import (
    can_cast as can_cast,
)
from portagrad.array_api.data_type import (
    finfo as finfo,
)
from portagrad.array_api.data_type import (
    iinfo as iinfo,
)
from portagrad.array_api.data_type import (
    isdtype as isdtype,
)
from portagrad.array_api.data_type import (
    result_type as result_type,
)
from portagrad.array_api.dtypes import active_dtype as _active_dtype
from portagrad.array_api.dtypes import array_namespace_info as _array_namespace_info
from portagrad.array_api.elementwise import (
    abs as abs,
)
from portagrad.array_api.elementwise import (
    acos as acos,
)
from portagrad.array_api.elementwise import (
    acosh as acosh,
)
from portagrad.array_api.elementwise import (
    add as add,
)
from portagrad.array_api.elementwise import (
    asin as asin,
)
from portagrad.array_api.elementwise import (
    asinh as asinh,
)
from portagrad.array_api.elementwise import (
    atan as atan,
)
from portagrad.array_api.elementwise import (
    atan2 as atan2,
)
from portagrad.array_api.elementwise import (
    atanh as atanh,
)
from portagrad.array_api.elementwise import (
    bitwise_and as bitwise_and,
)
from portagrad.array_api.elementwise import (
    bitwise_invert as bitwise_invert,
)
from portagrad.array_api.elementwise import (
    bitwise_left_shift as bitwise_left_shift,
)
from portagrad.array_api.elementwise import (
    bitwise_or as bitwise_or,
)
from portagrad.array_api.elementwise import (
    bitwise_right_shift as bitwise_right_shift,
)
from portagrad.array_api.elementwise import (
    bitwise_xor as bitwise_xor,
)
from portagrad.array_api.elementwise import (
    ceil as ceil,
)
from portagrad.array_api.elementwise import (
    clip as clip,
)
from portagrad.array_api.elementwise import (
    conj as conj,
)
from portagrad.array_api.elementwise import (
    copysign as copysign,
)
from portagrad.array_api.elementwise import (
    cos as cos,
)
from portagrad.array_api.elementwise import (
    cosh as cosh,
)
from portagrad.array_api.elementwise import (
    divide as divide,
)
from portagrad.array_api.elementwise import (
    equal as equal,
)
from portagrad.array_api.elementwise import (
    exp as exp,
)
from portagrad.array_api.elementwise import (
    expm1 as expm1,
)
from portagrad.array_api.elementwise import (
    floor as floor,
)
from portagrad.array_api.elementwise import (
    floor_divide as floor_divide,
)
from portagrad.array_api.elementwise import (
    greater as greater,
)
from portagrad.array_api.elementwise import (
    greater_equal as greater_equal,
)
from portagrad.array_api.elementwise import (
    hypot as hypot,
)
from portagrad.array_api.elementwise import (
    imag as imag,
)
from portagrad.array_api.elementwise import (
    isfinite as isfinite,
)
from portagrad.array_api.elementwise import (
    isinf as isinf,
)
from portagrad.array_api.elementwise import (
    isnan as isnan,
)
from portagrad.array_api.elementwise import (
    less as less,
)
from portagrad.array_api.elementwise import (
    less_equal as less_equal,
)
from portagrad.array_api.elementwise import (
    log as log,
)
from portagrad.array_api.elementwise import (
    log1p as log1p,
)
from portagrad.array_api.elementwise import (
    log2 as log2,
)
from portagrad.array_api.elementwise import (
    log10 as log10,
)
from portagrad.array_api.elementwise import (
    logaddexp as logaddexp,
)
from portagrad.array_api.elementwise import (
    logical_and as logical_and,
)
from portagrad.array_api.elementwise import (
    logical_not as logical_not,
)
from portagrad.array_api.elementwise import (
    logical_or as logical_or,
)
from portagrad.array_api.elementwise import (
    logical_xor as logical_xor,
)
from portagrad.array_api.elementwise import (
    maximum as maximum,
)
from portagrad.array_api.elementwise import (
    minimum as minimum,
)
from portagrad.array_api.elementwise import (
    multiply as multiply,
)
from portagrad.array_api.elementwise import (
    negative as negative,
)
from portagrad.array_api.elementwise import (
    nextafter as nextafter,
)
from portagrad.array_api.elementwise import (
    not_equal as not_equal,
)
from portagrad.array_api.elementwise import (
    positive as positive,
)
from portagrad.array_api.elementwise import (
    pow as pow,
)
from portagrad.array_api.elementwise import (
    real as real,
)
from portagrad.array_api.elementwise import (
    reciprocal as reciprocal,
)
from portagrad.array_api.elementwise import (
    remainder as remainder,
)
from portagrad.array_api.elementwise import (
    round as round,
)
from portagrad.array_api.elementwise import (
    sign as sign,
)
from portagrad.array_api.elementwise import (
    signbit as signbit,
)
from portagrad.array_api.elementwise import (
    sin as sin,
)
from portagrad.array_api.elementwise import (
    sinh as sinh,
)
from portagrad.array_api.elementwise import (
    sqrt as sqrt,
)
from portagrad.array_api.elementwise import (
    square as square,
)
from portagrad.array_api.elementwise import (
    subtract as subtract,
)
from portagrad.array_api.elementwise import (
    tan as tan,
)
from portagrad.array_api.elementwise import (
    tanh as tanh,
)
from portagrad.array_api.elementwise import (
    trunc as trunc,
)
from portagrad.array_api.indexing import (
    getitem as getitem,
)
from portagrad.array_api.indexing import (
    index_add as index_add,
)
from portagrad.array_api.indexing import (
    take as take,
)
from portagrad.array_api.indexing import (
    take_along_axis as take_along_axis,
)
from portagrad.array_api.linear_algebra import (
    matmul as matmul,
)
from portagrad.array_api.linear_algebra import (
    matrix_transpose as matrix_transpose,
)
from portagrad.array_api.linear_algebra import (
    tensordot as tensordot,
)
from portagrad.array_api.linear_algebra import (
    vecdot as vecdot,
)
from portagrad.array_api.manipulation import (
    broadcast_arrays as broadcast_arrays,
)
from portagrad.array_api.manipulation import (
    broadcast_shapes as broadcast_shapes,
)
from portagrad.array_api.manipulation import (
    broadcast_to as broadcast_to,
)
from portagrad.array_api.manipulation import (
    concat as concat,
)
from portagrad.array_api.manipulation import (
    expand_dims as expand_dims,
)
from portagrad.array_api.manipulation import (
    flip as flip,
)
from portagrad.array_api.manipulation import (
    moveaxis as moveaxis,
)
from portagrad.array_api.manipulation import (
    permute_dims as permute_dims,
)
from portagrad.array_api.manipulation import (
    repeat as repeat,
)
from portagrad.array_api.manipulation import (
    reshape as reshape,
)
from portagrad.array_api.manipulation import (
    roll as roll,
)
from portagrad.array_api.manipulation import (
    squeeze as squeeze,
)
from portagrad.array_api.manipulation import (
    stack as stack,
)
from portagrad.array_api.manipulation import (
    tile as tile,
)
from portagrad.array_api.manipulation import (
    unstack as unstack,
)
from portagrad.array_api.searching import (
    argmax as argmax,
)
from portagrad.array_api.searching import (
    argmin as argmin,
)
from portagrad.array_api.searching import (
    count_nonzero as count_nonzero,
)
from portagrad.array_api.searching import (
    nonzero as nonzero,
)
from portagrad.array_api.searching import (
    searchsorted as searchsorted,
)
from portagrad.array_api.searching import (
    where as where,
)
from portagrad.array_api.set import (
    isin as isin,
)
from portagrad.array_api.set import (
    unique_all as unique_all,
)
from portagrad.array_api.set import (
    unique_counts as unique_counts,
)
from portagrad.array_api.set import (
    unique_inverse as unique_inverse,
)
from portagrad.array_api.set import (
    unique_values as unique_values,
)
from portagrad.array_api.sorting import (
    argsort as argsort,
)
from portagrad.array_api.sorting import (
    sort as sort,
)
from portagrad.array_api.statistical import (
    all as all,
)
from portagrad.array_api.statistical import (
    any as any,
)
from portagrad.array_api.statistical import (
    cumulative_prod as cumulative_prod,
)
from portagrad.array_api.statistical import (
    cumulative_sum as cumulative_sum,
)
from portagrad.array_api.statistical import (
    max as max,
)
from portagrad.array_api.statistical import (
    mean as mean,
)
from portagrad.array_api.statistical import (
    min as min,
)
from portagrad.array_api.statistical import (
    prod as prod,
)
from portagrad.array_api.statistical import (
    std as std,
)
from portagrad.array_api.statistical import (
    sum as sum,
)
from portagrad.array_api.statistical import (
    var as var,
)
from portagrad.array_api.utility import (
    diff as diff,
)

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

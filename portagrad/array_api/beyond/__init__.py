"""Functions that people expect beside the standard's: NumPy's, SciPy's and JAX's, by their names.

Most are written in the standard's functions, which is their derivative too.
"""

# isort: skip_file
# One block for each chapter, which isort would make a statement for each name.

from portagrad.array_api.beyond.convolution import convolve as convolve
from portagrad.array_api.beyond.cumulative import (
    cumprod as cumprod,
    cumsum as cumsum,
    cumulative_logsumexp as cumulative_logsumexp,
    cumulative_max as cumulative_max,
    cumulative_min as cumulative_min,
)
from portagrad.array_api.beyond.einsum import einsum as einsum
from portagrad.array_api.beyond.interpolation import interp as interp
from portagrad.array_api.beyond.nan import (
    nan_to_num as nan_to_num,
    nanargmax as nanargmax,
    nanargmin as nanargmin,
    nancumprod as nancumprod,
    nancumsum as nancumsum,
    nanmax as nanmax,
    nanmean as nanmean,
    nanmin as nanmin,
    nanprod as nanprod,
    nanstd as nanstd,
    nansum as nansum,
    nanvar as nanvar,
)
from portagrad.array_api.beyond.order_statistics import (
    median as median,
    nanmedian as nanmedian,
    nanquantile as nanquantile,
    quantile as quantile,
)
from portagrad.array_api.beyond.padding import pad as pad
from portagrad.array_api.beyond.scatter import (
    bincount as bincount,
    put as put,
    scatter_add as scatter_add,
)
from portagrad.array_api.beyond.stable import (
    angle as angle,
    log_sigmoid as log_sigmoid,
    logsumexp as logsumexp,
    safe_where as safe_where,
    sinc as sinc,
    softplus as softplus,
    stop_gradient as stop_gradient,
    xlogy as xlogy,
)

"""Functions that people expect beside the standard's: NumPy's, SciPy's and JAX's, by their names.

Most are written in the standard's functions, which is their derivative too.
"""

from portagrad.array_api.beyond.convolution import convolve as convolve
from portagrad.array_api.beyond.einsum import einsum as einsum
from portagrad.array_api.beyond.interpolation import interp as interp
from portagrad.array_api.beyond.nan import (
    nan_to_num as nan_to_num,
)
from portagrad.array_api.beyond.nan import (
    nanargmax as nanargmax,
)
from portagrad.array_api.beyond.nan import (
    nanargmin as nanargmin,
)
from portagrad.array_api.beyond.nan import (
    nancumprod as nancumprod,
)
from portagrad.array_api.beyond.nan import (
    nancumsum as nancumsum,
)
from portagrad.array_api.beyond.nan import (
    nanmax as nanmax,
)
from portagrad.array_api.beyond.nan import (
    nanmean as nanmean,
)
from portagrad.array_api.beyond.nan import (
    nanmin as nanmin,
)
from portagrad.array_api.beyond.nan import (
    nanprod as nanprod,
)
from portagrad.array_api.beyond.nan import (
    nanstd as nanstd,
)
from portagrad.array_api.beyond.nan import (
    nansum as nansum,
)
from portagrad.array_api.beyond.nan import (
    nanvar as nanvar,
)
from portagrad.array_api.beyond.order_statistics import (
    median as median,
)
from portagrad.array_api.beyond.order_statistics import (
    nanmedian as nanmedian,
)
from portagrad.array_api.beyond.order_statistics import (
    nanquantile as nanquantile,
)
from portagrad.array_api.beyond.order_statistics import (
    quantile as quantile,
)
from portagrad.array_api.beyond.padding import pad as pad
from portagrad.array_api.beyond.scatter import (
    bincount as bincount,
)
from portagrad.array_api.beyond.scatter import (
    put as put,
)
from portagrad.array_api.beyond.scatter import (
    scatter_add as scatter_add,
)
from portagrad.array_api.beyond.stable import (
    angle as angle,
)
from portagrad.array_api.beyond.stable import (
    log_sigmoid as log_sigmoid,
)
from portagrad.array_api.beyond.stable import (
    logsumexp as logsumexp,
)
from portagrad.array_api.beyond.stable import (
    safe_where as safe_where,
)
from portagrad.array_api.beyond.stable import (
    sinc as sinc,
)
from portagrad.array_api.beyond.stable import (
    softplus as softplus,
)
from portagrad.array_api.beyond.stable import (
    stop_gradient as stop_gradient,
)
from portagrad.array_api.beyond.stable import (
    xlogy as xlogy,
)

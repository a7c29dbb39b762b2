"""`scipy.stats`: the distributions, a module each, written in array functions.

Densities are differentiable in every argument, on every backend; what a module does
not define (rvs, ppf, ...) is SciPy's own.
"""

from portagrad.compat.autograd.scipy.stats import beta as beta
from portagrad.compat.autograd.scipy.stats import chi2 as chi2
from portagrad.compat.autograd.scipy.stats import dirichlet as dirichlet
from portagrad.compat.autograd.scipy.stats import gamma as gamma
from portagrad.compat.autograd.scipy.stats import multivariate_normal as multivariate_normal
from portagrad.compat.autograd.scipy.stats import norm as norm
from portagrad.compat.autograd.scipy.stats import poisson as poisson
from portagrad.compat.autograd.scipy.stats import t as t

"""The automatic wing's engine: a tape over the table of derivatives."""

from portagrad import derivatives as derivatives  # states every rule
from portagrad.autograd.checkpoint import checkpoint as checkpoint
from portagrad.autograd.checkpoint import stop_gradient as stop_gradient
from portagrad.autograd.custom import custom_jvp as custom_jvp
from portagrad.autograd.custom import custom_vjp as custom_vjp
from portagrad.autograd.forward import hvp as hvp
from portagrad.autograd.forward import jvp as jvp
from portagrad.autograd.implicit import fixed_point as fixed_point
from portagrad.autograd.implicit import linear_solve as linear_solve
from portagrad.autograd.implicit import root as root
from portagrad.autograd.jacobian import hessian as hessian
from portagrad.autograd.jacobian import jacfwd as jacfwd
from portagrad.autograd.jacobian import jacobian as jacobian
from portagrad.autograd.jacobian import jacrev as jacrev
from portagrad.autograd.modes import absorbing_zeros as absorbing_zeros
from portagrad.autograd.modes import detect_anomaly as detect_anomaly
from portagrad.autograd.modes import enable_grad as enable_grad
from portagrad.autograd.modes import no_grad as no_grad
from portagrad.autograd.pullback import linearize as linearize
from portagrad.autograd.pullback import vjp as vjp
from portagrad.autograd.tensor import Tensor as Tensor
from portagrad.autograd.tensor import constant as constant
from portagrad.autograd.tensor import tensor as tensor
from portagrad.autograd.transforms import grad as grad
from portagrad.autograd.transforms import value_and_grad as value_and_grad
from portagrad.autograd.vmap import map as map
from portagrad.autograd.vmap import vmap as vmap

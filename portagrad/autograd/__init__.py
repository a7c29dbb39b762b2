"""The automatic wing's engine: a tape over the table of derivatives."""

from portagrad import derivatives as derivatives  # states every rule
from portagrad.autograd.modes import detect_anomaly as detect_anomaly
from portagrad.autograd.modes import enable_grad as enable_grad
from portagrad.autograd.modes import no_grad as no_grad
from portagrad.autograd.tensor import Tensor as Tensor
from portagrad.autograd.tensor import tensor as tensor
from portagrad.autograd.transforms import grad as grad
from portagrad.autograd.transforms import value_and_grad as value_and_grad

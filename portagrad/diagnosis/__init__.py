"""Where is my gradient wrong? `diagnose` for functions, `parity` for layers.

A gradient is compared with the right one at several points. Where they differ,
a catalogue of mistakes is asked: each predicts, from the right gradient or
from the program itself with one derivative replaced, the gradient that it
would have given. What predicts the derived gradient, number by number and at
every point, is named.
"""

from portagrad.diagnosis.diagnose import diagnose as diagnose
from portagrad.diagnosis.parity import parity as parity
from portagrad.diagnosis.report import Mistake as Mistake
from portagrad.diagnosis.report import Report as Report

__all__ = ["Mistake", "Report", "diagnose", "parity"]

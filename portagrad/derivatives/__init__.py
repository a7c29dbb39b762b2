"""How each standard function pulls a cotangent back: the table of derivatives.

Same file names as `array_api/`. Importing this package states every rule.
"""

from portagrad.derivatives import assignment as assignment
from portagrad.derivatives import beyond as beyond
from portagrad.derivatives import creation as creation
from portagrad.derivatives import data_type as data_type
from portagrad.derivatives import elementwise as elementwise
from portagrad.derivatives import fft as fft
from portagrad.derivatives import indexing as indexing
from portagrad.derivatives import linalg as linalg
from portagrad.derivatives import linear as linear
from portagrad.derivatives import linear_algebra as linear_algebra
from portagrad.derivatives import manipulation as manipulation
from portagrad.derivatives import searching as searching
from portagrad.derivatives import set as set
from portagrad.derivatives import sorting as sorting
from portagrad.derivatives import statistical as statistical

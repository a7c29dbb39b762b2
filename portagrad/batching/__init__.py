"""How each function is done on a batch of examples at once: the table of batching rules.

Same file names as `array_api/`, and `kernels` for what is beyond. A batch has
its batch axis first. Most functions are of a kind (`kinds.py`):

    elementwise(f)        element by element, operands broadcast
    stacked(f, core=2)    on the last axes, with any number of axes before them
    reduction(f)          reduces `axis`, None being all axes
    along(f)              works along `axis`
    along_flat(f)         works along `axis`, None being the flattened array
    rule(f)               a decorator for the rule of any other function: it gets a `Call`
    refuse(reason, f)     cannot be done

Importing this package states every rule.
"""

from portagrad.batching import beyond as beyond
from portagrad.batching import creation as creation
from portagrad.batching import data_type as data_type
from portagrad.batching import elementwise as _elementwise  # noqa: F401 - the function of that name is the public one
from portagrad.batching import fft as fft
from portagrad.batching import indexing as indexing
from portagrad.batching import kernels as kernels
from portagrad.batching import linalg as linalg
from portagrad.batching import linear_algebra as linear_algebra
from portagrad.batching import manipulation as manipulation
from portagrad.batching import searching as searching
from portagrad.batching import set as set
from portagrad.batching import sorting as sorting
from portagrad.batching import special as special
from portagrad.batching import statistical as statistical
from portagrad.batching.kinds import along as along
from portagrad.batching.kinds import along_flat as along_flat
from portagrad.batching.kinds import elementwise as elementwise
from portagrad.batching.kinds import reduction as reduction
from portagrad.batching.kinds import stacked as stacked
from portagrad.batching.rule import Alike as Alike
from portagrad.batching.rule import Batch as Batch
from portagrad.batching.rule import Call as Call
from portagrad.batching.rule import refuse as refuse
from portagrad.batching.rule import rule as rule

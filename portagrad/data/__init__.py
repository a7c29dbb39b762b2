"""Data sets, batches and metrics: what goes into a training loop and how it is judged.

Data sets are prepared on the host, in NumPy, and moved to an array library once,
by whoever trains. `batches` and the metrics work on arrays of any library.
"""

from portagrad.data.batches import batches as batches
from portagrad.data.collection import DATASETS as DATASETS
from portagrad.data.collection import load as load
from portagrad.data.dataset import (
    Dataset as Dataset,
)
from portagrad.data.dataset import (
    Samples as Samples,
)
from portagrad.data.dataset import (
    Scaling as Scaling,
)
from portagrad.data.dataset import (
    every_fourth as every_fourth,
)
from portagrad.data.dataset import (
    random_quarter as random_quarter,
)
from portagrad.data.metrics import (
    accuracy as accuracy,
)
from portagrad.data.metrics import (
    check_labels as check_labels,
)
from portagrad.data.metrics import (
    count_correct as count_correct,
)
from portagrad.data.metrics import (
    predicted_labels as predicted_labels,
)

__all__ = [
    "DATASETS",
    "Dataset",
    "Samples",
    "Scaling",
    "accuracy",
    "batches",
    "check_labels",
    "count_correct",
    "every_fourth",
    "load",
    "predicted_labels",
    "random_quarter",
]

"""Write docs/coverage.md and docs/dask.md, by running the table on each library."""

import argparse
import os
from pathlib import Path

from portagrad.errors import BackendError
from portagrad.testing.table import dask_page
from portagrad.testing.table.page import page, recorded
from portagrad.testing.table.support import LIBRARIES, column

# JAX has no float64 unless told to; dask's threads cost more than these small arrays.
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("DASK_SCHEDULER", "synchronous")
parser = argparse.ArgumentParser(prog="python -m portagrad.testing.table", description=__doc__)
parser.add_argument("docs", type=Path, help="the folder of the pages")
parser.add_argument(
    "libraries",
    nargs="*",
    help=f"whose columns to find out; the others stay as they are (default: {' '.join(LIBRARIES)})",
)
options = parser.parse_args()
coverage = options.docs / "coverage.md"
columns = recorded(coverage.read_text()) if coverage.exists() else {}
for library in options.libraries or LIBRARIES:
    try:
        columns[library] = column(library)
        if library == "dask":
            (options.docs / "dask.md").write_text(dask_page.page())
    except BackendError as error:
        print(f"{library} stays as it is: {error}")
coverage.write_text(page(columns))

"""`python -m portagrad`: the same as the command `portagrad`."""

import sys

from portagrad.cli import main

sys.exit(main())

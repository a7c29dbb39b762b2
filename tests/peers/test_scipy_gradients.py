"""SciPy and scikit-learn, unmodified, differentiated: against central differences.

What cannot be differentiated (C code, a number read into Python) must say so: a
wrong gradient, or a zero that stands for a lost connection, is what these tests
look for.

SciPy reads the switch for its array-API mode when it is imported, so the calls
run in a process of their own, one for all of them.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

import portagrad as pg

pytest.importorskip("scipy", minversion="1.16")

MODE = "SCIPY_ARRAY_API"

if os.environ.get(MODE) != "1":

    def test_in_scipys_array_api_mode():
        command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
        ran = subprocess.run(
            command, env=os.environ | {MODE: "1"}, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout[-6000:]

    CALLS, REFUSED = {}, {}
else:
    from scipy_calls import CALLS, REFUSED

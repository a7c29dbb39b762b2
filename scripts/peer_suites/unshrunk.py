"""A pytest plugin: hypothesis reports the first example that fails, and looks for no smaller one.

A library's own failures are counted, not mended; looking took most of the time.
"""

import pytest
from hypothesis import Phase, settings

#: The one that the suite's conftest.py makes of its command line.
PROFILE = "array-api-tests"


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """The suite's own settings without the phases that follow a failure."""
    parent = settings.get_profile(PROFILE)
    phases = [Phase.explicit, Phase.reuse, Phase.generate]
    settings.register_profile("unshrunk", parent=parent, phases=phases)
    settings.load_profile("unshrunk")

"""Print the page of the documentation that is the numeric contract."""

from portagrad.testing.contract import CHAPTERS
from portagrad.testing.contract.page import page

print(page(CHAPTERS), end="")

"""Print the page of the documentation that says what every function has."""

from portagrad.testing.table.page import page

print(page(), end="")

"""Commands for people who work on portagrad."""

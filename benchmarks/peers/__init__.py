"""portagrad beside hand-written NumPy and beside the other libraries; see README.md."""

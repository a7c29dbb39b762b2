"""The same peers on a card: which library makes a step fastest, and how near to what the card can.

`python -m benchmarks.peers.card`; README.md says what is measured and how.
"""

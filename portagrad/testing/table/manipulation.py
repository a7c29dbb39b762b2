"""Rows of the functions that move elements about."""

from __future__ import annotations

from portagrad.testing.table.row import Row, array, call, given

_NO_REPEATS = "torch.repeat_interleave has no gradient-free form of this call"

ROWS = [
    Row(
        "broadcast_arrays",
        (call(array(2, 1), array(3)), call(array(), array(2)), call(array(2))),
        complex=True,
    ),
    Row(
        "broadcast_to",
        (
            call(array(2, 1), (2, 3)),
            call(array(3), (2, 3)),
            call(array(), (2, 2)),
            call(array(1), (0,)),
            call(array(2), (2,)),
        ),
        complex=True,
    ),
    Row(
        "concat",
        (
            call([array(2, 3), array(1, 3)]),
            call([array(2, 1), array(2, 2), array(2, 0)], axis=1),
            call([array(2, 1), array(2, 2)], axis=-1),
            call([array(2, 2), array(3)], axis=None),
            call((array(2), array(0))),
            call([array(2)]),
        ),
        complex=True,
    ),
    Row(
        "expand_dims",
        (
            call(array(2, 3), 0),
            call(array(2, 3), axis=1),
            call(array(2, 3), axis=-1),
            call(array(), axis=0),
            call(array(2), axis=(0, 2)),
        ),
        complex=True,
    ),
    Row(
        "flip",
        (
            call(array(2, 3)),
            call(array(2, 3), axis=0),
            call(array(2, 3), axis=-1),
            call(array(2, 3), axis=(0, 1)),
            call(array()),
            call(array(0, 2)),
        ),
        complex=True,
    ),
    Row(
        "moveaxis",
        (
            call(array(2, 3, 1), 0, 2),
            call(array(2, 3, 1), -1, 0),
            call(array(2, 3, 1), (0, 1), (2, 0)),
        ),
        complex=True,
    ),
    Row(
        "permute_dims",
        (
            call(array(2, 3), (1, 0)),
            call(array(2, 3, 2), (2, 0, 1)),
            call(array(), ()),
        ),
        complex=True,
    ),
    Row(
        "repeat",
        (
            call(array(2, 3), 2),
            call(array(2, 3), 2, axis=0),
            call(array(2, 3), 3, axis=-1),
            call(array(2, 2), 0, axis=1),
            call(array(2, 3), given([1, 0, 2]), axis=1),
            call(array(3), given([1, 0, 2])),
            call(array(3), given([2])),
            call(array(), 3),
        ),
        complex=True,
    ),
    Row(
        "reshape",
        (
            call(array(2, 3), (3, 2)),
            call(array(2, 3), (-1,)),
            call(array(2, 3), (1, 6), copy=True),
            call(array(), (1, 1)),
            call(array(0, 3), (3, 0)),
            call(array(1), ()),
        ),
        complex=True,
    ),
    Row(
        "roll",
        (
            call(array(2, 3), 1),
            call(array(2, 3), -2, axis=1),
            call(array(2, 3), (1, 2), axis=(0, 1)),
            call(array(4), 7, axis=0),
            call(array(0), 1),
        ),
        complex=True,
    ),
    Row(
        "squeeze",
        (
            call(array(1, 3), 0),
            call(array(1, 3, 1), (0, 2)),
            call(array(3, 1), axis=-1),
            call(array(1, 1), (0, 1)),
        ),
        complex=True,
    ),
    Row(
        "stack",
        (
            call([array(2, 3), array(2, 3)]),
            call([array(2), array(2), array(2)], axis=1),
            call((array(2), array(2)), axis=-1),
            call([array(), array()]),
            call([array(0)]),
        ),
        complex=True,
    ),
    Row(
        "tile",
        (
            call(array(2), (3,)),
            call(array(2, 3), (2, 1)),
            call(array(2), (2, 2)),
            call(array(2, 2), (2,)),
            call(array(2, 2), ()),
            call(array(2), (0,)),
            call(array(), (2,)),
        ),
        complex=True,
    ),
    Row(
        "unstack",
        (
            call(array(2, 3)),
            call(array(2, 3), axis=1),
            call(array(2, 3), axis=-1),
            call(array(1)),
        ),
        complex=True,
    ),
]

"""Rows in an order in which what a row needs comes before it: what lanes are laid out from."""

from __future__ import annotations

from typing import NamedTuple

from sim.arrays import Ints


class LaneOrder(NamedTuple):
    """An order in which all replicas of a program can be executed, row after row.

    `rows`, shape (rows executed,), is that order; all other columns are of the whole program, shape
    (rows,).  `level` is the number of a row's level, ascending in `rows`: what rows of a level need
    is in the levels before, and a device has at most one of them.  `source` is the row whose
    message a row waits for, `link` the number of the link its own takes (−1: none); `place` and
    `kind` say where it finds its seconds and its transfer in a block of lanes.  `devices` and
    `links` are how many there are; `late` says whether messages of any replica are under way after
    they have let go of their links.
    """

    rows: Ints
    level: Ints
    device: Ints
    source: Ints
    link: Ints
    place: Ints
    kind: Ints
    devices: int
    links: int
    late: bool

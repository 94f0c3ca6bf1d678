"""What each row of a program takes: its own seconds, and those of its message on a link."""

from __future__ import annotations

import numpy as np

from sim.arrays import Floats, Ints
from sim.kernels.pairs import Pair


def place_of_each_row(op: Ints, stage: Ints, index: Ints, first: Ints, step: Ints, size: int
                      ) -> Ints:
    """Where in a table of values each row finds its own, shape (rows,): one of `size` places.

    That is `first[op, stage] + step[op, stage] · index`; the columns `op`, `stage` and `index` have
    shape (rows,), `first` and `step` (operations, stages).
    """
    kind = op * first.shape[1] + stage
    narrow = np.int32 if size <= np.iinfo(np.int32).max else np.int64
    place: Ints = first.ravel().astype(narrow)[kind]
    place += step.ravel().astype(narrow)[kind] * index
    return place


def _seconds_at_once(op: Ints, stage: Ints, index: Ints, first: Ints, step: Ints,
                     values: Floats) -> Floats:
    return values[place_of_each_row(op, stage, index, first, step, len(values))]


def _seconds_in_loops(op: Ints, stage: Ints, index: Ints, first: Ints, step: Ints,
                      values: Floats) -> Floats:
    stages = first.shape[1]
    begins, steps = first.reshape(-1), step.reshape(-1)
    column = np.empty(len(op))
    for row in range(len(op)):
        kind = op[row] * stages + stage[row]
        if kind >= 0:
            place = begins[kind] + steps[kind] * index[row]
            if place >= 0:
                column[row] = values[place]
    return column


SECONDS_OF_ROWS = Pair(_seconds_at_once, _seconds_in_loops)
"""`(op, stage, index, first, step, values)`: what `values` says of each row, by places as
`sim.times.places.Places` has them."""


def _transfers_at_once(op: Ints, stage: Ints, link: Ints, seconds: Floats) -> Floats:
    rows, column = np.flatnonzero(link >= 0), np.zeros(len(link))
    column[rows] = seconds[op[rows], stage[rows]]
    return column


def _transfers_in_loops(op: Ints, stage: Ints, link: Ints, seconds: Floats) -> Floats:
    stages, single = seconds.shape[1], seconds.reshape(-1)
    column = np.zeros(len(link))
    for row in range(len(link)):
        kind = op[row] * stages + stage[row]
        if kind >= 0 and link[row] >= 0:
            column[row] = single[kind]
    return column


TRANSFERS_OF_ROWS = Pair(_transfers_at_once, _transfers_in_loops)
"""`(op, stage, link, seconds)`: seconds of each row's message, on its link or after it, from those
by (operation, stage); 0 where nothing is sent (`link` −1)."""

"""The repeating pattern of a static program: what turns a finite order into an endless one.

A stream repeats where its instruction one period further on is the same, p mini-batches later.
The pattern is the rows of p mini-batches that lie, on every device, wholly inside such a stretch
(beside it warm-up and cool-down), and it is continued for ever in both directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Ints
from sim.order.program import Program


@dataclass(frozen=True, eq=False)
class Pattern:
    """Mini-batches `first … first + minibatches - 1` of `program`, repeated for ever.

    `stride` is the rows of one period by row (its device's), shape (rows,).
    """

    program: Program
    minibatches: int
    first: int
    stride: Ints

    @cached_property
    def rows(self) -> Ints:
        """The pattern's rows, device by device in stream order, (rows of the pattern,)."""
        after = self.program.minibatch - self.first
        return np.flatnonzero((after >= 0) & (after < self.minibatches))

    @cached_property
    def _place(self) -> Ints:
        place = np.full(len(self.program), -1)
        place[self.rows] = np.arange(len(self.rows))
        return place

    def locate(self, rows: Ints) -> tuple[Ints, Ints]:
        """Rows (any,) as places in the pattern, and how many periods after it they lie."""
        periods = (self.program.minibatch[rows] - self.first) // self.minibatches
        return self._place[rows - periods * self.stride[rows]], periods


def find_pattern(program: Program) -> Pattern | None:
    """The shortest pattern of a program, as late as it occurs; None where no stretch repeats."""
    minibatches, devices = program.shape.minibatches, program.devices
    place = program.device.astype(np.int64) * minibatches + program.minibatch - 1
    each = np.bincount(place, minlength=devices * minibatches).reshape(devices, minibatches)
    for period in range(1, minibatches // 3 + 1):
        middle = (minibatches - period) // 2  # replicas of a stage do not do every mini-batch
        stride = each[:, middle : middle + period].sum(axis=1)[program.device]
        first = _first_minibatch(program, period, stride) if stride.all() else None
        if first is not None:
            return Pattern(program, period, first, stride)
    return None


def _first_minibatch(program: Program, period: int, stride: Ints) -> int | None:
    """The latest start of `period` mini-batches inside one repeating stretch of every device."""
    repeating = _repeating_before(program, period, stride)
    inside = np.ones(program.shape.minibatches + 1, dtype=bool)
    inside[0] = False
    inside[program.minibatch[repeating <= stride]] = False
    windows = np.lib.stride_tricks.sliding_window_view(inside, period).all(axis=1)
    for first in np.flatnonzero(windows)[::-1].tolist():
        if _one_stretch(program, first, period, stride, repeating):
            return int(first)
    return None


def _repeating_before(program: Program, period: int, stride: Ints) -> Ints:
    """How many rows up to and with each row, without a gap, are the same one period on."""
    number = np.arange(len(program))
    ends = np.array(program.offsets[1:])[program.device]
    target = number + stride
    there = np.flatnonzero(target < ends)
    here, on = (tuple(c[rows] for c in program.rows) for rows in (there, target[there]))
    same = np.zeros(len(program), dtype=bool)
    same[there] = ((here[0] == on[0]) & (here[1] == on[1]) & (here[3] == on[3])
                   & (here[2] + period * program.shape.microbatches == on[2]))
    starts = np.array(program.offsets[:-1])[program.device]
    broken: NDArray[np.int64] = np.where(same, starts - 1, number)
    result: Ints = number - np.maximum.accumulate(broken)
    return result


def _one_stretch(program: Program, first: int, period: int, stride: Ints, repeating: Ints
                 ) -> bool:
    """Whether each device's rows of these mini-batches, and the period before, are unbroken."""
    after = program.minibatch - first
    rows = np.flatnonzero((after >= 0) & (after < period))
    heads = np.flatnonzero(np.diff(program.device[rows], prepend=-1))
    lowest = rows[heads]
    highest = rows[np.concatenate((heads[1:], [len(rows)])) - 1]
    return bool((highest - (lowest - stride[lowest]) < repeating[highest]).all())

"""The course of a run: which order on which cut from which mini-batch on, joined to one program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.drifting.orders import Order
from sim.arrays import Floats, Ints
from sim.order.columns import Instructions
from sim.order.program import Program
from sim.order.shape import PipelineShape

Cut = tuple[int, ...]  # how many layers each stage has; (): stages are what they are


@dataclass(frozen=True)
class Leg:
    """A part of a run in one order on one cut: `minibatches` mini-batches, from `first` on.

    Before it `move_s` seconds pass, from the end of all that is before it, in which the stages give
    each other the layers that change places, `moved_bytes` bytes over all links together.
    """

    first: int
    minibatches: int
    order: Order
    cut: Cut = ()
    move_s: float = 0.0
    moved_bytes: float = 0.0

    @property
    def program(self) -> Program:
        """The leg's own program; its mini-batches count from 0."""
        return self.order.make(self.minibatches)

    def earlier(self, minibatches: int) -> Leg:
        """The leg as one that begins so many mini-batches before."""
        return replace(self, first=self.first - minibatches)


@dataclass(frozen=True)
class Course:
    """The legs of a run, one after another.

    Devices keep to the order of a leg up to its end and go straight on with the next: what is last
    of one leg and first of the next overlaps as far as messages allow, but where layers move, which
    waits until the pipeline is drained.
    """

    legs: tuple[Leg, ...]

    @property
    def minibatches(self) -> int:
        """How many there are of all legs."""
        return sum(leg.minibatches for leg in self.legs)

    def going_on(self, minibatches: int) -> Course:
        """The course with so many more mini-batches in its last leg."""
        *before, last = self.legs
        return Course((*before, replace(last, minibatches=last.minibatches + minibatches)))

    def then(self, leg: Leg) -> Course:
        """The course with another leg."""
        return Course((*self.legs, leg))

    def program(self, shape: PipelineShape) -> Program:
        """One program of all legs, of this shape; where the cut changes every device waits until
        all have ended the leg before."""
        program = joined(shape, [leg.program for leg in self.legs])
        before, after = [], []
        for number, leg in enumerate(self.legs):
            if number and leg.cut != self.legs[number - 1].cut:
                last = self._edge(program, number - 1, -1)
                before.append(np.repeat(last, len(last)))
                after.append(np.tile(self._edge(program, number, 0), len(last)))
        if not before:
            return program
        return program.synchronised(np.concatenate(before), np.concatenate(after))

    def _edge(self, program: Program, leg: int, which: int) -> Ints:
        """The first (0) or last (−1) row of a leg on every device, (devices,)."""
        mine = np.flatnonzero(self.leg_of(program) == leg)
        ends = np.searchsorted(program.device[mine], np.arange(program.devices + 1))
        found: Ints = mine[ends[:-1] if which == 0 else ends[1:] - 1]
        return found

    def leg_of(self, program: Program) -> Ints:
        """The number of the leg that each row of the course's program is of, (rows,)."""
        firsts = np.array([leg.first for leg in self.legs])
        minibatch = program.rows.index // program.shape.microbatches
        found: Ints = np.searchsorted(firsts, minibatch, side="right") - 1
        return found

    def exchange_s(self, program: Program) -> Floats:
        """Seconds that pass before each row once all it waits for has ended, (rows,): those in
        which layers move."""
        seconds = np.array([leg.move_s for leg in self.legs])
        found: Floats = seconds[self.leg_of(program)]
        return found


def joined(shape: PipelineShape, programs: Sequence[Program]) -> Program:
    """The program in which every device does its part of each of `programs`, one after another.

    All have the stages and micro-batches of `shape` and together its mini-batches, and each counts
    its own from 0.
    """
    if len(programs) == 1:
        return programs[0]
    n, offsets = shape.microbatches, [0]
    parts: list[tuple[Ints, ...]] = []
    for device in range(programs[0].devices):
        first = 0
        for each in programs:
            mine = slice(*each.offsets[device : device + 2])
            op, stage, index, count = (column[mine] for column in each.rows)
            parts.append((op, stage, index + first * n, count))
            first += each.shape.minibatches
        offsets.append(offsets[-1] + sum(each.offsets[device + 1] - each.offsets[device]
                                         for each in programs))
    rows = Instructions(*map(np.concatenate, zip(*parts, strict=True)))
    return Program.of(shape, rows, tuple(offsets))

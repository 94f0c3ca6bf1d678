"""What schedules are written with: parts of a stream, such as forwards of all micro-batches.

A part is kept as short as it is described, and written out once, straight to its place among the
columns of a program.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sim.arrays import NARROW, Ints
from sim.op import Op
from sim.order.columns import Instructions
from sim.order.instruction import Instruction


class Part(Protocol):
    """A piece of a device's stream of instructions, that can be written out as columns."""

    @property
    def size(self) -> int:
        """How many instructions it has."""

    def write(self, out: Ints) -> None:
        """Fill `out`, shape (4, size), with its columns: operation, stage, index and count."""


@dataclass(frozen=True, slots=True)
class Run:
    """A `Part` that does one operation of a stage on one micro-batch after another.

    `micro_batches` are the first that each instruction covers, a range or an array of shape
    (size,), and `count` is how many each covers.
    """

    op: Op
    stage: int
    micro_batches: range | Ints
    count: int

    @property
    def size(self) -> int:
        return len(self.micro_batches)

    def write(self, out: Ints) -> None:
        which = self.micro_batches
        out[0], out[1], out[3] = self.op, self.stage, self.count
        out[2] = (np.arange(which.start, which.stop, which.step, dtype=NARROW)
                  if isinstance(which, range) else which)


@dataclass(frozen=True, slots=True)
class Alternation:
    """A `Part` made of parts of one length in turn: first of each, second of each, …"""

    parts: Sequence[Part]

    @property
    def size(self) -> int:
        return len(self.parts) * self.parts[0].size

    def write(self, out: Ints) -> None:
        for place, part in enumerate(self.parts):
            part.write(out[:, place :: len(self.parts)])


@dataclass(frozen=True, slots=True)
class Repetition:
    """A `Part` that does `pattern` `times` over, each time `step` micro-batches further on."""

    pattern: Instructions
    times: int
    step: int

    @property
    def size(self) -> int:
        return self.pattern.size * self.times

    def write(self, out: Ints) -> None:
        each = out.reshape(4, self.times, self.pattern.size)  # a view: an axis is only split
        for column, pattern in zip(each, self.pattern, strict=True):
            column[:] = pattern
        each[2] += (np.arange(self.times, dtype=NARROW) * self.step)[:, None]


@dataclass(frozen=True, slots=True)
class Together:
    """A `Part` of two instructions that are issued as one pair: see `sim.order.together`."""

    first: Instruction
    second: Instruction

    @property
    def size(self) -> int:
        return 2

    def write(self, out: Ints) -> None:
        for place, each in enumerate((self.first, self.second)):
            out[:, place] = each.op, each.stage, each.index, each.count


def forwards(stage: int, micro_batches: Iterable[int]) -> Part:
    """Forwards of a stage on each of `micro_batches`, in that order."""
    return Run(Op.F, stage, _listed(micro_batches), 1)


def backwards(stage: int, micro_batches: Iterable[int], count: int = 1) -> Part:
    """Backwards of a stage on `micro_batches`, in that order.

    With `count` each covers that many micro-batches, of which the one named is the first.
    """
    return Run(Op.B, stage, _listed(micro_batches), count)


def _listed(micro_batches: Iterable[int]) -> range | Ints:
    return micro_batches if isinstance(micro_batches, range) else np.fromiter(micro_batches, NARROW)


def alternate(*parts: Part) -> Part:
    """Parts in turn, an instruction at a time: first of each, second of each, …

    Raises ValueError where they differ in length.
    """
    if len({part.size for part in parts}) != 1:
        raise ValueError(f"blocks of one length alternate, got {[part.size for part in parts]}")
    return Alternation(parts)


def repeat(pattern: Part, times: int, step: int) -> Part:
    """A part repeated `times` over, each time `step` micro-batches further on."""
    return Repetition(join([pattern]), times, step)


def join(parts: Sequence[Part]) -> Instructions:
    """Parts one after another, written out as columns."""
    sizes = [part.size for part in parts]
    out, done = np.empty((4, sum(sizes)), dtype=NARROW), 0
    for part, size in zip(parts, sizes, strict=True):
        part.write(out[:, done : done + size])
        done += size
    return Instructions(*out)


def columns(instructions: Iterable[Instruction | Part]) -> Instructions:
    """Columns of what a schedule yields, single instructions and parts mixed."""
    return join(parts_of(instructions))


def parts_of(instructions: Iterable[Instruction | Part]) -> list[Part]:
    """What a schedule yields, with single instructions that follow each other made one part."""
    gathered: list[Part] = []
    loose: list[tuple[int, int, int, int]] = []

    def settle() -> None:
        if loose:
            gathered.append(Instructions(*np.array(loose, dtype=NARROW).T))
            loose.clear()

    for each in instructions:
        if isinstance(each, Instruction):
            loose.append((each.op, each.stage, each.index, each.count))
        else:
            settle()
            gathered.append(each)
    settle()
    return gathered

"""What schedules are written with: parts of a stream, such as forwards of all micro-batches.

A part is kept as short as it is described, and written out once, straight to its place among the
columns of a program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from sim.arrays import NARROW, Ints
from sim.op import Op
from sim.order.columns import Instructions
from sim.order.instruction import Instruction
from sim.order.shape import PipelineShape
from sim.order.streams import NO_PAIRS
from sim.order.together import pair_of


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
    """A `Part` that does `pattern` `times` over, each time `step` micro-batches further on.

    It begins `first` micro-batches further on than its pattern, whose `pairs`, (pairs, 2, 3), it
    does again too.
    """

    pattern: Instructions
    times: int
    step: int
    first: int = 0
    pairs: Ints = field(default_factory=lambda: NO_PAIRS)

    @property
    def size(self) -> int:
        return self.pattern.size * self.times

    def write(self, out: Ints) -> None:
        each = out.reshape(4, self.times, self.pattern.size)  # a view: an axis is only split
        for column, pattern in zip(each, self.pattern, strict=True):
            column[:] = pattern
        each[2] += self.further[:, None]

    @property
    def further(self) -> Ints:
        """By how many micro-batches each time is further on than the pattern, shape (times,)."""
        return np.arange(self.times, dtype=NARROW) * self.step + self.first


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


def input_halves(stage: int, micro_batches: Iterable[int]) -> Part:
    """Input halves of a stage's backwards on each of `micro_batches`, in that order."""
    return Run(Op.I, stage, _listed(micro_batches), 1)


def weight_halves(stage: int, micro_batches: Iterable[int]) -> Part:
    """Weight halves of a stage's backwards on each of `micro_batches`, in that order."""
    return Run(Op.W, stage, _listed(micro_batches), 1)


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
    return Repetition(join([pattern]), times, step, pairs=pairs_in([pattern]))


def flushed(once: Callable[[int], Iterable[Instruction | Part]], shape: PipelineShape
            ) -> Iterator[Part]:
    """A device's stream of a pipeline that is flushed: its mini-batches one after another.

    `once(n)` is what the device does in a mini-batch of `n` micro-batches, counted from 0; only the
    last mini-batch may be of another size than the others.
    """
    alike = shape.minibatches - (shape.last_microbatches is not None)
    for n, times, first in ((shape.microbatches, alike, 0),
                            (shape.last_microbatches, 1, alike * shape.microbatches)):
        if n is not None and times:
            parts = parts_of(once(n))
            yield Repetition(join(parts), times, n, first, pairs_in(parts))


def one_by_one(forwards: Part, backwards: Part, ahead: int) -> Instructions:
    """So many forwards ahead (all, where those are fewer), then backward and forward in turn, then
    the backwards that are left."""
    f, b = join([forwards]), join([backwards])
    ahead = min(ahead, f.size)
    return join([_cut(f, 0, ahead),
                 alternate(_cut(b, 0, f.size - ahead), _cut(f, ahead, f.size)),
                 _cut(b, f.size - ahead, b.size)])


def _cut(part: Instructions, first: int, stop: int) -> Instructions:
    columns: list[Ints] = [column[first:stop] for column in part]
    return Instructions(*columns)


def warm_up(device: int, devices: int, first: int, last: int) -> int:
    """Forwards that a device does before its first backward: as many as `first` on the first
    device and `last` on the last one, and in proportion between, rounded down."""
    if devices == 1:
        return first
    return last + (first - last) * (devices - 1 - device) // (devices - 1)


def pairs_in(parts: Iterable[Part]) -> Ints:
    """The instructions of parts that are issued as one, (pairs, 2, 3), columns as in a program."""
    found = [NO_PAIRS]
    for part in parts:
        if isinstance(part, Together):
            found.append(pair_of(part.first, part.second))
        elif isinstance(part, Repetition) and len(part.pairs):
            again = np.tile(part.pairs, (part.times, 1, 1))
            again[..., 2] += np.repeat(part.further, len(part.pairs))[:, None]
            found.append(again)
    return np.concatenate(found)


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

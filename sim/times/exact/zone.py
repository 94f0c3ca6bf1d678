"""Where a program repeats: from the heads of its streams on, a stride of every device at a time.

A zone is structure with its costs, not times: each row has the seconds, link, transfer and latency
of the row one stride before, and waits for the row one stride after the one which that waited for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sim.order.program import Program
from sim.times.exact.equations import MaxPlusSystem

MOST_MINIBATCHES = 16  # of one stride


@dataclass(frozen=True)
class Zone:
    """A part of a program in which every device does the same again and again.

    By device: `stride`, how many rows are repeated (0: the device is done), and `stop`, the row
    where repetition ends.
    """

    stride: list[int]
    stop: list[int]

    @property
    def active(self) -> list[int]:
        """The devices that are not done."""
        return [d for d, stride in enumerate(self.stride) if stride]

    def rounds(self, head: Sequence[int]) -> int:
        """How many whole strides are left, from the rows devices are at, where fewest are."""
        return min((self.stop[d] - head[d]) // self.stride[d] for d in self.active)

    def after_round(self, head: Sequence[int]) -> list[int]:
        """The rows that devices may come to within one more stride from those they are at."""
        return [min(stop, row + step)
                for row, stop, step in zip(head, self.stop, self.stride, strict=True)]


def find_zone(system: MaxPlusSystem, head: Sequence[int], worth: int) -> Zone | None:
    """The zone of shortest stride that lasts `worth` strides from the rows `head` devices are at.

    None where there is none.
    """
    for micro_batches in _candidates(system):
        stride = _stride(system, head, micro_batches)
        if stride is not None:
            zone = _measured(system, head, stride, worth)
            if zone is not None:
                return zone
    return None


def _candidates(system: MaxPlusSystem) -> Iterator[int]:
    """Micro-batches by which a stride may lead on."""
    shape = system.program.shape
    if shape.microbatches > 1:
        yield 1
    for minibatches in range(1, min(MOST_MINIBATCHES, shape.minibatches // 3) + 1):
        yield minibatches * shape.microbatches


def _stride(system: MaxPlusSystem, head: Sequence[int], micro_batches: int) -> list[int] | None:
    """Rows from each head to its instruction `micro_batches` later; None where one has none."""
    program, stride = system.program, []
    for row, end in zip(head, program.offsets[1:], strict=True):
        if row == end:
            stride.append(0)
            continue
        mark = _known(program, row)
        here = program.instruction(mark)
        later = here.index + micro_batches
        if later >= program.shape.total:
            return None
        found = int(program.row_of(here.op)[here.stage, later])
        if found <= mark or found >= end:
            return None
        stride.append(found - mark)
    return stride


def _known(program: Program, row: int) -> int:
    """The row itself, or the one before it that the program's tables know: one that only sends
    what a pair makes is in none (`sim.times.expanded`)."""
    while row > 0 and program.tables.number[program.rows.op[row]] < 0:
        row -= 1
    return row


def _measured(system: MaxPlusSystem, head: Sequence[int], stride: list[int], worth: int
              ) -> Zone | None:
    """How far every device repeats; None where one does so for less than `worth` rounds."""
    ends = list(system.program.offsets[1:])
    near = [row + (worth + 1) * step for row, step in zip(head, stride, strict=True)]
    for reach in ([min(end, stop) for end, stop in zip(ends, near, strict=True)], ends):
        zone = Zone(stride, [_repeats_until(system, row, stop, step, stride)
                             for row, stop, step in zip(head, reach, stride, strict=True)])
        if zone.rounds(head) < worth:
            return None
    return zone


def _repeats_until(system: MaxPlusSystem, row: int, end: int, step: int, stride: list[int]) -> int:
    """The first row from `row + step` on, before `end`, that is not as the one `step` before."""
    if step == 0 or end - row <= step:
        return end
    before, after = slice(row, end - step), slice(row + step, end)
    source = system.source[before]
    shift = np.where(source >= 0, np.array(stride)[system.program.device[source]], 0)
    same = system.source[after] - source == shift
    for column in (system.seconds, system.link, system.transfer_s, system.latency_s):
        if column.size:
            same &= column[after] == column[before]
    return end if same.all() else row + step + int(np.argmin(same))

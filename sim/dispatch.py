"""Work-conserving dispatch: what a device takes next when order is not fixed beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from sim.instruction import Op
from sim.program import Program

URGENCY = {Op.U: 0, Op.B: 1, Op.I: 1, Op.W: 3, Op.F: 2}  # W fills what would be a bubble


@dataclass(frozen=True)
class EntryLimits:
    """What stage 0 admits: micro-batches in flight and mini-batches not yet updated.

    [choice] They are the peaks of the static program the dispatch starts from, so a schedule
    that flushes still flushes and an asynchronous one keeps its depth; every later stage is
    work-conserving.
    """

    micro_batches: int
    minibatches: int


def entry_limits(program: Program) -> EntryLimits:
    """The static program's peaks on stage 0."""
    rows = np.flatnonzero(program.rows.stage == 0)
    op, count = program.rows.op[rows], program.rows.count[rows]
    starts = (op == Op.F) & (program.rows.index[rows] % program.shape.microbatches == 0)
    flight = np.cumsum((op == Op.F) - count * np.isin(op, (Op.B, Op.I)))
    return EntryLimits(int(flight.max()), int(np.cumsum(starts * 1 - (op == Op.U)).max()))


class Readiness:
    """Dependencies of every row still unmet, shared by the devices' queues."""

    def __init__(self, program: Program) -> None:
        before, after = program.dependencies
        self.missing: list[int] = np.bincount(after, minlength=len(program)).tolist()
        self.targets: list[list[int]] = [[] for _ in range(len(program))]
        for source, target in zip(before.tolist(), after.tolist(), strict=True):
            self.targets[source].append(target)
        self.device: list[int] = program.device.tolist()
        self.key = [(URGENCY[Op(o)], i, s, row) for row, (o, s, i) in enumerate(
            zip(*(c.tolist() for c in list(program.rows)[:3]), strict=True))]


class GreedyQueue:
    """The instructions one device still has to do, and which of them are ready.

    Backward first, then forwards, each in (micro-batch, stage) order; an update as soon as it is
    due.
    """

    def __init__(self, program: Program, device: int, readiness: Readiness,
                 limits: EntryLimits) -> None:
        self.program, self.limits, self.shared = program, limits, readiness
        rows = range(*program.offsets[device : device + 2])
        self.ready = sorted(readiness.key[row] for row in rows if not readiness.missing[row])
        self.remaining = len(rows)
        self.in_flight = self.open = 0

    def take(self, fits: Callable[[int], bool]) -> int:
        """The row to execute now, or −1 where nothing is ready and admitted."""
        refused = []
        row = -1
        while self.ready and row < 0:
            best = heappop(self.ready)
            if best[0] == URGENCY[Op.F] and not (self.admits(best[3]) and fits(best[3])):
                refused.append(best)
                if len(refused) == self.program.shape.chunks:
                    break
            else:
                row = best[3]
        for each in refused:
            heappush(self.ready, each)
        if row >= 0:
            self.remaining -= 1
            self._count(row)
        return row

    def admits(self, row: int) -> bool:
        """Whether stage 0 may start this forward (later stages always may)."""
        _, index, stage, _ = self.shared.key[row]
        if stage:
            return True
        opens = index % self.program.shape.microbatches == 0
        return (self.in_flight < self.limits.micro_batches
                and self.open + opens <= self.limits.minibatches)

    def _count(self, row: int) -> None:
        op, stage, index, count = (int(c[row]) for c in self.program.rows)
        if stage == 0:
            self.in_flight += (op == Op.F) - count * (op in (Op.B, Op.I))
            self.open += (op == Op.F and index % self.program.shape.microbatches == 0)
            self.open -= op == Op.U

    def finished(self, row: int) -> None:
        """Satisfy what waited for `row` on this device."""
        for target in self.shared.targets[row]:
            if self.shared.device[target] == self.shared.device[row]:
                self.satisfy(target)

    def satisfy(self, row: int) -> None:
        """One dependency of `row` is met."""
        self.shared.missing[row] -= 1
        if not self.shared.missing[row]:
            heappush(self.ready, self.shared.key[row])

    def waiting(self, describe: Callable[[int], str]) -> str:
        """Said of a queue that cannot go on."""
        if self.ready:
            return describe(self.ready[0][3])
        return f"{self.remaining} instructions left and none ready"

"""Work-conserving dispatch: what a device takes next when order is not fixed beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from sim.op import Op
from sim.order.program import Program
from sim.order.streams import NO_EDGES, Edges

# What goes first: updates, backwards, forwards; a weight half fills what would be a bubble
URGENCY = {Op.U: 0, Op.B: 1, Op.I: 1, Op.F: 2, Op.W: 3}
FORWARD = URGENCY[Op.F]
Ready = tuple[int, int, int, int]  # urgency, micro-batch, stage, row


@dataclass(frozen=True)
class EntryLimits:
    """How much stage 0 lets in: micro-batches in flight and mini-batches not yet updated, at most.

    [choice] The limits are the peaks of the static program the dispatch starts from, so a schedule
    that flushes still flushes and an asynchronous one keeps its depth; every later stage is
    work-conserving.
    """

    micro_batches: int
    minibatches: int


def entry_limits(program: Program) -> EntryLimits:
    """The most that is in flight, and not yet updated, on stage 0 in a program's own order."""
    rows = np.flatnonzero(program.rows.stage == 0)
    op, count = program.rows.op[rows], program.rows.count[rows]
    starts = (op == Op.F) & (program.rows.index[rows] % program.shape.microbatches == 0)
    flight = np.cumsum((op == Op.F) - count * np.isin(op, (Op.B, Op.I)))
    return EntryLimits(int(flight.max()), int(np.cumsum(starts * 1 - (op == Op.U)).max()))


def after_flush(program: Program) -> Edges:
    """Forwards that wait for their stage's update of the mini-batch before, in a program that
    flushes: two arrays of shape (edges,).

    None where no backward is split, as then it is done by the time the next mini-batch is let in.
    [choice] A weight half can be put off behind any forward; one of the next mini-batch would read
    weights that are not updated yet, which a schedule that flushes never does.
    """
    n = program.shape.microbatches * program.shape.workers  # workers take mini-batches in turn
    if Op.W not in program.present:
        return NO_EDGES
    update, forward = program.row_of(Op.U)[:, :-n].ravel(), program.row_of(Op.F)[:, n:].ravel()
    return (update, forward) if (forward > update).all() else NO_EDGES


class Readiness:
    """What every row still waits for, shared by the devices' queues.

    By row: `missing` counts the dependencies that have not ended, `targets` are the rows that wait
    for it, `device` is where it runs, and `key` what the ready ones are sorted by.
    """

    def __init__(self, program: Program) -> None:
        before, after = map(np.concatenate, zip(program.dependencies, after_flush(program),
                                                strict=True))
        self.missing: list[int] = np.bincount(after, minlength=len(program)).tolist()
        self.targets: list[list[int]] = [[] for _ in range(len(program))]
        for source, target in zip(before.tolist(), after.tolist(), strict=True):
            self.targets[source].append(target)
        self.device: list[int] = program.device.tolist()
        self.key: list[Ready] = [(URGENCY[Op(o)], i, s, row) for row, (o, s, i) in enumerate(
            zip(*(c.tolist() for c in list(program.rows)[:3]), strict=True))]


class GreedyQueue:
    """The instructions one device still has to do, and which of them are ready to be next.

    Backward first, then forwards, each in (micro-batch, stage) order; an update as soon as it is
    due.
    """

    def __init__(self, program: Program, device: int, readiness: Readiness,
                 limits: EntryLimits) -> None:
        self.program, self.limits, self.shared = program, limits, readiness
        self.number = device
        rows = range(*program.offsets[device : device + 2])
        self.ready: list[list[Ready]] = [[] for _ in set(URGENCY.values())]
        for row in rows:
            if not readiness.missing[row]:
                heappush(self.ready[readiness.key[row][0]], readiness.key[row])
        self.remaining = len(rows)
        self.in_flight = self.open = 0

    def take(self, fits: Callable[[int], bool]) -> int:
        """The row to execute now, or −1 where nothing is ready and admitted."""
        for urgency, heap in enumerate(self.ready):
            if heap:
                row = self._forward(fits) if urgency == FORWARD else self._first(heap, fits)
                if row >= 0:
                    self.remaining -= 1
                    self._count(row)
                    return row
        return -1

    @staticmethod
    def _first(heap: list[Ready], fits: Callable[[int], bool]) -> int:
        """The first of what is ready, unless it has to wait for memory: nothing overtakes it."""
        return heappop(heap)[3] if fits(heap[0][3]) else -1

    def _forward(self, fits: Callable[[int], bool]) -> int:
        """The first forward that may start; a stage whose first may not lets none overtake."""
        heap, row = self.ready[FORWARD], -1
        refused: list[Ready] = []
        stages: set[int] = set()  # of those; once stage 0 is among them only its own are left
        while heap and row < 0 and 0 not in stages and len(stages) < self.program.shape.chunks:
            best = heappop(heap)
            if best[2] not in stages and self.admits(best[3]) and fits(best[3]):
                row = best[3]
            else:
                refused.append(best)
                stages.add(best[2])
        for each in refused:
            heappush(heap, each)
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
        """Satisfy the rows of this device that waited for `row`, which has ended."""
        for target in self.shared.targets[row]:
            if self.shared.device[target] == self.shared.device[row]:
                self.satisfy(target)

    def satisfy(self, row: int) -> None:
        """Count one dependency of `row` as ended; after the last the row is ready."""
        self.shared.missing[row] -= 1
        if not self.shared.missing[row]:
            heappush(self.ready[self.shared.key[row][0]], self.shared.key[row])

    def waiting(self, fits: Callable[[int], bool], describe: Callable[[int], str]) -> str:
        """A line for an error: what a queue that cannot go on waits for.

        `fits` says whether a row's activations fit into memory, `describe` puts it into words.
        """
        forwards = [each[3] for each in self.ready[FORWARD]]
        full = next((row for row in forwards if not fits(row)), None)
        if full is not None:
            return describe(full)
        reason = (f"{self.program.instruction(forwards[0])} not admitted, {self.in_flight} "
                  "micro-batches in flight" if forwards else "none ready")
        return f"device {self.number}: {self.remaining} instructions left, {reason}"

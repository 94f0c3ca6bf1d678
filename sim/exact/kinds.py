"""The recurrence where rows of one kind are alike: nothing is kept by row but program and times.

A kind is an operation on a stage.  What a row takes, waits for and sends follows from its kind and
its micro-batch; so messages, durations and transfers need no columns, and memory is what times of
large programs are short of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.cluster import Cluster
from sim.costs import CostModel, Floats
from sim.exact.state import Times
from sim.instruction import Ints, Op
from sim.passes import compiled
from sim.places import Places
from sim.program import Program

F = Op.F.value


@dataclass(frozen=True)
class Kinds:
    """By kind: whether it awaits a message, the link of its own (−1: none), how long that takes,
    and where the table of those that wait for it begins; by link its receiver."""

    places: Places
    values: Floats
    awaits: Ints
    link: Ints
    transfer_s: Floats
    begin: Ints
    receiver: Ints

    @classmethod
    def of(cls, program: Program, costs: CostModel, cluster: Cluster, rng: np.random.Generator
           ) -> Kinds | None:
        """Those of one worker's program; None, and nothing drawn, where rows of a kind differ."""
        transfer = cluster.transfers_by_kind(program)
        if (transfer is None or program.lowered or program.shape.workers > 1 or costs.stragglers
                or costs.slowdown is not None):
            return None
        stages, total = program.shape.stages, program.shape.total
        awaits, link, begin = (np.zeros((len(Op), stages), dtype=np.int64) for _ in range(3))
        link[:] = -1
        receiver: list[int] = []
        number: dict[tuple[int, int], int] = {}
        for stage in range(stages - 1):
            one, other = program.home[0, stage : stage + 2].tolist()
            if one == other:
                continue
            for ops, sender, step, ends in (((Op.F,), stage, 1, (one, other)),
                                            ((Op.B, Op.I), stage + 1, -1, (other, one))):
                if ends not in number:
                    number[ends] = len(receiver)
                    receiver.append(ends[1])
                for op in ops:
                    awaits[op, sender + step] = 1
                    link[op, sender] = number[ends]
                    begin[op, sender] = (sender + step) * total
        return cls(*costs.seconds(program, rng), awaits.ravel(), link.ravel(), transfer.ravel(),
                   begin.ravel(), np.array(receiver, dtype=np.int64))

    def executed(self, program: Program) -> Times | None:
        """Times by row, as `State.settle` has them; None where not every row can run."""
        found, devices = np.empty((4, len(program))), program.devices
        start, end, sent, arrived = found
        op, stage, index, _ = program.rows
        done = compiled(followed)(
            op, stage, index, np.array(program.offsets), program.shape.stages,
            program.row_of(Op.F).ravel(), program.row_of(Op.B, Op.I).ravel(),
            self.places.first.ravel(), self.places.step.ravel(), self.values, self.awaits,
            self.link, self.transfer_s, self.begin, self.receiver, np.zeros(devices),
            np.zeros(len(self.receiver)), start, end, sent, arrived)
        return (start, end, sent, arrived) if done else None


def followed(op: Any, stage: Any, index: Any, offsets: Any, stages: Any, forward: Any,
             gradient: Any, first: Any, step: Any, values: Any, awaits: Any, link: Any,
             transfer: Any, begin: Any, receiver: Any, clock: Any, free: Any, start: Any,
             end: Any, sent: Any, arrived: Any) -> Any:
    """Execute every stream, as `sim.exact.recurrence.advance` does; False where it cannot be.

    `forward` and `gradient` are the rows of forwards, and of backwards' input halves, by (stage,
    micro-batch).
    """
    devices = len(offsets) - 1
    head, stack = offsets[:-1].copy(), np.empty(2 * devices, dtype=np.int64)
    top = 0
    for device in range(devices):
        stack[top] = devices - 1 - device
        top += 1
    for row in range(len(arrived)):
        arrived[row] = -1.0  # not sent yet
    while top > 0:
        top -= 1
        device = stack[top]
        row, stop, now = head[device], offsets[device + 1], clock[device]
        while row < stop:
            what, micro = op[row], index[row]
            kind = what * stages + stage[row]
            if awaits[kind]:
                came = arrived[row]
                if came < 0.0:
                    break
                if came > now:
                    now = came
            else:
                sent[row] = arrived[row] = np.nan
            start[row] = now
            now += values[first[kind] + step[kind] * micro]
            end[row] = now
            way = link[kind]
            if way >= 0:
                came = free[way]
                if now > came:
                    came = now
                came += transfer[kind]
                free[way] = came
                place = begin[kind] + micro
                waits = forward[place] if what == F else gradient[place]
                sent[waits] = now
                arrived[waits] = came
                other = receiver[way]
                if head[other] == waits:
                    stack[top] = other
                    top += 1
            row += 1
        head[device] = row
        clock[device] = now
    left = 0
    for device in range(devices):
        left += offsets[device + 1] - head[device]
    return left == 0

"""Starts for the search: orders whose passes have fixed times within a period.

A micro-batch goes down and up the pipeline, each pass at the first time, or one of the first, at
which its device is free in every period; so do messages on links.  What comes out need not be the
best for its period, and its real period may be shorter.
Source: Rau 1994 (iterative modulo scheduling), without its backtracking [choice].
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from analysis.ordering.bounds.shop import crossing, ticks
from analysis.ordering.periodic.cycle import Cycle, Event
from analysis.ordering.problem import OrderProblem
from sim.op import Op

RANK = {Op.F: 0, Op.B: 1, Op.I: 1, Op.W: 2, Op.U: 3}
ASTRAY = 0.3  # how often a pass does not take the first time at which it fits


@dataclass
class _Table:
    """What is taken of one machine's period of `length` ticks: from, and for how long."""

    length: int
    taken: list[tuple[int, int]] = field(default_factory=list)

    def put(self, ready: int, span: int, rng: np.random.Generator, choices: int) -> int | None:
        """The time from `ready` on at which something of so many ticks starts; None for no room.

        One of the first `choices` such times that leave no gap before or after it, or `ready`.
        """
        if span == 0:
            return ready
        if span > self.length:
            return None
        at = ready % self.length
        tried = sorted({0, *((start + size - at) % self.length for start, size in self.taken),
                        *((start - span - at) % self.length for start, _ in self.taken)})
        fits: list[int] = []
        for more in tried:
            if self._free((at + more) % self.length, span):
                fits.append(more)
                if len(fits) == choices:
                    break
        if not fits:
            return None
        more = fits[rng.integers(len(fits))] if rng.random() < ASTRAY else fits[0]
        self.taken.append(((at + more) % self.length, span))
        return ready + more

    def _free(self, at: int, span: int) -> bool:
        return all((start - at) % self.length >= span and (at - start) % self.length >= size
                   for start, size in self.taken)


class Slots:
    """Makes cycles of one problem from periods of one micro-batch, at a time given for each."""

    def __init__(self, problem: OrderProblem) -> None:
        self.problem = problem
        self.seconds = {op: ticks(each).tolist() for op, each in (
            (Op.F, problem.forward_s), (Op.B, problem.backward_s), (Op.I, problem.input_s),
            (Op.W, problem.weight_s), (Op.U, problem.update_s))}
        self.holds = ticks(np.where(crossing(problem), problem.occupied_s, 0.0)).tolist()
        self.late = ticks(np.where(crossing(problem), problem.latency_s, 0.0)).tolist()
        self.home = problem.device.tolist()

    def cycle(self, each: int, rng: np.random.Generator, *, whole: bool) -> Cycle | None:
        """A cycle in which a micro-batch follows the one before after `each` ticks, backwards
        `whole` or in halves; None where none was found that keeps the limit of staleness."""
        starts = self._starts(each, rng, whole)
        if starts is None:
            return None
        n, period = self.problem.microbatches, each * self.problem.microbatches
        events: list[list[tuple[int, bool, int, Event]]] = [[] for _ in
                                                            range(self.problem.devices)]
        for (op, stage), start in starts.items():
            for micro in range(n if op is not Op.U else 1):
                time = start + micro * each
                shift, at = divmod(time, period)
                events[self.home[stage]].append((
                    at, self.seconds[op][stage] > 0, RANK[op], Event(op, stage, micro, shift)))
        return Cycle(tuple(tuple(event for *_, event in sorted(mine)) for mine in events))

    def _starts(self, each: int, rng: np.random.Generator, whole: bool
                ) -> dict[tuple[Op, int], int] | None:
        """When the first micro-batch's passes start, and the first update; in ticks."""
        choices = int(rng.integers(1, 5))
        devices = [_Table(each) for _ in range(self.problem.devices)]
        links: dict[tuple[int, int], _Table] = {}
        found: dict[tuple[Op, int], int] = {}
        last, n = self.problem.stages - 1, self.problem.microbatches
        back = Op.B if whole else Op.I
        way = [(Op.F, stage) for stage in range(last + 1)]
        way += [(back, stage) for stage in range(last, -1, -1)]
        now: int | None = 0
        for (op, stage), then in zip(way, [*way[1:], None], strict=True):
            assert now is not None
            now = devices[self.home[stage]].put(now, self.seconds[op][stage], rng, choices)
            if now is None:
                return None
            found[op, stage] = now
            now += self.seconds[op][stage]
            if then is not None and then[1] != stage:
                now = self._sent(now, op is not Op.F, stage, then[1], each, links, rng)
                if now is None:
                    return None
        for stage in range(last + 1):
            end = found[back, stage] + self.seconds[back][stage]
            if not whole:
                start = devices[self.home[stage]].put(end, self.seconds[Op.W][stage], rng, choices)
                if start is None:
                    return None
                found[Op.W, stage] = start
                end = start + self.seconds[Op.W][stage]
            if end - found[Op.F, stage] > (self.problem.max_staleness * n + 1) * each:
                return None
            found[Op.U, stage] = end + (n - 1) * each
        return found

    def _sent(self, now: int, way: bool, stage: int, then: int, each: int,
              links: dict[tuple[int, int], _Table], rng: np.random.Generator) -> int | None:
        """When what a stage sends is there, if it is ready now; None where its link has no time."""
        boundary = min(stage, then)
        ends = self.home[stage], self.home[then]
        start = links.setdefault(ends, _Table(each)).put(now, self.holds[way][boundary], rng, 1)
        return None if start is None else (
            start + self.holds[way][boundary] + self.late[way][boundary])

"""Greedy orders: each device takes what is ready, under the limit of memory.

Eight ways of choosing, as in zero-bubble's scheduler: whether a forward goes before a ready
backward, whether weight halves are done only in gaps that they fit, and whether early stages stop
after as many forwards as 1F1B has in flight.  Or with a limit of forwards in flight by stage.
Source: Qi et al. 2023 (Zero Bubble), section 3, whose heuristic has three such choices; these are
ours [choice].
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analysis.ordering.problem import OrderProblem
from analysis.ordering.streams import Pass
from sim.op import Op

QUICK = ("greedy, backwards first, deep, weight halves at once",
         "greedy, forwards first, as 1f1b, weight halves at once")  # most often the best two


@dataclass(frozen=True)
class Taste:
    """How devices choose among what is ready.

    `forward_first`: a forward before a backward.  `gaps`: a weight half only where nothing else is
    ready before its end, as far as is known, or memory is short; else whenever nothing else is
    ready.  `in_flight`: the most micro-batches of each stage between the start of their forward and
    the end of their backward or input half, (stages,).
    """

    forward_first: bool
    gaps: bool
    in_flight: Sequence[int]


def tastes(problem: OrderProblem) -> dict[str, Taste]:
    """The eight ways of choosing, by what tells them apart; the two that are most often the best
    come first."""
    stages = problem.stages
    depths = {"deep": [problem.microbatches] * stages,
              "as 1f1b": [stages - stage for stage in range(stages)]}
    every = {f"greedy, {'forwards' if forward else 'backwards'} first, {depth}, "
             f"weight halves {'in gaps' if gaps else 'at once'}": Taste(forward, gaps, in_flight)
             for forward in (False, True) for gaps in (False, True)
             for depth, in_flight in depths.items()}
    return {name: every[name] for name in (*QUICK, *every)}


def greedy_order(problem: OrderProblem, taste: Taste) -> list[list[Pass]] | None:
    """The streams of a greedy order, by device; every backward is split.

    Room is left for all that a device needs to bring one micro-batch further; None where it gets
    stuck all the same, as it may where backwards run forwards again.
    """
    streams = _Greedy(problem, taste).through()
    whole = 3 * problem.stages * problem.microbatches
    return streams if sum(map(len, streams)) == whole else None


def one_at_a_time(problem: OrderProblem) -> list[list[Pass]]:
    """One micro-batch after another through all stages, and back: fits where any order does."""
    return [[(op, stage) for _ in range(problem.microbatches) for op, stage in (
        *((Op.F, stage) for stage in problem.stages_on(device)),
        *((op, stage) for stage in problem.stages_on(device)[::-1] for op in (Op.I, Op.W)))]
        for device in range(problem.devices)]


class _Greedy:
    """A run from event to event in which devices choose, in the order of time."""

    def __init__(self, problem: OrderProblem, taste: Taste) -> None:
        self.problem, self.taste = problem, taste
        stages, devices = problem.stages, problem.devices
        self.mine = [problem.stages_on(device) for device in range(devices)]
        self.done = {op: [0] * stages for op in (Op.F, Op.I, Op.W)}
        # seconds at which what passes wait for is there, by stage, of one micro-batch after another
        self.there: dict[Op, list[list[float]]] = {
            op: [[] for _ in range(stages)] for op in (Op.F, Op.I, Op.W)}
        self.there[Op.F][0] = [0.0] * problem.microbatches
        self.free = [0.0] * devices  # when each device is
        self.link_free: defaultdict[tuple[int, int], float] = defaultdict(float)
        self.room = problem.room_bytes.tolist()  # what is left of it
        self.streams: list[list[Pass]] = [[] for _ in range(devices)]

    def through(self) -> list[list[Pass]]:
        """Go on until all is done."""
        moments = [(0.0, device) for device in range(self.problem.devices)]
        while moments:
            now, device = heapq.heappop(moments)
            chosen = self._choice(device, now) if self.free[device] <= now else None
            if chosen is not None:
                for moment in self._do(device, now, *chosen):
                    heapq.heappush(moments, moment)
        return self.streams

    def _choice(self, device: int, now: float) -> Pass | None:
        """What an idle device does at a moment; None: it waits."""
        ready = [each for each in self._waiting(device) if self._when(*each) <= now]
        fits = [each for each in ready if self._needs(device, *each) <= self.room[device]]
        first, then = (Op.F, Op.I) if self.taste.forward_first else (Op.I, Op.F)
        for op in (first, then):
            stages = [stage for each, stage in fits if each is op]
            if stages:  # what is nearest to its end
                return op, max(stages) if op is Op.F else min(stages)
        halves = [stage for stage in self.mine[device]
                  if self.done[Op.W][stage] < self.done[Op.I][stage]]
        if not halves:
            return None
        oldest = min(halves, key=lambda stage: self.there[Op.W][stage][self.done[Op.W][stage]])
        until = min((self._when(*each) for each in self._waiting(device) if each not in ready),
                    default=math.inf)
        if self.taste.gaps and not ready and now + self.problem.weight_s[oldest] > until:
            return None
        return Op.W, oldest

    def _waiting(self, device: int) -> Iterator[Pass]:
        """The next forward and input half of each stage, where it may come next."""
        forwards, inputs = self.done[Op.F], self.done[Op.I]
        for stage in self.mine[device]:
            flying = forwards[stage] - inputs[stage]
            if (forwards[stage] < self.problem.microbatches
                    and flying < self.taste.in_flight[stage]):
                yield Op.F, stage
            if flying:
                yield Op.I, stage

    def _when(self, op: Op, stage: int) -> float:
        """When what the next pass of a stage waits for is there, as far as is known."""
        there, number = self.there[op][stage], self.done[op][stage]
        return there[number] if number < len(there) else math.inf

    def _needs(self, device: int, op: Op, stage: int) -> float:
        """Bytes that have to be left for a pass: a forward leaves room for what follows it here."""
        if op is Op.I:
            return float(self.problem.rerun_bytes[stage])
        held, most = 0.0, 0.0
        for each in self.mine[device]:  # the last of them goes back first
            held += float(self.problem.held_bytes[each]) if each >= stage else 0.0
            most = max(most, held + float(self.problem.rerun_bytes[each]))
        return most

    def _do(self, device: int, now: float, op: Op, stage: int) -> Iterator[tuple[float, int]]:
        """Do a pass; the moments at which devices have to choose again."""
        problem = self.problem
        seconds, held, left = {
            Op.F: (problem.forward_s, problem.held_bytes, None),
            Op.I: (problem.input_s, problem.halved_bytes, problem.held_bytes),
            Op.W: (problem.weight_s, None, problem.halved_bytes)}[op]
        if held is not None:
            self.room[device] -= float(held[stage])
        if left is not None:
            self.room[device] += float(left[stage])
        end = self.free[device] = now + float(seconds[stage])
        self.done[op][stage] += 1
        self.streams[device].append((op, stage))
        yield end, device
        if op is Op.I:
            self.there[Op.W][stage].append(end)
        if op is Op.F and stage == problem.stages - 1:
            self.there[Op.I][stage].append(end)
        other = stage + 1 if op is Op.F else stage - 1
        if op is not Op.W and 0 <= other < problem.stages:
            arrival = self._arrival(stage, other, end)
            self.there[op][other].append(arrival)
            yield arrival, int(problem.device[other])

    def _arrival(self, stage: int, other: int, end: float) -> float:
        """When what a stage sends to another at `end` is there, in seconds."""
        problem, way, boundary = self.problem, int(other < stage), min(stage, other)
        link = int(problem.device[stage]), int(problem.device[other])
        if link[0] == link[1]:
            return end
        self.link_free[link] = (max(end, self.link_free[link])
                                + float(problem.occupied_s[way, boundary]))
        return self.link_free[link] + float(problem.latency_s[way, boundary])

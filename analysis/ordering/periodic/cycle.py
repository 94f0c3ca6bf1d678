"""What devices do in one period of an endless order, its period, and programs that are cut of it.

Every stage does each of its passes once a period, of one mini-batch or another: an event of
`shift` s does in period p what belongs to mini-batch p − s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from analysis.ordering.bounds.shop import crossing, ticks
from analysis.ordering.problem import OrderProblem
from analysis.theory.howard import ApartError, CriticalCycle, EventGraph, critical_cycle
from sim.op import Op
from sim.order.instruction import Instruction
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.times.costs import TICK

Pass = tuple[Op, int, int]  # of a stage, on a micro-batch of a mini-batch


class Event(NamedTuple):
    """A pass of a stage on micro-batch `micro` of a mini-batch, from 0 (an update: 0)."""

    op: Op
    stage: int
    micro: int
    shift: int


@dataclass(frozen=True)
class Cycle:
    """The events of each device in the order of one period."""

    devices: tuple[tuple[Event, ...], ...]

    def program(self, problem: OrderProblem, minibatches: int) -> Program:
        """The first mini-batches of the endless order as a program, cut off at both ends."""
        n = problem.microbatches
        once = problem.experiment.shape
        shape = PipelineShape(once.stages, minibatches, n, once.chunks, ranks=once.ranks)
        return Program.from_streams(shape, [self._stream(events, minibatches, n)
                                            for events in self.devices])

    @staticmethod
    def _stream(events: tuple[Event, ...], minibatches: int, n: int) -> Iterator[Instruction]:
        shifts = [each.shift for each in events]
        for period in range(min(shifts), minibatches + max(shifts)):
            for op, stage, micro, shift in events:
                if 0 <= period - shift < minibatches:
                    yield Instruction(stage, op, (period - shift) * n + micro,
                                      n if op is Op.U else 1)


@dataclass(frozen=True)
class Weighed:
    """A cycle with its period, exactly in ticks, and the places (device, number of the event) on
    the critical cycle that sets it.

    `times` are when passes on mini-batch 0 may start, in ticks, by operation, stage and
    micro-batch, where that was looked at: what is like this cycle has times like these.
    """

    cycle: Cycle
    period: Fraction
    critical: tuple[tuple[int, int], ...]
    times: Mapping[Pass, float] = field(default_factory=dict)

    @property
    def period_s(self) -> float:
        """Seconds per mini-batch."""
        return float(self.period * Fraction(TICK))


class Scale:
    """Weighs cycles of one problem: what passes and messages take is looked up once."""

    def __init__(self, problem: OrderProblem) -> None:
        self.problem = problem
        by_op = {Op.F: problem.forward_s, Op.B: problem.backward_s, Op.I: problem.input_s,
                 Op.W: problem.weight_s, Op.U: problem.update_s}
        self.ticks: dict[Op, list[int]] = {op: ticks(each).tolist() for op, each in by_op.items()}
        self.apart = crossing(problem).tolist()
        self.holds: list[list[int]] = ticks(problem.occupied_s).tolist()
        self.late: list[list[int]] = ticks(problem.latency_s).tolist()
        self.home: list[int] = problem.device.tolist()

    def weigh(self, cycle: Cycle, like: Weighed | None = None) -> Weighed | None:
        """The cycle with its period; None where its devices wait for each other for ever, or never
        do, or where the period is longer than that of the cycle it is `like` (None: of any length).

        Source: as `analysis.theory.event_graph`.
        """
        edges, times = _Edges(self, cycle), dict[Pass, float]()
        if like is not None:
            values = _repeating(edges.nodes, edges.found, like.period, edges.guess(like))
            if values is None:
                return None
            times = edges.times(values, like.period)
        columns = np.array(edges.found, dtype=np.int64).T
        graph = EventGraph.of(edges.nodes, (columns[0], columns[1], columns[2], columns[3]))
        try:
            found: CriticalCycle = critical_cycle(graph)
        except (ApartError, ValueError):
            return None
        on = {int(graph.source[edge]) for edge in found.edges}
        return Weighed(cycle, found.ratio, tuple(
            place for number, place in enumerate(edges.places) if number in on), times)


def _repeating(nodes: int, edges: list[tuple[int, int, int, int]], period: Fraction,
               value: list[int]) -> list[int] | None:
    """Times at which events that wait for each other by these edges can repeat after so many ticks;
    None where they cannot.  They are in parts of a tick, as many as the period's denominator.

    It is a question of longest ways, which end unless some cycle takes longer than the periods it
    spans, and is answered far more quickly than what the period is: from any `value`, the sooner
    the nearer it is.
    """
    leads: list[list[tuple[int, int]]] = [[] for _ in range(nodes)]
    for source, target, took, height in edges:
        leads[source].append((target, took * period.denominator - height * period.numerator))
    came_by = [-1] * nodes
    queue, queued = deque(range(nodes)), [True] * nodes
    while queue:
        node = queue.popleft()
        queued[node] = False
        for target, more in leads[node]:
            if value[node] + more > value[target]:
                back = node
                while back >= 0 and back != target:
                    back = came_by[back]
                if back == target:  # it comes by itself, and later
                    return None
                value[target], came_by[target] = value[node] + more, node
                if not queued[target]:
                    queued[target] = True
                    queue.append(target)
    return value


class _Edges:
    """The event graph of a cycle: `found` are edges (source, target, ticks, height) between
    events, then messages."""

    def __init__(self, scale: Scale, cycle: Cycle) -> None:
        self.scale, self.found = scale, list[tuple[int, int, int, int]]()
        self.places = [(device, number) for device, events in enumerate(cycle.devices)
                       for number in range(len(events))]
        self.nodes = len(self.places)
        every = [each for events in cycle.devices for each in events]
        self.number = {(each.op, each.stage, each.micro): place for place, each in enumerate(every)}
        self.shift = [each.shift for each in every]
        self.every, self.senders = every, list[int]()
        self.took = [scale.ticks[each.op][each.stage] for each in every]
        first, waiting = 0, dict[tuple[int, int], list[tuple[int, int]]]()
        for device, events in enumerate(cycle.devices):
            for place, each in enumerate(events, start=first):
                last = place == first + len(events) - 1
                self.found.append((place, first if last else place + 1, self.took[place],
                                   int(last)))
                self.leads_to(each, place, device, waiting)
            first += len(events)
        for messages in waiting.values():
            for (message, holds), (after, _) in zip(messages, messages[1:] + messages[:1],
                                                    strict=True):
                self.found.append((message, after, holds, int(after <= message)))

    def guess(self, like: Weighed) -> list[int]:
        """Times of events and messages as in a cycle like this one, in parts of a tick."""
        parts, period = like.period.denominator, float(like.period)
        found = [int((like.times.get((op, stage, micro), 0.0) - shift * period) * parts)
                 for op, stage, micro, shift in self.every]
        return found + [found[place] + self.took[place] * parts for place in self.senders]

    def times(self, values: list[int], period: Fraction) -> dict[Pass, float]:
        """When passes on mini-batch 0 start, of times of events in parts of a tick."""
        return {(op, stage, micro): value / period.denominator + shift * float(period)
                for (op, stage, micro, shift), value in zip(self.every, values, strict=False)}

    def leads_to(self, event: Event, place: int, device: int,
                 waiting: dict[tuple[int, int], list[tuple[int, int]]]) -> None:
        """What waits for an event, over a link where that is on another device."""
        scale, (op, stage, micro, _) = self.scale, event
        last = len(scale.home) - 1
        if op is Op.F:
            way, boundary, target = 0, stage, (stage + 1 if stage < last else stage)
            wanted = (Op.F,) if stage < last else (Op.I, Op.B)
        elif op in (Op.I, Op.B):
            way, boundary, target, wanted = 1, stage - 1, stage - 1, (Op.I, Op.B)
        else:
            return
        if target < 0:
            return
        receiver = next(self.number[each, target, micro] for each in wanted
                        if (each, target, micro) in self.number)
        height = self.shift[receiver] - self.shift[place]
        if target == stage or not scale.apart[boundary]:
            if receiver != place:
                self.found.append((place, receiver, self.took[place], height))
            return
        message, holds = self.nodes, scale.holds[way][boundary]
        self.nodes += 1
        self.senders.append(place)
        waiting.setdefault((device, scale.home[target]), []).append((message, holds))
        self.found.append((place, message, self.took[place], 0))
        self.found.append((message, receiver, holds + scale.late[way][boundary], height))

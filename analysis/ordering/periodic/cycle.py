"""What devices do in one period of an endless order, its period, and programs that are cut of it.

Every stage does each of its passes once a period, of one mini-batch or another: an event of
`shift` s does in period p what belongs to mini-batch p − s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
    the critical cycle that sets it."""

    cycle: Cycle
    period: Fraction
    critical: tuple[tuple[int, int], ...]

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

    def weigh(self, cycle: Cycle) -> Weighed | None:
        """The cycle with its period; None where its devices wait for each other for ever, or never
        do.

        Source: as `analysis.theory.event_graph`.
        """
        edges = _Edges(self, cycle)
        columns = np.array(edges.found, dtype=np.int64).T
        graph = EventGraph.of(edges.nodes, (columns[0], columns[1], columns[2], columns[3]))
        try:
            found: CriticalCycle = critical_cycle(graph)
        except (ApartError, ValueError):
            return None
        on = {int(graph.source[edge]) for edge in found.edges}
        return Weighed(cycle, found.ratio, tuple(
            place for number, place in enumerate(edges.places) if number in on))


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
        waiting.setdefault((device, scale.home[target]), []).append((message, holds))
        self.found.append((place, message, self.took[place], 0))
        self.found.append((message, receiver, holds + scale.late[way][boundary], height))

"""The event-driven engine, the reference that every other is compared with.

A SimPy process per device, a link as arithmetic.

Two events a task at most: one timeout while a device computes, and one for a message, made by
whichever of its two ends comes first and only where the receiver really waits.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
import simpy
from simpy.events import Event, EventPriority, Timeout

from sim.errors import DeadlockError
from sim.order.check import waiting_heads
from sim.order.program import Program
from sim.times.cluster import Cluster
from sim.times.costs import CostModel
from sim.times.dispatch import GreedyQueue, Readiness, entry_limits
from sim.times.exchange import Exchange
from sim.times.memory import ActivationMemory
from sim.times.timeline import Timeline

Process = Generator[Event, Any, None]
AFTER_ARRIVALS = EventPriority(2)  # below SimPy's own two: decide when all due now has come


class Pace(Protocol):
    """What can make a row last longer than it would alone: see `sim.times.shared`."""

    def during(self, row: int, seconds: float) -> Process:
        """Events from a row's start to its end; alone it would take so many seconds."""


def simulate(program: Program, costs: CostModel, cluster: Cluster, rng: np.random.Generator,
             dispatch: str = "static") -> Timeline:
    """When every row of `program` runs, found by going from event to event.

    Under `static` dispatch devices keep to the program's order; under `greedy` each takes what is
    ready, and the timeline's program has the order that gave.  Jitter is drawn from `rng`.
    Raises DeadlockError when not every instruction could be executed, and ValueError for a program
    that cannot be dispatched greedily.
    """
    return RUNS[dispatch](program, costs, cluster, rng).through()


@dataclass
class Run:
    """State of one simulation; lists rather than arrays, since rows are touched one by one.

    Without a `pace` every row takes its own seconds.
    """

    program: Program
    costs: CostModel
    cluster: Cluster
    rng: np.random.Generator
    env: simpy.Environment = field(default_factory=simpy.Environment)
    pace: Pace | None = None
    chooses: ClassVar[bool] = False  # whether devices choose their order

    def through(self) -> Timeline:
        """Go from event to event until none is left.

        Raises DeadlockError when not every instruction could be executed.
        """
        for device in range(self.program.devices):
            self.env.process(self.device(device))
        self.env.run()
        if self.unfinished():
            raise DeadlockError(self.explain())
        return self.timeline()

    def __post_init__(self) -> None:
        program, size = self.program, len(self.program)
        self.seconds: list[float] = self.costs.durations(program, self.rng).tolist()
        self.transfer: list[float] = self.cluster.transfers(program).tolist()
        self.latency: list[float] = self.cluster.latencies(program).tolist()
        self.link: list[int] = self.cluster.links(program).tolist()
        self.sends: list[bool] = program.sends.tolist()
        self.source: list[int] = program.arrives_from.tolist()
        self.free = [0.0] * program.devices**2
        self.start: list[float] = [-1.0] * size
        self.end: list[float] = [-1.0] * size
        self.arrival: list[float] = [-1.0] * size
        self.waiting: list[Event | None] = [None] * size
        self.stretch = [self.costs.stretch(k) for k in range(program.shape.stages)]
        self.memory = ActivationMemory(program, self.cluster, chosen=self.chooses)
        self.exchange = Exchange(program, self.cluster)
        self.exchanging: dict[int, Event] = {}

    def device(self, device: int) -> Process:
        """Execute one stream in its order."""
        env, arrival, waiting = self.env, self.arrival, self.waiting
        start, end, seconds, source = self.start, self.end, self.seconds, self.source
        sends, send = self.sends, self.send
        memory = self.memory if self.memory.limited else None
        slowed = any(self.stretch)
        exchange = self.exchange if self.exchange.missing else None
        pace = self.pace
        first, stop = self.program.offsets[device : device + 2]
        for row in range(first, stop):
            if source[row] >= 0:
                came = arrival[source[row]]
                if came < 0:
                    event = waiting[source[row]] = Event(env)
                    yield event
                elif came > env._now:
                    yield Timeout(env, came - env._now)
            if exchange is not None and row in exchange.missing:
                yield from self.until_exchanged(row)
            if memory is not None and not memory.take(row):
                return
            start[row] = now = env._now
            duration = self.slowed(row, now) if slowed else seconds[row]
            if pace is not None:
                yield from pace.during(row, duration)
                now = env._now
            elif duration:
                yield Timeout(env, duration)
                now = env._now
            end[row] = now
            if memory is not None:
                memory.give(row)
            if sends[row]:
                send(row, now)
            if exchange is not None and row in exchange.opens:
                self.ended_before_exchange(row)

    def until_exchanged(self, row: int) -> Process:
        """Wait until the exchange before `row` is over."""
        if self.exchange.missing[row]:
            event = self.exchanging[row] = Event(self.env)
            yield event
        if self.exchange.open_s[row] > self.env.now:
            yield Timeout(self.env, self.exchange.open_s[row] - self.env.now)

    def ended_before_exchange(self, row: int) -> None:
        """Wake the rows whose exchange begins now that `row` has ended."""
        for target in self.exchange.ended(row, self.env.now):
            if target in self.exchanging:
                self.exchanging[target].succeed()

    def slowed(self, row: int, now: float) -> float:
        """Seconds of a row that starts now, where some instructions are slower in windows."""
        stretch = self.stretch[int(self.program.rows.stage[row])]
        return stretch(now, self.seconds[row]) if stretch else self.seconds[row]

    def send(self, row: int, now: float) -> None:
        """Queue the message of `row` on its link; wake its receiver when it arrives."""
        link = self.link[row]
        free = self.free[link]
        came = (free if free > now else now) + self.transfer[row]
        self.free[link] = came
        if self.latency:
            came += self.latency[row]
        self.arrival[row] = came
        event = self.waiting[row]
        if event is not None:
            event._ok, event._value = True, None
            self.env.schedule(event, delay=came - now)

    def unfinished(self) -> bool:
        """Whether some row never ended."""
        return min(self.end, default=0.0) < 0

    def explain(self) -> str:
        """Which stream head waits for what."""
        offsets = self.program.offsets
        done = [next((r for r in range(a, b) if self.end[r] < 0), b)
                for a, b in itertools.pairwise(offsets)]
        heads = {d: row for d, row in enumerate(done) if row < offsets[d + 1]}
        full = [self.memory.describe(row) for row in heads.values() if not self.memory.fits(row)]
        starved = {d: row for d, row in heads.items() if self.memory.fits(row)}
        return "; ".join(full + ([waiting_heads(self.program, starved, done)] if starved else []))

    def timeline(self) -> Timeline:
        """Times of each row of the program."""
        source = self.program.arrives_from
        start, end, arrival = (np.array(column) for column in (self.start, self.end, self.arrival))
        came = np.where(source >= 0, arrival[source], np.nan)
        sent = np.where(source >= 0, end[source], np.nan)
        return Timeline(self.program, start, end, sent, came)


class GreedyRun(Run):
    """A simulation in which each device takes what is ready, backward first: see
    `sim.times.dispatch`."""

    chooses: ClassVar[bool] = True

    def __post_init__(self) -> None:
        program = self.program
        _check_dispatchable(program)
        super().__post_init__()
        self.readiness, limits = Readiness(program), entry_limits(program)
        self.queues = [GreedyQueue(program, d, self.readiness, limits)
                       for d in range(program.devices)]
        self.idle: list[Event | None] = [None] * program.devices
        self.chosen: list[list[int]] = [[] for _ in range(program.devices)]

    def device(self, device: int) -> Process:
        """Execute whatever is ready, backward first, and record the order."""
        queue = self.queues[device]
        while queue.remaining:
            yield self.decision()
            row = queue.take(self.memory.fits)
            if row < 0:
                event = self.idle[device] = Event(self.env)
                yield event
                continue
            self.memory.take(row)
            self.chosen[device].append(row)
            self.start[row] = now = self.env.now
            duration = self.slowed(row, now)
            if self.pace is not None:
                yield from self.pace.during(row, duration)
            else:
                yield Timeout(self.env, duration)
            self.end[row] = self.env.now
            self.memory.give(row)
            self.finish(row, queue)

    def decision(self) -> Event:
        """Now, but after everything that arrives now."""
        event = Event(self.env)
        event._ok, event._value = True, None
        self.env.schedule(event, priority=AFTER_ARRIVALS)
        return event

    def finish(self, row: int, queue: GreedyQueue) -> None:
        """Satisfy what waited for `row`: here at once, elsewhere when the message is there."""
        queue.finished(row)
        if not self.sends[row]:
            return
        self.send(row, self.env.now)
        arrived = Timeout(self.env, self.arrival[row] - self.env.now)
        assert arrived.callbacks is not None
        arrived.callbacks.append(lambda _: self.deliver(row))

    def deliver(self, row: int) -> None:
        """Satisfy what waited on other devices for the message of `row`, now that it is there."""
        for target in self.readiness.targets[row]:
            device = self.readiness.device[target]
            if device != self.readiness.device[row]:
                self.queues[device].satisfy(target)
                idle, self.idle[device] = self.idle[device], None
                if idle is not None:
                    idle.succeed()

    def explain(self) -> str:
        """What each queue that is left waits for."""
        return "; ".join(queue.waiting(self.memory.fits, self.memory.describe)
                         for queue in self.queues if queue.remaining)

    def timeline(self) -> Timeline:
        """Times of each row of the order that was chosen."""
        static = super().timeline()
        order = np.concatenate([np.array(rows, dtype=np.int64) for rows in self.chosen])
        columns = (column[order] for column in (static.start_s, static.end_s, static.sent_s,
                                                static.arrived_s))
        return Timeline(self.program.reordered(order), *columns)


def _check_dispatchable(program: Program) -> None:
    if program.lowered:
        raise ValueError("greedy dispatch takes a program of compute instructions; this one has "
                         "SEND and RECV instructions, whose order is part of it")
    if len(program.pairs):
        raise ValueError("greedy dispatch takes passes one by one; this order issues pairs")
    if program.shape.workers > 1:
        raise ValueError(f"greedy dispatch takes one worker, got {program.shape.workers}")


RUNS: dict[str, type[Run]] = {"static": Run, "greedy": GreedyRun}  # by dispatch

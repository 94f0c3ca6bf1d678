"""The event-driven engine: a SimPy process per device, a link as arithmetic.

Two events a task at most: one timeout while a device computes, and one for a message, made by
whichever of its two ends comes first and only where the receiver really waits.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy
from simpy.events import Event, EventPriority, Timeout

from sim.arrays import Floats
from sim.errors import DeadlockError
from sim.op import Op, among
from sim.order.check import waiting_heads
from sim.order.program import Program
from sim.times.cluster import Cluster
from sim.times.costs import CostModel
from sim.times.dispatch import GreedyQueue, Readiness, entry_limits

Process = Generator[Event, Any, None]
AFTER_ARRIVALS = EventPriority(2)  # below SimPy's own two: decide when all due now has come


@dataclass(frozen=True)
class Timeline:
    """Times of each row of `program`, all in seconds.

    `sent_s` is when the message a row waits for left its producer, `arrived_s` when it was here;
    both NaN where nothing crosses devices.
    """

    program: Program
    start_s: Floats
    end_s: Floats
    sent_s: Floats
    arrived_s: Floats

    def __repr__(self) -> str:
        return (f"<Timeline: {len(self.program)} instructions on {self.program.shape.devices} "
                f"devices in {self.end_s.max(initial=0.0):.6g} s>")


def simulate(
    program: Program,
    costs: CostModel,
    cluster: Cluster,
    rng: np.random.Generator,
    dispatch: str = "static",
) -> Timeline:
    """Add times to `program`; under `greedy` dispatch also choose the order, and record it.

    Raises DeadlockError when not every instruction could be executed.
    """
    if dispatch == "greedy" and program.lowered:
        raise ValueError("greedy dispatch takes a program of compute instructions; this one has "
                         "SEND and RECV instructions, whose order is part of it")
    if dispatch == "greedy" and program.shape.workers > 1:
        raise ValueError("greedy dispatch takes one worker, got "
                         f"{program.shape.workers}")
    run = _Run(program, costs, cluster, rng)
    device = run.greedy_device if dispatch == "greedy" else run.static_device
    for d in range(program.devices):
        run.env.process(device(d))
    run.env.run()
    if run.unfinished():
        raise DeadlockError(run.explain(dispatch))
    return run.timeline(dispatch)


@dataclass
class _Run:
    """State of one simulation; lists rather than arrays, since rows are touched one by one."""

    program: Program
    costs: CostModel
    cluster: Cluster
    rng: np.random.Generator
    env: simpy.Environment = field(default_factory=simpy.Environment)

    def __post_init__(self) -> None:
        program, size = self.program, len(self.program)
        self.seconds: list[float] = self.costs.durations(program, self.rng).tolist()
        self.transfer: list[float] = self.cluster.transfers(program).tolist()
        self.link: list[int] = self.cluster.links(program).tolist()
        self.sends: list[bool] = self.cluster.sends(program).tolist()
        self.source: list[int] = program.arrives_from.tolist()
        self.free = [0.0] * program.devices**2
        self.start: list[float] = [-1.0] * size
        self.end: list[float] = [-1.0] * size
        self.arrival: list[float] = [-1.0] * size
        self.waiting: list[Event | None] = [None] * size
        self.stretch = [self.costs.stretch(k) for k in range(program.shape.stages)]
        self.memory = _Memory(program, self.cluster)
        self.gates = _Gates(program, self.cluster)
        self.queues: list[GreedyQueue] = []
        self.idle: list[Event | None] = [None] * program.devices
        self.taken: list[list[int]] = [[] for _ in range(program.devices)]

    def static_device(self, device: int) -> Process:
        """Execute one stream in its order."""
        env, arrival, waiting = self.env, self.arrival, self.waiting
        start, end, seconds, source = self.start, self.end, self.seconds, self.source
        sends, send = self.sends, self.send
        memory = self.memory if self.memory.limited else None
        slowed = any(self.stretch)
        gates = self.gates if len(self.program.sync[0]) else None
        first, stop = self.program.offsets[device : device + 2]
        for row in range(first, stop):
            if source[row] >= 0:
                came = arrival[source[row]]
                if came < 0:
                    event = waiting[source[row]] = Event(env)
                    yield event
                elif came > env._now:
                    yield Timeout(env, came - env._now)
            if gates is not None and row in gates.missing:
                yield from gates.wait(env, row)
            if memory is not None and not memory.take(row):
                return
            start[row] = now = env._now
            duration = self.slowed(row, now) if slowed else seconds[row]
            if duration:
                yield Timeout(env, duration)
                now = env._now
            end[row] = now
            if memory is not None:
                memory.give(row)
            if sends[row]:
                send(row, now)
            if gates is not None and row in gates.opens:
                gates.finished(env, row)

    def slowed(self, row: int, now: float) -> float:
        stretch = self.stretch[int(self.program.rows.stage[row])]
        return stretch(now, self.seconds[row]) if stretch else self.seconds[row]

    def send(self, row: int, now: float) -> None:
        """Queue the message of `row` on its link; wake its receiver when it arrives."""
        link = self.link[row]
        free = self.free[link]
        came = (free if free > now else now) + self.transfer[row]
        self.free[link] = self.arrival[row] = came
        event = self.waiting[row]
        if event is not None:
            event._ok, event._value = True, None
            self.env.schedule(event, delay=came - now)

    def greedy_device(self, device: int) -> Process:
        """Execute whatever is ready, backward first, and record the order."""
        if not self.queues:
            self.readiness, limits = Readiness(self.program), entry_limits(self.program)
            self.queues = [GreedyQueue(self.program, d, self.readiness, limits)
                           for d in range(self.program.devices)]
        queue = self.queues[device]
        while queue.remaining:
            yield self.decision()
            row = queue.take(self.memory.fits)
            if row < 0:
                event = self.idle[device] = Event(self.env)
                yield event
                continue
            self.memory.take(row)
            self.taken[device].append(row)
            self.start[row] = self.env.now
            yield Timeout(self.env, self.slowed(row, self.env.now))
            self.end[row] = self.env.now
            self.memory.give(row)
            self.finish(row, queue)

    def decision(self) -> Event:
        event = Event(self.env)
        event._ok, event._value = True, None
        self.env.schedule(event, priority=AFTER_ARRIVALS)
        return event

    def finish(self, row: int, queue: GreedyQueue) -> None:
        """Tell those that waited for `row`: here at once, elsewhere when the message is there."""
        queue.finished(row)
        if not self.sends[row]:
            return
        self.send(row, self.env.now)
        arrived = Timeout(self.env, self.arrival[row] - self.env.now)
        assert arrived.callbacks is not None
        arrived.callbacks.append(lambda _: self.deliver(row))

    def deliver(self, row: int) -> None:
        for target in self.readiness.targets[row]:
            device = self.readiness.device[target]
            if device != self.readiness.device[row]:
                self.queues[device].satisfy(target)
                idle, self.idle[device] = self.idle[device], None
                if idle is not None:
                    idle.succeed()

    def unfinished(self) -> bool:
        return min(self.end, default=0.0) < 0

    def explain(self, dispatch: str) -> str:
        """Which stream head waits for what."""
        if dispatch == "greedy":
            return "; ".join(queue.waiting(self.memory.fits, self.memory.describe)
                             for queue in self.queues if queue.remaining)
        offsets = self.program.offsets
        done = [next((r for r in range(a, b) if self.end[r] < 0), b)
                for a, b in itertools.pairwise(offsets)]
        heads = {d: row for d, row in enumerate(done) if row < offsets[d + 1]}
        full = [self.memory.describe(row) for row in heads.values() if not self.memory.fits(row)]
        starved = {d: row for d, row in heads.items() if self.memory.fits(row)}
        return "; ".join(full + ([waiting_heads(self.program, starved, done)] if starved else []))

    def timeline(self, dispatch: str) -> Timeline:
        source = self.program.arrives_from
        start, end, arrival = (np.array(column) for column in (self.start, self.end, self.arrival))
        came = np.where(source >= 0, arrival[source], np.nan)
        sent = np.where(source >= 0, end[source], np.nan)
        whole = Timeline(self.program, start, end, sent, came)
        if dispatch == "static":
            return whole
        order = np.concatenate([np.array(rows, dtype=np.int64) for rows in self.taken])
        columns = (c[order] for c in (whole.start_s, whole.end_s, sent, came))
        return Timeline(self.program.reordered(order), *columns)


class _Gates:
    """Rows that wait for several others by `sync`, and for the exchange after the last of them."""

    def __init__(self, program: Program, cluster: Cluster) -> None:
        self.missing: dict[int, int] = {}
        self.opens: dict[int, list[int]] = {}
        for before, after in zip(*(side.tolist() for side in program.sync), strict=True):
            self.missing[after] = self.missing.get(after, 0) + 1
            self.opens.setdefault(before, []).append(after)
        seconds = cluster.exchange_s(program)
        self.seconds = {row: float(seconds[row]) for row in self.missing}
        self.open_s: dict[int, float] = {}
        self.waiting: dict[int, Event] = {}

    def wait(self, env: simpy.Environment, row: int) -> Process:
        """Until the exchange before `row` is over."""
        if self.missing[row]:
            event = self.waiting[row] = Event(env)
            yield event
        if self.open_s[row] > env.now:
            yield Timeout(env, self.open_s[row] - env.now)

    def finished(self, env: simpy.Environment, row: int) -> None:
        for target in self.opens[row]:
            self.missing[target] -= 1
            if not self.missing[target]:
                self.open_s[target] = env.now + self.seconds[target]
                if target in self.waiting:
                    self.waiting[target].succeed()


class _Memory:
    """Activation memory of each device: taken when a forward starts, given by its backward."""

    def __init__(self, program: Program, cluster: Cluster) -> None:
        op, stage, _, count = program.rows
        self.program, self.limit = program, cluster.activation_limit_bytes
        self.limited = self.limit < float("inf")
        self.size: list[float] = (cluster.activation_bytes[stage] * count).tolist()
        self.takes: list[bool] = (op == Op.F).tolist()
        self.gives: list[bool] = among(op, (Op.B, Op.W)).tolist()
        self.device: list[int] = program.device.tolist()
        self.held = [0.0] * program.devices

    def fits(self, row: int) -> bool:
        return not self.takes[row] or self.held[self.device[row]] + self.size[row] <= self.limit

    def take(self, row: int) -> bool:
        """Take what `row` needs; False where it does not fit."""
        if not self.fits(row):
            return False
        if self.takes[row]:
            self.held[self.device[row]] += self.size[row]
        return True

    def give(self, row: int) -> None:
        if self.gives[row]:
            self.held[self.device[row]] -= self.size[row]

    def describe(self, row: int) -> str:
        device = self.device[row]
        return (f"device {device} at {self.program.instruction(row)} waits for activation memory "
                f"({self.size[row]:g} bytes beside {self.held[device]:g} held, limit "
                f"{self.limit:g})")

"""The event-driven engine where rows slow each other: shared hardware, and hosts that issue.

A device's host asks for its rows in the program's order, well ahead of the device if it can, but
for a row that receives not before the sender's host has asked for what is sent.  A row starts once
its stream is free, its message is here and the host has begun to ask for it, and ends once its work
is done and all of it has been asked for.  [choice] That is what launches one by one do: the first
kernel runs while the last is still being launched.  So when a stream is free and a message here,
what came before them has been asked for, and the row itself is being asked for: hosts show in how
long rows last, not in when they start.

Work goes on at a rate of 1 over its slowdown, which changes whenever work beside it begins or ends.
So does asking, where threads of one interpreter wait for its lock.
Source: REFERENCE section 5.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import simpy
from simpy.events import Event, Timeout

from sim.order.program import Program
from sim.times.cluster import Cluster
from sim.times.costs import TICK, CostModel
from sim.times.engine import RUNS, Process
from sim.times.shared.machine import Hosts, SharedMachine
from sim.times.timeline import Timeline


def simulate_shared(program: Program, costs: CostModel, cluster: Cluster,
                    rng: np.random.Generator, *, machine: SharedMachine,
                    dispatch: str = "static") -> Timeline:
    """When every row of `program` runs on a machine whose devices share hardware or interpreters.

    `costs` are those of instructions alone; jitter is drawn from `rng`.  Where no pair has a factor
    and there are no hosts, it is the timeline of `sim.times.engine.simulate`.
    Raises DeadlockError when not every instruction could be executed, and ValueError for a program
    that cannot be dispatched greedily, or for hosts under greedy dispatch.
    """
    if machine.hosts is not None and dispatch != "static":
        raise ValueError("hosts ask for instructions ahead of the device, in an order that is "
                         f"fixed beforehand; dispatch is {dispatch}")
    env = simpy.Environment()
    pace = SharedPace(env, program, machine)
    timeline = RUNS[dispatch](program, costs, cluster, rng, env, pace).through()
    if pace.threads is None:
        return timeline
    return replace(timeline, asked_s=np.array(pace.threads.asked.at),
                   issued_s=np.array(pace.threads.issued.at))


@dataclass(eq=False)
class Work:
    """Work under way: which row's, how many seconds of it were `left` at `since` (in seconds) if
    nothing slowed it, by how much it is slowed, and the event of its end as things are."""

    row: int
    left: float
    since: float
    done: Event
    slowdown: float = 0.0
    due: Event | None = None

    def go_on(self, now: float, slowdown: float) -> float:
        """Count what has been done until now, and give the seconds that the rest will take."""
        if self.slowdown:
            self.left = max(0.0, _whole_ticks(self.left - (now - self.since) / self.slowdown))
        self.since, self.slowdown = now, slowdown
        return _whole_ticks(self.left * slowdown)


def _whole_ticks(seconds: float) -> float:
    return round(seconds / TICK) * TICK


class Crowd:
    """Work that is done at the same time in the same place, each slowed by the rest.

    `slowdown` gives that of a row beside others.
    """

    def __init__(self, env: simpy.Environment, slowdown: Callable[[int, list[int]], float]
                 ) -> None:
        self.env, self.slowdown = env, slowdown
        self.present: dict[str, list[Work]] = defaultdict(list)

    def work(self, place: str, row: int, seconds: float) -> Process:
        """Events until a row's work in a place is done; alone it would take so many seconds."""
        work = Work(row, seconds, self.env.now, Event(self.env))
        self.present[place].append(work)
        self._changed(place)
        yield work.done

    def _changed(self, place: str) -> None:
        """Find for each work in a place when it will be done, now that others are beside it."""
        rows = [work.row for work in self.present[place]]
        for number, work in enumerate(self.present[place]):
            slowdown = self.slowdown(work.row, rows[:number] + rows[number + 1:])
            if slowdown != work.slowdown:
                work.due = due = Timeout(self.env, work.go_on(self.env.now, slowdown))
                assert due.callbacks is not None
                due.callbacks.append(partial(self._due, place, work))

    def _due(self, place: str, work: Work, event: Event) -> None:
        """The end of a work, unless it was put off or brought forward since."""
        if event is work.due:
            self.present[place].remove(work)
            self._changed(place)
            work.done.succeed()


class Moments:
    """When each row came to something, in seconds (−1: not yet), and who waits for that."""

    def __init__(self, env: simpy.Environment, rows: int) -> None:
        self.env, self.at = env, [-1.0] * rows
        self.waiting: dict[int, list[Event]] = defaultdict(list)

    def until(self, row: int) -> Process:
        """Events until a row has come to it."""
        if self.at[row] < 0:
            event = Event(self.env)
            self.waiting[row].append(event)
            yield event

    def now(self, row: int) -> None:
        """Record that a row has come to it, and wake who waits for that."""
        self.at[row] = self.env.now
        for event in self.waiting.pop(row, ()):
            event.succeed()


class Threads:
    """The hosts' threads: when they began to ask for each row, and when all of it was issued."""

    def __init__(self, env: simpy.Environment, program: Program, hosts: Hosts) -> None:
        self.program, lock = program, hosts.lock_share
        self.asked, self.issued = Moments(env, len(program)), Moments(env, len(program))
        self.seconds: list[float] = hosts.seconds(program).tolist()
        self.source: list[int] = program.arrives_from.tolist()
        self.interpreter = [hosts.interpreter[k] for k in program.rows.stage.tolist()]
        self.issuing = Crowd(env, lambda _, others: 1.0 + lock * len(others))
        for device in range(program.devices):
            env.process(self.thread(device))

    def thread(self, device: int) -> Process:
        """Ask for the rows of one device in their order."""
        for row in range(*self.program.offsets[device : device + 2]):
            if self.source[row] >= 0:
                yield from self.issued.until(self.source[row])
            self.asked.now(row)
            if self.seconds[row]:
                yield from self.issuing.work(self.interpreter[row], row, self.seconds[row])
            self.issued.now(row)


class SharedPace:
    """How a shared machine makes rows last longer; a `Pace` of the engine."""

    def __init__(self, env: simpy.Environment, program: Program, machine: SharedMachine) -> None:
        self.env = env
        kind = list(zip(program.rows.op.tolist(), program.rows.stage.tolist(), strict=True))
        self.hardware = [machine.hardware[stage] for _, stage in kind]
        self.working = Crowd(env, lambda row, others: machine.slowdown(
            kind[row], [kind[other] for other in others]))
        self.threads = Threads(env, program, machine.hosts) if machine.hosts else None

    def during(self, row: int, seconds: float) -> Process:
        """Events until a row is over that alone would take so many seconds.

        [choice] A row whose work is done and that only waits for its host slows no other.
        """
        if seconds:
            yield from self.working.work(self.hardware[row], row, seconds)
        else:
            yield Timeout(self.env, 0.0)
        if self.threads is not None:
            yield from self.threads.issued.until(row)

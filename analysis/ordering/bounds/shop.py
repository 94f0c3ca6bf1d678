"""An order's problem as a job shop: passes and messages as jobs, devices and links as machines.

Micro-batches are alike, so that it costs nothing to call the m-th forward of a stage, in whatever
order they come, that of micro-batch m, and so for input halves, weight halves and messages: sorting
times keeps every "not before".  Hence each stage's passes of a kind come one after another, and a
memory limit says which forward waits for which earlier half.  A backward that is not split counts
as its halves: no order is left out, some that do not exist are let in, and a bound stays one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from analysis.ordering.bounds.room import in_flight
from analysis.ordering.problem import OrderProblem
from sim.arrays import Floats, Ints
from sim.times.costs import TICK

FORWARD, INPUT, WEIGHT, ONWARD, BACK, UPDATE = range(6)  # kinds of jobs; messages are 3 and 4
Key = tuple[int, int, int]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Machine:
    """A device or a link: its jobs (jobs of it,), and which of them come before which in every
    order, (before, after)."""

    jobs: Ints
    before: Mask


@dataclass(frozen=True, eq=False)
class Shop:
    """Jobs that last `ticks`, (jobs,), on machines that do one at a time.

    `earlier[j]` are the jobs that have ended at least so many ticks before job j starts, as pairs,
    and `later[j]` the same seen from the other end; jobs are numbered so that earlier ones come
    first.  `keys` say what each is: its kind, stage (of a message: boundary) and micro-batch.
    """

    keys: list[Key]
    ticks: Ints
    earlier: list[list[tuple[int, int]]]
    later: list[list[tuple[int, int]]]
    machines: list[Machine]

    @classmethod
    def of(cls, problem: OrderProblem) -> Shop:
        """The job shop whose shortest makespan no order of the problem is below."""
        keys = list(_jobs(problem))
        number = {key: place for place, key in enumerate(keys)}
        earlier: list[list[tuple[int, int]]] = [[] for _ in keys]
        later: list[list[tuple[int, int]]] = [[] for _ in keys]
        for before, after, lag in _waits(problem):
            if before in number and after in number:
                a, b = number[before], number[after]
                earlier[b].append((a, lag))
                later[a].append((b, lag))
        seconds = _seconds(problem)
        where: dict[tuple[int, ...], list[int]] = {}
        for place, key in enumerate(keys):
            where.setdefault(_machine(problem, key), []).append(place)
        return cls(keys, np.array([seconds[kind][stage] for kind, stage, _ in keys]), earlier,
                   later, _machines(earlier, where))

    @cached_property
    def machine_of(self) -> list[int]:
        """The place among the machines of each job's, (jobs,)."""
        found = np.zeros(len(self.keys), dtype=np.int64)
        for place, machine in enumerate(self.machines):
            found[machine.jobs] = place
        return found.tolist()


def passes(problem: OrderProblem) -> tuple[Floats, Floats]:
    """Seconds of the input and the weight half of a backward on each stage that no backward of an
    order is below, split or not, (stages,) each."""
    first = np.minimum(problem.input_s, problem.backward_s)
    both = np.minimum(problem.input_s + problem.weight_s, problem.backward_s)
    return first, both - first


def ticks(seconds: Floats | float) -> Ints:
    """Seconds, whole ticks, as numbers of ticks; both have one shape."""
    return np.rint(np.asarray(seconds) / TICK).astype(np.int64)


def _seconds(problem: OrderProblem) -> list[list[int]]:
    """Ticks of a job by its kind and stage or boundary."""
    first, second = passes(problem)
    return [ticks(each).tolist() for each in (
        problem.forward_s, first, second, *problem.occupied_s, problem.update_s)]


def _jobs(problem: OrderProblem) -> Iterator[Key]:
    """All jobs in an order that could be executed: micro-batch after micro-batch."""
    onward, back = (each.tolist() for each in busy(problem))
    for micro in range(problem.microbatches):
        for stage in range(problem.stages):
            yield FORWARD, stage, micro
            if stage < len(onward) and onward[stage]:
                yield ONWARD, stage, micro
        for stage in range(problem.stages - 1, -1, -1):
            yield INPUT, stage, micro
            yield WEIGHT, stage, micro
            if stage and back[stage - 1]:
                yield BACK, stage - 1, micro
    for stage in np.flatnonzero(problem.update_s).tolist():
        yield UPDATE, stage, 0


def crossing(problem: OrderProblem) -> Mask:
    """Which boundaries lie between two devices, (stages − 1,)."""
    apart: Mask = problem.device[1:] != problem.device[:-1]
    return apart


def busy(problem: OrderProblem) -> Mask:
    """Which messages keep a link for any time, (2, stages − 1), by way and boundary."""
    return np.asarray(crossing(problem) & (problem.occupied_s > 0))


def _waits(problem: OrderProblem) -> Iterator[tuple[Key, Key, int]]:
    """Which job has ended how many ticks before which starts; of jobs that do not exist as well."""
    limits = in_flight(problem)
    for micro in range(problem.microbatches):
        for stage in range(problem.stages):
            yield (FORWARD, stage, micro), (INPUT, stage, micro), 0
            yield (INPUT, stage, micro), (WEIGHT, stage, micro), 0
            for kind in range(UPDATE):
                yield (kind, stage, micro), (kind, stage, micro + 1), 0
            yield (INPUT, stage, micro), (FORWARD, stage, micro + limits.inputs[stage]), 0
            yield (WEIGHT, stage, micro), (FORWARD, stage, micro + limits.weights[stage]), 0
    for stage in range(problem.stages):
        yield (WEIGHT, stage, problem.microbatches - 1), (UPDATE, stage, 0), 0
    yield from _sent(problem)


def _sent(problem: OrderProblem) -> Iterator[tuple[Key, Key, int]]:
    """The waits for messages: what comes from a stage is there a latency after it left its link."""
    late = ticks(np.where(crossing(problem), problem.latency_s, 0.0)).tolist()
    held = busy(problem).tolist()
    for micro in range(problem.microbatches):
        for stage in range(problem.stages - 1):
            ends = ((FORWARD, stage, micro), (ONWARD, stage, micro), (FORWARD, stage + 1, micro)), (
                (INPUT, stage + 1, micro), (BACK, stage, micro), (INPUT, stage, micro))
            for way, (source, message, target) in enumerate(ends):
                if held[way][stage]:
                    yield source, message, 0
                    yield message, target, late[way][stage]
                else:
                    yield source, target, late[way][stage]


def _machine(problem: OrderProblem, key: Key) -> tuple[int, ...]:
    """A device, or the two devices of a link."""
    kind, stage, _ = key
    if kind in (ONWARD, BACK):
        ends = int(problem.device[stage]), int(problem.device[stage + 1])
        return ends if kind == ONWARD else ends[::-1]
    return (int(problem.device[stage]),)


def _machines(earlier: list[list[tuple[int, int]]], where: dict[tuple[int, ...], list[int]]
              ) -> list[Machine]:
    """The machines of jobs at places, with all that waiting of any kind says of their order."""
    known: list[int] = []  # of each job a bit for every job before it
    for waits in earlier:
        bits = 0
        for job, _ in waits:
            bits |= known[job] | 1 << job
        known.append(bits)
    size = (len(earlier) + 7) // 8
    found = []
    for jobs in map(np.array, where.values()):
        before = np.empty((len(jobs), len(jobs)), dtype=bool)
        for column, job in enumerate(jobs.tolist()):
            packed = np.frombuffer(known[job].to_bytes(size, "little"), dtype=np.uint8)
            before[:, column] = np.unpackbits(packed, bitorder="little")[jobs]
        found.append(Machine(jobs, before))
    return found

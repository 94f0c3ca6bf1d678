"""What an order comes to: when it ends, and what its devices hold.  Written to be read.

    start(x)   = max(end of the pass before x on its device, arrival of what x waits for)
    leaving(y) = max(end of y, leaving of the message before on y's link) + seconds on the link
    arrival(y) = leaving(y) + latency

The same is computed by `sim.times.exact` for any program, and thousands of times a second by
`analysis.ordering.climbing`; all three agree to the last bit.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.ordering.problem import OrderProblem
from analysis.ordering.streams import Pass, Streams
from sim.arrays import Floats
from sim.op import Op


@dataclass(frozen=True)
class Judged:
    """What an order comes to: seconds until the last device has updated its stages (infinite where
    some pass can never run), and the most bytes that each device holds, shape (devices,)."""

    makespan_s: float
    peak_bytes: Floats

    def fits(self, problem: OrderProblem) -> bool:
        """Whether the order can be executed, and no device holds more than there is room for."""
        return math.isfinite(self.makespan_s) and bool(
            (self.peak_bytes <= problem.limit_bytes).all())


def judge(problem: OrderProblem, streams: Streams) -> Judged:
    """What an order of a problem comes to; `streams` are its passes by device."""
    return Judged(_makespan(problem, streams), np.array([
        problem.base_bytes[device] + _most_held(problem, stream)
        for device, stream in enumerate(streams)]))


def _most_held(problem: OrderProblem, stream: Sequence[Pass]) -> float:
    """The most bytes that micro-batches in flight take on the device of a stream."""
    held = most = 0.0
    for op, stage in stream:
        full, rerun = problem.held_bytes[stage], problem.rerun_bytes[stage]
        left = problem.halved_bytes[stage]  # by an input half, for its weight half
        held += {Op.F: full, Op.I: rerun, Op.B: rerun, Op.W: 0.0}[op]
        most = max(most, held)
        held -= {Op.F: 0.0, Op.I: full + rerun - left, Op.B: full + rerun, Op.W: left}[op]
    return float(most)


def _makespan(problem: OrderProblem, streams: Streams) -> float:
    """Seconds until the last device has updated its stages; infinite where one gets stuck."""
    run = _Run(problem)
    at, going = [0] * problem.devices, True
    while going:
        going = False
        for device, stream in enumerate(streams):
            while at[device] < len(stream) and run.execute(device, *stream[at[device]]):
                at[device] += 1
                going = True
    if any(done < len(stream) for done, stream in zip(at, streams, strict=True)):
        return math.inf
    return max(clock + float(problem.update_s[problem.stages_on(device)].sum())
               for device, clock in enumerate(run.clock_s))


class _Run:
    """How far an order has been executed: when devices and links are free, what is there when."""

    def __init__(self, problem: OrderProblem) -> None:
        self.problem = problem
        self.clock_s = [0.0] * problem.devices
        self.free_s: defaultdict[tuple[int, int], float] = defaultdict(float)  # link: from, to
        self.count: Counter[tuple[str, int]] = Counter()  # of each thing below, by stage
        self.there_s: dict[tuple[str, int, int], float] = {}  # a thing, of a stage, its number

    def execute(self, device: int, op: Op, stage: int) -> bool:
        """Do the next pass of a device; False where something that it needs is not made yet."""
        problem, ready_s = self.problem, [self.clock_s[device]]
        number = self.count[PASSES[op], stage]
        for thing in self._needed(op, stage):
            if (thing, stage, number) not in self.there_s:
                return False
            ready_s.append(self.there_s[thing, stage, number])
        seconds = {Op.F: problem.forward_s, Op.B: problem.backward_s, Op.I: problem.input_s,
                   Op.W: problem.weight_s}[op][stage]
        self.clock_s[device] = end = max(ready_s) + float(seconds)
        self.count[PASSES[op], stage] += 1
        if op is Op.F:
            self.there_s["kept activations", stage, number] = end
            if stage < problem.stages - 1:
                self.there_s["activations", stage + 1, number] = self._arrival(stage, 0, end)
        elif op is not Op.W and stage > 0:
            self.there_s["gradient", stage - 1, number] = self._arrival(stage, 1, end)
        if op is Op.I:
            self.there_s["half a backward", stage, self.count["half", stage]] = end
            self.count["half", stage] += 1
        return True

    def _needed(self, op: Op, stage: int) -> list[str]:
        if op is Op.W:
            return ["half a backward"]
        if op is Op.F:
            return ["activations"] if stage > 0 else []
        last = stage == self.problem.stages - 1
        return ["kept activations"] if last else ["kept activations", "gradient"]

    def _arrival(self, stage: int, way: int, end: float) -> float:
        """When what a stage sends at `end` is where it goes: on (`way` 0) or back (1)."""
        problem, boundary = self.problem, stage - way
        link = int(problem.device[stage]), int(problem.device[stage + 1 - 2 * way])
        if link[0] == link[1]:
            return end
        self.free_s[link] = max(end, self.free_s[link]) + float(problem.occupied_s[way, boundary])
        return self.free_s[link] + float(problem.latency_s[way, boundary])


PASSES = {Op.F: "forwards", Op.B: "backwards", Op.I: "backwards", Op.W: "weight halves"}

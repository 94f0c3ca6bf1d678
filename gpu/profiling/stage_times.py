"""Seconds of every stage's instructions, alone and beside neighbours, and of asking for them."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from gpu.profiling.solo import Done, Solo
from sim.arrays import Floats
from sim.op import Op

Kind = tuple[int, Op]  # a stage and what it does


@dataclass
class StageTimes:
    """What was measured of all stages; only the steady part of every pass counts.

    `alone` and `issue` are seconds by stage and operation, of the device and of asking for it, per
    micro-batch (of updates per update).  `beside` are passes next to busy neighbours: what a
    device did, and what the others did meanwhile.  `told_apart` says whether asking for work and
    doing it are two things.
    """

    alone: dict[Kind, list[float]] = field(default_factory=lambda: defaultdict(list))
    issue: dict[Kind, list[float]] = field(default_factory=lambda: defaultdict(list))
    beside: list[tuple[list[Done], list[Done]]] = field(default_factory=list)
    told_apart: bool = True

    def slowed(self) -> dict[Kind, list[float]]:
        """Seconds beside busy neighbours, by stage and operation, per micro-batch."""
        found: dict[Kind, list[float]] = defaultdict(list)
        for own, _ in self.beside:
            for done in own:
                found[done.stage, done.op].append(done.seconds / covered(done))
        return found


def covered(done: Done) -> int:
    """How many times the work of one micro-batch an instruction is; 1 of an update."""
    return 1 if done.op is Op.U else done.count


@contextmanager
def quiet() -> Iterator[None]:
    """A context without the garbage collector's pauses."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def measure(solo: Solo, passes: int, *, neighbours: bool = True) -> StageTimes:
    """Steady times of every stage's operations, alone and (if asked for) beside `neighbours`.

    In turn, so that both see the same machine; one of each is run to warm up and not counted.
    """
    times = StageTimes(told_apart=solo.lanes[0].device.type != "cpu")
    for number in range(passes + 1):
        for device in range(solo.program.devices):
            alone = steady(solo, solo.alone(device))
            beside = solo.beside(device) if neighbours else None
            if number:
                _add(times, alone)
                if beside is not None:
                    times.beside.append((steady(solo, beside[0]), beside[1]))
    return times


def take_turn(solo: Solo, times: StageTimes | None) -> None:
    """One pass through the stream of every device, alone; its steady part is added to `times`
    where there are any."""
    for device in range(solo.program.devices):
        alone = steady(solo, solo.alone(device))
        if times is not None:
            _add(times, alone)


def _add(times: StageTimes, alone: Iterable[Done]) -> None:
    for done in alone:
        times.alone[done.stage, done.op].append(done.seconds / covered(done))
        times.issue[done.stage, done.op].append((done.issued_s - done.asked_s) / covered(done))


def steady(solo: Solo, found: Sequence[Done]) -> list[Done]:
    """Without the first two mini-batches, as far as there are more."""
    shape = solo.program.shape
    skipped = shape.microbatches * min(2, shape.minibatches - 1)
    return [done for done in found if done.index >= skipped]


def recompute_s(solo: Solo, k: int, repeats: int = 10) -> Floats:
    """Seconds of running a stage's forward again with its graph, (repeats,)."""
    model, lane, last = solo.assembly.stages[k].model, solo.lanes[solo.home[k]], len(solo.home) - 1
    target = solo.assembly.task.target(0) if k == last else None
    weights = model.first_weights()
    model.reset()
    lane.begin()
    with lane.current(), model.as_it_was():
        marks = [lane.mark()]
        for _ in range(repeats + 2):
            model.drop(model.forward_again(weights, solo.samples.inputs[k], target))
            marks.append(lane.mark())
    lane.finish()
    return np.diff([lane.seconds(mark) for mark in marks])[2:]

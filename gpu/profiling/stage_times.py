"""Seconds of every stage's instructions, alone and beside busy neighbours."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from gpu.profiling.solo import Solo
from sim.arrays import Floats
from sim.op import Op

Times = dict[tuple[int, Op], list[float]]  # seconds per micro-batch, of updates per update


@contextmanager
def quiet() -> Iterator[None]:
    """A context without the garbage collector's pauses."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def alone_and_beside(solo: Solo, passes: int) -> tuple[Times, Times]:
    """Steady seconds of every stage's operations, first alone, then beside busy neighbours.

    In turn, so that both see the same machine; one of each is run to warm up and not counted.
    """
    alone: Times = {}
    beside: Times = {}
    for number in range(passes + 1):
        for device in range(solo.program.devices):
            one, two = solo.alone(device), solo.beside(device)
            if number:
                _add(alone, solo, one)
                _add(beside, solo, two)
    return alone, beside


def _add(times: Times, solo: Solo, seconds: dict[int, float]) -> None:
    """Steady seconds by stage and operation; a pass's first mini-batches are left out."""
    rows, shape = solo.program.rows, solo.program.shape
    skipped = shape.microbatches * min(2, shape.minibatches - 1)
    for row, value in seconds.items():
        op, stage, index, count = (int(column[row]) for column in rows)
        if index >= skipped:
            share = value if op == Op.U else value / count
            times.setdefault((stage, Op(op)), []).append(share)


def recompute_s(solo: Solo, k: int, repeats: int = 10) -> Floats:
    """Seconds of running a stage's forward again with its graph, (repeats,)."""
    model, lane, last = solo.assembly.stages[k].model, solo.lanes[solo.home[k]], len(solo.home) - 1
    target = solo.assembly.task.target(0) if k == last else None
    weights = model.first_weights()
    lane.begin()
    with lane.current(), model.again():
        marks = [lane.mark()]
        for _ in range(repeats + 2):
            model.forward(weights, solo.samples.inputs[k], target)
            marks.append(lane.mark())
    lane.finish()
    return np.diff([lane.seconds(mark) for mark in marks])[2:]

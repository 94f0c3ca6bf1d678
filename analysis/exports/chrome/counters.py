"""Counters of a Chrome trace: bytes, weight versions and micro-batches each stage holds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analysis.exports.chrome.slices import COUNTER, Event, Key, Slices, microseconds, nanoseconds
from analysis.metrics.memory import Held, activation_changes, memory, rows_of_copy, steps
from analysis.metrics.staleness import plan_of
from sim.arrays import Floats
from sim.trace import Trace
from sim.weights.versions import VersionPlan


def counters(trace: Trace, drawn: Slices) -> Iterator[tuple[Key, Event]]:
    """Events of what each stage holds, at every change, on the process of its device.

    Workers run one order, each at its own times.
    """
    plan = plan_of(trace)
    for number in range(trace.shape.workers):
        yield from _of_worker(trace.of_worker(number), plan, drawn)


def _of_worker(trace: Trace, plan: VersionPlan, drawn: Slices) -> Iterator[tuple[Key, Event]]:
    digits = len(str(trace.shape.stages - 1))
    for copy, held in enumerate(memory(trace, plan)):
        mine = rows_of_copy(trace, plan, copy)
        name = f"stage {held.stage:0{digits}}"
        pid = drawn.pids[int(trace.device[np.argmax(mine)])]
        weights = Held(np.zeros(1), np.full(1, held.weight_bytes))
        in_flight = steps(activation_changes(trace, mine))
        yield from _counter(pid, f"{name} bytes", {
            "weights": weights, "stash": held.stash_bytes, "copies": held.copy_bytes,
            "activations": held.activation_bytes})
        yield from _counter(pid, f"{name} weight versions", {"held": held.versions})
        yield from _counter(pid, f"{name} in flight", {"micro-batches": in_flight})


def _counter(pid: int, name: str, series: dict[str, Held]) -> Iterator[tuple[Key, Event]]:
    """All series at each moment one of them changes, since viewers stack them."""
    moments = np.unique(np.concatenate([held.time_s for held in series.values()]))
    values = {key: _at(held, moments) for key, held in series.items()}
    for i, at in enumerate(nanoseconds(moments).tolist()):
        yield (at, -1, COUNTER), {
            "ph": "C", "pid": pid, "name": name, "cat": "held", "ts": microseconds(at),
            "args": {key: float(column[i]) for key, column in values.items()}}


def _at(held: Held, moments: Floats) -> Floats:
    """The step function's values; 0 before its first change."""
    values: Floats = np.concatenate(([0.0], held.value))[
        np.searchsorted(held.time_s, moments, side="right")]
    return values

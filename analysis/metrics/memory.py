"""What every stage holds over time: weight versions, stash and activations, in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Floats
from sim.op import Op
from sim.trace import Trace
from sim.weights.versions import VersionPlan


@dataclass(frozen=True)
class Held:
    """How much is held over time, as a step function: `value[i]` from `time_s[i]` to the next.

    Both have shape (moments,), times in seconds ascending.
    """

    time_s: Floats
    value: Floats

    @property
    def peak(self) -> float:
        """The most that is ever held; 0 where nothing is."""
        return float(self.value.max(initial=0.0))


@dataclass(frozen=True)
class StageMemory:
    """What one stage holds over time: weight versions (a count), and bytes.

    `weight_bytes` is one weight set; `stash_bytes` are the versions beside the newest one,
    `total_bytes` weights, stash and activations together.
    """

    versions: Held
    weight_bytes: float
    stash_bytes: Held
    activation_bytes: Held
    total_bytes: Held


def steps(time_s: Floats, change: Floats) -> Held:
    """The step function of changes (changes,) at times (s) in any order, a step for each moment."""
    order = np.argsort(time_s, kind="stable")
    moments, first = np.unique(time_s[order], return_index=True)
    sums = np.add.reduceat(change[order], first) if len(first) else change
    return Held(moments, np.cumsum(sums))


def device_peaks(trace: Trace, held: Sequence[StageMemory]) -> list[float]:
    """The most bytes each device holds at once, of all stages on it."""
    peaks = []
    for device in range(trace.shape.devices):
        mine = [held[k].total_bytes for k in np.unique(trace.stage[trace.device == device])]
        peaks.append(_together(mine).peak)
    return peaks


def _together(parts: Sequence[Held]) -> Held:
    """The sum of step functions."""
    if len(parts) == 1:
        return parts[0]
    return steps(np.concatenate([each.time_s for each in parts]),
                 np.concatenate([np.diff(each.value, prepend=0.0) for each in parts]))


def memory(trace: Trace, plan: VersionPlan) -> list[StageMemory]:
    """What each stage of a run held over time; sizes in bytes come from the trace's header."""
    sizes = trace.header.sizes
    return [_stage(trace, plan, k, sizes.weight_bytes[k], sizes.activation_bytes[k])
            for k in range(trace.shape.stages)]


def _stage(trace: Trace, plan: VersionPlan, k: int, weights: float, kept: float) -> StageMemory:
    version_at, version_change = version_changes(trace, plan, k)
    activation_at, activation_change = activation_changes(trace, trace.stage == k)
    stash = steps(version_at, version_change * weights)
    total = steps(np.concatenate((version_at, activation_at)),
                  np.concatenate((version_change * weights, activation_change * kept)))
    return StageMemory(steps(version_at, version_change), weights,
                       Held(stash.time_s, stash.value - weights),
                       steps(activation_at, activation_change * kept), total)


def version_changes(trace: Trace, plan: VersionPlan, stage: int) -> tuple[Floats, Floats]:
    """When (s) a stage's number of weight sets changes, and by how much, (changes,) each."""
    born, dropped, predicted = plan.holdings(stage)
    ends = np.concatenate(([0.0], trace.end_s, [np.inf]))
    at = np.where(predicted == 1, trace.start_s[np.clip(born, 0, None)], ends[born + 1])
    kept = dropped < len(trace)
    times = np.concatenate((at, ends[dropped[kept] + 1]))
    return times, np.repeat([1.0, -1.0], [len(born), int(kept.sum())])


def activation_changes(trace: Trace, rows: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """When (s) the number of micro-batches in flight changes, and by how much, (changes,) each.

    Of those among `rows`, a mask (rows,): more as a forward starts, fewer as its backward ends.
    """
    forward = rows & (trace.op == Op.F)
    backward = rows & np.isin(trace.op, (Op.B, Op.W))
    return (np.concatenate((trace.start_s[forward], trace.end_s[backward])),
            np.concatenate((np.ones(int(forward.sum())), -trace.count[backward].astype(float))))

"""Contention: stages that share hardware slow each other down while both are busy.

[choice] A profile gives each stage one factor `c`, its slowdown beside neighbours that are always
busy.  The program is first simulated without contention; the share `o` of a stage's compute time
during which another device on the same hardware computes then stretches all its instructions by
`1 + (c - 1) * o`.  A number per stage keeps every duration a constant, so engines stay exact.  A
profile that knows how pairs of operations slow each other needs none of this: `sim.times.shared`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.arrays import Floats
from sim.op import Op
from sim.times.costs import CostModel
from sim.times.profile import Profile
from sim.times.timeline import Timeline


def contended(costs: CostModel, profile: Profile, timeline: Timeline) -> CostModel:
    """The costs of stages that slow each other down where they share hardware.

    `timeline` is that of a run with the plain `costs`; it shows which stages are busy together.
    """
    factors = np.array([stage.contention_factor or 1.0 for stage in profile.stages])
    by = 1 + (factors - 1) * busy_together(timeline, profile.placement or ())
    return costs.slowed(by)


def contends(profile: Profile | None) -> bool:
    """Whether a profile has stages that share hardware, and a factor by which each is slowed.

    Not where it says so pair by pair instead.
    """
    return (profile is not None and profile.placement is not None and not profile.beside
            and len(set(profile.placement)) < len(profile.placement)
            and any(stage.contention_factor for stage in profile.stages))


def busy_together(timeline: Timeline, placement: Sequence[str]) -> Floats:
    """Share of each stage's compute time in which a device on its hardware is busy too.

    Shape (stages,), from 0 to 1; `placement` names the hardware of each stage.
    """
    program = timeline.program
    compute = np.flatnonzero(program.rows.op <= Op.U)
    stage, device = program.rows.stage[compute], program.device[compute]
    start, end = timeline.start_s[compute], timeline.end_s[compute]
    together, busy = (np.zeros(program.shape.stages) for _ in range(2))
    np.add.at(busy, stage, end - start)
    hardware = np.array(placement)[stage]
    for own in np.unique(device):
        mine = device == own
        others = ~mine & np.isin(hardware, hardware[mine])
        moments, before = _covered(start[others], end[others])
        shared = np.interp(end[mine], moments, before) - np.interp(start[mine], moments, before)
        np.add.at(together, stage[mine], shared)
    return np.divide(together, busy, out=np.zeros_like(busy), where=busy > 0)


def _covered(start: Floats, end: Floats) -> tuple[Floats, Floats]:
    """Moments, and how many seconds before each are covered by at least one interval."""
    moments = np.unique(np.concatenate(([0.0], start, end)))
    change = np.zeros(len(moments))
    np.add.at(change, np.searchsorted(moments, start), 1)
    np.add.at(change, np.searchsorted(moments, end), -1)
    open_ = np.cumsum(change)[:-1] > 0
    return moments, np.concatenate(([0.0], np.cumsum(np.diff(moments) * open_)))

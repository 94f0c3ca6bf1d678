"""Bytes a device needs at its worst moment, from the order alone: no clock, no run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.metrics.holding import held_by
from sim.arrays import Floats, Ints
from sim.numerics.stage import Backward
from sim.times.profile import Profile
from sim.weights.versions import VersionPlan

COUNTED = {
    "weights": "the newest weights (profile: weight_bytes)",
    "state": "gradient and velocity: --state-copies times weight_bytes",
    "stash": "older versions and stashed predictions still to be read, weight_bytes each",
    "copies": "weights predicted or interpolated for one pass, while it runs: weight_bytes",
    "activations": "micro-batches between the start of their forward and the end of their "
                   "backward: activation_bytes each; under recompute input_bytes each, and the "
                   "activation_bytes of the one whose backward runs (from the start of its input "
                   "half to the end of its weight half)",
    "workspace": "workspace_bytes once, 0 where the profile does not know it",
    "peak": "weights, stash, copies and activations at their worst moment together (not the sum of "
            "their peaks), and state and workspace",
    "not counted": "messages in flight, communication buffers, memory lost to fragmentation",
}


@dataclass(frozen=True)
class Footprint:
    """Bytes by device, of all stages on it, shape (devices,); each its own peak over the run."""

    weights: Floats
    state: Floats
    stash: Floats
    copies: Floats
    activations: Floats
    workspace: Floats
    peak: Floats


@dataclass(frozen=True, eq=False)
class Holdings:
    """How much of each stage every device has while its instructions run, by the order alone.

    `stages` are those of the copies on a device, (copies on it,), by device; `moments` how many
    weight sets, copies for one pass, micro-batches in flight and micro-batches made again each of
    them has, (moments, 4, copies on it), by device.
    """

    stages: tuple[Ints, ...]
    moments: tuple[Ints, ...]

    def each_once(self) -> Holdings:
        """These holdings with each moment once, for bytes that are asked for again and again."""
        return Holdings(self.stages, tuple(
            np.unique(moments.reshape(len(moments), -1), axis=0).reshape(-1, *moments.shape[1:])
            for moments in self.moments))


def holdings(plan: VersionPlan) -> Holdings:
    """What the program of `plan` holds on each device, whatever a stage weighs."""
    copies, stages, moments = plan.program.copies, [], []
    for device in range(plan.program.devices):
        mine = np.flatnonzero(copies.device == device)
        stages.append(copies.stage[mine].astype(np.int64))
        held = np.array([held_by(plan, copy) for copy in mine.tolist()])  # (copies on it, 4, rows)
        moments.append(held.transpose(2, 1, 0))
    return Holdings(tuple(stages), tuple(moments))


def footprint(plan: VersionPlan, profile: Profile, backward: Backward, state_copies: float
              ) -> Footprint:
    """The bytes that the program of `plan` needs on each device; see `in_bytes`."""
    return in_bytes(holdings(plan), profile, backward, state_copies)


def in_bytes(held: Holdings, profile: Profile, backward: Backward, state_copies: float
             ) -> Footprint:
    """The bytes that holdings come to on each device.

    The profile has to know weights and activations; `state_copies` arrays as large as the weights
    are held beside them.
    """
    weights, full, entry, workspace = (_bytes(profile, name) for name in (
        "weight_bytes", "activation_bytes", "input_bytes", "workspace_bytes"))
    again = backward == "recompute"
    kept, rerun = (entry, full) if again else (full, np.zeros_like(full))
    one = np.array([weights[mine].sum() for mine in held.stages])
    room = np.array([workspace[mine].max(initial=0.0) for mine in held.stages])
    state, peaks = state_copies * one, []
    for mine, moments, own in zip(held.stages, held.moments, one.tolist(), strict=True):
        stash = (moments[:, 0] - 1) @ weights[mine]
        passing = moments[:, 1] @ weights[mine]
        activations = moments[:, 2] @ kept[mine] + moments[:, 3] @ rerun[mine]
        peaks.append([each.max(initial=0.0) for each in (
            stash, passing, activations, stash + passing + activations + own)])
    stashed, copied, active, both = np.array(peaks).T
    return Footprint(one, state, stashed, copied, active, room, both + state + room)


def _bytes(profile: Profile, name: str) -> Floats:
    return np.array([float(getattr(stage, name) or 0.0) for stage in profile.stages])

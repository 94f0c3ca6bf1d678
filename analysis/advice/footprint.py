"""Bytes a device needs at its worst moment, from the order alone: no clock, no run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.metrics.holding import held_by
from sim.arrays import Floats
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


def footprint(plan: VersionPlan, profile: Profile, backward: Backward, state_copies: float
              ) -> Footprint:
    """The bytes that the program of `plan` needs on each device.

    The profile has to know weights and activations; `state_copies` arrays as large as the weights
    are held beside them.
    """
    weights, full, entry, workspace = (_bytes(profile, name) for name in (
        "weight_bytes", "activation_bytes", "input_bytes", "workspace_bytes"))
    again = backward == "recompute"
    kept, rerun = (entry, full) if again else (full, np.zeros_like(full))
    copies, devices = plan.program.copies, range(plan.program.devices)
    on = [np.flatnonzero(copies.device == device).tolist() for device in devices]
    rows = [np.zeros((4, plan.program.offsets[d + 1] - plan.program.offsets[d])) for d in devices]
    for copy, (stage, device) in enumerate(zip(copies.stage, copies.device, strict=True)):
        held = held_by(plan, copy)
        rows[device] += ((held.versions - 1) * weights[stage], held.copies * weights[stage],
                         held.flying * kept[stage] + held.rerunning * rerun[stage],
                         np.full(len(held.versions), weights[stage]))
    one = np.array([weights[copies.stage[mine]].sum() for mine in on])
    room = np.array([workspace[copies.stage[mine]].max(initial=0.0) for mine in on])
    state = state_copies * one
    stash, passing, activations = (
        np.array([each[kind].max(initial=0.0) for each in rows]) for kind in range(3))
    both = np.array([each.sum(axis=0).max(initial=0.0) for each in rows])
    return Footprint(one, state, stash, passing, activations, room, both + state + room)


def _bytes(profile: Profile, name: str) -> Floats:
    return np.array([float(getattr(stage, name) or 0.0) for stage in profile.stages])

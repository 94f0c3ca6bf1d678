"""Bytes a device needs at its worst moment, from the order alone: no clock, no run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Floats, Ints
from sim.numerics.stage import Backward
from sim.op import Op
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
    """Bytes by device, one stage each, shape (devices,); each its own peak over the run."""

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
    stages = range(len(weights))
    held = [_held(plan, k) for k in stages]
    activations = [held[k].flying * kept[k] + held[k].rerunning * rerun[k] for k in stages]
    both = [(held[k].versions + held[k].copies) * weights[k] + activations[k] for k in stages]
    state = state_copies * weights
    return Footprint(
        weights, state, np.array([(held[k].versions.max() - 1) * weights[k] for k in stages]),
        np.array([held[k].copies.max() * weights[k] for k in stages]),
        np.array([each.max() for each in activations]), workspace,
        np.array([each.max() for each in both]) + state + workspace)


def _bytes(profile: Profile, name: str) -> Floats:
    return np.array([float(getattr(stage, name) or 0.0) for stage in profile.stages])


class _Held(NamedTuple):
    """What a stage has while each row of its device executes, (rows of the device,) each.

    Weight sets, copies for one pass, micro-batches in flight, and those made again.
    """

    versions: Ints
    copies: Ints
    flying: Ints
    rerunning: Ints


def _held(plan: VersionPlan, stage: int) -> _Held:
    """A version is there from the row after the one that made it, a prediction from its own
    forward on."""
    first, end = plan.program.offsets[stage : stage + 2]
    born, dropped, predicted = plan.holdings(stage)
    size = end - first
    change = np.bincount(np.clip(born + 1 - predicted - first, 0, size), minlength=size + 1)
    change -= np.bincount(np.clip(dropped + 1 - first, 0, size), minlength=size + 1)
    copies = np.bincount(plan.passing(stage) - first, minlength=size)
    op, _, _, count = (column[first:end] for column in plan.program.rows)
    again = np.where(op == Op.B, 1, count)
    return _Held(np.cumsum(change)[:size], copies,
                 _level(count, op == Op.F, np.isin(op, (Op.B, Op.W))),
                 _level(again, np.isin(op, (Op.B, Op.I)), np.isin(op, (Op.B, Op.W))))


def _level(amount: Ints, taken: NDArray[np.bool_], given: NDArray[np.bool_]) -> Ints:
    """What is held while each row runs, taken as it starts and given back as it ends, (rows,)."""
    gone = np.concatenate(([0], np.where(given, amount, 0)[:-1]))
    return np.cumsum(np.where(taken, amount, 0) - gone)

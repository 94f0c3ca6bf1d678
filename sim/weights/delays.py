"""How late every update of a stage is: what a mitigation that adapts its rate goes by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.arrays import Ints
from sim.weights.versions import VersionPlan


def update_delays(plan: VersionPlan, stage: int, does: Sequence[bool] | None = None) -> Ints:
    """Updates between the oldest version read for each update of a stage and the one it steps.

    Shape (updates,), by the version an update steps.  Of one that applies several micro-batches, or
    mini-batches of several copies together, it is that of the latest among them [choice]; only the
    forward's read counts, where the gradient was begun.  `does` says which micro-batches count,
    (micro-batches,), all unless given: a copy that learns alone counts its own.
    """
    stepped, read = plan.applied[stage], plan.forward[stage]
    if does is not None:
        own = np.asarray(does, dtype=bool)
        stepped, read = stepped[own], read[own]
    late = np.zeros(int(stepped.max(initial=-1)) + 1, dtype=np.int64)
    np.maximum.at(late, stepped.astype(np.int64), stepped.astype(np.int64) - read)
    return late

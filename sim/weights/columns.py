"""What a trace says of versions, row by row: those read, and how stale they are."""

from __future__ import annotations

import numpy as np

from sim.arrays import Floats, Ints
from sim.kernels.pairs import NUMPY, Kernels
from sim.kernels.versions import EFFECTIVE, READ
from sim.weights.versions import VersionPlan


def staleness_columns(plan: VersionPlan, kernels: Kernels = NUMPY) -> tuple[Ints, Floats, Floats]:
    """What each row of a plan's program reads: its version, staleness and effective staleness.

    Three columns of shape (rows,); staleness is in updates.
    """
    read, _, late, effective = version_columns(plan, kernels)
    return read, late, effective


def version_columns(plan: VersionPlan, kernels: Kernels = NUMPY
                    ) -> tuple[Ints, Ints, Floats, Floats]:
    """The columns of a trace that are about versions, each of shape (rows,).

    They are the version read, the version just before the mini-batch's own update, staleness and
    effective staleness, all in updates.  Of a pass that covers several micro-batches they give the
    oldest version and the mean staleness.
    """
    program, passes, versions = plan.program, plan.passes, plan.versions
    make = NUMPY if program.several else kernels
    read, applied, late = make.of(READ)(*program.rows, passes, versions, program.wide)
    if program.several:  # an update stands at its mini-batch's first, maybe not its copy's own
        for column in (read, applied):
            column[passes.update] = versions.applied
    if not plan.mitigation.interpolates:
        return read, applied, late, late  # nothing interpolated: one column says both
    effective = make.of(EFFECTIVE)(*program.rows, passes, versions, late, _shares(plan))
    return read, applied, late, effective


def _shares(plan: VersionPlan) -> Floats:
    """Effective staleness of an interpolated backward by its gap, of the gaps there are."""
    gaps = np.flatnonzero(np.bincount((plan.applied - plan.backward).ravel()))
    share = np.zeros(gaps[-1] + 1)
    share[gaps] = [float(plan.mitigation.effective_staleness(gap)) for gap in gaps.tolist()]
    return share

"""What a copy of a stage holds while each row of its device executes: from the order, no clock."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Ints
from sim.op import Op
from sim.weights.versions import VersionPlan


class HeldByCopy(NamedTuple):
    """What a copy of a stage has while each row of its device executes, (rows of the device,) each.

    Weight sets, copies for one pass, micro-batches in flight, and those made again.
    """

    versions: Ints
    copies: Ints
    flying: Ints
    rerunning: Ints


def held_by(plan: VersionPlan, copy: int) -> HeldByCopy:
    """What a copy has while each row of its device executes, as the versions of `plan` need it.

    A version is there from the row after the one that made it, a prediction from its own forward
    on.
    """
    copies, program = plan.program.copies, plan.program
    first, end = program.offsets[copies.device[copy] : copies.device[copy] + 2]
    born, dropped, predicted = plan.holdings(copy)
    size = end - first
    change = np.bincount(np.clip(born + 1 - predicted - first, 0, size), minlength=size + 1)
    change -= np.bincount(np.clip(dropped + 1 - first, 0, size), minlength=size + 1)
    passing = np.bincount(plan.passing(copy) - first, minlength=size)
    op, stage, _, count = (column[first:end] for column in program.rows)
    mine, again = stage == copies.stage[copy], np.where(op == Op.B, 1, count)
    given = mine & np.isin(op, (Op.B, Op.W))
    return HeldByCopy(np.cumsum(change)[:size], passing,
                      _level(count, mine & (op == Op.F), given),
                      _level(again, mine & np.isin(op, (Op.B, Op.I)), given))


def _level(amount: Ints, taken: NDArray[np.bool_], given: NDArray[np.bool_]) -> Ints:
    """What is held while each row runs, taken as it starts and given back as it ends, (rows,)."""
    gone = np.concatenate(([0], np.where(given, amount, 0)[:-1]))
    return np.cumsum(np.where(taken, amount, 0) - gone)

"""The order in which the rows of every replica are executed, found once for all of them."""

from __future__ import annotations

import numpy as np

from sim.arrays import Ints
from sim.kernels.lane_order import LaneOrder
from sim.order.program import Program
from sim.times.costs import CostModel
from sim.times.exact.equations import MaxPlusSystem
from sim.times.exact.order import moments
from sim.times.replicas.blocks import LaneBlocks


def order_of(program: Program, blocks: LaneBlocks, *, every_row: bool) -> LaneOrder | None:
    """The order in which a program's rows are executed for all replicas at once, level by level.

    Without `every_row` it has only those that can change a makespan.  A row that neither takes time
    nor has to do with a message changes nothing but its own times.  None where the program cannot
    be executed.
    """
    zero, first = np.zeros(program.shape.stages), blocks.replicas[0]
    system = MaxPlusSystem.of(program, CostModel(zero, zero, zero, zero), first.cluster, first.rng)
    counts = np.ones(len(program), dtype=bool) if every_row else (
        blocks.takes_time | (system.source >= 0) | (system.link >= 0))
    rows: Ints = np.flatnonzero(counts)
    level = moments(system, counts.astype(np.float64)) if len(rows) else counts.astype(np.int64)
    if level is None:
        return None
    rows = rows[np.argsort(level[rows], kind="stable")]
    return LaneOrder(rows, level, program.device, system.source, system.link, blocks.place,
                     blocks.kind, program.devices, len(system.receiver), blocks.late)

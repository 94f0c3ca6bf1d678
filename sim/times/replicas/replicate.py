"""Many runs of one program at once, under other seeds, costs or links.

Each replica's times are those `sim.times.engine` finds, bit for bit: only the order is shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from sim.arrays import Floats
from sim.kernels.lane_order import LaneOrder
from sim.kernels.lanes import EXECUTE, LAY_OUT
from sim.kernels.pairs import Kernels, choose
from sim.order.program import Program
from sim.times.exact.timeline import timeline
from sim.times.expanded.expand import expands, through
from sim.times.limits import refuse_long
from sim.times.memory import stays_within_limit
from sim.times.replicas.blocks import LaneBlocks, Replica
from sim.times.replicas.order import order_of

MOST_LANES = 256
COMPILED_BYTES, NUMPY_BYTES = 2**24, 2**27  # of one block: what a cache holds; few, wide levels


@dataclass(frozen=True)
class ReplicaTimes:
    """Times of many runs of one program, in seconds.

    `makespan_s` has shape (replicas,); `start_s` and `end_s`, of each row, have shape
    (replicas, rows), and are None where they were not asked for.
    """

    program: Program
    makespan_s: Floats
    start_s: Floats | None = None
    end_s: Floats | None = None

    @property
    def throughput_minibatches_per_s(self) -> Floats:
        """Mini-batches of the run by seconds of its makespan, shape (replicas,)."""
        return self.program.shape.minibatches / self.makespan_s


def replicate(program: Program, replicas: Sequence[Replica], *, columns: bool = False,
              kernels: Kernels | None = None) -> ReplicaTimes:
    """The times of a program run once for every replica, with `columns` those of every row too.

    Without `kernels` they are chosen by the rows of all replicas.  Where an instruction is slowed
    with time, or workers wait for each other, replicas are run one by one.
    Raises DeadlockError, ConfigurationError where a run takes longer than ticks count, and
    ValueError for no replicas.
    """
    if not replicas:
        raise ValueError("replicas are at least one, got none")
    kernels = kernels or choose(len(program) * len(replicas))
    found = _together(program, replicas, columns, kernels)
    refuse_long(float(found.makespan_s.max()), "a run")
    return found


def _together(program: Program, replicas: Sequence[Replica], columns: bool, kernels: Kernels
              ) -> ReplicaTimes:
    """The times of all replicas, side by side where one order serves all and can be executed."""
    if not _can_share(program, replicas):
        return _one_by_one(program, replicas, columns, kernels)
    states = [each.rng.bit_generator.state for each in replicas]
    found = _side_by_side(program, replicas, columns, kernels)
    if found is not None:
        return found
    for each, state in zip(replicas, states, strict=True):
        each.rng.bit_generator.state = state
    return _one_by_one(program, replicas, columns, kernels)


def _can_share(program: Program, replicas: Sequence[Replica]) -> bool:
    """Whether one order of rows serves all, and nothing but seconds differs."""
    alone = len(program.sync[0]) or any(
        each.costs.drifts or expands(program, each.costs, each.cluster)
        or (program.several and each.costs.slowdown is not None)
        for each in replicas)  # updates of a stage's copies are one instruction, on unlike devices
    return not alone and all(stays_within_limit(program, each.cluster) for each in replicas)


def _one_by_one(program: Program, replicas: Sequence[Replica], columns: bool, kernels: Kernels
                ) -> ReplicaTimes:
    runs = [through(partial(timeline, kernels=kernels), program, each.costs, each.cluster,
                    each.rng) for each in replicas]
    makespans = np.array([run.end_s.max() for run in runs])
    if not columns:
        return ReplicaTimes(program, makespans)
    return ReplicaTimes(program, makespans, np.array([run.start_s for run in runs]),
                        np.array([run.end_s for run in runs]))


def _side_by_side(program: Program, replicas: Sequence[Replica], columns: bool, kernels: Kernels
                  ) -> ReplicaTimes | None:
    """All replicas, a block of lanes after another; None where the program cannot be executed."""
    blocks = LaneBlocks(program, replicas)
    order = order_of(program, blocks, every_row=columns)
    if order is None:
        return None
    if not len(order.rows):
        return ReplicaTimes(program, np.zeros(len(replicas)))
    layout, execute = kernels.of(LAY_OUT)(order), kernels.of(EXECUTE)
    makespan = np.empty(len(replicas))
    times = np.empty((2, len(replicas), len(program) if columns else 0))
    for block in blocks.of(_lanes(blocks.places + layout.kept, kernels)):
        start = np.empty((times.shape[2], block.seconds.shape[1]))
        makespan[block.replicas] = execute(layout, block.seconds, block.transfer_s,
                                               block.latency_s, start)
        if columns:
            _keep(times[:, block.replicas], order, start, block.seconds)
    return ReplicaTimes(program, makespan, *(times if columns else ()))


def _lanes(numbers: int, kernels: Kernels) -> int:
    """Lanes of a block in which each has so many numbers."""
    most = (COMPILED_BYTES if kernels.compiled else NUMPY_BYTES) // (8 * numbers)
    return max(1, min(MOST_LANES, most))


def _keep(times: Floats, order: LaneOrder, start: Floats, seconds: Floats) -> None:
    """Put a block's starts and ends, by row of the order, where `times` has them: shape (2, lanes,
    rows)."""
    times[0][:, order.rows] = start.T
    times[1][:, order.rows] = (start + seconds[order.place[order.rows]]).T

"""Many runs of one program at once, under other seeds, costs or links: makespans and their spread.

Each replica's times are those `sim.times.engine` finds, bit for bit: only the order is shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.arrays import Floats
from sim.order.program import Program
from sim.times.costs import CostModel
from sim.times.exact import LONGEST_S, fits, timeline
from sim.times.exact.compiled import available
from sim.times.exact.order import moments
from sim.times.exact.system import System
from sim.times.replicas.blocks import Blocks, Case
from sim.times.replicas.lanes import Lanes
from sim.times.replicas.levels import Levels

MOST_LANES = 256
COMPILED_BYTES, NUMPY_BYTES = 2**24, 2**27  # of one block: what a cache holds; few, wide levels


@dataclass(frozen=True)
class Replicas:
    """Seconds by replica; `start_s` and `end_s` of shape (replicas, rows) where asked for."""

    program: Program
    makespan_s: Floats
    start_s: Floats | None = None
    end_s: Floats | None = None

    @property
    def throughput_minibatches_per_s(self) -> Floats:
        return self.program.shape.minibatches / self.makespan_s


def replicate(program: Program, cases: Sequence[Case], *, columns: bool = False,
              use_numba: bool | None = None) -> Replicas:
    """Run `program` once for every case; with `columns` every row's times are kept.

    Numba is used where it is installed, unless told otherwise.  Where an instruction is slowed in
    windows of time, or workers wait for each other, replicas are run one by one.
    Raises DeadlockError.
    """
    if not cases:
        raise ValueError("replicas are of at least one case, got none")
    alone = len(program.sync[0]) or any(
        case.costs.stragglers or case.costs.slowdown is not None for case in cases)
    if alone or not all(fits(program, case.cluster) for case in cases):
        return _one_by_one(program, cases, columns)
    states = [case.rng.bit_generator.state for case in cases]
    found = _together(program, cases, columns, available() if use_numba is None else use_numba)
    if found is not None and found.makespan_s.max() < LONGEST_S:
        return found
    for case, state in zip(cases, states, strict=True):
        case.rng.bit_generator.state = state
    return _one_by_one(program, cases, columns)


def _one_by_one(program: Program, cases: Sequence[Case], columns: bool) -> Replicas:
    runs = [timeline(program, case.costs, case.cluster, case.rng) for case in cases]
    makespans = np.array([run.end_s.max() for run in runs])
    if not columns:
        return Replicas(program, makespans)
    return Replicas(program, makespans, np.array([run.start_s for run in runs]),
                    np.array([run.end_s for run in runs]))


def _together(program: Program, cases: Sequence[Case], columns: bool, use_numba: bool
              ) -> Replicas | None:
    """All cases side by side; None where the program cannot be executed."""
    blocks = Blocks(program, cases)
    zero = np.zeros(program.shape.stages)
    system = System.of(program, CostModel(zero, zero, zero, zero), cases[0].cluster, cases[0].rng)
    # A row that neither takes time nor has to do with a message changes nothing but its own times.
    counts = np.ones(len(program), dtype=bool) if columns else (
        blocks.takes_time | (system.source >= 0) | (system.link >= 0))
    if not counts.any():
        return Replicas(program, np.zeros(len(cases)))
    moment = moments(system, counts.astype(np.float64))
    if moment is None:
        return None
    rows = np.flatnonzero(counts)
    rows = rows[np.argsort(moment[rows], kind="stable")]
    order = (Lanes.of(system, rows, blocks.place, blocks.kind) if use_numba
             else Levels.of(system, rows, moment, blocks.place, blocks.kind))
    most = (COMPILED_BYTES if use_numba else NUMPY_BYTES) // (8 * (blocks.places + order.held))
    makespan = np.empty(len(cases))
    times = np.empty((2, len(cases), len(program) if columns else 0))
    for block in blocks.of(max(1, min(MOST_LANES, most))):
        start = np.empty((times.shape[2], block.seconds.shape[1]))
        makespan[block.cases] = order.run(block, start)
        if columns:
            times[0, block.cases, rows] = start
            times[1, block.cases, rows] = start + block.seconds[blocks.place[rows]]
    return Replicas(program, makespan, *(times if columns else ()))

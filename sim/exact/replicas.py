"""Many runs of one program at once, under other seeds, costs or links: makespans and their spread.

Each replica's times are those `sim.engine` finds, bit for bit: only the order is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.costs import CostModel, Floats
from sim.exact import LONGEST_S, fits, timeline
from sim.exact.blocks import Block, Blocks, Case
from sim.exact.compiled import available, compiled
from sim.exact.lanes import slotted, swept, swept_by_row
from sim.exact.order import topological
from sim.exact.system import System
from sim.instruction import Ints
from sim.program import Program

MOST_LANES = 256
COMPILED_BYTES, NUMPY_BYTES = 2**24, 2**28  # of one block: what a cache holds; few, wide rows


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
    most = (COMPILED_BYTES if use_numba else NUMPY_BYTES) // (8 * blocks.places)
    run: Callable[[Callable[..., Any]], Callable[..., Any]] = compiled if use_numba else _as_it_is
    zero = np.zeros(program.shape.stages)
    system = System.of(program, CostModel(zero, zero, zero, zero), cases[0].cluster, cases[0].rng)
    rows = topological(system)
    if rows is None:
        return None
    if not columns:
        matters = blocks.takes_time | (system.source >= 0) | (system.link >= 0)
        rows = rows[matters[rows]]
    track = _track(system, rows, run)
    sweep = compiled(swept) if use_numba else swept_by_row
    makespan = np.empty(len(cases))
    times = np.empty((2, len(cases), len(program) if columns else 0))
    for block in blocks.of(max(1, min(MOST_LANES, most))):
        start = np.empty((times.shape[2], block.seconds.shape[1]))
        clock = _swept(sweep, system, blocks, block, rows, track, start)
        makespan[block.cases] = clock.max(axis=0)
        if columns:
            times[0, block.cases, rows] = start
            times[1, block.cases, rows] = start + block.seconds[blocks.place[rows]]
    return Replicas(program, makespan, *(times if columns else ()))


def _track(system: System, rows: Ints, run: Callable[[Callable[..., Any]], Callable[..., Any]]
           ) -> tuple[Ints, Ints, int]:
    """Slots of the messages rows need and send, and how many slots there are."""
    held, unused, needed, slot = (np.empty(size, dtype=np.int32) for size in (
        len(system.program), len(rows) + 1, len(rows), len(rows)))
    slots = int(run(slotted)(rows, system.source, system.link, held, unused, needed, slot))
    return needed, slot, slots


def _swept(sweep: Callable[..., None], system: System, blocks: Blocks, block: Block, rows: Ints,
           track: tuple[Ints, Ints, int], start: Floats) -> Floats:
    """Run one block; the clocks at its end, of shape (devices, lanes)."""
    needed, slot, slots = track
    lanes = block.seconds.shape[1]
    clock, free, arrival = (np.zeros((size, lanes)) for size in (
        system.program.devices, len(system.receiver), slots))
    sweep(system.program.device[rows], needed, slot, system.link[rows], blocks.place[rows],
          blocks.kind[rows], block.seconds, block.transfer_s, clock, free, arrival, start)
    return clock


def _as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function

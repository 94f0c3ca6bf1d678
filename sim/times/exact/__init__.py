"""Times of a static program without an event loop: the same timeline, bit for bit.

`sim.times.engine` is the reference.  What it alone can say (which stream head waits for what in a
deadlock) it is asked for, and so it is where a sum of times would no longer be exact.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from sim.op import Op, among
from sim.order.program import Program
from sim.times.cluster import Cluster
from sim.times.costs import CostModel
from sim.times.engine import Timeline, simulate
from sim.times.exact import plain
from sim.times.exact.compiled import compiled, loaded, pays
from sim.times.exact.period import extrapolated
from sim.times.exact.state import State, Times, as_list
from sim.times.exact.system import System

Method = Literal["auto", "plain", "periodic", "compiled"]
METHODS: tuple[Method, ...] = get_args(Method)
LONGEST_S = 2.0**23  # of ticks of 2**-30 s, what a float64 counts exactly
FEW = 4000  # rows: not worth looking for a period


def timeline(program: Program, costs: CostModel, cluster: Cluster, rng: np.random.Generator,
             method: Method = "auto") -> Timeline:
    """Start, end, sent and arrived of every row, as `sim.times.engine.simulate` finds them.

    `plain` runs the recurrence in Python, `compiled` as machine code, `periodic` looks for a
    steady period and fills in the rest (and is plain where there is none); `auto` takes the
    fastest that is at hand.  Raises DeadlockError.
    """
    before = rng.bit_generator.state
    found = _executed(program, costs, cluster, rng, method) if fits(program, cluster) else None
    if found is None or max(found[1][end - 1] for end in program.offsets[1:]) >= LONGEST_S:
        rng.bit_generator.state = before
        return simulate(program, costs, cluster, rng)
    return Timeline(program, *found)


def _executed(program: Program, costs: CostModel, cluster: Cluster, rng: np.random.Generator,
              method: Method) -> Times | None:
    """Times by row; None where not every row can run."""
    rows, compiling = len(program), method == "compiled" or (method == "auto" and loaded())
    system = System.of(program, costs, cluster, rng)
    windows_or_gates = bool(costs.stragglers) or len(program.sync[0]) > 0
    repeats = method == "periodic" or (method == "auto" and rows >= FEW and not compiling)
    if repeats and not costs.jitter_sigma and not windows_or_gates:
        state = extrapolated(system)
        if state is not None:
            return state.settle()
    if compiling or (method == "auto" and pays(rows)):
        state = State(system, _as_it_is, compiled())
    elif windows_or_gates:
        state = State(system, as_list)
    else:
        return plain.executed(system)
    return state.settle() if state.finish() else None


def _as_it_is(column: Any) -> Any:
    return column


def fits(program: Program, cluster: Cluster) -> bool:
    """Whether what each device keeps stays below the limit all along its stream."""
    if np.isinf(cluster.activation_limit_bytes):
        return True
    op, stage, _, count = program.rows
    size = cluster.activation_bytes[stage] * count
    takes, gives = op == Op.F, among(op, (Op.B, Op.W))
    change = np.where(takes, size, np.where(gives, -size, 0.0))
    return all((np.cumsum(change[a:b])[takes[a:b]] <= cluster.activation_limit_bytes).all()
               for a, b in zip(program.offsets, program.offsets[1:], strict=False))

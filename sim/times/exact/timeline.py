"""The timeline of a static program without an event loop.

`sim.times.engine` is the reference, and both agree to the last bit.  What it alone can say (which
stream head waits for what in a deadlock) it is asked for.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from sim.kernels.pairs import NUMPY, Kernels
from sim.order.program import Program
from sim.times.cluster import Cluster
from sim.times.costs import CostModel
from sim.times.engine import simulate
from sim.times.exact import in_order
from sim.times.exact.equations import MaxPlusSystem
from sim.times.exact.period import extrapolated
from sim.times.exact.state import State, as_array, as_list
from sim.times.memory import stays_within_limit
from sim.times.timeline import Timeline, Times

Method = Literal["auto", "plain", "periodic"]
FEWEST_ROWS_OF_A_PERIOD = 4000  # below, looking for one takes longer than executing all


def timeline(program: Program, costs: CostModel, cluster: Cluster, rng: np.random.Generator, *,
             kernels: Kernels = NUMPY, method: Method = "auto") -> Timeline:
    """When every row of `program` runs, as `sim.times.engine.simulate` finds it, only sooner.

    `plain` executes every row in Python, `periodic` looks for a steady period and fills in the
    rest (and is plain where there is none); `auto` executes compiled where `kernels` are, is
    periodic where times can repeat, and plain elsewhere.  Raises DeadlockError.
    """
    before = rng.bit_generator.state
    found = None
    if stays_within_limit(program, cluster):
        system = MaxPlusSystem.of(program, costs, cluster, rng, kernels)
        found = _executed(system, kernels, method, repeats=_can_repeat(program, costs))
    if found is None:
        rng.bit_generator.state = before
        return simulate(program, costs, cluster, rng)
    return Timeline(program, *found)


def _can_repeat(program: Program, costs: CostModel) -> bool:
    """Whether times can have a period: no jitter, drift, or workers that wait."""
    return not (costs.jitter_sigma or costs.drifts or len(program.sync[0]))


def _executed(system: MaxPlusSystem, kernels: Kernels, method: Method, *, repeats: bool
              ) -> Times | None:
    """Times by row; None where not every row can run."""
    if kernels.compiled and method == "auto":
        return _finished(State(system, as_array, kernels))
    long = len(system.program) >= FEWEST_ROWS_OF_A_PERIOD
    if repeats and (method == "periodic" or (method == "auto" and long)):
        state = extrapolated(system)
        if state is not None:
            return state.settle()
    return in_order.executed(system) or _finished(State(system, as_list))


def _finished(state: State) -> Times | None:
    return state.settle() if state.finish() else None

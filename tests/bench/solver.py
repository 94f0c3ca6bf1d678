"""The steady-state solver's time, against its limit."""

from __future__ import annotations

import numpy as np

from analysis.theory.steady import steady_state
from sim.experiment.configuration import resolve
from sim.experiment.setup import VirtualSetup
from sim.schedules import SCHEDULES
from tests.bench.bare import LATENCY_S
from tests.bench.measure import Sizes, Took, in_turns

SOLVED = {"stages": 64, "minibatches": 134}
SOLVER_REPEATS = 15


def solver_time(sizes: Sizes) -> Took:
    """Milliseconds from a schedule to its critical cycle, every stage and link its own."""
    rng, stages = np.random.default_rng(0), sizes["stages"]
    experiment = resolve({
        "pipeline": sizes, "training": {"task": "none"},
        "costs": {key: rng.uniform(0.5, 2.0, stages).tolist()
                  for key in ("forward_s", "backward_s", "update_s")},
        "cluster": {"latency_s": LATENCY_S, "bandwidth_bytes_per_s": 10.0,
                    "boundary_bytes": rng.uniform(1.0, 9.0, stages - 1).tolist()}})
    setup = VirtualSetup.of(experiment)

    def solve() -> float:
        found = steady_state(SCHEDULES["round-robin"].program(experiment.shape), setup.costs,
                             setup.cluster)
        assert found is not None
        return found.period_s

    seconds = in_turns({"ours": solve}, SOLVER_REPEATS, "solving")["ours"]
    return Took("solver_ms", [1000 * each for each in seconds], "ms", 50.0)

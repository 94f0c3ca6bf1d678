"""Small experiments whose costs drift, on layers that can move."""

from typing import Any

from analysis.drifting.problem import DriftProblem
from sim.experiment.configuration import resolve

FLUSHED = {"schedule": "1f1b", "stages": 3, "microbatches": 4, "minibatches": 16}
LATE = {"schedule": "round-robin", "stages": 3, "minibatches": 40}
SLOWER = {"stage": 1, "from_s": 30.0, "to_s": 60.0, "factor": 2.5}


def problem(pipeline: dict[str, Any] = FLUSHED, every: int = 4, *, costs: Any = None,
            cluster: Any = None, state_copies: float = 1.0, orders: Any = None,
            doubt: float = 0.0, **training: Any) -> DriftProblem:
    """A problem of nine small weight layers; `costs` and so on are added to its tables."""
    return DriftProblem(resolve({
        "pipeline": pipeline, "costs": {"forward_s": 1.0, "backward_s": 2.0, **(costs or {})},
        "cluster": cluster or {}, "training": {"layers": 9, "width": 6, "batch_size": 8,
                                               "distances": False, **training}}),
        every, state_copies, orders, doubt=doubt)

"""How a training went: when it reached a target accuracy, and how steady it was at the end."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.metrics.timing import finished_s
from sim.trace import Trace


def convergence(trace: Trace, target: float) -> dict[str, Any]:
    """Mini-batches, epochs and simulated seconds to the first evaluation at `target` validation
    accuracy, and the standard deviation of the accuracy over the last fifth of the run.

    None where the target was never met, or nothing was evaluated.
    """
    accuracy = trace.curves.get("accuracy", np.zeros(0))
    at = trace.curves.get("evaluated_minibatch", np.zeros(0, dtype=np.int64))
    good = at[accuracy >= target]
    reached = int(good[0]) if len(good) else None
    return {
        "target_accuracy": target,
        "minibatches_to_target": reached,
        "epochs_to_target": None if reached is None else epochs(trace, reached),
        "seconds_to_target": None if reached is None else float(finished_s(trace)[:reached].max()),
        "accuracy_fluctuation": fluctuation(trace),
    }


def epochs(trace: Trace, minibatches: int) -> float | None:
    """Passes over the training set; None where the task has no such set."""
    examples = trace.header.get("training", {}).get("examples")
    batch = trace.header["experiment"]["training"]["batch_size"]
    return minibatches * batch / examples if examples else None


def fluctuation(trace: Trace) -> float | None:
    """Sample standard deviation of the accuracies evaluated in the last fifth of the run."""
    accuracy = trace.curves.get("accuracy", np.zeros(0))
    at = trace.curves.get("evaluated_minibatch", np.zeros(0))
    late = accuracy[at > 0.8 * trace.shape.minibatches]
    return float(np.std(late, ddof=1)) if len(late) > 1 else None

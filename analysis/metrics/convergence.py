"""How a training went: when it reached a target accuracy, and how steady it was at the end."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.metrics.timing import finished_s
from sim.arrays import Floats, Ints
from sim.trace import Trace

LATE = 0.8  # of a run: its accuracies fluctuate over what comes after


def convergence(trace: Trace, target: float) -> dict[str, Any]:
    """When a training first reached `target` validation accuracy, and how steady it was at the end.

    Gives mini-batches, epochs and simulated seconds to that evaluation (None where it never came,
    or nothing was evaluated), and the accuracy's fluctuation over the last fifth of the run.
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
    """Passes over the training set that so many mini-batches are; None where a task has no set."""
    learnt = trace.header.training
    if learnt is None or not learnt.examples:
        return None
    batch: int = trace.header.experiment["training"]["batch_size"]
    return minibatches * batch / learnt.examples


def fluctuation(trace: Trace) -> float | None:
    """Sample standard deviation of the accuracies evaluated in the last fifth of the run.

    None where there are fewer than two.
    """
    return late_deviation(trace.curves.get("evaluated_minibatch", np.zeros(0)),
                          trace.curves.get("accuracy", np.zeros(0)), trace.shape.minibatches)


def late_deviation(at: Floats | Ints, values: Floats, minibatches: int) -> float | None:
    """Sample standard deviation of what was evaluated in the last fifth of so many mini-batches.

    `values` (evaluations,) were found after the mini-batches `at`, of the same shape; None where
    fewer than two lie there.
    """
    late = values[at > LATE * minibatches]
    return float(np.std(late, ddof=1)) if len(late) > 1 else None

"""Training curves, and when a training reached a target accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sim.numerics.tasks import Evaluation
from sim.numerics.training import TrainingResult
from sim.op import Op
from sim.trace import Trace


def curve_rows(result: TrainingResult) -> Iterator[dict[str, Any]]:
    """A training's curves as rows of mini-batch (from 1), quantity and value.

    Each mini-batch's own loss, and the losses and accuracies of every evaluation.
    """
    for minibatch, loss in enumerate(result.loss.tolist(), 1):
        yield {"minibatch": minibatch, "quantity": "minibatch_loss", "value": loss}
    for minibatch, found in zip(result.evaluated, result.evaluations, strict=True):
        for quantity, value in judged(found).items():
            yield {"minibatch": minibatch, "quantity": quantity, "value": value}


def judged(found: Evaluation) -> dict[str, float | None]:
    """Loss and accuracy over the training and over the validation images; None where unknown."""
    return {"training_loss": found.final_loss, "validation_loss": found.validation_loss,
            "training_accuracy": getattr(found, "training_accuracy", None),
            "validation_accuracy": found.accuracy}


def minibatches_to(target: float, evaluated: Sequence[int], evaluations: Sequence[Evaluation]
                   ) -> int | None:
    """The first evaluated mini-batch whose validation accuracy is `target` or more; None: never."""
    return next((minibatch for minibatch, found in zip(evaluated, evaluations, strict=True)
                 if found.accuracy is not None and found.accuracy >= target), None)


def ends_s(trace: Trace) -> Any:
    """Seconds from the first instruction to the last update of each mini-batch, (mini-batches,).

    Mini-batch i stands at i − 1.
    """
    updates = trace.op == Op.U
    ends = np.zeros(trace.shape.minibatches)
    np.maximum.at(ends, trace.minibatch[updates] - 1, trace.end_s[updates])
    return ends

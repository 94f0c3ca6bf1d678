"""Gradient descent with momentum, one mini-batch after another: no program, no versions.

The mathematics of a stage (its `forward` and `backward`) is the task's own and tested elsewhere;
what is independent here is everything around it.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def minibatch_gradient(task: Any, weights: list[Any], micro_batches: range) -> tuple[list[Any],
                                                                                       float]:
    """Gradient per stage and mean loss, micro-batches added in order."""
    n = len(micro_batches)
    total: list[Any] = [None] * len(weights)
    loss = 0.0
    for micro in micro_batches:
        here, saved = task.inputs(micro), []
        for k, (model, own) in enumerate(zip(task.models, weights, strict=True)):
            last = k + 1 == len(weights)
            here, kept = model.forward(own, here, task.target(micro) if last else None)
            saved.append(kept)
        loss += here / n
        gradient: Any = 1.0 / n
        for k in reversed(range(len(weights))):
            mine, gradient = task.models[k].backward(weights[k], saved[k], gradient)
            total[k] = mine if total[k] is None else total[k] + mine
    return total, loss


def plain_training(task: Any, minibatches: int, microbatches: int, *, learning_rate: float,
                   momentum: float, ema: bool, nesterov: bool = False, last: int | None = None
                   ) -> tuple[list[list[Any]], list[float]]:
    """Every stage's weights by version, and the loss of every mini-batch.

    The last one has `last` micro-batches, where that is given.
    """
    weights = [[first] for first in task.weights]
    velocity = [np.zeros_like(first) for first in task.weights]
    losses = []
    for i in range(minibatches):
        now = [own[-1] for own in weights]
        if nesterov:
            now = [w - (learning_rate * momentum) * v for w, v in zip(now, velocity, strict=True)]
        size = last if last is not None and i == minibatches - 1 else microbatches
        gradient, loss = minibatch_gradient(
            task, now, range(i * microbatches, i * microbatches + size))
        losses.append(loss)
        for k, g in enumerate(gradient):
            velocity[k] = momentum * velocity[k] + ((1 - momentum) * g if ema else g)
            weights[k].append(weights[k][-1] - learning_rate * velocity[k])
    return weights, losses

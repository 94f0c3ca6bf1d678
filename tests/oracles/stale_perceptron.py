"""Training a perceptron of one layer a stage on stale weights, in plain NumPy.

`read(op, stage, minibatch)` says which version a pass uses.  Under `graph` a backward has the
forward's activations and its own weights in the input gradient; under `recompute` the stage is
run again from its saved input under the backward's weights first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Read = Callable[[str, int, int], int]


def layer(flat: Any, inputs: int, outputs: int) -> tuple[Any, Any]:
    return flat[: inputs * outputs].reshape(inputs, outputs), flat[inputs * outputs :]


def train(weights: list[Any], sizes: tuple[int, ...], data: list[tuple[Any, Any]], read: Read,
          learning_rate: float, momentum: float, recompute: bool) -> list[list[Any]]:
    """Every stage's weights by version; mini-batches from 1, heavy ball."""
    history = [[own] for own in weights]
    velocity = [np.zeros_like(own) for own in weights]
    stages = len(weights)

    def views(op: str, k: int, i: int) -> tuple[Any, Any]:
        return layer(history[k][read(op, k, i)], sizes[k], sizes[k + 1])

    def activation(k: int, z: Any) -> Any:
        return z if k == stages - 1 else np.maximum(z, 0)

    for i, (inputs, labels) in enumerate(data, 1):
        entering, leaving = [], []
        here = inputs
        for k in range(stages):
            matrix, bias = views("F", k, i)
            entering.append(here)
            here = activation(k, here @ matrix + bias)
            leaving.append(here)
        gradient = None
        gradients: list[Any] = [None] * stages
        for k in reversed(range(stages)):
            matrix, bias = views("B", k, i)
            out = activation(k, entering[k] @ matrix + bias) if recompute else leaving[k]
            if k == stages - 1:
                p = np.exp(out - out.max(1, keepdims=True))
                p /= p.sum(1, keepdims=True)
                gradient = (p - np.eye(p.shape[1])[labels]) / len(labels)
            else:
                gradient = gradient * (out > 0)
            gradients[k] = np.concatenate([(entering[k].T @ gradient).ravel(), gradient.sum(0)])
            gradient = gradient @ matrix.T
        for k in range(stages):
            velocity[k] = momentum * velocity[k] + gradients[k]
            history[k].append(history[k][-1] - learning_rate * velocity[k])
    return history

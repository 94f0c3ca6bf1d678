"""What is learnt, written again: a perceptron on the digits, and the quadratic."""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from tests.oracles.apart.case import Case

Array = Any


class Problem(Protocol):
    """`loss` is of the last stage's output; gradients are of the loss that is handed in."""

    first: list[Array]

    def enters(self, whole: int) -> Array: ...
    def forward(self, stage: int, weights: Array, inputs: Array, whole: int) -> tuple[Array, Any]:
        """Output (of the last stage the loss), and what a backward finds of it."""
    def backward(self, stage: int, weights: Array, saved: Any, gradient: Array
                 ) -> tuple[Array, Array]:
        """Gradients of the weights and of the input."""
    def again(self, stage: int, weights: Array, saved: Any) -> Any: ...
    def judge(self, weights: list[Array]) -> tuple[float, float | None, float | None]:
        """Loss, validation loss, accuracy."""


def problem(case: Case) -> Problem:
    return Digits(case) if case.task == "digits-mlp" else Quadratic(case)


def generator(seed: int, concern: int) -> np.random.Generator:
    """The first concern of a seed is the first weights, the second the order of the data."""
    return np.random.default_rng(np.random.SeedSequence(seed).spawn(4)[concern])


@lru_cache(maxsize=1)
def pictures() -> tuple[Array, Array, Array, Array]:
    """The digits, shuffled by a fixed seed: the first 360 validate.  Mean 0 and deviation 1."""
    from sklearn.datasets import load_digits

    data, label = load_digits(return_X_y=True)
    shuffled = np.random.default_rng(20181219).permutation(1797)
    held, rest = shuffled[:360], shuffled[360:]
    mean = data[rest].sum() / data[rest].size
    spread = np.sqrt(((data[rest] - mean) ** 2).sum() / data[rest].size)
    return (data[rest] - mean) / spread, label[rest], (data[held] - mean) / spread, label[held]


class Digits:
    """Layers a·x + b with a ReLU after each but the last, cut into stages; mean cross-entropy."""

    def __init__(self, case: Case) -> None:
        self.case, self.inputs, self.labels = case, *pictures()[:2]
        draw = generator(case.seed, 0)
        self.first = [np.concatenate([part for a, b in itertools.pairwise(units)
                                      for part in (draw.normal(0.0, (2.0 / a) ** 0.5, a * b),
                                                   np.zeros(b))])
                      for units in case.sizes]
        draw, visits = generator(case.seed, 1), case.minibatches * case.batch_size
        order: list[int] = []
        while len(order) < visits:
            order += draw.permutation(len(self.labels)).tolist()
        self.visits = np.array(order[:visits])

    def examples(self, whole: int) -> Array:
        size = self.case.examples
        return self.visits[whole * size : (whole + 1) * size]

    def enters(self, whole: int) -> Array:
        return self.inputs[self.examples(whole)]

    def layers(self, stage: int, weights: Array) -> list[tuple[Array, Array]]:
        found, at = [], 0
        units = self.case.sizes[stage]
        for a, b in itertools.pairwise(units):
            found.append((weights[at : at + a * b].reshape(a, b),
                          weights[at + a * b : at + a * b + b]))
            at += a * b + b
        return found

    def outputs(self, stage: int, weights: Array, inputs: Array) -> list[Array]:
        """The stage's input, and what leaves each of its layers."""
        values = [inputs]
        layers = self.layers(stage, weights)
        for number, (matrix, bias) in enumerate(layers):
            here = values[-1].dot(matrix) + bias
            final = stage + 1 == self.case.stages and number + 1 == len(layers)
            values.append(here if final else np.where(here > 0, here, 0.0))
        return values

    def forward(self, stage: int, weights: Array, inputs: Array, whole: int) -> tuple[Array, Any]:
        values = self.outputs(stage, weights, inputs)
        if stage + 1 < self.case.stages:
            return values[-1], (values, None)
        right = self.labels[self.examples(whole)]
        return surprise(values[-1], right).mean(), (values, right)

    def backward(self, stage: int, weights: Array, saved: Any, gradient: Array
                 ) -> tuple[Array, Array]:
        values, right = saved
        layers, own, here = self.layers(stage, weights), [], gradient
        for number in reversed(range(len(layers))):
            if right is not None and number + 1 == len(layers):
                chance = np.exp(values[-1] - np.logaddexp.reduce(values[-1], 1)[:, None])
                chance[np.arange(len(right)), right] -= 1
                here = gradient * chance / len(right)
            else:
                here = np.where(values[number + 1] > 0, here, 0.0)
            own = [np.einsum("ea,eb->ab", values[number], here).ravel(), here.sum(0), *own]
            here = np.einsum("eb,ab->ea", here, layers[number][0])
        return np.concatenate(own), here

    def again(self, stage: int, weights: Array, saved: Any) -> Any:
        """What a backward finds once the stage has been run again under other weights."""
        values, right = saved
        return self.outputs(stage, weights, values[0]), right

    def judge(self, weights: list[Array]) -> tuple[float, float | None, float | None]:
        scores, held, right = self.inputs, *pictures()[2:]
        for stage, own in enumerate(weights):
            scores, held = (self.outputs(stage, own, here)[-1] for here in (scores, held))
        return (float(surprise(scores, self.labels).mean()), float(surprise(held, right).mean()),
                float((held.argmax(1) == right).mean()))


def surprise(scores: Array, right: Array) -> Array:
    """−log of the right class's probability, of each example."""
    return np.logaddexp.reduce(scores, 1) - scores[np.arange(len(right)), right]


class Quadratic:
    """Every stage adds ½·Σλw² of its own weights, all 1 at first, to the loss handed in."""

    def __init__(self, case: Case) -> None:
        self.curvatures = np.array(case.curvatures, dtype=float)
        self.first = [np.ones(len(self.curvatures)) for _ in range(case.stages)]

    def enters(self, whole: int) -> Array:
        return 0.0

    def share(self, weights: Array) -> float:
        return float(sum(0.5 * c * w * w for c, w in zip(self.curvatures, weights, strict=True)))

    def forward(self, stage: int, weights: Array, inputs: Array, whole: int) -> tuple[Array, Any]:
        return inputs + self.share(weights), weights

    def backward(self, stage: int, weights: Array, saved: Any, gradient: Array
                 ) -> tuple[Array, Array]:
        return gradient * (self.curvatures * saved), gradient

    def again(self, stage: int, weights: Array, saved: Any) -> Any:
        return weights

    def judge(self, weights: list[Array]) -> tuple[float, float | None, float | None]:
        return sum(map(self.share, weights)), None, None

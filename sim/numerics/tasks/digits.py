"""Handwritten digits (scikit-learn's 1,797 real images) learnt by a perceptron cut into stages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from sim.arrays import Floats
from sim.numerics.tasks import Evaluation, TaskOptions, stream, task
from sim.numerics.tasks.mlp import Labels, MlpStage, cross_entropy, cut, first_weights
from sim.order.shape import PipelineShape

SPLIT_SEED = 20181219  # fixes which images validate, whatever the run's seed


@lru_cache(maxsize=1)
def images() -> tuple[Floats, Labels, Floats, Labels]:
    """Training inputs (1437, 64) and labels, validation inputs (360, 64) and labels.

    One pixel scale for all: mean 0 and standard deviation 1 over the training pixels.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    order = np.random.default_rng(SPLIT_SEED).permutation(len(bunch.target))
    pixels, labels = bunch.data[order], bunch.target[order].astype(np.int64)
    held_out = round(0.2 * len(labels)) + 1
    train, valid = pixels[held_out:], pixels[:held_out]
    mean, deviation = train.mean(), train.std()
    return ((train - mean) / deviation, labels[held_out:],
            (valid - mean) / deviation, labels[:held_out])


def visiting_order(examples: int, visits: int, rng: np.random.Generator) -> Labels:
    """Which example each visit takes, (visits,): one random permutation of all after another."""
    epochs = -(-visits // examples)
    return np.concatenate([rng.permutation(examples) for _ in range(epochs)])[:visits]


@task("digits-mlp", rule="a ReLU perceptron on 8x8 handwritten digits, cross-entropy",
      source="Alpaydin & Kaynak 1998, shipped with scikit-learn; fixed 20 % validation split")
class DigitsMlp:
    """The digits as a `Task`: layers 64 → width → … → 10, cut into stages.

    There are as many weight layers as stages, but at least three, unless `layers` says how many.
    Raises ValueError where the batch cannot be cut into the shape's micro-batches.
    """

    def __init__(self, shape: PipelineShape, options: TaskOptions) -> None:
        if options.batch_size % shape.microbatches:
            raise ValueError(f"microbatches divides the batch size, got {shape.microbatches} "
                             f"and {options.batch_size}")
        self.models = self._cut(shape, options)
        rng = stream(options.seed, "weights")
        self.weights = [first_weights(model, rng) for model in self.models]
        self._inputs, self._labels, self._valid, self._valid_labels = images()
        visits = shape.total * (options.batch_size // shape.microbatches)
        order = visiting_order(len(self._labels), visits, stream(options.seed, "order"))
        self._visits = order.reshape(shape.total, -1)
        self.examples = len(self._labels)

    @classmethod
    def parameters(cls, shape: PipelineShape, options: TaskOptions) -> list[int]:
        """Numbers in the weights of each stage, without making them."""
        return [model.parameters for model in cls._cut(shape, options)]

    @staticmethod
    def _cut(shape: PipelineShape, options: TaskOptions) -> list[MlpStage]:
        layers = options.layers or max(3, shape.stages)
        return cut((64, *[options.width] * (layers - 1), 10), shape.stages)

    def inputs(self, micro_batch: int) -> Floats:
        """Pixels of a micro-batch (from 0), shape (examples, 64)."""
        inputs: Floats = self._inputs[self._visits[micro_batch]]
        return inputs

    def target(self, micro_batch: int) -> Labels:
        """The digits shown in a micro-batch (from 0), shape (examples,)."""
        labels: Labels = self._labels[self._visits[micro_batch]]
        return labels

    def evaluate(self, weights: Sequence[Floats]) -> Evaluation:
        """Mean losses and accuracy of these weights, (parameters,) each, over all the images."""
        train, _ = cross_entropy(self._logits(weights, self._inputs), self._labels)
        logits = self._logits(weights, self._valid)
        valid, _ = cross_entropy(logits, self._valid_labels)
        hits = logits.argmax(axis=1) == self._valid_labels
        return Evaluation(float(train), float(valid), float(hits.mean()))

    def _logits(self, weights: Sequence[Floats], inputs: Floats) -> Floats:
        here = inputs
        for model, own in zip(self.models, weights, strict=True):
            here = np.asarray(model.forward(own, here)[0])
        return here

"""What the torch stages learn from: a small synthetic set of images that can be learnt.

Each class has a coarse random pattern; an image is its class's pattern, enlarged, with noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gpu.model import TorchStage
from sim.numeric import Evaluation, stream
from sim.numeric.digits import visiting_order
from sim.program import PipelineShape

PATTERN = 4  # pixels a side of a class's pattern
TRAINING, VALIDATION = 256, 64
CHUNK = 64  # images judged at once


@dataclass(frozen=True)
class ImageOptions:
    """Side in pixels, number of classes, images per mini-batch, and the run's seed."""

    image_size: int
    classes: int
    batch_size: int
    seed: int = 0
    dtype: torch.dtype = torch.float32
    noise: float = 0.5


def synthetic(options: ImageOptions) -> tuple[Tensor, Tensor]:
    """Images (320, 3, side, side) and labels (320,): 256 to train on, then 64 to validate."""
    rng = np.random.default_rng(options.seed)
    examples, side = TRAINING + VALIDATION, options.image_size
    patterns = torch.from_numpy(rng.normal(size=(options.classes, 3, PATTERN, PATTERN)))
    labels = torch.from_numpy(rng.integers(0, options.classes, examples))
    noise = torch.from_numpy(rng.standard_normal((examples, 3, side, side), dtype=np.float32))
    pictures = functional.interpolate(patterns[labels], size=(side, side)).to(options.dtype)
    return pictures + options.noise * noise.to(options.dtype), labels


class TorchTask:
    """A `sim.numeric.Task` over torch stages.

    Images live where the first stage does and labels where the last does, so no instruction
    waits for the host.  Raises ValueError where the batch cannot be cut in micro-batches.
    """

    def __init__(self, models: Sequence[TorchStage], shape: PipelineShape, options: ImageOptions
                 ) -> None:
        if options.batch_size % shape.microbatches:
            raise ValueError(f"microbatches divides the batch size, got {shape.microbatches} "
                             f"and {options.batch_size}")
        self.models: list[Any] = list(models)
        self.weights: list[Any] = [model.first_weights() for model in models]
        images, labels = synthetic(options)
        first, last = models[0].live.device, models[-1].live.device
        self._images, self._labels = images.to(first), labels.to(last)
        order = visiting_order(TRAINING, shape.minibatches * options.batch_size,
                               stream(options.seed, "order"))
        visits = torch.from_numpy(order.reshape(shape.total, -1))
        self._inputs, self._targets = visits.to(first), visits.to(last)

    def inputs(self, micro_batch: int) -> Tensor:
        return self._images[self._inputs[micro_batch]]

    def target(self, micro_batch: int) -> Tensor:
        return self._labels[self._targets[micro_batch]]

    def evaluate(self, weights: Sequence[Any]) -> Evaluation:
        """Loss over the training images, loss and accuracy over the held-out ones."""
        train, _ = self._judge(weights, slice(0, TRAINING))
        valid, accuracy = self._judge(weights, slice(TRAINING, None))
        return Evaluation(train, valid, accuracy)

    def _judge(self, weights: Sequence[Any], part: slice) -> tuple[float, float]:
        images, labels = self._images[part], self._labels[part]
        logits = torch.cat([self._logits(weights, chunk) for chunk in images.split(CHUNK)])
        loss = self.models[-1].loss(logits, labels)
        return float(loss), float((logits.argmax(1) == labels).double().mean())

    def _logits(self, weights: Sequence[Any], here: Tensor) -> Tensor:
        for model, own in zip(self.models, weights, strict=True):
            here = model.predict(own, here.to(model.live.device))
        return here

"""What the torch stages learn from, one micro-batch after another, and how they are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gpu.images.labelled import Images, prepared
from gpu.images.synthetic import TRAINING, VALIDATION, synthetic
from gpu.model.sizes import StageSizes, stage_sizes
from gpu.model.stage_model import TorchStage
from sim.numerics.tasks import Evaluation, stream
from sim.numerics.tasks.digits import visiting_order
from sim.order.shape import PipelineShape

CHUNK = 64  # images judged at once


@dataclass(frozen=True)
class ImageOptions:
    """What a task has to know of its images: side in pixels, classes, mini-batch size, seed.

    `noise` is the standard deviation of the synthetic images' noise, beside a pattern's 1.
    """

    image_size: int
    classes: int
    batch_size: int
    seed: int = 0
    dtype: torch.dtype = torch.float32
    noise: float = 0.5

    @property
    def synthetic_bytes(self) -> float:
        """Bytes that making the synthetic images takes at most: patterns enlarged, and noise."""
        return 24.0 * 3 * (TRAINING + VALIDATION) * self.image_size**2

    def synthetic(self) -> Images:
        """The images made from the seed, for a task that is given none."""
        return synthetic(self.classes, self.image_size, self.seed, self.noise, self.dtype)


@dataclass(frozen=True)
class ImageEvaluation(Evaluation):
    """An evaluation that also knows the accuracy over the training images."""

    training_accuracy: float | None = None


class TorchTask:
    """What torch stages learn: images (synthetic ones, where none are given) and labels.

    A `sim.numerics.tasks.Task`; micro-batches count from 0 through the whole run.  Images live
    where the first stage does and labels where the last does, so no instruction waits for the
    host.  Raises ValueError where the batch cannot be cut in micro-batches.
    """

    def __init__(self, models: Sequence[TorchStage], shape: PipelineShape, options: ImageOptions,
                 images: Images | None = None) -> None:
        if options.batch_size % shape.microbatches:
            raise ValueError(f"microbatches divides the batch size, got {shape.microbatches} "
                             f"and {options.batch_size}")
        self.models: Sequence[Any] = list(models)
        self.weights: Sequence[Any] = [model.first_weights() for model in models]
        self.options, self.images = options, images or options.synthetic()
        first, last = models[0].live.device, models[-1].live.device
        self._pixels, self._labels = self.images.pixels.to(first), self.images.labels.to(last)
        visits = shape.total * (options.batch_size // shape.microbatches)
        order = visiting_order(self.images.training, visits, stream(options.seed, "order"))
        visited = torch.from_numpy(order.reshape(shape.total, -1))
        self._inputs, self._targets = visited.to(first), visited.to(last)
        self._sizes: list[StageSizes] | None = None

    def inputs(self, micro_batch: int) -> Tensor:
        """Images of one micro-batch (batch, 3, side, side), on the first stage's device."""
        return self._prepared(self._pixels[self._inputs[micro_batch]])

    def target(self, micro_batch: int) -> Tensor:
        """Labels of one micro-batch (batch,), on the last stage's device."""
        return self._labels[self._targets[micro_batch]]

    def evaluate(self, weights: Sequence[Any]) -> ImageEvaluation:
        """Loss and accuracy over the training images and over the held-out ones.

        BatchNorm goes by its running statistics, as they are at this moment.
        """
        train, hits = self._judge(weights, slice(0, self.images.training))
        valid, accuracy = self._judge(weights, slice(self.images.training, None))
        return ImageEvaluation(train, valid, accuracy, hits)

    def stage_sizes(self) -> list[StageSizes]:
        """Bytes of every stage at one micro-batch of these images."""
        if self._sizes is None:
            self._sizes = stage_sizes(self.models, self.inputs(0))
        return self._sizes

    def _judge(self, weights: Sequence[Any], part: slice) -> tuple[float, float]:
        pixels, labels = self._pixels[part], self._labels[part]
        logits = torch.cat([self._logits(weights, self._prepared(chunk))
                            for chunk in pixels.split(CHUNK)])
        loss = self.models[-1].loss(logits, labels)
        return float(loss), float((logits.argmax(1) == labels).double().mean())

    def _prepared(self, pixels: Tensor) -> Tensor:
        return prepared(pixels, self.options.image_size, self.options.dtype)

    def _logits(self, weights: Sequence[Any], here: Tensor) -> Tensor:
        for model, own in zip(self.models, weights, strict=True):
            here = model.predict(own, here.to(model.live.device))
        return here

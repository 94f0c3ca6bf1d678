"""A multi-layer perceptron cut into stages, with hand-written gradients."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Floats
from sim.numerics.model import StageModel

Labels = NDArray[np.int64]


class Saved(NamedTuple):
    """What a forward leaves for its backward, all of shape (…, batch, units).

    `inputs` has each layer's input, `output` is the last layer's, and `loss_gradient` is
    ∂loss/∂logits on the last stage, else None.
    """

    inputs: list[Floats]
    output: Floats
    loss_gradient: Floats | None


@dataclass(frozen=True)
class MlpStage(StageModel):
    """Consecutive linear layers of sizes `sizes[0] → … → sizes[-1]`, ReLU after each but logits.

    The weights are one flat vector of shape (parameters,): per layer the matrix (in, out) by
    rows, then the bias (out,).  With a target the stage is the last one and its output is the
    mean cross-entropy of its logits.  Every array may have the same leading axes: that many
    replicas side by side, none of which touches another.
    """

    sizes: tuple[int, ...]
    first: bool
    last: bool
    _latest: list[Any] = field(default_factory=lambda: [None, None], repr=False, compare=False)

    @property
    def parameters(self) -> int:
        """Numbers in the flat weight vector."""
        return sum((i + 1) * o for i, o in zip(self.sizes, self.sizes[1:], strict=False))

    def layers(self, weights: Floats) -> list[tuple[Floats, Floats]]:
        """The matrix (…, in, out) and bias (…, out) of each layer, as views into `weights`."""
        views, start, alone = [], 0, weights.ndim == 1
        for i, o in zip(self.sizes, self.sizes[1:], strict=False):
            middle = start + i * o
            if alone:  # what is below would do too, in three times as long
                matrix, bias = weights[start:middle].reshape(i, o), weights[middle : middle + o]
            else:
                matrix = weights[..., start:middle].reshape(*weights.shape[:-1], i, o)
                bias = weights[..., middle : middle + o]
            views.append((matrix, bias))
            start = middle + o
        return views

    def latest_layers(self, weights: Floats) -> list[tuple[Floats, Floats]]:
        """Matrix (…, in, out) and bias (…, out) of each layer as `layers` gives them.

        They are kept from the last pass where that used this very array.
        """
        if self._latest[0] is not weights:
            self._latest[:] = weights, self.layers(weights)
        views: list[tuple[Floats, Floats]] = self._latest[1]
        return views

    def forward(
        self, weights: Floats, inputs: Floats, target: Labels | None = None
    ) -> tuple[Floats | float, Saved]:
        """The layers applied to `inputs` (…, batch, in): the output (…, batch, out), or with a
        target (…, batch) of labels the mean loss (…,); and what the backward needs."""
        kept, here = [], inputs
        views = self.latest_layers(weights)
        for number, (matrix, bias) in enumerate(views, 1):
            kept.append(here)
            here = here @ matrix
            here += bias if bias.ndim == 1 else bias[..., None, :]
            if not (self.last and number == len(views)):
                np.maximum(here, 0.0, out=here)
        if target is None:
            return here, Saved(kept, here, None)
        loss, gradient = cross_entropy(here, target)
        return loss, Saved(kept, here, gradient)

    def backward(
        self, weights: Floats, saved: Saved, gradient: Floats | float
    ) -> tuple[Floats, Floats | None]:
        """The gradients of the weights, (…, parameters), and of the input, (…, batch, in).

        `gradient` is that of the output (…, batch, out), or of the loss.  The input's gradient is
        formed with `weights`, and None on the first stage: its input is data.
        """
        own = np.empty_like(weights)
        views, grads = self.latest_layers(weights), self.layers(own)
        output, here = saved.output, np.asarray(gradient)
        if saved.loss_gradient is not None:
            here = saved.loss_gradient * here
        for number in range(len(views) - 1, -1, -1):
            if not (self.last and number == len(views) - 1):
                here = here * (output > 0)
            np.matmul(saved.inputs[number].swapaxes(-1, -2), here, out=grads[number][0])
            np.add.reduce(here, axis=-2, out=grads[number][1])
            if self.first and not number:
                return own, None
            output = saved.inputs[number]
            here = here @ views[number][0].swapaxes(-1, -2)
        return own, here


def cross_entropy(logits: Floats, target: Labels) -> tuple[Floats | float, Floats]:
    """Mean cross-entropy (…,) of softmax(logits), and its gradient, shaped as the logits.

    `logits` are (…, batch, classes), `target` the right class of each example, (…, batch).
    """
    hit = np.arange(target.size), target.ravel()
    shifted = logits - logits.max(axis=-1, keepdims=True)
    gradient = np.exp(shifted)
    sums = gradient.sum(axis=-1, keepdims=True)
    of_target = shifted.reshape(-1, shifted.shape[-1])[hit].reshape(target.shape)
    loss = (np.log(sums[..., 0]) - of_target).mean(axis=-1)
    gradient /= sums
    gradient.reshape(-1, shifted.shape[-1])[hit] -= 1.0
    gradient /= target.shape[-1]
    return loss, gradient


def first_weights(stage: MlpStage, rng: np.random.Generator) -> Floats:
    """The weights a stage starts with, (parameters,): He-normal matrices and zero biases.

    Source: He et al. 2015.
    """
    weights = np.zeros(stage.parameters)
    for matrix, _ in stage.layers(weights):
        matrix[:] = rng.normal(0.0, np.sqrt(2.0 / len(matrix)), matrix.shape)
    return weights


def cut(sizes: tuple[int, ...], stages: int) -> list[MlpStage]:
    """Cut a perceptron with layers `sizes[0] → …` into stages of consecutive layers, as even as
    possible.

    Raises ValueError where there are fewer layers than stages: each needs one at least.
    """
    layers = len(sizes) - 1
    if layers < stages:
        raise ValueError(f"every stage owns at least one weight layer: {layers} layers cannot "
                         f"make {stages} stages")
    ends = np.cumsum([0] + [len(part) for part in np.array_split(np.arange(layers), stages)])
    return [MlpStage(sizes[a : b + 1], a == 0, b == layers)
            for a, b in itertools.pairwise(ends)]

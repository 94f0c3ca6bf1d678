"""The mathematics of one stage in torch: forward and backward on a flat weight vector.

**The live buffer.**  All parameters of a stage are views into one flat tensor, the live buffer.
Every pass first copies the weights it computes with into that buffer, unless they are there
already, and every autograd graph refers to the buffer.  A backward therefore finds the forward's
activations, masks and batch statistics in its graph and its *own* weights in the parameters:
exactly the `graph` reading, for convolutions, BatchNorm and nn.Linear alike, since the write is
in place.  (Re-pointing `param.data` instead would silently keep the old weights for nn.Linear,
whose saved operand is a transposed view.)  The versions in a stash are never written to, so
passes that share one cannot spoil it, and nothing has to be restored.  The price is one copy
where weights change, at most two per micro-batch, and one weight set of memory; in return
training without a stash holds no old version through its graphs.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from gpu.model.halves import Branch, input_half, weight_half
from gpu.versions import flattened

Loss = Callable[[Tensor, Tensor], Tensor]


def squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Mean squared error (0-d) of outputs (batch, classes) against one-hot labels (batch,).

    The loss the PyTorch model-parallel tutorial trains with.
    """
    wanted = functional.one_hot(target, output.shape[1]).to(output.dtype)
    return functional.mse_loss(output, wanted)


def _nothing() -> None:
    """What a live buffer was loaded with before the first load."""


LOSSES: dict[str, Loss] = {"cross-entropy": functional.cross_entropy, "mse": squared_error}


class Saved(NamedTuple):
    """What a forward leaves for its backward: `inputs` (batch, …) as a leaf of the graph, and
    `result`, the end of the graph: the output (batch, …) or the loss (0-d)."""

    inputs: Tensor
    result: Tensor


def _like(result: Tensor, gradient: Tensor | float) -> Tensor:
    """A gradient of `result` in its shape, where it was given as a number."""
    if isinstance(gradient, Tensor):
        return gradient
    return torch.full_like(result, gradient)


class TorchStage:
    """The mathematics of one stage around a torch module; a `sim.numerics.model.StageModel`.

    `weights` everywhere is the flat vector (parameters,), in the order of `module.parameters()`;
    `inputs` is (batch, …), `target` (batch,) labels.  BatchNorm statistics and other buffers are no
    weights: one set per stage, never versioned, untouched by a recompute.  Autocast has to be off:
    its cast copies would keep the forward's weights.
    """

    copies_inputs = False  # its graph refers to the inputs until its backward is done

    def __init__(self, module: nn.Module, *, first: bool, loss: Loss = LOSSES["cross-entropy"],
                 recompute: bool = False) -> None:
        self.module, self.first, self.loss = module.train(), first, loss
        self.recompute, self._again = recompute, False
        self.parameters = list(module.parameters())
        self.live = torch.cat([p.detach().reshape(-1) for p in self.parameters])
        self._loaded: Callable[[], Any] = _nothing  # weak: no weights live for having been loaded
        self._point_into(self.live)

    def _point_into(self, flat: Tensor) -> None:
        """Make every parameter a view; through `.data`, so autograd counts no writes to it."""
        start = 0
        for parameter in self.parameters:
            end = start + parameter.numel()
            parameter.data = flat[start:end].view(parameter.shape)
            start = end

    def first_weights(self) -> Tensor:
        """A copy of the weights the module was made with, (parameters,)."""
        return self.live.clone()

    def load(self, weights: Tensor) -> None:
        """Bring `weights` (parameters,) into the live buffer, unless they are there already."""
        if self._loaded() is not weights:
            self.live.copy_(weights)
            self._loaded = weakref.ref(weights)

    def forward(self, weights: Tensor, inputs: Tensor, target: Tensor | None = None
                ) -> tuple[Tensor, Saved | None]:
        """Output (batch, …), or with a target the mean loss (0-d), detached; and its graph.

        A stage that recomputes keeps no graph of its first forward.
        """
        self.load(weights)
        if self.recompute and not self._again:
            with torch.no_grad():
                return self.compute(inputs, target), None
        saved = self.graph(inputs, target)
        return saved.result.detach(), saved

    def graph(self, inputs: Tensor, target: Tensor | None) -> Saved:
        """The graph of a forward of inputs (batch, …) with the weights in the live buffer."""
        leaf = inputs.detach().requires_grad_()
        with torch.enable_grad():
            return Saved(leaf, self.compute(leaf, target))

    def compute(self, inputs: Tensor, target: Tensor | None) -> Tensor:
        """Output (batch, …), or the mean loss (0-d), with the weights in the live buffer."""
        if self._again:
            buffers = {name: b.clone() for name, b in self.module.named_buffers()}
            output: Tensor = functional_call(self.module, buffers, (inputs,))
        else:  # swapping nothing would cost a small stage a tenth of its forward
            output = self.module(inputs)
        return output if target is None else self.loss(output, target)

    def drop(self, saved: Saved | None) -> None:
        """Let go of a forward whose backward will not come; its graph goes with its last holder."""

    def reset(self) -> None:
        """Forget every forward under way; an eager stage keeps none itself."""

    @contextmanager
    def as_it_was(self) -> Iterator[None]:
        """A context that leaves weights and buffers as it found them."""
        weights = self.live.clone()
        buffers = {name: b.clone() for name, b in self.module.named_buffers()}
        try:
            yield
        finally:
            self.load(weights)
            for name, buffer in self.module.named_buffers():
                buffer.copy_(buffers[name])

    @contextmanager
    def again(self) -> Iterator[None]:
        """A context in which a forward is a recompute: it keeps its graph and moves no buffer."""
        self._again = True
        try:
            yield
        finally:
            self._again = False

    def forward_again(self, weights: Tensor, inputs: Tensor, target: Tensor | None = None
                      ) -> Saved | None:
        """The graph of a recompute on weights (parameters,) and inputs (batch, …).

        The stage's buffers stay as the first forward left them.
        """
        with self.again():
            return self.forward(weights, inputs, target)[1]

    def backward(self, weights: Tensor, saved: Saved, gradient: Tensor | float
                 ) -> tuple[Tensor, Tensor | None]:
        """Weight gradient (parameters,), and input gradient (batch, …), both formed with `weights`.

        `gradient` has the shape of the output, or is a number where that was the loss; the first
        stage gives None for the input's.
        """
        self.load(weights)
        return self.gradients(saved, _like(saved.result, gradient))

    def gradients(self, saved: Saved, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        """What `backward` gives, formed with the weights in the live buffer.

        `gradient` has the shape of the output (0-d where that is the loss).
        """
        wanted = self.parameters + ([] if self.first else [saved.inputs])
        found = torch.autograd.grad(saved.result, wanted, gradient)
        return self._flat(found[: len(self.parameters)]), None if self.first else found[-1]

    def backward_input(self, weights: Tensor, saved: Saved, gradient: Tensor | float
                       ) -> tuple[list[Branch], Tensor | None]:
        """What is left for the weight half, and the input gradient (batch, …) with `weights`.

        The first stage, which nobody asks for one, stops a step before it.
        """
        self.load(weights)
        return self.first_half(saved, _like(saved.result, gradient))

    def first_half(self, saved: Saved, gradient: Tensor) -> tuple[list[Branch], Tensor | None]:
        """What `backward_input` gives, formed with the weights in the live buffer.

        `gradient` has the shape of the output (0-d where that is the loss).
        """
        return input_half(saved.result, saved.inputs, self.parameters, gradient,
                          wanted=not self.first)

    def backward_weight(self, left: list[Branch]) -> Tensor:
        """Weight gradient (parameters,): it reads activations and gradients, and no weights."""
        return self._flat(weight_half(left, self.parameters))

    @staticmethod
    def _flat(gradients: Sequence[Tensor]) -> Tensor:
        return flattened(gradients)

    @torch.no_grad()
    def predict(self, weights: Tensor, inputs: Tensor) -> Tensor:
        """Output (batch, …) in evaluation mode: BatchNorm by its running statistics, no graph."""
        self.load(weights)
        self.module.eval()
        output: Tensor = self.module(inputs)
        self.module.train()
        return output

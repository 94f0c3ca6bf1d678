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

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from gpu.versions import flattened

Loss = Callable[[Tensor, Tensor], Tensor]


def squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Mean squared error (0-d) of outputs (batch, classes) against one-hot labels (batch,).

    The loss the PyTorch model-parallel tutorial trains with.
    """
    wanted = functional.one_hot(target, output.shape[1]).to(output.dtype)
    return functional.mse_loss(output, wanted)


LOSSES: dict[str, Loss] = {"cross-entropy": functional.cross_entropy, "mse": squared_error}


class Saved(NamedTuple):
    """What a forward leaves for its backward: `inputs` (batch, …) as a leaf of the graph, and
    `result`, the end of the graph: the output (batch, …) or the loss (0-d)."""

    inputs: Tensor
    result: Tensor


class TorchStage:
    """The mathematics of one stage around a torch module; a `sim.numerics.model.StageModel`.

    `weights` everywhere is the flat vector (parameters,), in the order of `module.parameters()`;
    `inputs` is (batch, …), `target` (batch,) labels.  BatchNorm statistics and other buffers are no
    weights: one set per stage, never versioned, untouched by a recompute.  Autocast has to be off:
    its cast copies would keep the forward's weights.
    """

    def __init__(self, module: nn.Module, *, first: bool, loss: Loss = LOSSES["cross-entropy"],
                 recompute: bool = False) -> None:
        self.module, self.first, self.loss = module.train(), first, loss
        self.recompute, self._again = recompute, False
        self.parameters = list(module.parameters())
        self.live = torch.cat([p.detach().reshape(-1) for p in self.parameters])
        self._loaded: Any = None
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
        if self._loaded is not weights:
            self.live.copy_(weights)
            self._loaded = weights

    def forward(self, weights: Tensor, inputs: Tensor, target: Tensor | None = None
                ) -> tuple[Tensor, Saved | None]:
        """Output (batch, …), or with a target the mean loss (0-d), detached; and its graph.

        A stage that recomputes keeps no graph of its first forward.
        """
        self.load(weights)
        if self.recompute and not self._again:
            with torch.no_grad():
                return self._compute(inputs, target), None
        leaf = inputs.detach()
        if not self.first:
            leaf.requires_grad_()
        with torch.enable_grad():
            result = self._compute(leaf, target)
        return result.detach(), Saved(leaf, result)

    def _compute(self, inputs: Tensor, target: Tensor | None) -> Tensor:
        if self._again:
            buffers = {name: b.clone() for name, b in self.module.named_buffers()}
            output: Tensor = functional_call(self.module, buffers, (inputs,))
        else:  # a fifth of a small stage's forward is spent on swapping nothing
            output = self.module(inputs)
        return output if target is None else self.loss(output, target)

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
        if not isinstance(gradient, Tensor):
            gradient = torch.full_like(saved.result, gradient)
        wanted = self.parameters + ([] if self.first else [saved.inputs])
        found = torch.autograd.grad(saved.result, wanted, gradient)
        own = flattened(found[: len(self.parameters)])
        return own, None if self.first else found[-1]

    @torch.no_grad()
    def predict(self, weights: Tensor, inputs: Tensor) -> Tensor:
        """Output (batch, …) in evaluation mode: BatchNorm by its running statistics, no graph."""
        self.load(weights)
        self.module.eval()
        output: Tensor = self.module(inputs)
        self.module.train()
        return output

"""Bytes of every stage: weights, what autograd keeps of a micro-batch, what crosses onwards.

Worked out on meta copies of the stages, so no tensor is computed and no device is touched.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gpu.model.stage_model import TorchStage


class StageSizes(NamedTuple):
    """Of one stage: shape of one micro-batch's input, and bytes (per micro-batch but weights).

    `graph_bytes` is what autograd keeps of a forward, `activation_bytes` what the stage keeps: that
    or, where it recomputes, its input.
    """

    input_shape: tuple[int, ...]
    weight_bytes: int
    input_bytes: int
    activation_bytes: int
    graph_bytes: int


def stage_sizes(models: Sequence[TorchStage], inputs: Tensor) -> list[StageSizes]:
    """Sizes of each stage in order; `inputs` is one micro-batch of the first, of any values."""
    here, sizes = inputs.to("meta"), []
    for model in models:
        shape = tuple(here.shape)
        kept, after = _kept(model, here)
        weights = model.live.numel() * model.live.element_size()
        sizes.append(StageSizes(shape, weights, _size(here),
                                _size(here) if model.recompute else kept, kept))
        here = after
    return sizes


def _kept(model: TorchStage, inputs: Tensor) -> tuple[int, Tensor]:
    """Bytes a forward keeps for its backward (parameters not counted), and its output."""
    module = copy.deepcopy(model.module).to("meta")
    own = {_storage(p) for p in module.parameters()}
    found = {_storage(inputs): _size(inputs)}

    alive: list[Tensor] = []  # or a later tensor could be given a freed one's storage

    def keep(tensor: Tensor) -> Tensor:
        alive.append(tensor)
        if _storage(tensor) not in own:
            found[_storage(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, _as_is):
        output = _run(module, inputs)
    return sum(found.values()), output.detach()


def _run(module: nn.Module, inputs: Tensor) -> Tensor:
    output: Tensor = module(inputs.detach().requires_grad_())
    return output


def _as_is(tensor: Tensor) -> Tensor:
    return tensor


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()

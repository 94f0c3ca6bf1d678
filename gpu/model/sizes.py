"""Bytes of every stage: weights, what autograd keeps of a micro-batch, what crosses onwards.

Worked out on meta copies of the stages, so no tensor is computed and no device is touched.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gpu.model.stage_model import TorchStage


class StageSizes(NamedTuple):
    """What one stage holds: the shape of one micro-batch's input (batch, …), and bytes.

    `weight_bytes` are of one weight set; the others are per micro-batch: `input_bytes` of what
    arrives, `graph_bytes` of what a forward leaves for its backward (input, what autograd saves,
    and the result, where the graph ends), `activation_bytes` of what the stage keeps, which is that
    or, where it recomputes, its input and labels.
    """

    input_shape: tuple[int, ...]
    weight_bytes: int
    input_bytes: int
    activation_bytes: int
    graph_bytes: int


def stage_sizes(models: Sequence[TorchStage], inputs: Tensor) -> list[StageSizes]:
    """Sizes of the stages of a pipeline, in order; `inputs` is one micro-batch (batch, …)."""
    here, sizes = inputs.to("meta"), []
    for number, model in enumerate(models, 1):
        target = torch.empty(len(here), dtype=torch.long, device="meta") if number == len(
            models) else None
        kept, after = _kept(model, here, target)
        weights = model.live.numel() * model.live.element_size()
        again = _size(here) + (0 if target is None else _size(target))
        sizes.append(StageSizes(tuple(here.shape), weights, _size(here),
                                again if model.recompute else kept, kept))
        here = after
    return sizes


def _kept(model: TorchStage, inputs: Tensor, target: Tensor | None) -> tuple[int, Tensor]:
    """Bytes a forward keeps for its backward (neither parameters nor buffers), and its result.

    With a target the result is the loss.
    """
    module = copy.deepcopy(model.module).to("meta")
    own = {_storage(t) for t in (*module.parameters(), *module.buffers())}
    found = {_storage(inputs): _size(inputs)}

    alive: list[Tensor] = []  # or a later tensor could be given a freed one's storage

    def keep(tensor: Tensor) -> Tensor:
        alive.append(tensor)
        if _storage(tensor) not in own:
            found[_storage(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, _as_is):
        result: Tensor = module(inputs.detach().requires_grad_())
        if target is not None:
            result = model.loss(result, target)
    keep(result)
    return sum(found.values()), result.detach()


def _as_is(tensor: Tensor) -> Tensor:
    return tensor


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()

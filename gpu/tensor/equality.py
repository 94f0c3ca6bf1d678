"""Whether a split pair is the whole one: its output, its gradients, and how often ranks met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gpu.tensor.pair import Collectives, Pair, SplitPair, joined

LIMIT_REL = 1e-12  # of float64: sums of the ranks' parts are rounded in another order


@dataclass(frozen=True)
class Equality:
    """The largest relative differences of a split pair from the whole one, over all ranks, and the
    all-reduces that one forward and one backward took, with the bytes of one each way."""

    output: float
    input_gradient: float
    weight_gradients: float
    forward: int
    backward: int
    all_reduce_bytes: int

    @property
    def passed(self) -> bool:
        """Whether all is within the limit and there was one all-reduce each way."""
        worst = max(self.output, self.input_gradient, self.weight_gradients)
        return worst <= LIMIT_REL and self.forward == self.backward == 1

    def as_dict(self) -> dict[str, Any]:
        """All of it for a report."""
        return {**asdict(self), "limit": LIMIT_REL, "passed": self.passed}


def equality(rank: int, ways: int, group: Any, *, size: int = 48, batch: int = 8,
             seed: int = 0) -> Equality:
    """Compare a pair split among the ranks of `group` with the whole one, in float64.

    Every rank has the same numbers, by the seed: matrices of `size` × 4 `size`, and a batch of
    inputs; `ways` divides 4 `size`.  All ranks have to call it at once, and get the same answer.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        whole = Pair(size, 4 * size, size).to(torch.float64)
        inputs = torch.randn(batch, size, dtype=torch.float64)
        gradient = torch.randn(batch, size, dtype=torch.float64)
    collectives = Collectives(group)
    mine = _passes(SplitPair(whole, rank, ways, collectives), inputs, gradient)
    whole_one = _passes(whole, inputs, gradient)
    parts: list[Any] = [None] * ways
    dist.all_gather_object(parts, mine, group=group)
    weights = joined([part[2] for part in parts])
    return Equality(
        max(_apart(part[0], whole_one[0]) for part in parts),
        max(_apart(part[1], whole_one[1]) for part in parts),
        max([_apart(*each) for each in zip(weights, whole_one[2], strict=True)]
            + [_apart(part[2][3], whole_one[2][3]) for part in parts]),
        collectives.counts["forward"], collectives.counts["backward"],
        collectives.size_bytes["forward"])


def _passes(module: nn.Module, inputs: Tensor, gradient: Tensor
            ) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
    """Output, gradient of the inputs and of all parameters of one forward and one backward."""
    leaf = inputs.clone().requires_grad_()
    output: Tensor = module(leaf)
    found = torch.autograd.grad(output, [leaf, *module.parameters()], gradient)
    return output.detach(), found[0], list(found[1:])


def _apart(one: Tensor, two: Tensor) -> float:
    """How far `one` is from `two`, both (…), relative to the largest number of `two`."""
    return float((one - two).abs().max() / two.abs().max())

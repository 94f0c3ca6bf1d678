"""A pair of matrices split among ranks: the first by columns, the second by rows.

    whole:    y = g(x A) B + c            rank r:  y = all-reduce( g(x A_r) B_r ) + c

`A` has what is between the two matrices as its columns, so each rank has its part of that, the
activation `g` works on every number alone, and only the result has to be added up.  Backward the
gradient of `x` is such a sum.  So a pair takes one all-reduce each way, and everything else a rank
does by itself; `c` and its gradient are the same on all ranks.
Source: Shoeybi et al. 2019 (Megatron-LM), section 3.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional

WAYS = ("forward", "backward")


@dataclass
class Collectives:
    """All-reduces among the ranks of a group (None: one rank, which adds nothing), and how many
    there were each way, with their bytes."""

    group: Any = None
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WAYS, 0))
    size_bytes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WAYS, 0))

    def added(self, part: Tensor, way: str) -> Tensor:
        """The sum of all ranks' `part`, of its shape (…); `way` is forward or backward.

        What is on the meta device stands for a tensor whose sizes alone are asked for: none is sent
        and none counted.
        """
        if part.device.type == "meta":
            return part
        whole = part.contiguous().clone()
        if self.group is not None:
            dist.all_reduce(whole, group=self.group)
        self.counts[way] += 1
        self.size_bytes[way] += whole.numel() * whole.element_size()
        return whole

    def begin(self) -> None:
        """Count from nothing."""
        self.counts, self.size_bytes = dict.fromkeys(WAYS, 0), dict.fromkeys(WAYS, 0)

    def __deepcopy__(self, _: Any) -> Collectives:
        return self  # a group of ranks is no part of the network that is copied


class _Entering(torch.autograd.Function):
    """What every rank gets whole: its gradient is the sum of the ranks'."""

    @staticmethod
    def forward(context: Any, inputs: Tensor, collectives: Collectives) -> Tensor:
        context.collectives = collectives
        return inputs.view_as(inputs)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return context.collectives.added(gradient, "backward"), None


class _Leaving(torch.autograd.Function):
    """The sum of what the ranks made; every rank's part has the gradient of the sum."""

    @staticmethod
    def forward(context: Any, part: Tensor, collectives: Collectives) -> Tensor:
        return collectives.added(part, "forward")

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


class Pair(nn.Sequential):
    """The whole pair: (batch, …, entering) to (batch, …, leaving), `between` numbers in between."""

    def __init__(self, entering: int, between: int, leaving: int) -> None:
        super().__init__(OrderedDict(first=nn.Linear(entering, between), activation=nn.GELU(),
                                     second=nn.Linear(between, leaving)))


class SplitPair(nn.Module):
    """The part of a whole pair that rank `rank` of `ways` has, weights copied out of it.

    Raises ValueError where what is between the matrices cannot be shared equally.
    """

    def __init__(self, whole: Pair, rank: int, ways: int, collectives: Collectives) -> None:
        super().__init__()
        first, second = whole.first, whole.second
        assert isinstance(first, nn.Linear)
        assert isinstance(second, nn.Linear)
        if first.out_features % ways:
            raise ValueError(f"ways divides what is between the matrices, got {ways} and "
                             f"{first.out_features}")
        share = first.out_features // ways
        mine = slice(rank * share, (rank + 1) * share)
        self.collectives = collectives
        self.first = nn.Linear(first.in_features, share, dtype=first.weight.dtype)
        self.second = nn.Linear(share, second.out_features, dtype=second.weight.dtype)
        with torch.no_grad():
            for own, part in ((self.first.weight, first.weight[mine]),
                              (self.first.bias, first.bias[mine]),
                              (self.second.weight, second.weight[:, mine]),
                              (self.second.bias, second.bias)):
                own.copy_(part)

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (batch, …, leaving) of inputs (batch, …, entering), whole on every rank."""
        entering: Tensor = _Entering.apply(inputs, self.collectives)
        part = functional.linear(functional.gelu(self.first(entering)), self.second.weight)
        whole: Tensor = _Leaving.apply(part, self.collectives)
        return whole + self.second.bias


def joined(parts: list[list[Tensor]]) -> list[Tensor]:
    """The whole pair's tensors from each rank's, in the order of `parameters()`: of the first
    matrix (between, entering) and (between,), of the second (leaving, between) and (leaving,)."""
    first, first_bias, second, second_bias = zip(*parts, strict=True)
    return [torch.cat(first), torch.cat(first_bias), torch.cat(second, dim=1), second_bias[0]]

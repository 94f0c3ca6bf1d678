"""What a pass of a split pair takes beside the whole one: `f/p` and its all-reduces, or more?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from gpu.profiling.link_times import quartiles
from gpu.tensor.pair import Collectives, Pair, SplitPair
from gpu.tensor.timing import Fit, rounds
from sim.times.profile import Spread


@dataclass(frozen=True)
class PassTimes:
    """Seconds of a forward and of a backward of a pair: whole on one rank with the others idle,
    split among all, and as `whole/p + all-reduce` predicts it; an all-reduce is of
    `all_reduce_bytes`, in bytes."""

    entering: int
    batch: int
    all_reduce_bytes: int
    whole_s: dict[str, Spread]
    split_s: dict[str, Spread]
    predicted_s: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """All of it for a report, with the relative error of each prediction."""
        spreads = {name: {way: each.model_dump() for way, each in getattr(self, name).items()}
                   for name in ("whole_s", "split_s")}
        return {**asdict(self), **spreads, "error": {
            way: self.predicted_s[way] / self.split_s[way].median - 1 for way in self.split_s}}


def pass_times(rank: int, fit: Fit, group: Any, *, entering: int = 480, batch: int = 64,
               repeats: int = 30) -> PassTimes:
    """Time a pair of `entering` × 4 `entering` numbers, whole and split in turn, in float32.

    All ranks call it at once; the slowest one's seconds count, as those of a stage do.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        whole = Pair(entering, 4 * entering, entering)
        inputs = torch.randn(batch, entering)
    collectives = Collectives(group)
    split = SplitPair(whole, rank, fit.ways, collectives)
    found = np.zeros((rounds(repeats), 4))
    for row in found:
        row[:2] = _one(whole, inputs, group) if rank == 0 else _nothing(group)
        row[2:] = _one(split, inputs, group)
    every = torch.from_numpy(found)
    dist.all_reduce(every, dist.ReduceOp.MAX, group=group)
    spread = [quartiles(column) for column in every.numpy()[rounds(0):].T]
    whole_s, split_s = (dict(zip(("forward", "backward"), each, strict=True))
                        for each in (spread[:2], spread[2:]))
    size = batch * entering * 4
    return PassTimes(entering, batch, size, whole_s, split_s, {
        way: each.median / fit.ways + fit.predicted_s(size) for way, each in whole_s.items()})


def _one(module: nn.Module, inputs: Any, group: Any) -> tuple[float, float]:
    """Seconds of one forward, and of its backward, of inputs (batch, entering)."""
    leaf = inputs.clone().requires_grad_()
    dist.barrier(group)
    forward, output = _timed(lambda: module(leaf))
    dist.barrier(group)
    backward, _ = _timed(lambda: torch.autograd.grad(output, [leaf, *module.parameters()], inputs))
    return forward, backward


def _nothing(group: Any) -> tuple[float, float]:
    """The part of a rank that waits while another computes."""
    dist.barrier(group)
    dist.barrier(group)
    return 0.0, 0.0


def _timed(what: Callable[[], Any]) -> tuple[float, Any]:
    begun = perf_counter()
    result = what()
    return perf_counter() - begun, result

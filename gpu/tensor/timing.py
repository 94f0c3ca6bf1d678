"""Seconds of all-reduces by size, α and β fitted to some sizes and checked on the others.

A ring all-reduce of n bytes among p ranks takes `2(p−1)α + 2(p−1)/p·n/β`: α seconds for each
message, β bytes a second.  Every other size is fitted; what the fit says of the sizes between is
its error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from gpu.profiling.link_times import fit, quartiles
from sim.arrays import Floats
from sim.times.profile import LinkSample

SIZES = tuple(1 << power for power in range(10, 25))  # bytes: 1 kB to 16 MB
REPEATS = 30


@dataclass(frozen=True)
class Fit:
    """α in seconds and β in bytes a second (None: size made no difference beyond the scatter) of
    the messages in an all-reduce among `ways` ranks, and the samples, of which every other one,
    from the first on, was `fitted` to."""

    ways: int
    latency_s: float
    bandwidth_bytes_per_s: float | None
    samples: tuple[LinkSample, ...]

    def predicted_s(self, size_bytes: float) -> float:
        """Seconds of an all-reduce of so many bytes by the fit."""
        steps = 2 * (self.ways - 1)
        moving = (size_bytes / self.ways / self.bandwidth_bytes_per_s
                  if self.bandwidth_bytes_per_s else 0.0)
        return steps * (self.latency_s + moving)

    def error(self, sample: LinkSample) -> float:
        """The relative error of the prediction of a sample's median."""
        return self.predicted_s(sample.size_bytes) / sample.seconds.median - 1

    @property
    def held_out(self) -> tuple[LinkSample, ...]:
        """The samples that the fit does not know."""
        return self.samples[1::2]

    def as_dict(self) -> dict[str, Any]:
        """All of it for a report; errors of the sizes the fit does not know."""
        errors = [abs(self.error(sample)) for sample in self.held_out]
        return {
            "latency_s": self.latency_s, "bandwidth_bytes_per_s": self.bandwidth_bytes_per_s,
            "held_out_error": {"median": float(np.median(errors)), "largest": max(errors)},
            "sizes": [{"size_bytes": sample.size_bytes, "median_s": sample.seconds.median,
                       "iqr_s": sample.seconds.iqr, "repeats": sample.seconds.repeats,
                       "fitted": number % 2 == 0,
                       "predicted_s": self.predicted_s(sample.size_bytes),
                       "error": self.error(sample)}
                      for number, sample in enumerate(self.samples)]}


def fitted(samples: Sequence[LinkSample], ways: int) -> Fit:
    """α and β of all-reduces among `ways` ranks from every other of their samples.

    Least squares of relative errors, over sizes in ascending order.
    """
    seconds, rate = fit(samples[::2])
    steps = 2 * (ways - 1)
    return Fit(ways, seconds / steps, None if rate is None else rate * steps / ways,
               tuple(samples))


def all_reduce_samples(group: Any, sizes: Sequence[int] = SIZES, repeats: int = REPEATS,
                       done: Callable[[], None] = lambda: None) -> list[LinkSample]:
    """Time all-reduces of each of `sizes` (bytes, ascending) among the ranks of a group.

    A barrier comes before each, and the slowest rank's seconds count.  [choice] Every repeat goes
    through all sizes, so that what the machine does meanwhile falls on all of them, in an order
    drawn anew, so that none always follows the largest; two rounds first are not counted.  All
    ranks call it at once and get the same; `done` is called after each round, of
    `rounds(repeats)`.
    """
    tensors = [torch.zeros(max(1, size // 4)) for size in sizes]
    found = np.zeros((rounds(repeats), len(sizes)))
    order = np.random.default_rng(0)  # the same on all ranks
    for row in found:
        for column in order.permutation(len(tensors)):
            dist.barrier(group)
            begun = perf_counter()
            dist.all_reduce(tensors[column], group=group)
            row[column] = perf_counter() - begun
        done()
    slowest = _slowest(found, group)[rounds(0):]
    return [LinkSample(size_bytes=float(tensor.numel() * 4), seconds=quartiles(column))
            for tensor, column in zip(tensors, slowest.T, strict=True)]


def rounds(repeats: int) -> int:
    """Rounds of so many repeats, with those that warm up."""
    return repeats + 2


def _slowest(seconds: Floats, group: Any) -> Floats:
    """The largest of all ranks' seconds, element by element, (…)."""
    every = torch.from_numpy(seconds)
    dist.all_reduce(every, dist.ReduceOp.MAX, group=group)
    return every.numpy()

"""Seconds of the exchanges between the devices that share a stage, by α and β."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.arrays import Floats, Ints
from sim.times.cluster import Link
from sim.times.profile import StageProfile
from sim.workers import ring_all_reduce_s

PER_LAYER = 2.0  # all-reduces of a transformer's layer each way: one after attention, one after MLP


@dataclass(frozen=True)
class Exchanges:
    """The all-reduces of one micro-batch on each stage, (stages,) each: how many its forward and
    its backward have, and the bytes of all of these together.

    With sequence parallelism each is a reduce-scatter and an all-gather, which take as long.
    """

    forward: Floats
    backward: Floats
    forward_bytes: Floats
    backward_bytes: Floats

    @classmethod
    def measured(cls, stages: Sequence[StageProfile]) -> Exchanges | None:
        """Those that a profile's stages (or layers) name, (stages,); None where none of them does.

        One that names none has none.
        """
        if not any(each.all_reduces for each in stages):
            return None
        number, size = ([np.array([getattr(each, name).get(op, 0.0) for each in stages])
                         for op in "FB"] for name in ("all_reduces", "all_reduce_bytes"))
        return cls(*number, *size)

    @classmethod
    def alike(cls, layers: Floats, size_bytes: Floats, number: float = PER_LAYER) -> Exchanges:
        """Those of stages of so many layers, with `number` all-reduces of `size_bytes` bytes in
        each layer each way; all arrays have shape (stages,)."""
        count = number * np.asarray(layers, dtype=np.float64)
        return cls(count, count, count * size_bytes, count * size_bytes)

    def seconds(self, ways: int | Ints, ring: Link) -> tuple[Floats, Floats]:
        """Seconds of a forward's exchanges and of a backward's, (stages,) each.

        `ways` devices share a stage, one number or (stages,), joined in a `ring` of such links.
        """
        return (exchanges_s(self.forward, self.forward_bytes, ways, ring),
                exchanges_s(self.backward, self.backward_bytes, ways, ring))


def exchanges_s(number: Floats, size_bytes: Floats, ways: int | Ints, ring: Link) -> Floats:
    """Seconds of `number` ring all-reduces of `size_bytes` bytes together, one after the other.

    `ways` devices make the ring; all arrays have one shape, which is the result's.  Each takes
    `2(p−1)α + 2(p−1)/p·n/β` for its n bytes, so only their sum counts beside their number.
    """
    mean = np.divide(size_bytes, number, out=np.zeros_like(number), where=number > 0)
    return number * ring_all_reduce_s(mean, ring, ways)

"""Weight distances: how far the weights a pass used were from those its update stepped."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim.arrays import Floats
from sim.op import Op


def squared_distance(used: Any, fresh: Any) -> Any:
    """‖used − fresh‖² of two weight vectors (parameters,), or of replicas, (…, parameters)."""
    if used is fresh:
        return 0.0
    difference = used - fresh
    return inner_product(difference, difference)


def inner_product(one: Any, other: Any) -> Any:
    """The inner product over the last axis: (…, n) with (…, n) or (n,) to (…), NumPy or torch.

    Every replica's is summed as that of a run alone, so both have the same bits.
    """
    if one.ndim == 1:
        return one.dot(other)  # NumPy's and torch's, and half the price of `@`
    return (one[..., None, :] @ other[..., None])[..., 0, 0]


@dataclass
class Measures:
    """What is measured of one stage while it learns: weight distances, and sizes of its updates.

    A distance is between the weights a pass computed with and the fresh ones, those its
    mini-batch's own update stepped.  Numbers are kept as squares, in the arrays' own scalars (of
    replicas: arrays (replicas,)), and roots come once, at the end, so that nobody waits for a
    device.  `size` is the number of weights.  Without `measured` there are no distances, only
    updates.
    """

    size: int
    measured: bool
    forward: list[Any]  # ‖used − fresh‖² by micro-batch; NaN before its update
    backward: list[Any]
    fresh: list[Any]  # ‖fresh‖² by micro-batch
    velocity: list[Any] = field(default_factory=list)  # ‖velocity‖² by update
    rate: list[Any] = field(default_factory=list)  # learning rate by update
    _used: dict[int, tuple[Any, Any]] = field(default_factory=dict, repr=False)

    @classmethod
    def none_yet(cls, micro_batches: int, size: int, measured: bool) -> Measures:
        """The measures before the first pass of a run of so many micro-batches; `size` weights."""
        forward, backward, fresh = ([math.nan] * micro_batches for _ in range(3))
        return cls(size, measured, forward, backward, fresh)

    def passed(self, index: int, forward: Any, backward: Any) -> None:
        """Note the weights (parameters,) both passes of micro-batch `index` computed with."""
        if self.measured:
            self._used[index] = forward, backward

    def updated(self, micro_batches: Sequence[int], fresh: Any, velocity: Any, rate: Any) -> None:
        """Note that an update has stepped `fresh` (parameters,) by rate · velocity, and compare
        what the passes of its `micro_batches` computed with."""
        self.velocity.append(inner_product(velocity, velocity))
        self.rate.append(rate)
        if not self.measured:
            return
        length = inner_product(fresh, fresh)
        for index in micro_batches:
            self.fresh[index] = length
            forward, backward = self._used.pop(index)
            squared = squared_distance(forward, fresh)
            self.forward[index] = squared
            if backward is not forward:
                squared = squared_distance(backward, fresh)
            self.backward[index] = squared

    def distances(self, op: Op) -> tuple[Floats, Floats]:
        """RMSE and relative distance of the forwards or backwards, (micro-batches,) each.

        NaN stands where no update has come yet.  Source: REFERENCE section 1.
        """
        squares = self.forward if op is Op.F else self.backward
        return _distances(_floats(squares), _floats(self.fresh), self.size)

    @property
    def update_rmse_sum(self) -> float:
        """How far the updates so far moved the weights: the RMSE of each, added up."""
        return float(sum(float(rate) * math.sqrt(float(squared) / self.size)
                         for rate, squared in zip(self.rate, self.velocity, strict=True)))

    def split(self, replicas: int) -> list[Measures]:
        """The measures of each replica, where so many were measured side by side."""
        columns = [_by_replica(values, replicas) for values in
                   (self.forward, self.backward, self.fresh, self.velocity, self.rate)]
        return [Measures(self.size, self.measured, *own) for own in zip(*columns, strict=True)]

    @staticmethod
    def together(copies: Sequence[Measures], does: Sequence[Sequence[bool]]) -> Measures:
        """The measures of a stage from those of its copies.

        `does` says of each copy which micro-batches it did, (micro-batches,); the sizes of updates
        follow each other copy by copy.
        """
        joined = Measures.none_yet(len(does[0]), copies[0].size, copies[0].measured)
        for copy, mine in zip(copies, does, strict=True):
            for index in itertools.compress(range(len(mine)), mine):
                joined.forward[index] = copy.forward[index]
                joined.backward[index] = copy.backward[index]
                joined.fresh[index] = copy.fresh[index]
            joined.velocity += copy.velocity
            joined.rate += copy.rate
        return joined


def _by_replica(values: Sequence[Any], replicas: int) -> list[list[Any]]:
    """Step by step to replica by replica; a number is the same for all."""
    rows = [value if isinstance(value, np.ndarray) else np.full(replicas, value)
            for value in values]
    columns: list[list[Any]] = np.array(rows).reshape(len(rows), replicas).T.tolist()
    return columns


def _distances(squared: Floats, fresh: Floats, size: int) -> tuple[Floats, Floats]:
    """RMSE and relative distance of `size` weights from ‖used − fresh‖² and ‖fresh‖²."""
    with np.errstate(all="ignore"):
        relative = np.where(squared == 0, 0.0, np.sqrt(squared / fresh))
        return np.sqrt(squared / size), relative


def _floats(scalars: Sequence[Any]) -> Floats:
    return np.fromiter(map(float, scalars), np.float64, len(scalars))

"""Where to cut layers for devices of unlike pace: the least slowest stage, then the least moved."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from analysis.drifting.course import Cut
from sim.arrays import Floats


def best_cut(seconds: Floats, pace: Floats, moves: Floats, now: Cut,
             narrow: Sequence[int] | None = None) -> Cut:
    """How many layers each stage shall have, one at least.

    `seconds` are those of each layer, (layers,), and `pace` how many times as long a stage takes
    for any of them, (stages,).  The slowest stage shall be as fast as can be; of all cuts that make
    it so, that which moves least of `moves`, bytes (layers,), from where layers are `now`, and a
    layer without any counts as one byte.  It is cut after layers of `narrow` alone (None: after
    any); where that leaves no cut, all stays as it is `now`.  Exact, by two dynamic programmes over
    the ends of stages, O(stages · layers²).
    """
    stages, layers = len(pace), len(seconds)
    sums = np.concatenate(([0.0], np.cumsum(seconds)))
    lasts = pace[:, None, None] * (sums[None, None, :] - sums[None, :, None])
    lasts[:, np.tri(layers + 1, dtype=bool)] = np.inf  # no stage is empty: [stage, from, to]
    if narrow is not None:
        lasts[:, :, [end for end in range(1, layers) if end - 1 not in set(narrow)]] = np.inf
    slowest = _least(lasts, np.maximum)
    if np.isinf(slowest[stages][layers]):
        return now
    bound = slowest[stages][layers] * (1 + 1e-12)
    home = np.repeat(np.arange(stages), now)
    strange = home != np.arange(stages)[:, None]  # [stage, layer]
    away = np.zeros((stages, layers + 1))
    np.cumsum(np.maximum(moves, 1.0) * strange, axis=1, out=away[:, 1:])
    moved = away[:, None, :] - away[:, :, None]
    moved[lasts > bound] = np.inf
    return _back(moved, _least(moved, np.add))


def _least(cost: Floats, joined: np.ufunc) -> list[Floats]:
    """By number of stages the least cost of the first layers on them, (layers + 1,) each, where
    `cost` is of a stage from one layer to before another, (stages, layers + 1, layers + 1)."""
    found = [np.where(np.arange(cost.shape[1]) == 0, 0.0, np.inf)]
    for stage in cost:
        found.append(joined(found[-1][:, None], stage).min(axis=0))
    return found


def _back(cost: Floats, least: Sequence[Floats]) -> Cut:
    """The cut that attains the least sum: read from the last stage to the first."""
    ends = [cost.shape[1] - 1]
    for stage in range(len(cost) - 1, -1, -1):
        ends.append(int(np.argmin(least[stage] + cost[stage, :, ends[-1]])))
    return tuple(b - a for a, b in itertools.pairwise(reversed(ends)))


def crossing(now: Cut, then: Cut, moves: Floats) -> Floats:
    """Bytes over each boundary between stages when layers of `moves` bytes each go from their
    places in one cut to those in another, (stages − 1,): a layer crosses all on its way."""
    before, after = (np.repeat(np.arange(len(each)), each) for each in (now, then))
    low, high = np.minimum(before, after), np.maximum(before, after)
    boundary = np.arange(len(now) - 1)[:, None]
    found: Floats = ((low <= boundary) & (boundary < high)) @ moves
    return found

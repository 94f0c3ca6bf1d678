"""Where layers are cut for so many stages, by the formulas of `analysis.partition`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.times.profile import Profile

Counts = tuple[int, ...]


def cuts_of(layers: Profile, most: int, microbatches: Sequence[int]) -> dict[int, list[Counts]]:
    """Cuts worth a look by their number of stages, up to `most`: layers of each stage."""
    n = min(most, len(layers.stages))
    seconds = np.array([each.forward_s + each.backward_s for each in layers.stages])
    total = np.concatenate(([0.0], np.cumsum(seconds)))
    best: dict[tuple[int, int], tuple[float, Counts]] = {
        (1, end): (total[end], (end,)) for end in range(1, len(seconds) + 1)}
    for stages in range(2, n + 1):
        for end in range(stages, len(seconds) + 1):
            best[stages, end] = min(
                (max(best[stages - 1, first][0], total[end] - total[first]),
                 (*best[stages - 1, first][1], end - first)) for first in range(stages - 1, end))
    return {stages: [best[stages, len(seconds)][1]] for stages in range(1, n + 1)}

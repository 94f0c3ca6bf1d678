"""Two programs timed in turns by any clock, so that a noisy machine is noisy for both."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

Clock = Callable[[], float]


def ratio(ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int,
          clock: Clock = time.process_time) -> dict[str, Any]:
    """Median seconds of `ours` over those of `theirs`, with every repeat of both.

    The first round is for warming up.
    """
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(repeats + 1):
        for name, once in (("ours", ours), ("theirs", theirs)):
            gc.collect()
            start = clock()
            once()
            seconds[name].append(clock() - start)
    mine, other = (values[1:] for values in seconds.values())
    return {"ratio": statistics.median(mine) / statistics.median(other), "unit": "s",
            "ours": mine, "theirs": other}

"""Measuring: sides that take turns, and what is said of them."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import track

Sizes = dict[str, int]


@dataclass(frozen=True)
class Ratio:
    """Ours over theirs, every repeat of both; a rate shall be `at_least` the target, else below."""

    name: str
    ours: list[float]
    theirs: list[float]
    unit: str
    target: float
    at_least: bool

    @property
    def value(self) -> float:
        return statistics.median(self.ours) / statistics.median(self.theirs)

    @property
    def meets(self) -> bool:
        return self.value >= self.target if self.at_least else self.value <= self.target

    def document(self) -> dict[str, Any]:
        return {"ratio": self.value, "ours": statistics.median(self.ours),
                "theirs": statistics.median(self.theirs), "unit": self.unit,
                "repeats": len(self.ours), "target": self.target,
                "bound": "at least" if self.at_least else "at most", "meets_target": self.meets,
                "ours_repeats": self.ours, "theirs_repeats": self.theirs}


@dataclass(frozen=True)
class Took:
    """Something of ours alone, against a limit that it shall not pass."""

    name: str
    ours: list[float]
    unit: str
    target: float
    at_least: bool = False

    @property
    def value(self) -> float:
        return statistics.median(self.ours)

    @property
    def meets(self) -> bool:
        return self.value <= self.target

    def document(self) -> dict[str, Any]:
        return {"value": self.value, "unit": self.unit, "repeats": len(self.ours),
                "target": self.target, "bound": "at most", "meets_target": self.meets,
                "ours_repeats": self.ours}


def in_turns(runs: dict[str, Callable[[], float]], repeats: int, what: str
             ) -> dict[str, list[float]]:
    """CPU seconds of each run, taking turns; the first round is for warming up."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in track(range(repeats + 1), what, console=Console(stderr=True), transient=True):
        for name, once in runs.items():
            gc.collect()
            start = time.process_time()
            once()
            seconds[name].append(time.process_time() - start)
    return {name: values[1:] for name, values in seconds.items()}


def same(results: dict[str, float], tolerance: float) -> None:
    """Refuse to compare programs that do different work."""
    first = next(iter(results.values()))
    if not all(math.isclose(first, each, rel_tol=tolerance) for each in results.values()):
        raise SystemExit(f"the programs to compare do different work: {results}")

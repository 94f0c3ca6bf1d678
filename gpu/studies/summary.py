"""Repeated numbers in a few: mean, deviation, interval, extremes; and where they were measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

from sim.interval import mean_of
from sim.wording import plural


def summarised(values: Sequence[float | None]) -> dict[str, Any]:
    """What a report keeps of one quantity's repeats or seeds, for JSON.

    Gives `mean`, `sd` (sample standard deviation), `ci95` (95 % interval of the mean; None for
    one value), `median`, `min`, `max` and the `values` themselves, all None where none is known.
    What is missing or not finite is left out and counted as `missing`.
    """
    known = [float(v) for v in values if v is not None and math.isfinite(v)]
    missing = len(values) - len(known)
    if not known:
        return {"mean": None, "sd": None, "ci95": None, "median": None, "min": None, "max": None,
                "values": [], "missing": missing}
    return {**mean_of(known)._asdict(), "median": median(known),
            "min": min(known), "max": max(known), "values": known, "missing": missing}


def formatted(summary: dict[str, Any], digits: int = 3, scale: float = 1.0) -> str:
    """A summary as a table's cell, its numbers times `scale`: `mean ± sd [low, high]`.

    A single value stands alone; `–` where none is known.
    """
    if summary["mean"] is None:
        return "–"
    number = f"{scale * summary['mean']:.{digits}f}"
    if len(summary["values"]) > 1:
        number += f" ± {scale * summary['sd']:.{digits}f}"
    if summary["ci95"]:
        number += f" [{', '.join(f'{scale * bound:.{digits}f}' for bound in summary['ci95'])}]"
    return number if not summary["missing"] else f"{number} ({summary['missing']} missing)"


def place(found: dict[str, Any]) -> str:
    """A sentence for a report: the devices and the machine that `machine` found."""
    parts = [*found["gpus"], plural(found["cpu_cores"], "CPU core"), f"torch {found['torch']}",
             f"load average over the last minute {found['load_average'][0]}"]
    return (f"Devices {', '.join(found['devices'])} with "
            f"{plural(found['threads_per_device'], 'thread')} each; {', '.join(parts)}.")

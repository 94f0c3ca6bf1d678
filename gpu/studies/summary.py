"""Repeated numbers in a few: mean, deviation, interval, extremes; and where they were measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

from gpu.lanes.devices import DeviceSpec
from gpu.profiling.machine import Machine
from sim.spread import POSITIVE, SHARE, Spread, spread_of
from sim.wording import plural


def summarised(values: Sequence[float | None], *, share: bool = False) -> dict[str, Any]:
    """What a report keeps of one quantity's repeats or seeds, for JSON.

    Gives `mean`, `sd` and `ci95` as `sim.spread` has them, `median`, `min`, `max` and the `values`
    themselves, all None where none is known.  What is missing or not finite is left out and counted
    as `missing`.  No quantity here is below 0, and a `share` is not above 1 either.
    """
    known = [float(v) for v in values if v is not None and math.isfinite(v)]
    missing = len(values) - len(known)
    if not known:
        return {"mean": None, "sd": None, "ci95": None, "median": None, "min": None, "max": None,
                "values": [], "missing": missing}
    found = spread_of(known, SHARE if share else POSITIVE)
    return {"mean": found.mean, "sd": found.sd, "ci95": found.ci95, "median": median(known),
            "min": min(known), "max": max(known), "values": known, "missing": missing}


def formatted(summary: dict[str, Any], digits: int = 3, scale: float = 1.0) -> str:
    """A summary as a table's cell, its numbers times `scale`: `mean ± sd [low, high]`.

    One or two values stand for themselves, three have no interval; `–` where none is known.
    """
    if not summary["values"]:
        return "–"
    found = Spread(*(summary[name] for name in ("values", "mean", "sd", "ci95")))
    text = found.text(lambda value: f"{scale * value:.{digits}f}")
    return text if not summary["missing"] else f"{text} ({summary['missing']} missing)"


def facts(specs: Sequence[DeviceSpec]) -> dict[str, Any]:
    """What a study was measured on, each device called what the user called it."""
    return {**Machine.of(specs).facts(), "devices": [str(spec) for spec in specs]}


def place(found: dict[str, Any]) -> str:
    """A sentence for a report: the devices and the machine that `machine` found."""
    parts = [*found["gpus"], plural(found["cpu_cores"], "CPU core"), f"torch {found['torch']}",
             f"load average over the last minute {found['load_average'][0]}"]
    return (f"Devices {', '.join(found['devices'])} with "
            f"{plural(found['threads_per_device'], 'thread')} each; {', '.join(parts)}.")

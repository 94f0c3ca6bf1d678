"""Repeated numbers in a few: mean, deviation, interval, extremes; and where they were measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

from gpu.lanes.devices import DeviceSpec
from gpu.profiling.machine import Machine
from sim.interval import mean_of
from sim.wording import plural

ENOUGH, FEWEST = 3, 4  # values of which a deviation and an interval are given
LARGEST_LOG = 700.0  # of what a float can hold
SPREAD_SAID = ("one or two values as they are, from three on mean ± one standard deviation, from "
               "four on [95 % interval]")


def summarised(values: Sequence[float | None], *, share: bool = False) -> dict[str, Any]:
    """What a report keeps of one quantity's repeats or seeds, for JSON.

    Gives `mean`, `sd` (sample standard deviation), `ci95` (95 % interval, see `interval`),
    `median`, `min`, `max` and the `values` themselves, all None where none is known.  What is
    missing or not finite is left out and counted as `missing`.  No quantity here is below 0, and a
    `share` is not above 1 either.
    """
    known = [float(v) for v in values if v is not None and math.isfinite(v)]
    missing = len(values) - len(known)
    if not known:
        return {"mean": None, "sd": None, "ci95": None, "median": None, "min": None, "max": None,
                "values": [], "missing": missing}
    found = mean_of(known)
    return {"mean": found.mean, "sd": found.sd, "ci95": interval(known, share=share),
            "median": median(known), "min": min(known), "max": max(known), "values": known,
            "missing": missing}


def interval(values: Sequence[float], *, share: bool = False) -> tuple[float, float] | None:
    """The 95 % interval of what the values spread around; None of fewer than four.

    Made on the scale on which the quantity has no end, so it does not leave the range: the
    logarithm, and of a `share` the logit.  Where a value stands at the end of its range there is no
    such scale, and the interval of the mean is cut at the end [choice].
    """
    if len(values) < FEWEST:
        return None
    top = 1.0 if share else math.inf
    if min(values) == max(values) or not all(0 < value < top for value in values):
        bounds = mean_of(values).ci95
        return bounds and (max(0.0, bounds[0]), min(top, bounds[1]))
    bounds = mean_of([math.log(v / (1 - v)) if share else math.log(v) for v in values]).ci95
    if bounds is None:
        return None
    low, high = (min(max(bound, -LARGEST_LOG), LARGEST_LOG) for bound in bounds)
    if share:
        return 1 / (1 + math.exp(-low)), 1 / (1 + math.exp(-high))
    return math.exp(low), math.exp(high)


def formatted(summary: dict[str, Any], digits: int = 3, scale: float = 1.0) -> str:
    """A summary as a table's cell, its numbers times `scale`: `mean ± sd [low, high]`.

    One or two values stand for themselves, three have no interval; `–` where none is known.
    """
    values = summary["values"]
    if not values:
        return "–"
    text = ", ".join(f"{scale * value:.{digits}f}" for value in values)
    if len(values) >= ENOUGH:
        text = f"{scale * summary['mean']:.{digits}f} ± {scale * summary['sd']:.{digits}f}"
    if summary["ci95"]:
        text += f" [{', '.join(f'{scale * bound:.{digits}f}' for bound in summary['ci95'])}]"
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

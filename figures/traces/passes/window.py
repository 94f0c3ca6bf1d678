"""Which stretch of time a timeline shows, where nobody says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from analysis.metrics.timing import steady_of
from figures.traces.wanted import Run, Wanted
from sim.errors import ConfigurationError
from sim.op import Op
from sim.trace import Trace

Window = tuple[float, float]
# [choice] in usual passes beside each other: what is shown whole, what else, and what of a trip
WHOLE, PART, TRIP = 32, 24, 16
UNITS = (("s", 1.0, 1.0), ("ms", 1e3, 1e-3), ("µs", 1e6, 0.0))  # name, per second, from so long on
MARGIN = 2  # usual passes on both sides of a mini-batch's round trip


def window(runs: Sequence[Run], wanted: Wanted) -> Window:
    """The seconds from and to which some runs are shown, on one time axis.

    Those asked for; else everything, of runs short enough to be looked at; else some passes around
    the round trips of the mini-batches asked for; else the first ones (of a measured run those
    from its steady state on, since its first are run cold).

    Raises ConfigurationError for one that holds nothing.
    """
    end_s = max(_end_s(run.trace) for run in runs)
    if wanted.from_s is not None or wanted.to_s is not None:
        return _asked(wanted, end_s)
    slot_s = min(usual_s(run.trace) for run in runs)
    if end_s <= WHOLE * slot_s:
        return 0.0, end_s
    trips = [trip for run in runs for trip in _trips(run.trace, wanted)]
    if not trips:
        begin = min(_begin_s(run.trace) for run in runs)
        return begin, min(begin + PART * slot_s, end_s)
    begin, stop = min(trip[0] for trip in trips), max(trip[1] for trip in trips)
    beside = max(MARGIN * slot_s, (TRIP * slot_s - (stop - begin)) / 2)
    return max(0.0, begin - beside), min(end_s, stop + beside)


def usual_s(trace: Trace) -> float:
    """Seconds of a usual pass: the median of those that take any time."""
    seconds = (trace.end_s - trace.start_s)[trace.op <= Op.W]
    positive = seconds[seconds > 0]
    return float(np.median(positive)) if len(positive) else 1.0


def number(value: float) -> str:
    """A number as an axis or a headline writes it: at most six digits, thousands apart."""
    digits = max(0, 5 - int(np.floor(np.log10(abs(value))))) if value else 0
    text = f"{value:,.{min(digits, 9)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def unit_of(span_s: float) -> tuple[str, float]:
    """The unit in which a stretch of so many seconds is told, and how many make a second."""
    return next((name, per_s) for name, per_s, least in UNITS if span_s >= least)


def _asked(wanted: Wanted, end_s: float) -> Window:
    begin = 0.0 if wanted.from_s is None else float(wanted.from_s)
    stop = end_s if wanted.to_s is None else float(wanted.to_s)
    problems = [f"{name}: a time in seconds from 0 on, got {value:g}"
                for name, value in (("from", begin), ("to", stop)) if not value >= 0]
    if not problems and begin >= end_s:
        problems = [f"from: the run ends at {number(end_s)} s, got {begin:g}"]
    elif not problems and not begin < stop:
        problems = [f"to: comes after from, got {begin:g} and {stop:g}"]
    if problems:
        raise ConfigurationError(problems)
    return begin, min(stop, end_s)


def _trips(trace: Trace, wanted: Wanted) -> Iterator[Window]:
    for minibatch in wanted.minibatches:
        its = (trace.minibatch == minibatch) & (trace.op <= Op.W)
        if wanted.stages is not None:
            its &= np.isin(trace.stage, wanted.stages)
        if its.any():
            yield float(trace.start_s[its].min()), float(trace.end_s[its].max())


def _begin_s(trace: Trace) -> float:
    steady = steady_of(trace.shape)
    if trace.header.gpu is None or steady is None:
        return 0.0
    its = (trace.minibatch == steady[0]) & (trace.op <= Op.W)
    return float(trace.start_s[its].min()) if its.any() else 0.0


def _end_s(trace: Trace) -> float:
    return max(float(trace.end_s.max(initial=0.0)), 1e-12)


def ranges(numbers: Sequence[int]) -> str:
    """Whole numbers in order as text: `0-3 7`."""
    parts: list[list[int]] = []
    for value in sorted(set(numbers)):
        if parts and value == parts[-1][1] + 1:
            parts[-1][1] = value
        else:
            parts.append([value, value])
    return " ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in parts)


def numbers(text: object) -> list[int]:
    """The inverse of `ranges`, in brackets or not."""
    found: list[int] = []
    for part in str(text).strip("[]").split():
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found

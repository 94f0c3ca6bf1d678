"""Where a step goes: on each device computing, slowed, launching, receiving or waiting.

The same function splits a predicted and a measured trace, so that the two stand side by side.  A
part is in seconds of a mini-batch, and the parts of a device add up to the step:

    compute     what the instructions take on the device alone, as profiled
    contention  what they took longer than that beside busy neighbours (or shorter: below zero)
    launch      the device could have run on, but its host had not asked for the work yet
    transfer    idle while the message that is needed was on its way
    waiting     idle for another reason: the neighbour had not sent it yet
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from analysis.metrics.timing import finished_s, first_rows, rated
from sim.arrays import Floats
from sim.op import Op
from sim.trace import Trace

PARTS = ("compute", "contention", "launch", "transfer", "waiting")


@dataclass(frozen=True)
class Split:
    """Where the step of a run went.

    `step_s` is in seconds of a mini-batch; `parts` has shape (devices, 5), in the same seconds and
    the order of `PARTS`.  Each device's parts add up to the step.
    """

    step_s: float
    parts: Floats

    def mean(self) -> dict[str, float]:
        """The parts, means over the devices, in seconds by name."""
        return dict(zip(PARTS, self.parts.mean(axis=0).tolist(), strict=True))

    def by_device(self) -> list[dict[str, float]]:
        """The parts of each device, in seconds by name."""
        return [dict(zip(PARTS, device, strict=True)) for device in self.parts.tolist()]


def steady_window(trace: Trace) -> tuple[float, float, int]:
    """Where the steady state begins and ends, in seconds, and how many mini-batches end in it.

    From the end of the first steady mini-batch to the end of the last, as for the steady rate; the
    whole run where it has no such rate.
    """
    done = finished_s(trace)
    first, last = rated(trace.shape) or (1, 1)
    begin, end = float(done[first - 1]), float(done[last - 1])
    if end > begin:
        return begin, end, int(((done > begin) & (done <= end)).sum())
    return 0.0, float(trace.end_s.max()), trace.shape.minibatches


def split(trace: Trace, alone_s: Floats) -> Split:
    """Where the steady state of a run went.

    `alone_s`, shape (rows,), is how many seconds each row takes with nobody beside it; what it says
    of rows that are messages is not looked at.  A trace without `asked_s` and `issued_s` is
    of a run whose hosts are not told apart from their devices: its launch is 0.
    """
    begin, end, minibatches = steady_window(trace)
    free, start, stop = _in_order(trace)
    asked, issued, sent, arrived = (_known(trace, name) for name in (
        "asked_s", "issued_s", "sent_s", "arrived_s"))
    idle = _overlap(free, start, begin, end)
    transfer = _overlap(np.maximum(sent, free), np.minimum(arrived, start), begin, end)
    launch = _overlap(np.maximum(arrived, free), np.minimum(asked, start), begin, end)
    compute, slowed, late = _busy(start, stop, alone_s, issued, begin, end)
    columns = (compute, slowed, launch + late, transfer, idle - launch - transfer)
    devices = trace.shape.devices
    parts: Floats = np.stack([np.bincount(trace.device, column, devices) for column in columns],
                             axis=1)
    parts[:, PARTS.index("waiting")] += _after_last(trace, stop, begin, end)
    return Split((end - begin) / minibatches, parts / minibatches)


def _in_order(trace: Trace) -> tuple[Floats, Floats, Floats]:
    """When each row's device was free, and when the row began and ended, never before that.

    Clocks are aligned within some microseconds, so measured rows may seem to overlap a little; a
    message is no work of the device, so all of its row counts as idle.
    """
    free = np.zeros(len(trace))
    stop = np.maximum(trace.end_s, 0.0)
    borders = [*first_rows(trace).tolist(), len(trace)]
    for first, last in pairwise(borders):
        stop[first:last] = np.maximum.accumulate(stop[first:last])
        free[first + 1 : last] = stop[first : last - 1]
    start = np.where(trace.op > Op.U, stop, np.maximum(trace.start_s, free))
    return free, start, stop


def _known(trace: Trace, name: str) -> Floats:
    """A column of moments; before everything where it is missing or does not apply."""
    column = getattr(trace, name, None)
    if column is None:
        return np.full(len(trace), -np.inf)
    return np.where(np.isnan(column), -np.inf, column)


def _overlap(low: Floats, high: Floats, begin: float, end: float) -> Floats:
    """Seconds of each interval that lie in the window; 0 where an interval is empty."""
    length: Floats = np.minimum(high, end) - np.maximum(low, begin)
    return np.clip(length, 0.0, None)


def _busy(start: Floats, stop: Floats, alone_s: Floats, issued: Floats, begin: float, end: float
          ) -> tuple[Floats, Floats, Floats]:
    """Compute, contention and launch within each row's duration.

    Of a row that the window cuts, each counts by the share of the row that lies in it.
    """
    seconds = stop - start
    inside = _overlap(start, stop, begin, end)
    share = np.divide(inside, seconds, out=np.zeros_like(seconds), where=seconds > 0)
    late = np.clip(np.minimum(stop, issued) - (start + alone_s), 0.0, None)
    return share * alone_s, share * (seconds - alone_s - late), share * late


def _after_last(trace: Trace, stop: Floats, begin: float, end: float) -> Floats:
    """Seconds of the window in which a device had nothing left to do, shape (devices,)."""
    last = np.zeros(trace.shape.devices)
    np.maximum.at(last, trace.device, stop)
    return _overlap(last, np.full_like(last, end), begin, end)


def largest_difference(predicted: Split, measured: Split) -> str:
    """The part whose means over devices are furthest apart."""
    one, other = predicted.mean(), measured.mean()
    return max(PARTS, key=lambda name: abs(one[name] - other[name]))

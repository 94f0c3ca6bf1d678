"""A long run in plain Python, a segment at a time: the recurrence where no link ever queues.

A tested twin of `sim.kernels.recurrence.advance`.  It exists because without numba a whole jittered
run of 16 stages and 4000 mini-batches takes 2.8 times as long by that.  An order found beforehand
spares it the stack of devices and the ends of links, and rows that have nothing to do with a
message are not looked at one by one.
"""

from __future__ import annotations

import numpy as np

from sim.arrays import Floats, Ints
from sim.times.exact.equations import MaxPlusSystem
from sim.times.exact.order import topological
from sim.times.exact.segments import Segments
from sim.times.limits import beyond
from sim.times.timeline import Times

FEWEST_SEGMENTS = 3_000  # below, finding an order first takes longer than it saves


def executed(system: MaxPlusSystem) -> Times | None:
    """Times of every row, found segment by segment; None where that is not possible or no faster.

    So it is with few segments, links that queue, an order without a steady period, and rows that
    are slowed in windows, wait for other workers, or alone take longer than ticks count.
    """
    if (system.window_stage.size or system.gates.opens.size
            or beyond(float(system.seconds.max(initial=0.0)))):
        return None
    segments = Segments.of(system)
    if len(segments.row) < FEWEST_SEGMENTS or not _links_never_queue(segments):
        return None
    order = topological(system, quick=True)
    return None if order is None else _by_row(segments, *_starts_and_arrivals(segments, order))


def _links_never_queue(segments: Segments) -> bool:
    """Whether every message has let go of its link before the next on it can be sent.

    Between two sends of a device lies at least the instruction that the later one ends.
    """
    sends = segments.link >= 0
    return bool(sends.any() and
                segments.transfer_s[sends].max() <= segments.until_sent_s[sends].min())


def _by_row(segments: Segments, starts: Floats, arrivals: Floats) -> Times:
    """Times of rows from those of their segments."""
    system, times = segments.system, np.empty((4, len(segments.lag_s)))
    start, end, sent, arrived = times
    start[:] = segments.starts_of_rows(starts)
    np.add(start, system.seconds, out=end)
    times[2:] = np.nan
    sends = segments.link >= 0
    senders = segments.row[sends]
    sent[system.target[senders]] = end[senders]
    arrived[system.target[senders]] = arrivals[sends]
    return start, end, sent, arrived


def _starts_and_arrivals(segments: Segments, rows: Ints) -> tuple[Floats, Floats]:
    """Of each segment its start, and when what it sends arrives, from an executable order."""
    number = np.full(len(segments.lag_s), -1, dtype=np.int32)
    number[segments.row] = np.arange(len(segments.row))
    order = number[rows]
    order = order[order >= 0]
    place = np.empty_like(order)
    place[order] = np.arange(1, len(order) + 1)
    source = segments.source[order]
    took = segments.until_sent_s + segments.transfer_s + segments.latency_s
    wait = np.where(source >= 0, took[source], -np.inf)
    device = segments.system.program.device[segments.row[order]]
    start, clock = [0.0], [0.0] * segments.system.program.devices
    for d, needed, after, seconds in zip(
            device.tolist(), np.where(source >= 0, place[source], 0).tolist(), wait.tolist(),
            segments.seconds[order].tolist(), strict=True):
        now, came = clock[d], start[needed] + after
        if came > now:
            now = came
        start.append(now)
        clock[d] = now + seconds
    found = np.empty(len(order))
    found[order] = np.fromiter(start, np.float64, len(start))[1:]
    return found, np.where(segments.link >= 0, found + took, np.nan)

"""The recurrence in plain Python over segments: nothing to install, nothing to warm up."""

from __future__ import annotations

import numpy as np

from sim.arrays import Floats, Ints
from sim.times.exact.order import topological
from sim.times.exact.segments import Segments
from sim.times.exact.state import NOT_SENT, Times
from sim.times.exact.system import System

MANY = 20_000  # segments: worth finding an order first
# An arrival is NOT_SENT before its sending; below, −2 − d: not sent, and device d waits for it.


def executed(system: System) -> Times | None:
    """Times by row, as `State.settle` has them; None where not every row can run.

    Instructions slowed in windows of time are not for segments: see `sim.times.exact.recurrence`.
    """
    segments = Segments.of(system)
    worth = len(segments.row) >= MANY and _links_never_queue(segments)
    order = topological(system, quick=True) if worth else None
    found = _by_segment(segments) if order is None else _in_order(segments, order)
    if found is None:
        return None
    times = np.empty((4, len(system.program)))
    start, end, sent, arrived = times
    start[:] = segments.spread(found[0])
    np.add(start, system.seconds, out=end)
    times[2:] = np.nan
    sends = segments.link >= 0
    senders = segments.row[sends]
    sent[system.target[senders]] = end[senders]
    arrived[system.target[senders]] = found[1][sends]
    return start, end, sent, arrived


def _links_never_queue(segments: Segments) -> bool:
    """Whether every message has arrived before the next on its link can be sent.

    Sends of one device are apart by at least the instruction that the later one ends.
    """
    sends = segments.link >= 0
    return bool(sends.any() and
                segments.transfer_s[sends].max() <= segments.until_sent_s[sends].min())


def _in_order(segments: Segments, rows: Ints) -> tuple[Floats, Floats]:
    """Starts and arrivals where an order is known and no link ever queues."""
    number = np.full(len(segments.lag_s), -1, dtype=np.int32)
    number[segments.row] = np.arange(len(segments.row))
    order = number[rows]
    order = order[order >= 0]
    place = np.empty_like(order)
    place[order] = np.arange(1, len(order) + 1)
    source, took = segments.source[order], segments.until_sent_s + segments.transfer_s
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
    return found, np.where(segments.link >= 0, found + took, NOT_SENT)


def _by_segment(segments: Segments) -> tuple[Floats, Floats] | None:
    size, (*head, _), (_, *last) = len(segments.row), *(segments.offsets.tolist(),) * 2
    source, link = segments.source.tolist(), segments.link.tolist()
    seconds, until_sent = segments.seconds.tolist(), segments.until_sent_s.tolist()
    transfer = segments.transfer_s.tolist()
    start, arrival = [0.0] * size, [NOT_SENT] * size
    clock, free = [0.0] * len(head), [0.0] * len(segments.system.receiver)
    ready = list(range(len(head)))[::-1]
    done = 0
    while ready:
        device = ready.pop()
        now = clock[device]
        for each in range(head[device], last[device]):
            needed = source[each]
            if needed >= 0:
                came = arrival[needed]
                if came < 0.0:
                    arrival[needed] = -2.0 - device
                    head[device] = each
                    break
                if came > now:
                    now = came
            start[each] = now
            way = link[each]
            if way >= 0:
                came = now + until_sent[each]
                if free[way] > came:
                    came = free[way]
                came += transfer[each]
                if arrival[each] != NOT_SENT:
                    ready.append(int(-2.0 - arrival[each]))
                free[way] = arrival[each] = came
            now += seconds[each]
        else:
            done += 1
        clock[device] = now
    if done < len(head):
        return None
    return np.fromiter(start, np.float64, size), np.fromiter(arrival, np.float64, size)

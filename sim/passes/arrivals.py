"""What each row waits for from another device, and the link its own message takes, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.instruction import Op

F, B, I = Op.F.value, Op.B.value, Op.I.value  # noqa: E741


def arrivals(op: Any, stage: Any, index: Any, device: Any, devices: Any, forward: Any,
             gradient: Any, workers: Any, microbatches: Any) -> Any:
    """Source row (−1: none) and number of the link (−1: sends nothing) by row, and links in use.

    The part of the readiness rule that crosses devices, for a complete program whose messages are
    no instructions of their own; `forward` and `gradient` are its tables, as in
    `Program.needs_elsewhere`.  A link in use is said as from·devices + to, ascending.
    """
    size, stages = len(op), len(forward)
    source, link = np.full(size, -1, dtype=np.int32), np.full(size, -1, dtype=np.int32)
    number = np.full(devices * devices, -1, dtype=np.int32)
    for upper in range(stages - 1):
        for micro in range(0, workers * microbatches, microbatches):  # a worker's first of all
            one = device[forward[upper, micro]]
            other = device[forward[upper + 1, micro]]
            if one != other:
                number[one * devices + other] = number[other * devices + one] = 0
    links = 0
    for pair in range(devices * devices):
        if number[pair] == 0:
            number[pair] = links
            links += 1
    used = np.empty(links, dtype=np.int64)
    for pair in range(devices * devices):
        if number[pair] >= 0:
            used[number[pair]] = pair
    for row in range(size):
        what, where = op[row], stage[row]
        if what == F and where > 0:
            before = forward[where - 1, index[row]]
        elif what in (B, I) and where < stages - 1:
            before = gradient[where + 1, index[row]]
        else:
            continue
        if device[before] != device[row]:
            source[row] = before
            link[before] = number[device[before] * devices + device[row]]
    return source, link, used


def taken(link: Any, seconds: Any) -> Any:
    """Seconds by row where each message takes its link as long; 0 where nothing is sent."""
    column = np.empty(len(link))
    for row in range(len(link)):
        column[row] = seconds if link[row] >= 0 else 0.0
    return column


def told(source: Any, end: Any, arrival: Any) -> Any:
    """When the message a row waits for was sent and when it was here; NaN where there is none."""
    sent, came = np.empty(len(source)), np.empty(len(source))
    for row in range(len(source)):
        needed = source[row]
        sent[row] = end[needed] if needed >= 0 else np.nan
        came[row] = arrival[needed] if needed >= 0 else np.nan
    return sent, came

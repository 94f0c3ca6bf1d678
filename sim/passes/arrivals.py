"""What each row sends to another device: the row that waits for it, and its link, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.instruction import Op

F, B, I = Op.F.value, Op.B.value, Op.I.value  # noqa: E741


def arrivals(op: Any, stage: Any, index: Any, offsets: Any, forward: Any, gradient: Any,
             home: Any) -> Any:
    """Target row and number of the link (−1: sends nothing) by row, and links in use.

    The part of the readiness rule that crosses devices, for a complete program whose messages are
    no instructions of their own; `forward` and `gradient` are its tables, as in
    `Program.needs_elsewhere`, `home` the device by (worker, stage).  A link in use is said as
    from·devices + to, ascending.
    """
    workers, stages = home.shape
    devices = len(offsets) - 1
    number = np.full(devices * devices, -1, dtype=np.int64)
    for worker in range(workers):
        for upper in range(stages - 1):
            one, other = home[worker, upper], home[worker, upper + 1]
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
    target, link = np.full(len(op), -1, dtype=np.int32), np.full(len(op), -1, dtype=np.int32)
    down, up = np.full(stages, -1, dtype=np.int64), np.full(stages, -1, dtype=np.int64)
    for device in range(devices):
        lives = home[device // (devices // workers)]
        for lower in range(1, stages):
            one, other = lives[lower - 1], lives[lower]
            down[lower - 1] = number[one * devices + other] if one != other else -1
            up[lower] = number[other * devices + one] if one != other else -1
        part = slice(offsets[device], offsets[device + 1])
        mine, places, micro, to, way = op[part], stage[part], index[part], target[part], link[part]
        for row in range(len(mine)):
            what, where = mine[row], places[row]
            if what == F and down[where] >= 0:
                to[row], way[row] = forward[where + 1, micro[row]], down[where]
            elif what in (B, I) and up[where] >= 0:
                to[row], way[row] = gradient[where - 1, micro[row]], up[where]
    return target, link, used


def taken(link: Any, seconds: Any) -> Any:
    """Seconds by row where each message takes its link as long; 0 where nothing is sent."""
    column = np.empty(len(link))
    for row in range(len(link)):
        column[row] = seconds if link[row] >= 0 else 0.0
    return column


def expected(target: Any, sent: Any, arrived: Any) -> None:
    """Fill `arrived` with −1 where a row is some row's target, else NaN; `sent` with NaN."""
    for row in range(len(target)):
        sent[row] = arrived[row] = np.nan
    for row in range(len(target)):
        if target[row] >= 0:
            arrived[target[row]] = -1.0

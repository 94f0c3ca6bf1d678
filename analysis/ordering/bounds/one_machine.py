"""One machine whose jobs have a time before which none starts, and one that must still follow.

Source: Jackson 1955 (the preemptive schedule by largest tail is shortest); Carlier and Pinson 1989.
"""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np

from analysis.ordering.bounds.shop import Mask
from sim.arrays import Ints


def shortest(heads: Ints, ticks: Ints, tails: Ints) -> int:
    """The shortest makespan of jobs that may be interrupted, in ticks.

    A job starts at its head at the earliest, lasts `ticks`, and its tail follows after its end; all
    have shape (jobs,).  At any time the job with the largest tail of those begun runs.
    """
    head, left, tail = heads.tolist(), ticks.tolist(), tails.tolist()
    order = np.argsort(heads, kind="stable").tolist()
    waiting: list[tuple[int, int]] = []
    now = longest = next_ = 0
    while next_ < len(order) or waiting:
        if not waiting:
            now = max(now, head[order[next_]])
        while next_ < len(order) and head[order[next_]] <= now:
            heappush(waiting, (-tail[order[next_]], order[next_]))
            next_ += 1
        job = waiting[0][1]
        end = now + left[job]
        if next_ < len(order) and end > head[order[next_]]:
            left[job] -= head[order[next_]] - now
            now = head[order[next_]]
            continue
        heappop(waiting)
        now, longest = end, max(longest, end + tail[job])
    return longest


def after_all(heads: Ints, ticks: Ints, before: Mask) -> Ints:
    """When the jobs before each have all ended at the earliest, (jobs,); 0 where there are none.

    `before[a, b]` says that job a is before job b.  Of those with a head of at least t, none runs
    before t: so t and all their ticks is a bound for every t.  Told from the end, with tails and
    `before` the other way round, it is how long what comes after each takes.
    """
    order = np.argsort(-heads, kind="stable")
    mine = before[order]
    sums: Ints = np.cumsum(mine * ticks[order][:, None], axis=0)
    sums += heads[order][:, None]
    return np.asarray(np.where(mine, sums, 0).max(axis=0, initial=0))

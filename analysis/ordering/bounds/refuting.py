"""Proofs that no order is as short as is asked, by what would have to come before what.

Source: Carlier and Pinson 1989; Brucker, Jurisch and Sievers 1994 (immediate selection); Klein and
Scholl 1999 (lower bounds by refuting).
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from analysis.ordering.bounds.one_machine import shortest
from analysis.ordering.bounds.shop import Machine, Mask, Shop
from analysis.ordering.bounds.spans import Spans, widen

FINEST = 1_000  # a bound is raised in steps of one in so many


def raised(shop: Shop, spans: Spans, below: int, seconds: float) -> int:
    """The largest bound, in ticks, that refuting shorter makespans proves in about so long.

    It is looked for between that of `spans` and `below`, a makespan that there is, to one part in
    `FINEST`; that of `spans` where nothing above is refuted.
    """
    low, until = spans.makespan(shop), perf_counter() + seconds
    high = below - 1  # the longest that would still be shorter
    while low <= high and perf_counter() < until:
        middle = (low + high) // 2
        if refuted(shop, spans, middle):
            low = middle + 1
        else:
            high = middle - max(1, below // FINEST)
    return low


def refuted(shop: Shop, spans: Spans, within: int) -> bool:
    """Whether what follows of the spans alone proves that no makespan is `within` so many ticks."""
    return not tightened(shop, spans.copy(), [each.before for each in shop.machines], within)


def tightened(shop: Shop, spans: Spans, orders: list[Mask], within: int) -> bool:
    """Whether a makespan `within` so many ticks may still be; spans and orders are then as tight
    as that makes them, in place.

    `orders` are what is known of the order of each machine's jobs, which are replaced.  A job that
    could not be before another on its machine is after it, which raises heads and tails, until
    nothing more follows or something does not fit.
    """
    while True:
        if not widen(shop, spans, orders, within):
            return False
        settled = True
        for place, machine in enumerate(shop.machines):
            found = _decided(shop, spans, machine, orders[place], within)
            if found is None:
                return False
            settled &= found is orders[place]
            orders[place] = found
        if settled:
            return True


def _decided(shop: Shop, spans: Spans, machine: Machine, before: Mask, within: int) -> Mask | None:
    """The order of a machine's jobs with what follows of their heads and tails: `before` itself
    where nothing does, None where no order is `within`."""
    heads, ticks, tails = (each[machine.jobs] for each in (spans.heads, shop.ticks, spans.tails))
    if shortest(heads, ticks, tails) > within:
        return None
    late = (heads + ticks)[:, None] + (ticks + tails)[None, :] > within  # first this, then that
    np.fill_diagonal(late, False)
    after: Mask = late.T & ~before
    if not after.any():
        return before
    found = closed(before | after)
    return None if (found & found.T).any() else found


def closed(before: Mask) -> Mask:
    """An order with all that follows of it: what is before something is before what that is."""
    while True:
        ways = before.astype(np.float32)
        more: Mask = before | (ways @ ways > 0)
        if np.array_equal(more, before):
            return before
        before = more

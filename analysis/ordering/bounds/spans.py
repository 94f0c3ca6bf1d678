"""How early each job of a shop can start, and how much must follow it: heads and tails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from analysis.ordering.bounds.one_machine import after_all, shortest
from analysis.ordering.bounds.shop import Mask, Shop
from sim.arrays import Ints

MOST_STEPS = 4_000_000_000  # comparisons of jobs; the spans reached by then are bounds as well


@dataclass(eq=False)
class Spans:
    """In ticks, when each job can start at the earliest, and what must follow its end: (jobs,)."""

    heads: Ints
    tails: Ints

    @classmethod
    def none(cls, shop: Shop) -> Self:
        """What is known before anything is looked at."""
        return cls(np.zeros_like(shop.ticks), np.zeros_like(shop.ticks))

    def copy(self) -> Spans:
        """Spans of their own, to go on from."""
        return Spans(self.heads.copy(), self.tails.copy())

    def longest(self, shop: Shop) -> int:
        """The longest that any job's head, ticks and tail come to."""
        return int((self.heads + shop.ticks + self.tails).max(initial=0))

    def makespan(self, shop: Shop) -> int:
        """A lower bound of the makespan, in ticks: a job's own, or a machine's with all its jobs
        between their heads and tails."""
        return max(self.longest(shop), *(
            shortest(self.heads[m.jobs], shop.ticks[m.jobs], self.tails[m.jobs])
            for m in shop.machines))


def widen(shop: Shop, spans: Spans, before: Sequence[Mask], within: int | None = None) -> bool:
    """Raise heads and tails as far as waiting and busy machines say, in place.

    `before` are orders of each machine's jobs, at least the shop's own.  False where something
    cannot be `within` so many ticks (None: anything can).
    """
    steps = 0
    size = sum(mask.size for mask in before)
    while steps < MOST_STEPS:
        steps += size
        heads, tails = spans.heads.copy(), spans.tails.copy()
        _along(shop, spans)
        for machine, known in zip(shop.machines, before, strict=True):
            jobs = machine.jobs
            for span, order in ((spans.heads, known), (spans.tails, known.T)):
                span[jobs] = np.maximum(span[jobs], after_all(span[jobs], shop.ticks[jobs], order))
        if within is not None and spans.longest(shop) > within:
            return False
        if np.array_equal(heads, spans.heads) and np.array_equal(tails, spans.tails):
            break
    return True


def _along(shop: Shop, spans: Spans) -> None:
    """Heads and tails by the longest chains of jobs that wait for each other."""
    ticks = shop.ticks.tolist()
    for span, waits, order in ((spans.heads, shop.earlier, range(len(ticks))),
                               (spans.tails, shop.later, range(len(ticks) - 1, -1, -1))):
        value = span.tolist()
        for job in order:
            longest = value[job]
            for other, lag in waits[job]:
                reached = value[other] + ticks[other] + lag
                if reached > longest:
                    longest = reached
            value[job] = longest
        span[:] = value

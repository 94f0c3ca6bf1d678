"""Branch and bound over what comes before what: the shortest makespan of a small problem.

A step takes two passes of a device (or messages of a link) of which either could be first, tries
both, and follows up what each means for all others; what cannot beat the best order known is cut.
Source: Carlier and Pinson 1989; Brucker, Jurisch and Sievers 1994.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from analysis.ordering.bounds.makespan import jobs_of
from analysis.ordering.bounds.refuting import closed, tightened
from analysis.ordering.bounds.shop import Mask, Shop, busy
from analysis.ordering.bounds.spans import Spans
from analysis.ordering.exact.sequences import by_spans, fits, makespan, program_of
from analysis.ordering.problem import OrderProblem
from sim.errors import ConfigurationError
from sim.order.program import Program
from sim.times.costs import TICK

ROUNDED_S = 2 * TICK  # by which halves may differ from the whole as each is rounded
MOST_PASSES = 200  # of a problem, messages included: beyond, nobody waits for the end


@dataclass(frozen=True)
class Best:
    """The best order of a problem: its makespan in seconds, and how many steps were looked at.

    `proved` says that no order is shorter; else the search was ended before it was known.
    """

    program: Program
    makespan_s: float
    steps: int
    proved: bool


@dataclass(frozen=True)
class Shorter:
    """What is shorter than an order that there is: `best` of that (None: nothing that was found),
    and whether nothing is shorter than it, or than the order that there is (`proved`)."""

    best: Best | None
    proved: bool
    steps: int


def best_order(problem: OrderProblem, most_steps: int = 200_000,
               done: Callable[[], None] = lambda: None) -> Best:
    """The order with the shortest makespan of a small problem: flushed, all backwards split.

    `done` is called after every step, of which there are at most so many.  [choice] That a whole
    backward may be a tick or two shorter than its halves, as each is rounded, is not made use of.

    Raises ConfigurationError where the problem is too large, its backwards take longer in halves
    than whole, or messages of several boundaries share a link, whose order is then not the order's
    to choose.
    """
    refuse_unproved(problem)
    search = _Search(_split(problem), most_steps, done)
    search.keep(range(len(search.shop.keys)))  # micro-batch after micro-batch
    search.run()
    assert search.sequence is not None  # that one fits every limit
    return search.found(search.sequence)


def shorter_order(problem: OrderProblem, than_s: float, *, most_steps: int = 200_000,
                  seconds: float = math.inf) -> Shorter:
    """The best order found that takes less than `than_s` seconds, an order's that there is.

    At most so many steps are looked at, in about so many `seconds`.  Raises ConfigurationError as
    `best_order` does, for problems ten times as large.
    """
    refuse_unproved(problem, 10 * MOST_PASSES)
    search = _Search(_split(problem), most_steps, lambda: None, seconds)
    search.best = round(than_s / TICK)
    search.run()
    best = None if search.sequence is None else search.found(search.sequence)
    return Shorter(best, not search.left, search.steps)


def _split(problem: OrderProblem) -> OrderProblem:
    """The problem whose backwards take as long as their halves together."""
    return replace(problem, backward_s=problem.input_s + problem.weight_s)


def refuse_unproved(problem: OrderProblem, most: int = MOST_PASSES) -> None:
    """Refuse what branch and bound has no proof of, and problems of more than `most` passes and
    messages.  Raises ConfigurationError with every reason."""
    lines = []
    jobs = jobs_of(problem)
    if jobs > most:
        lines.append(f"exact: at most {most} passes and messages, got {jobs}")
    if (problem.input_s + problem.weight_s > problem.backward_s + ROUNDED_S).any():
        lines.append("exact: where a backward takes longer in halves than whole, which to split is "
                     "a choice that is not gone through")
    if problem.max_staleness:
        lines.append("exact: of a flush alone, so with max_staleness 0")
    links = [(way, boundary) for way, boundary in zip(*np.nonzero(busy(problem)), strict=True)]
    ends = [tuple(problem.device[[boundary + way, boundary + 1 - way]]) for way, boundary in links]
    if len(set(ends)) < len(ends):
        lines.append("exact: messages of several boundaries share a link, in an order that is not "
                     "the devices' to choose")
    if lines:
        raise ConfigurationError(lines)


@dataclass(eq=False)
class _Node:
    """What is known of all orders that are still to be looked at together."""

    spans: Spans
    orders: list[Mask]


class _Search:
    """Branch and bound, depth first: `best` is the makespan, in ticks, of the order `sequence`."""

    def __init__(self, problem: OrderProblem, most_steps: int, done: Callable[[], None],
                 seconds: float = math.inf) -> None:
        self.problem, self.shop = problem, Shop.of(problem)
        self.most_steps, self.done, self.steps = most_steps, done, 0
        self.until = perf_counter() + seconds
        self.sequence: list[int] | None = None
        self.left: list[_Node] = []
        self.best = int(self.shop.ticks.sum()) + sum(
            max((lag for _, lag in waits), default=0) for waits in self.shop.earlier) + 1

    def run(self) -> None:
        """Look at all orders, or at as many as steps and seconds allow."""
        self.left = [_Node(Spans.none(self.shop), [each.before for each in self.shop.machines])]
        while self.left and self.steps < self.most_steps and perf_counter() < self.until:
            node = self.left.pop()
            self.steps += 1
            self.done()
            while tightened(self.shop, node.spans, node.orders, self.best - 1):
                if not self.keep(by_spans(node.spans)):
                    self.left += self.branches(node)
                    break

    def found(self, sequence: Sequence[int]) -> Best:
        """The best order, as it was found."""
        return Best(program_of(self.problem, self.shop, sequence), self.best * TICK, self.steps,
                    not self.left)

    def keep(self, sequence: Sequence[int]) -> bool:
        """Take an order as the best where it is one, has room, and is shorter; whether it is."""
        found = makespan(self.shop, sequence)
        if found is None or found >= self.best or not fits(self.problem, self.shop, sequence):
            return False
        self.best, self.sequence = found, list(sequence)
        return True

    def branches(self, node: _Node) -> list[_Node]:
        """What is left to look at: for two jobs of which either could be first, each way, the
        better one last; nothing where all is decided."""
        shop, spans, worst, found = self.shop, node.spans, -1, None
        for place, machine in enumerate(shop.machines):
            jobs, known = machine.jobs, node.orders[place]
            first = (spans.heads + shop.ticks)[jobs][:, None] + (shop.ticks + spans.tails)[jobs]
            open_ = ~(known | known.T)
            np.fill_diagonal(open_, False)
            if not open_.any():
                continue
            regret = np.where(open_, np.maximum(first, first.T), -1)
            if regret.max() > worst:
                worst = int(regret.max())
                pair = np.unravel_index(int(regret.argmax()), regret.shape)
                found = place, int(pair[0]), int(pair[1]), first
        if found is None:
            return []
        place, a, b, first = found
        if first[a, b] < first[b, a]:
            a, b = b, a
        return [self.decided(node, place, a, b), self.decided(node, place, b, a)]

    def decided(self, node: _Node, place: int, first: int, then: int) -> _Node:
        """The node in which one job of a machine is before another."""
        order = node.orders[place].copy()
        order[first, then] = True
        orders = [closed(order) if each == place else known
                  for each, known in enumerate(node.orders)]
        return _Node(node.spans.copy(), orders)

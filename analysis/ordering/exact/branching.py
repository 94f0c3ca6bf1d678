"""Branch and bound over what comes before what: the shortest makespan of a small problem.

A step takes two passes of a device (or messages of a link) of which either could be first, tries
both, and follows up what each means for all others; what cannot beat the best order known is cut.
Source: Carlier and Pinson 1989; Brucker, Jurisch and Sievers 1994.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

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
    split = replace(problem, backward_s=problem.input_s + problem.weight_s)
    search = _Search(split, most_steps, done)
    search.run()
    assert search.sequence is not None  # one micro-batch after another fits every limit
    return Best(program_of(problem, search.shop, search.sequence), search.best * TICK,
                search.steps, not search.left)


def refuse_unproved(problem: OrderProblem) -> None:
    """Raises ConfigurationError with every reason for which `best_order` has no proof."""
    lines = []
    jobs = problem.microbatches * (5 * problem.stages - 2)
    if jobs > MOST_PASSES:
        lines.append(f"exact: at most {MOST_PASSES} passes and messages, got {jobs}")
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

    def __init__(self, problem: OrderProblem, most_steps: int, done: Callable[[], None]) -> None:
        self.problem, self.shop = problem, Shop.of(problem)
        self.most_steps, self.done, self.steps = most_steps, done, 0
        self.sequence: list[int] | None = None
        self.left: list[_Node] = []
        self.best = int(self.shop.ticks.sum()) + sum(
            max((lag for _, lag in waits), default=0) for waits in self.shop.earlier) + 1

    def run(self) -> None:
        """Look at all orders, or at as many as steps are allowed."""
        self.keep(range(len(self.shop.keys)))  # micro-batch after micro-batch
        self.left = [_Node(Spans.none(self.shop), [each.before for each in self.shop.machines])]
        while self.left and self.steps < self.most_steps:
            node = self.left.pop()
            self.steps += 1
            self.done()
            while tightened(self.shop, node.spans, node.orders, self.best - 1):
                if not self.keep(by_spans(node.spans)):
                    self.left += self.branches(node)
                    break

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

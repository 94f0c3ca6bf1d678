"""What a planner would do next: every choice is run on the pace that was seen, and the best taken.

The planner knows what has been, never what is to come: it plans as if each stage went on as it did
of late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from analysis.drifting.course import Cut, Leg
from analysis.drifting.cutting import best_cut, crossing
from analysis.drifting.orders import Order, flushes, listed, named
from analysis.drifting.problem import DriftProblem
from analysis.drifting.searching import searched
from sim.arrays import Floats
from sim.errors import ConfigurationError, DeadlockError
from sim.layouts.layers import narrow_in
from sim.times.cluster import Cluster
from sim.times.costs import CostModel
from sim.times.exact.timeline import timeline
from sim.times.memory import stays_within_limit


@dataclass(frozen=True)
class Choice:
    """An order on a cut that a run could go on with, after `move_s` seconds in which layers of
    `moved_bytes` bytes change places."""

    order: Order
    cut: Cut
    move_s: float = 0.0
    moved_bytes: float = 0.0

    def leg(self, first: int, minibatches: int) -> Leg:
        """The leg that it makes of so many mini-batches from `first` on."""
        return Leg(first, minibatches, self.order, self.cut, self.move_s, self.moved_bytes)


@dataclass(frozen=True)
class Planner:
    """What chooses orders and cuts of a problem."""

    problem: DriftProblem

    @cached_property
    def orders(self) -> list[Order]:
        """The named orders to choose from, the experiment's own first."""
        return named(self.problem.experiment, self.problem.orders)

    @cached_property
    def start(self) -> Choice:
        """What every policy begins with: the best cut and order for the whole run at the costs as
        they are given, before anything drifts.

        Raises ConfigurationError where no order fits into memory.
        """
        problem, cut = self.problem, self.problem.first_cut
        pace = np.ones(problem.experiment.pipeline.stages)
        cuts = dict.fromkeys((cut, self._cut(cut, pace)) if cut else (cut,))
        choices = [Choice(order, each) for each in cuts for order in self._orders_for(each, pace)]
        best = self._best(choices, pace, total := problem.experiment.pipeline.minibatches)
        if self.seconds(best, pace, total) == float("inf"):
            raise ConfigurationError([
                "cluster.activation_limit_bytes: no order on any cut fits, of "
                + ", ".join(dict.fromkeys(each.order.name for each in choices))])
        return best

    def reordered(self, now: Choice, pace: Floats, left: int) -> Choice:
        """The order for the mini-batches that are left at a pace, (stages,), or the one there
        is."""
        others = [Choice(order, now.cut) for order in self._orders_for(now.cut, pace)
                  if order is not now.order]
        return self._if_worth_it(now, others, pace, left)

    def recut(self, now: Choice, pace: Floats, left: int) -> Choice:
        """The cut for the mini-batches that are left at a pace, (stages,), or the one there is; the
        order stays."""
        cut = self._cut(now.cut, pace)
        others = [self._moved(now, cut)] if cut != now.cut else []
        return self._if_worth_it(now, others, pace, left)

    def _if_worth_it(self, now: Choice, others: Sequence[Choice], pace: Floats, left: int
                     ) -> Choice:
        """The best of `others` where it saves enough of the mini-batches that are left, else what
        there is, which is not drained and filled again."""
        stays = Choice(now.order, now.cut)
        if not others:
            return stays
        best = self._best(others, pace, left)
        _, each = self.fill_and_rate(stays, pace)
        enough = (1 - self.problem.gain) * left * each
        return best if self.seconds(best, pace, left) < enough else stays

    def _best(self, choices: Sequence[Choice], pace: Floats, minibatches: int) -> Choice:
        return min(choices, key=lambda each: self.seconds(each, pace, minibatches))

    def seconds(self, choice: Choice, pace: Floats, minibatches: int) -> float:
        """Seconds of so many mini-batches in a row, at a pace, (stages,), that stays, what moves
        included."""
        fill, each = self.fill_and_rate(choice, pace)
        return choice.move_s + fill + minibatches * each

    def fill_and_rate(self, choice: Choice, pace: Floats) -> tuple[float, float]:
        """Seconds to fill and drain a pipeline, and those of each mini-batch, without noise, at a
        pace, (stages,).

        They are read off two short runs, of which one is twice as long as the other.  Both are
        without end where activations do not fit.
        """
        n = 2 * self.problem.experiment.pipeline.stages
        short, long = (self._makespan_s(choice, pace, count) for count in (n, 2 * n))
        if long == float("inf"):
            return long, long
        return 2 * short - long, (long - short) / n

    def _makespan_s(self, choice: Choice, pace: Floats, minibatches: int) -> float:
        costs, cluster = at_pace(self.problem, choice.cut, pace)
        program = choice.order.make(minibatches)
        if not stays_within_limit(program, cluster):
            return float("inf")
        try:
            found = timeline(program, costs, cluster, np.random.default_rng(0))
        except DeadlockError:
            return float("inf")
        return float(found.end_s.max(initial=0.0))

    def _orders_for(self, cut: Cut, pace: Floats) -> list[Order]:
        """The named orders, and lists of what is ready for this pace."""
        costs, cluster = at_pace(self.problem, cut, pace)
        found, known = list(self.orders), [order.make(1) for order in self.orders]
        for order in self.orders:
            made = listed(order, costs, cluster)
            if made is not None and made.make(1) not in known:
                found.append(made)
                known.append(made.make(1))
        if self.problem.rounds and flushes(self.orders[0].make(2)):
            found.append(searched(self.problem, cut, pace))
        return found

    def _cut(self, now: Cut, pace: Floats) -> Cut:
        """The best cut at a pace, for the seconds that a micro-batch keeps each layer busy."""
        layers = self.problem.layers.stages
        seconds = np.array([each.forward_s + each.backward_s for each in layers])
        return best_cut(seconds, pace, self.problem.layer_bytes, now,
                        narrow_in(self.problem.layers))

    def _moved(self, now: Choice, cut: Cut) -> Choice:
        """The choice of going on with another cut.

        [choice] All links carry what crosses them at once, and all devices wait for the last.
        """
        crosses = crossing(now.cut, cut, self.problem.layer_bytes)
        link = self.problem.setup.cluster.link.over(np.arange(len(crosses)))
        seconds = np.where(crosses > 0, link.transfer_s(crosses), 0.0)
        return Choice(now.order, cut, float(seconds.max(initial=0.0)), float(crosses.sum()))


def at_pace(problem: DriftProblem, cut: Cut, pace: Floats) -> tuple[CostModel, Cluster]:
    """Costs and links of a cut as the planner believes them to be: at a pace, (stages,), that
    stays, without noise and drift."""
    costs, cluster = problem.machine(cut)
    return replace(costs.slowed(pace), jitter_sigma=0.0, stragglers=(), trends=()), cluster


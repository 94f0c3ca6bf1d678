"""A makespan that no order of a mini-batch is below."""

from __future__ import annotations

import numpy as np

from analysis.ordering.bounds.refuting import raised
from analysis.ordering.bounds.shop import Shop, crossing, passes
from analysis.ordering.bounds.spans import Spans, widen
from analysis.ordering.problem import OrderProblem
from sim.times.costs import TICK

MOST_JOBS = 20_000  # of a shop; beyond it takes too much memory, and a plainer bound stands in


def lower_bound_s(problem: OrderProblem, makespan_s: float | None = None, seconds: float = 5.0
                  ) -> float:
    """Seconds that no order's makespan, updates included, is below.

    The longest chain of passes and messages that wait for each other, the busiest device or link
    between what must come before and after, and what the memory limit lets be in flight, each used
    for the others until nothing follows any more.  `makespan_s` is that of an order that there is:
    then makespans below it are refuted one by one, for about so many `seconds`, and the result may
    be higher.
    """
    plain = plain_bound_s(problem)
    if jobs_of(problem) > MOST_JOBS:
        return plain
    shop = Shop.of(problem)
    spans = Spans.none(shop)
    widen(shop, spans, [machine.before for machine in shop.machines])
    found = spans.makespan(shop)
    if makespan_s is not None:
        found = raised(shop, spans, round(makespan_s / TICK), seconds)
    return max(plain, found * TICK)


def plain_bound_s(problem: OrderProblem) -> float:
    """A bound in closed form: all that each device has to do after the shortest way there, and one
    micro-batch's way to the last stage and back.

    Without the weight halves, which can come last, what a device has to do is followed by the way
    back to the first stage.
    """
    first, second = passes(problem)
    onward, back = (np.where(crossing(problem), taken + late, 0.0) for taken, late in zip(
        problem.occupied_s, problem.latency_s, strict=True))
    there = np.concatenate(([0.0], np.cumsum(problem.forward_s[:-1] + onward)))
    home = np.concatenate(([0.0], np.cumsum(first[:-1] + back)))  # from each to the first stage
    ends = second + problem.update_s
    way = there[-1] + problem.forward_s[-1] + first[-1] + home[-1] - home
    bounds = [float((way + ends).max())]
    for stages in map(problem.stages_on, range(problem.devices)):
        inputs = problem.microbatches * (problem.forward_s + first)[stages].sum()
        weights = problem.microbatches * second[stages].sum() + problem.update_s[stages].sum()
        bounds.append(float(there[stages[0]] + inputs
                            + max(weights, home[stages[0]] + ends[0])))
    return max(bounds)


def jobs_of(problem: OrderProblem) -> int:
    """About how many passes and messages there are."""
    return problem.microbatches * (5 * problem.stages - 2)

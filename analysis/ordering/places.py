"""Where stages live, where that is the search's to choose: on unlike devices, or several on one.

A placement is as good as the best greedy order on it.  One after another, two stages change places
or one moves to another device, and the better placement is kept.  The first are those of the known
orders: round robin, or in a V.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from analysis.ordering.budget import Budget
from analysis.ordering.climbing.chain import Climber
from analysis.ordering.problem import OrderProblem
from analysis.ordering.starts.all_starts import Start, starts_of
from analysis.ordering.starts.greedy import QUICK, greedy_order, tastes
from analysis.ordering.starts.named import placed_orders
from analysis.ordering.streams import codes_of
from sim.errors import ConfigurationError
from sim.kernels.pairs import NUMPY, Kernels

MOVES_EACH = 100  # of passes, in the place of which one placement is tried

Homes = tuple[int, ...]  # the device of each stage


@dataclass
class Placed:
    """The best placement so far: the problem there, its starts, and how many orders were judged
    for all placements.  `named_s` are the seconds of the known orders that fit, wherever they place
    stages, by name.  `budget` is what may be used up for it."""

    problem: OrderProblem
    starts: list[Start]
    judged: int
    named_s: dict[str, float]
    budget: Budget
    kernels: Kernels


def better_placed(problem: OrderProblem, starts: list[Start], budget: Budget, seed: int,
                  kernels: Kernels = NUMPY) -> Placed:
    """Where stages had better live; `starts` are those of the problem as it is."""
    best = Placed(problem, starts, len(starts), {
        each.name: each.makespan_s for each in starts if each.named}, budget, kernels)
    for homes in {homes: None for homes, _ in placed_orders(problem).values()}:
        _try_whole(best, homes)
    homes, draw = tuple(best.problem.device.tolist()), np.random.default_rng([seed, 1])
    now_s, tried = _greedy_s(best, best.problem), {homes}
    for _ in budget.slices(MOVES_EACH):
        other = _neighbour(homes, best.problem.devices, draw)
        if other in tried:
            continue
        tried.add(other)
        with suppress(ConfigurationError):  # a device has no room for its stages
            found_s = _greedy_s(best, problem.placed(other))
            if found_s <= now_s:
                homes, now_s = other, found_s
    _try_whole(best, homes)
    return best


def _try_whole(best: Placed, homes: Homes) -> None:
    """Go to a placement where its best start is better, in place."""
    if homes == tuple(best.problem.device.tolist()):
        return
    with suppress(ConfigurationError):
        problem = best.problem.placed(homes)
        starts = starts_of(problem, Climber(problem, best.kernels), best.budget)
        best.judged += len(starts)
        best.named_s |= {each.name: each.makespan_s for each in starts if each.named}
        if starts[0].makespan_s < best.starts[0].makespan_s:
            best.problem, best.starts = problem, starts


def _greedy_s(best: Placed, problem: OrderProblem) -> float:
    """Seconds of the better of two greedy orders that fit; infinite where neither does."""
    climber, ways = Climber(problem, best.kernels), tastes(problem)
    best.judged += len(QUICK)
    orders = [greedy_order(problem, ways[name]) for name in QUICK]
    return min((climber.makespan_s(codes_of(each)) for each in orders if each is not None),
               default=math.inf)


def _neighbour(homes: Homes, devices: int, draw: np.random.Generator) -> Homes:
    """The same placement but for two stages that change places, or one that moves."""
    found, one = list(homes), int(draw.integers(len(homes)))
    if len(homes) > devices and draw.random() < 0.5:
        found[one] = int(draw.integers(devices))
        return tuple(found) if len(set(found)) == devices else homes
    other = int(draw.integers(len(homes)))
    found[one], found[other] = found[other], found[one]
    return tuple(found)

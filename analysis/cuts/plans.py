"""The planner's answer: the best cut into each number of stages, and the best of all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.cuts.blocks import Blocks
from analysis.cuts.costs import Costs, costs_of
from analysis.cuts.flush import Flush
from analysis.cuts.memory import by_depth, deepest, held_by_stages
from analysis.cuts.nested import Nested, flattened
from analysis.cuts.problem import Plan, PlannedStage, Problem
from analysis.cuts.refusals import check, nothing, open_depths
from analysis.cuts.throughput import Found, fastest, fastest_of_all
from sim.errors import ConfigurationError

QUICK = 2e8  # of places² · devices³: up to here all numbers of stages are looked at in seconds
CAPS = (1.25, 1.6, 2.5, np.inf)  # of several levels with a memory limit: the slowest stages looked
# at, one after the other until there is a cut, in seconds of evenly shared devices
MOST = 16  # beyond, so many of an endless run: those with the best cuts


def partition(problem: Problem) -> Plan:
    """The best cut there is, by the formula of the objective.

    Of an endless run it is, among those with as fast a slowest stage, the one whose stages take the
    fewest seconds together, so that no device idles that could help.

    Raises ConfigurationError where the problem is none, or nothing fits the memory.
    """
    return _answer(problem, None)[0]


def plans(problem: Problem, slack: float | None = None) -> list[Plan]:
    """The best cut into each number of stages that has one, the best of all first.

    With several levels of an endless run it is the best for each number of stages of the highest
    one.  `slack` leaves out numbers of stages whose best cut takes longer than the best of all by
    more than that share of its seconds; None: nothing, but of large problems with replicas there
    is less: of an endless run the 16 numbers of stages with the best cuts (of several levels with a
    memory limit those near the best), of a flushed one the best of all and, for other numbers of
    stages, the best cuts that the search for it came by.

    An endless run may leave devices out that would not make it faster, and so does a flushed one
    without replicas, of which each stage has one; with replicas a flushed one uses them all, as
    Alpa's does [choice].

    Raises ConfigurationError where the problem is none, or nothing fits the memory.
    """
    large = _large(problem)
    if slack is None and large and problem.replicas and problem.objective == "flush":
        return _answer(problem, None)
    return _answer(problem, np.inf if slack is None else slack,
                   MOST if slack is None and large and problem.replicas else None)


def _large(problem: Problem) -> bool:
    return len(problem.layers.stages) ** 2 * problem.devices**3 > QUICK


def _answer(problem: Problem, slack: float | None, most: int | None = None) -> list[Plan]:
    """The best cuts, the best first, into at most `most` numbers of stages; without a slack the
    best alone has to be there."""
    check(problem)
    blocks = Blocks.of(problem)
    if problem.objective == "throughput" and len(problem.levels) > 1:
        found = _nested(problem, blocks)
    else:
        found = [_plan(each, blocks, costs)
                 for each, costs in _solved(problem, blocks, slack, most)]
    if not found:
        raise ConfigurationError([nothing(problem, blocks)])
    found = sorted(found, key=lambda plan: (plan.objective_s,
                                            sum(stage.seconds for stage in plan.stages)))
    if slack is None or slack == np.inf:
        return found
    return [plan for plan in found if plan.objective_s <= found[0].objective_s * (1 + slack)]


def _solved(problem: Problem, blocks: Blocks, slack: float | None, most: int | None
            ) -> list[tuple[Found, Costs]]:
    """The best cuts, with the costs they were found with; `slack` and `most` as for `_answer`."""
    stages = min(problem.devices, len(blocks))
    ways = problem.devices if problem.replicas else 1
    costs, numbers = costs_of(problem, blocks, ways), range(1, stages + 1)
    asynchronous, devices = problem.objective == "throughput", max(ways, stages)
    if problem.memory_limit_bytes < np.inf:
        held = by_depth(problem, devices if asynchronous else stages)
        if held is None:
            return _each_its_own(problem, blocks, costs, numbers)
        costs = costs.limited(deepest(problem, blocks, held, ways), asynchronous)
    if asynchronous:
        best = fastest_of_all(costs, devices) if slack is None else \
            fastest(costs, numbers, devices, slack, most)
    else:
        flush = Flush(costs, devices, problem.microbatches, problem.replicas)
        best = flush.best(stages) if slack is None else flush.each(numbers, slack)
    return [(found, costs) for found in best]


def _each_its_own(problem: Problem, blocks: Blocks, costs: Costs, numbers: Sequence[int]
                  ) -> list[tuple[Found, Costs]]:
    """The best cut into each number of stages, where that number makes what stages hold.

    Raises ConfigurationError for replicas of an endless run, whose depths leave it open.
    """
    if problem.objective == "throughput" and problem.replicas:
        raise ConfigurationError([open_depths(problem, "replicas")])
    solved = []
    for number in numbers:
        held = list(held_by_stages(problem, number))[::-1]
        own = costs.limited(deepest(problem, blocks, held, costs.ways), False)
        if problem.objective == "throughput":
            best = fastest(own, [number], number)
        else:
            devices = problem.devices if problem.replicas else number
            best = Flush(own, devices, problem.microbatches, problem.replicas).each([number])
        solved += [(found, own) for found in best]
    return solved


def _nested(problem: Problem, blocks: Blocks) -> list[Plan]:
    """The best cut into each number of stages of the network's highest level."""
    deep = None
    if problem.memory_limit_bytes < np.inf:
        held = by_depth(problem, problem.devices)
        if held is None:
            raise ConfigurationError([open_depths(problem, "several levels")])
        deep = deepest(problem, blocks, held, 1)[1]
    even = float(blocks.pass_s[-1] + blocks.update_s[-1]) / problem.devices
    many = deep is not None and problem.replicas and _large(problem)
    for cap in CAPS if many else CAPS[-1:]:
        nested = Nested(problem, blocks, deep, cap * even if cap < np.inf else cap)
        found = nested.by_stages()
        if found:
            return [Plan(flattened(nested, each), each.bottleneck_s, each.objective_s)
                    for each in found]
    return []


def _plan(found: Found, blocks: Blocks, costs: Costs) -> Plan:
    stages = tuple(PlannedStage(*blocks.layers(first, stop), ways,
                                float(costs.seconds[ways, first, stop]))
                   for first, stop, ways in found.cut)
    return Plan(stages, found.bottleneck_s, found.objective_s)

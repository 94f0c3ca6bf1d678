"""The planner's answer: the best cut into each number of stages, and the best of all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.cuts.blocks import Blocks
from analysis.cuts.costs import Costs, costs_of
from analysis.cuts.flush import shortest
from analysis.cuts.memory import by_depth, bytes_of, deepest, held_by_stages, order_of
from analysis.cuts.nested import Nested, flattened
from analysis.cuts.problem import Plan, PlannedStage, Problem
from analysis.cuts.throughput import Found, fastest
from sim.errors import ConfigurationError


def partition(problem: Problem) -> Plan:
    """The best cut there is, by the formula of the objective; of equals the one of fewest stages.

    Raises ConfigurationError where the problem is none, or nothing fits the memory.
    """
    return plans(problem)[0]


def plans(problem: Problem) -> list[Plan]:
    """The best cut into each number of stages that has one, the best of all first.

    An endless run may leave devices out that would not make it faster, and so does a flushed one
    without replicas, of which each stage has one; with replicas a flushed one uses them all, as
    Alpa's does [choice].

    Raises ConfigurationError where the problem is none, or nothing fits the memory.
    """
    check(problem)
    blocks = Blocks.of(problem)
    if problem.objective == "throughput" and len(problem.levels) > 1:
        found = _nested(problem, blocks)
    else:
        found = [_plan(each, blocks, costs) for each, costs in _solved(problem, blocks)]
    if not found:
        raise ConfigurationError([_nothing(problem, blocks)])
    return sorted(found, key=lambda plan: (plan.objective_s, len(plan.stages)))


def check(problem: Problem) -> None:
    """Refuse what is no problem.  Raises ConfigurationError with all that is wrong with it."""
    layers, problems = problem.layers, []
    many, known = len(layers.stages), layers.boundary_bytes
    if known is not None and len(known) != many - 1:
        problems.append(f"layers: {many} layers have {many - 1} boundary_bytes, got {len(known)}")
    for place in problem.narrow or ():
        if not 0 <= place < many - 1:
            problems.append(f"narrow: {many} layers can be cut after layers 0 to {many - 2}, got "
                            f"{place}")
    if not problem.levels or any(level.count < 1 for level in problem.levels):
        problems.append("levels: at least one, of at least 1 device each")
    for level in problem.levels:
        if not level.bandwidth_bytes_per_s > 0:
            problems.append("bandwidth: more than 0 bytes/s, got "
                            f"{level.bandwidth_bytes_per_s:g}")
        if not 0 <= level.latency_s < np.inf:
            problems.append(f"latency: from 0 seconds, got {level.latency_s:g}")
    if problem.microbatches < 1:
        problems.append(f"microbatches: at least 1, got {problem.microbatches}")
    if problem.objective == "throughput" and problem.replicas and problem.microbatches > 1:
        problems.append("microbatches: replicas take whole mini-batches in turn under throughput, "
                        f"so 1, got {problem.microbatches}")
    if not problem.memory_limit_bytes > 0:
        problems.append(f"memory-limit: bytes, more than 0, got {problem.memory_limit_bytes:g}")
    elif problem.memory_limit_bytes < np.inf:
        problems += _unknown(problem)
    if problems:
        raise ConfigurationError(problems)


def _unknown(problem: Problem) -> list[str]:
    """What a memory limit needs to know of layers, and nothing says."""
    needed = ["weight_bytes", "activation_bytes"]
    if problem.backward == "recompute" and problem.layers.boundary_bytes is None:
        needed.append("input_bytes")
    return [f"memory-limit: no layer says its {name}" for name in needed
            if all(getattr(layer, name) is None for layer in problem.layers.stages)]


def _solved(problem: Problem, blocks: Blocks) -> list[tuple[Found, Costs]]:
    """The best cut into each number of stages, with the costs it was found with."""
    most = min(problem.devices, len(blocks))
    ways = problem.devices if problem.replicas else 1
    costs = costs_of(problem, blocks, ways)
    if problem.memory_limit_bytes == np.inf:
        return [(found, costs) for found in _best(problem, costs, range(1, most + 1))]
    asynchronous = problem.objective == "throughput"
    held = by_depth(problem, problem.devices if asynchronous else most)
    if held is not None:
        costs = costs.limited(deepest(problem, blocks, held, ways), asynchronous)
        return [(found, costs) for found in _best(problem, costs, range(1, most + 1))]
    if asynchronous and problem.replicas:
        raise ConfigurationError([_by_stages(problem, "replicas")])
    solved = []
    for stages in range(1, most + 1):
        own = costs.limited(deepest(problem, blocks, list(held_by_stages(problem, stages))[::-1],
                                    ways), False)
        solved += [(found, own) for found in _best(problem, own, [stages])]
    return solved


def _nested(problem: Problem, blocks: Blocks) -> list[Plan]:
    """The best cut into each number of stages of the network's highest level."""
    deep = None
    if problem.memory_limit_bytes < np.inf:
        held = by_depth(problem, problem.devices)
        if held is None:
            raise ConfigurationError([_by_stages(problem, "several levels")])
        deep = deepest(problem, blocks, held, 1)[1]
    nested = Nested(problem, blocks, deep)
    return [Plan(flattened(nested, each), each.bottleneck_s, each.objective_s)
            for each in nested.by_stages()]


def _by_stages(problem: Problem, what: str) -> str:
    return (f"memory-limit: what {problem.mitigation} on {order_of(problem)} makes a stage hold "
            f"depends on how many stages there are, which {what} leave open; choose stash or none")


def _best(problem: Problem, costs: Costs, numbers: Sequence[int]) -> list[Found]:
    if problem.objective == "throughput":
        return fastest(costs, numbers, problem.devices)
    return shortest(costs, numbers, problem.devices, problem.microbatches,
                    exactly=problem.replicas)


def _plan(found: Found, blocks: Blocks, costs: Costs) -> Plan:
    stages = tuple(PlannedStage(*blocks.layers(first, stop), ways,
                                float(costs.seconds[ways, first, stop]))
                   for first, stop, ways in found.cut)
    return Plan(stages, found.bottleneck_s, found.objective_s)


def _nothing(problem: Problem, blocks: Blocks) -> str:
    """Why there is no cut: what the memory lacks, or that stages and devices do not match."""
    if problem.memory_limit_bytes < np.inf:
        first = held_by_stages(problem, 1)[0]
        least = max(float(bytes_of(problem, blocks, first)[i, i + 1]) for i in range(len(blocks)))
        return (f"memory-limit: no cut fits {problem.memory_limit_bytes:g} bytes on each of "
                f"{problem.devices} devices with {order_of(problem)} and {problem.mitigation}; "
                f"the largest layer alone, in a pipeline of one stage, needs {least:g}")
    return f"devices: no cut uses all of {problem.devices} devices"

"""A period that no endless order of a staleness limit is below."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.ordering.bounds.makespan import MOST_JOBS, jobs_of
from analysis.ordering.bounds.room import in_flight
from analysis.ordering.bounds.shop import UPDATE, WEIGHT, Shop, busy, crossing, passes
from analysis.ordering.bounds.spans import Spans, widen
from analysis.ordering.problem import OrderProblem
from sim.arrays import Floats
from sim.times.costs import TICK


def period_bound_s(problem: OrderProblem) -> float:
    """Seconds a mini-batch that no endless order is below.

    The busiest device or link; on each stage the way of a mini-batch from its first forward to its
    update, of which no more are under way at once than the limit of staleness and one; and that of
    a micro-batch, of which no more are in flight than the memory limit lets be.
    """
    under_way = problem.max_staleness + 1
    return float(max(_busiest(problem), _round_trips(problem).max() / under_way,
                     _in_memory(problem, under_way).max()))


def _busiest(problem: OrderProblem) -> float:
    """What the busiest device or link does of a mini-batch, in seconds."""
    whole = sum(passes(problem)) + problem.forward_s
    own = problem.microbatches * whole + problem.update_s
    most = float(np.bincount(problem.device, own).max())
    links: dict[tuple[int, int], float] = {}
    for way, boundary in zip(*np.nonzero(busy(problem)), strict=True):
        ends = (int(problem.device[boundary + way]), int(problem.device[boundary + 1 - way]))
        links[ends] = links.get(ends, 0.0) + (problem.microbatches
                                              * float(problem.occupied_s[way, boundary]))
    return max([most, *links.values()])


def _round_trips(problem: OrderProblem) -> Floats:
    """Seconds from a mini-batch's first forward on each stage to its update there, at least,
    (stages,)."""
    if jobs_of(problem) > MOST_JOBS:
        return _ways(problem)
    found = np.zeros(problem.stages)
    for stage in range(problem.stages):
        shop = Shop.of(_from(problem, stage))
        spans = Spans.none(shop)
        widen(shop, spans, [machine.before for machine in shop.machines])
        last = max((place for place, (kind, k, _) in enumerate(shop.keys)
                    if k == 0 and kind in (WEIGHT, UPDATE)))
        found[stage] = float(spans.heads[last] + shop.ticks[last]) * TICK
    return found


def _from(problem: OrderProblem, stage: int) -> OrderProblem:
    """One mini-batch on this stage and those after it, with all the room it takes."""
    rest = slice(stage, None)
    _, home = np.unique(problem.device[rest], return_inverse=True)
    by_stage = {name: getattr(problem, name)[rest] for name in (
        "forward_s", "backward_s", "input_s", "weight_s", "update_s", "held_bytes", "halved_bytes",
        "rerun_bytes", "weight_bytes")}
    return replace(problem, device=home, occupied_s=problem.occupied_s[:, rest],
                   latency_s=problem.latency_s[:, rest], limit_bytes=float("inf"),
                   base_bytes=np.zeros(int(home.max()) + 1), **by_stage)


def _ways(problem: OrderProblem) -> Floats:
    """Seconds from the start of a forward on each stage to the end of its input half, (stages,)."""
    first, _ = passes(problem)
    links = np.where(crossing(problem), problem.occupied_s + problem.latency_s, 0.0).sum(axis=0)
    found: Floats = np.cumsum((problem.forward_s + first + np.append(links, 0.0))[::-1])[::-1]
    return found


def _in_memory(problem: OrderProblem, under_way: int) -> Floats:
    """Seconds of a mini-batch on each stage where as many of its micro-batches are in flight as
    have room, (stages,)."""
    most = in_flight(replace(problem, microbatches=problem.microbatches * under_way))
    way, (_, second) = _ways(problem), passes(problem)
    return problem.microbatches * np.maximum(way / most.inputs, (way + second) / most.weights)

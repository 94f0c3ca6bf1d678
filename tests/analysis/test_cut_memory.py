"""What a cut counts as a stage's bytes is what the advisor counts of the order that runs it."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from analysis.advice.footprint import footprint
from analysis.cuts.blocks import Blocks
from analysis.cuts.memory import by_depth, bytes_of, held_by_stages
from analysis.cuts.plans import partition, plans
from analysis.cuts.problem import Level, Problem
from sim.errors import ConfigurationError
from sim.experiment.making import make_mitigation
from sim.layouts.layers import cut
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.times.profile import Profile
from sim.weights.versions import VersionPlan

pytestmark = pytest.mark.filterwarnings("error")


def layers(dice: random.Random, many: int, known: bool = True) -> Profile:
    """Random layers that say all that memory counts; `known`: and what crosses between them."""
    def size() -> float:
        return float(dice.randint(0, 50))

    stages = [{"forward_s": 1.0, "backward_s": 2.0, "weight_bytes": size(),
               "activation_bytes": size(), "input_bytes": size(), "workspace_bytes": size()}
              for _ in range(many)]
    return Profile.model_validate({
        "format": "pipestale-profile", "version": 1, "stages": stages,
        "boundary_bytes": [size() for _ in range(many - 1)] if known else None})


def peaks(problem: Problem, counts: list[int], shape: PipelineShape, order: str) -> list[float]:
    """Bytes of every device of a run of this cut, by the advisor's count."""
    plan = VersionPlan.of(SCHEDULES[order].program(shape), make_mitigation(problem.mitigation),
                          order)
    return footprint(plan, cut(problem.layers, counts), problem.backward,
                     problem.state_copies).peak.tolist()


ORDERS = [("round-robin", 1, ["none", "stash", "vertical-sync", "spectrain", "nwpt",
                              "spectrain-stashed", "i-timeprest"]),
          ("1f1b", 5, ["none", "stash"]), ("gpipe", 3, ["stash"]), ("eager-1f1b", 6, ["none"]),
          ("paci", 2, ["none"]), ("zb-h1", 6, ["none"]), ("zb-h2", 8, ["stash"])]


@pytest.mark.parametrize("backward", ["graph", "recompute"])
@pytest.mark.parametrize(("order", "microbatches", "mitigation"),
                         [(order, m, each) for order, m, those in ORDERS for each in those])
def test_a_stage_holds_what_its_order_makes_it_hold(order, microbatches, mitigation, backward):
    dice = random.Random(f"{order} {mitigation} {backward}")
    asynchronous = order in ("round-robin", "paci")
    problem = Problem(layers(dice, 7, dice.random() < 0.5), (Level(4),),
                      "throughput" if asynchronous else "flush", microbatches, schedule=order,
                      mitigation=mitigation, backward=backward, state_copies=1.5)
    counts = [2, 1, 3, 1]
    ends = np.concatenate(([0], np.cumsum(counts)))
    shape = PipelineShape(4, 12 if asynchronous else 3, microbatches)
    held = held_by_stages(problem, 4)
    found = [bytes_of(problem, Blocks.of(problem), each)[i, j]
             for each, i, j in zip(held, ends[:-1], ends[1:], strict=True)]
    assert found == peaks(problem, counts, shape, order)


@pytest.mark.parametrize("replicas", [(2, 1, 1), (3, 2, 1), (1, 3, 2), (2, 2, 2), (1, 1, 4)])
@pytest.mark.parametrize("mitigation", ["none", "stash"])
def test_replicas_hold_no_more_than_what_their_depth_says(replicas, mitigation):
    """A replica has as many mini-batches in flight as its stage's devices go into those from it
    on; of stash that many versions, and never more bytes than counted."""
    problem = Problem(layers(random.Random(4), 6), (Level(sum(replicas)),), replicas=True,
                      mitigation=mitigation)
    held = by_depth(problem, sum(replicas))
    counts = [1, 2, 3]
    ends = np.concatenate(([0], np.cumsum(counts)))
    shape = PipelineShape(3, 36, 1, replicas=replicas)
    found = peaks(problem, counts, shape, "hybrid")
    device = 0
    for stage, many in enumerate(replicas):
        depth = -(-sum(replicas[stage:]) // many)
        counted = bytes_of(problem, Blocks.of(problem), held[depth - 1])[ends[stage],
                                                                         ends[stage + 1]]
        assert max(found[device:device + many]) <= counted
        if mitigation == "none":
            assert max(found[device:device + many]) == counted
        device += many


def test_depth_alone_counts_but_where_an_order_looks_ahead():
    problem = Problem(layers(random.Random(1), 6), (Level(6),))
    assert [each.tolist() for each in by_depth(problem, 4)] == [
        [[0, 1, 1]], [[1, 2, 1]], [[2, 3, 1]], [[3, 4, 1]]]
    assert by_depth(replace(problem, mitigation="vertical-sync"), 4) is None
    flush = replace(problem, objective="flush", microbatches=8)
    assert by_depth(replace(flush, schedule="gpipe"), 4)[3].tolist() == [[0, 8, 1]]
    assert by_depth(replace(flush, schedule="zb-h1"), 4) is None


@pytest.mark.parametrize("schedule", ["zb-h1", "zb-h2", "1f1b"])
def test_every_cut_under_a_limit_runs_within_it(schedule):
    """Whatever is in flight by the number of stages in all (zb) or behind (1f1b)."""
    dice = random.Random(5)
    found = 0
    for _ in range(12):
        problem = Problem(layers(dice, 6), (Level(4),), "flush", 8, schedule=schedule,
                          memory_limit_bytes=float(dice.randint(200, 900)))
        try:
            each = plans(problem)
        except ConfigurationError:
            continue
        for plan in each:
            shape = PipelineShape(len(plan.stages), 2, 8)
            assert max(peaks(problem, list(plan.counts), shape, schedule)) \
                <= problem.memory_limit_bytes
            found += 1
    assert found > 5


@pytest.mark.parametrize(("changes", "said"), [
    ({"memory_limit_bytes": 10.0}, r"--memory-limit: no cut fits 10 bytes on each of 4 devices "
     r"with round-robin and stash; the largest layer alone, in a pipeline of one stage, needs \d+"),
    ({"narrow": (5,)}, "narrow: 6 layers can be cut after layers 0 to 4, got 5"),
    ({"levels": ()}, "levels: at least one"),
    ({"levels": (Level(2, 0.0),)}, "bandwidth: more than 0 bytes/s, got 0"),
    ({"levels": (Level(2, 1.0, -1.0),)}, "latency: from 0 seconds, got -1"),
    ({"microbatches": 0}, "microbatches: at least 1, got 0"),
    ({"microbatches": 2, "replicas": True}, "replicas take whole mini-batches in turn"),
    ({"memory_limit_bytes": 0.0}, "--memory-limit: bytes, more than 0, got 0"),
    ({"memory_limit_bytes": 1e6, "replicas": True, "mitigation": "vertical-sync"},
     "what vertical-sync on round-robin makes a stage hold depends on how many stages there are"),
    ({"memory_limit_bytes": 1e6, "schedule": "zbv"}, "zbv"),
    ({"replicas": True, "levels": (Level(4000),)},
     "replicas: of 6 layers on at most 1825 devices of a level, got 4000; give --levels"),
    ({"replicas": True, "levels": (Level(8), Level(400)), "objective": "flush"},
     "replicas: of 6 layers on at most 1825 devices, got 3200"),
    ({"replicas": True, "levels": (Level(8), Level(80)), "memory_limit_bytes": 1e6},
     "--memory-limit: with replicas on at most 512 devices, got 640"),
    ({"memory_limit_bytes": 1e6, "mitigation": "stahs"}, "did you mean stash"),
    ({"objective": "flush", "replicas": True, "narrow": (), "levels": (Level(3), Level(2))}, ""),
])
def test_what_is_no_problem_is_refused_with_its_reason(changes, said):
    problem = replace(Problem(layers(random.Random(3), 6), (Level(4),)), **changes)
    if not said:
        assert partition(problem).stages[0].replicas == 6
        return
    with pytest.raises(ConfigurationError, match=said):
        partition(problem)


def test_a_memory_limit_asks_for_bytes_nobody_says():
    plain = Profile.model_validate({"format": "pipestale-profile", "version": 1,
                                    "stages": [{"forward_s": 1.0, "backward_s": 2.0}] * 2})
    problem = Problem(plain, (Level(2),), memory_limit_bytes=1.0, backward="recompute")
    with pytest.raises(ConfigurationError) as refused:
        partition(problem)
    assert refused.value.problems == [f"--memory-limit: no layer says its {name}" for name in
                                      ("weight_bytes", "activation_bytes", "input_bytes")]


def test_devices_without_a_stage_cost_nothing():
    """Thousands of them without replicas are as many as there are layers."""
    problem = Problem(layers(random.Random(3), 30), (Level(4096),))
    assert partition(replace(problem, levels=(Level(64), Level(64)))).devices <= 30
    for objective in ("throughput", "flush"):
        asked = replace(problem, objective=objective, memory_limit_bytes=1e6)
        assert len(plans(asked)) == 30
        assert partition(asked).devices <= 30

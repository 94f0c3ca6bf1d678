"""Stages with several homes learn as their rule says, and a smaller last mini-batch by its size."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from sim.errors import ConfigurationError
from sim.experiment.batched import run_many
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.experiment.setup import make_task
from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from tests.oracles.copies_training import Walk, streams_of
from tests.oracles.plain_training import plain_training
from tests.sim.experiments import TINY, by_pass, experiment, simulate

RUN = {**TINY, "layers": 8, "learning_rate": 0.1, "momentum": 0.9, "convention": "heavy-ball"}
NEVER_FLUSHED = {"round-robin", "nf1b", "paci", "hybrid"}
SIZES = list(product((4, 3, 8), (4, 8, 1), (1, 2)))  # stages, micro-batches, chunks
REPLICATED = """
0F0,0B0,0U0,0F2,0B2,0U2
0F1,0B1,0U1,0F3,0B3,0U3
1F0,1B0,1U0,1F1,1B1,1U1,1F2,1B2,1U2,1F3,1B3,1U3
"""
TWO_WAYS = """
0F0,0F1,1F2,1B2,1F3,1B3,0B0,0B1
1F0,1B0,0F2,1F1,1B1,0F3,0B2,0B3
"""


@lru_cache
def fitting(schedule: str) -> list[dict[str, int]]:
    """Sizes that a schedule has an order for, at most two."""
    found = []
    for stages, microbatches, chunks in SIZES:
        keys = {"stages": stages, "microbatches": microbatches, "chunks": chunks}
        try:
            experiment(**keys, schedule=schedule, task="none")
        except ConfigurationError:
            continue
        found.append(keys)
    return [*found[:1], *found[-1:]]


def learnt(program: Program | None = None, **keys: Any
           ) -> tuple[Any, dict[tuple[int, int], list[Any]]]:
    """A trace, and by stage and version the weights of every copy that came to it."""
    seen: dict[tuple[int, int], list[Any]] = {}
    given = experiment(**keys)
    trace = run(given, program, watch=lambda stage, version, weights: seen.setdefault(
        (stage, version), []).append(weights))
    return trace, seen


def program_of(text: str, shape: PipelineShape) -> Program:
    return Program.parse(text, shape)


@pytest.mark.parametrize("schedule", SCHEDULES.names())
def test_every_order_that_flushes_is_plain_training_bit_for_bit(schedule):
    assert fitting(schedule), "no sizes for this schedule: add some to SIZES"
    for size in fitting(schedule):
        keys = {**RUN, **size, "schedule": schedule, "minibatches": 3}
        trace, seen = learnt(**keys)
        task = make_task(experiment(**keys))
        weights, losses = plain_training(task, 3, size["microbatches"], learning_rate=0.1,
                                         momentum=0.9, ema=False)
        same = trace.curves["minibatch_loss"].tolist() == losses and all(
            np.array_equal(own, weights[stage][version])
            for (stage, version), copies in seen.items() for own in copies)
        assert same is (schedule not in NEVER_FLUSHED)
        if same:
            assert set(seen) == {(k, v) for k in range(size["stages"]) for v in (1, 2, 3)}
            assert (trace.staleness == 0).all()


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b", "zb-h1", "round-robin"])
def test_a_smaller_last_mini_batch_is_the_mean_over_its_own_micro_batches(schedule):
    keys = {**RUN, "stages": 3, "minibatches": 3, "microbatches": 4, "last_microbatches": 2,
            "batch_size": 12, "schedule": schedule}
    trace, seen = learnt(**keys)
    task = make_task(experiment(**keys))
    assert len(task.inputs(9)) == 3
    if schedule != "round-robin":
        weights, losses = plain_training(task, 3, 4, learning_rate=0.1, momentum=0.9, ema=False,
                                         last=2)
        assert trace.curves["minibatch_loss"].tolist() == losses
        assert all(np.array_equal(own, weights[stage][version])
                   for (stage, version), (own,) in seen.items())
    walk = Walk(task, streams_of(str(trace.program())), [4, 4, 2], 4, rate=0.1, momentum=0.9,
                stash=False).go()
    assert trace.curves["minibatch_loss"].tolist() == walk.losses


CASES = [
    ("hybrid", {"replicas": [2, 1, 1], "stages": 3, "minibatches": 12}),
    ("hybrid", {"replicas": [1, 2], "stages": 2, "minibatches": 8}),
    ("hybrid", {"replicas": [3, 2, 1], "stages": 3, "minibatches": 11}),
    ("replicated", {"stages": 2, "minibatches": 4}),
    ("two ways", {"stages": 2, "minibatches": 1, "microbatches": 4}),
    ("chimera", {"stages": 4, "minibatches": 3, "microbatches": 4}),
    ("dualpipe", {"stages": 4, "minibatches": 2, "microbatches": 8}),
]
TEXTS = {"replicated": REPLICATED, "two ways": TWO_WAYS}


@pytest.mark.parametrize("copies", ["all-reduce", "apart"])
@pytest.mark.parametrize("mitigation", ["none", "stash"])
@pytest.mark.parametrize(("order", "size"), CASES)
def test_copies_learn_as_devices_that_know_nothing_of_versions(order, size, mitigation, copies):
    text = TEXTS.get(order)
    shape = PipelineShape(size["stages"], size["minibatches"], size.get("microbatches", 1),
                          ranks=2 if order == "two ways" else 3)
    program = program_of(text, shape) if text else None
    own = {"schedule": order} if text is None else {"schedule": "file", "ranks": shape.ranks}
    keys = {**RUN, **size, **own, "mitigation": mitigation, "copies": copies}
    trace, seen = learnt(program, **keys)
    n, task = shape.microbatches, make_task(experiment(**keys))
    walk = Walk(task, streams_of(str(trace.program())), [n] * shape.minibatches, n, rate=0.1,
                momentum=0.9, stash=mitigation == "stash", apart=copies == "apart").go()
    assert trace.curves["minibatch_loss"].tolist() == walk.losses
    assert {place: by_pass(trace, "version_read")[place] for place in walk.read} == walk.read
    for (stage, version), found in seen.items():
        wanted = [history[version] for history in walk.weights[stage].values()
                  if version < len(history)]
        assert len(found) == len(wanted)
        assert all(any(np.array_equal(each, other) for other in wanted) for each in found)
    last = [history[-1] for history in walk.weights[0].values()]
    if copies == "apart":
        mean = [sum(h[1:], h[0]) / len(h) for h in
                ([each[-1] for each in stage.values()] for stage in walk.weights)]
    else:
        mean = [max(stage.values(), key=len)[-1] for stage in walk.weights]
        assert len(last) == 1 or trace.shape.minibatches % len(last) or np.array_equal(*last[:2])
    assert trace.header.training.final_loss == task.evaluate(mean).final_loss


def test_two_directions_learn_the_whole_mini_batchs_gradient():
    keys = {**RUN, "stages": 2, "minibatches": 1, "microbatches": 4}
    shape = PipelineShape(2, 1, 4, ranks=2)
    trace, seen = learnt(program_of(TWO_WAYS, shape), **keys, schedule="file", ranks=2)
    weights, losses = plain_training(make_task(experiment(**keys)), 1, 4, learning_rate=0.1,
                                     momentum=0.9, ema=False)
    assert trace.curves["minibatch_loss"].tolist() == losses
    assert {key: len(found) for key, found in seen.items()} == {(0, 1): 2, (1, 1): 2}
    assert all(np.array_equal(own, weights[stage][1])
               for (stage, _), found in seen.items() for own in found)


@pytest.mark.parametrize(("copies", "points"), [("all-reduce", [2, 4, 6, 8]),
                                                ("apart", [2, 4, 6, 8])])
def test_curves_judge_what_copies_have_learnt_together(copies, points):
    keys = {**RUN, "stages": 2, "minibatches": 8, "schedule": "hybrid", "replicas": [2, 1],
            "mitigation": "stash", "copies": copies}
    trace = simulate(**keys, evaluate_every=2)
    task = make_task(experiment(**keys))
    assert trace.curves["evaluated_minibatch"].tolist() == points
    walk = Walk(task, streams_of(str(trace.program())), [1] * 8, 1, rate=0.1, momentum=0.9,
                stash=True, apart=copies == "apart").go()
    for point, loss in zip(points, trace.curves["training_loss"], strict=True):
        first = [history[point // 2] for history in walk.weights[0].values()]
        judged = [(first[0] + first[1]) / 2 if copies == "apart" else first[0],
                  walk.weights[1][2][point]]
        assert loss == task.evaluate(judged).final_loss


def test_rounds_of_two_are_judged_with_the_first_that_has_learnt_so_much():
    keys = {**RUN, "stages": 2, "minibatches": 8, "schedule": "hybrid", "replicas": [2, 1]}
    trace = simulate(**keys, evaluate_every=3)
    task = make_task(experiment(**keys))
    walk = Walk(task, streams_of(str(trace.program())), [1] * 8, 1, rate=0.1, momentum=0.9,
                stash=False).go()
    assert trace.curves["evaluated_minibatch"].tolist() == [3, 6]
    wanted = [task.evaluate([walk.weights[0][0][rounds], walk.weights[1][2][done]]).final_loss
              for rounds, done in ((2, 3), (3, 6))]
    assert trace.curves["training_loss"].tolist() == wanted


def test_a_copys_rate_schedule_spans_its_own_updates():
    document = {"pipeline": {"schedule": "hybrid", "stages": 2, "replicas": [2, 1],
                             "minibatches": 8},
                "training": {"task": "quadratic", "momentum": 0.0, "learning_rate": 0.1,
                             "rate_schedule": {"name": "cosine"}}}
    seen: dict[tuple[int, int], Any] = {}
    run(resolve(document), watch=lambda stage, version, weights: seen.setdefault(
        (stage, version), weights.copy()))
    assert max(version for stage, version in seen if stage == 0) == 4
    assert max(version for stage, version in seen if stage == 1) == 8
    steps = [seen[0, version] - seen[0, version - 1] for version in (2, 3, 4)]
    rates = [0.05 * (1 + np.cos(np.pi * u / 4)) for u in (1, 2, 3)]
    used = [-float(step) / rate for step, rate in zip(map(np.squeeze, steps), rates, strict=True)]
    assert used == sorted(used, reverse=True)  # gradients of a weight that falls to 0
    assert used[0] < 1


def test_weight_distances_and_update_sizes_are_those_of_all_copies():
    keys = {**RUN, "stages": 2, "minibatches": 8, "schedule": "hybrid", "replicas": [2, 1],
            "mitigation": "stash"}
    trace = simulate(**keys)
    task = make_task(experiment(**keys))
    walk = Walk(task, streams_of(str(trace.program())), [1] * 8, 1, rate=0.1, momentum=0.9,
                stash=True).go()
    fresh = by_pass(trace, "version_applied")
    for (k, m), version in walk.read.items():
        history = walk.weights[k][2 if k else m % 2]
        used, own = history[version], history[int(fresh[k, m])]
        wanted = np.sqrt(np.sum((used - own) ** 2) / used.size)
        assert by_pass(trace, "weight_rmse", Op.F)[k, m] == pytest.approx(wanted, rel=1e-12)
    moved = trace.header.training.mean_update_rmse
    steps = [[np.sqrt(np.sum((b - a) ** 2) / a.size) for history in stage.values()
              for a, b in pairwise(history)] for stage in walk.weights]
    assert moved == pytest.approx([np.mean(each) for each in steps], rel=1e-9)


def test_many_runs_of_copies_are_each_the_run_alone():
    keys = {**RUN, "stages": 2, "minibatches": 6, "schedule": "hybrid", "replicas": [2, 1]}
    asked = [experiment(**keys, seed=seed) for seed in (0, 1)]
    found = dict(run_many(asked))
    for place, each in enumerate(asked):
        assert np.array_equal(found[place].curves["minibatch_loss"],
                              run(each).curves["minibatch_loss"])

"""Delay-adaptive rates: stash to the bit where nothing is too late, a smaller step where it is."""

import math
from itertools import pairwise

import numpy as np
import pytest

from sim.library.running import parse_program
from sim.mitigations import Late
from sim.mitigations.delay_adaptive import DelayAdaptive
from sim.order.program import Program
from tests.oracles.version_walk import updates_seen
from tests.sim.experiments import TINY, history, same_weights, simulate
from tests.sim.test_copies import learnt

LATE = {"name": "delay-adaptive", "concurrency": 1}
GREEDY = {"stages": 4, "minibatches": 80, "dispatch": "greedy", "jitter": {"sigma": 1.0}}


def ahead(stage: int, warm: int) -> str:
    """A stream of 8 mini-batches that has `warm` of them in flight, and so is warm − 1 late."""
    first = [f"{stage}F{i}" for i in range(warm)]
    steady = [f"{stage}{op}{i + warm * (op == 'F')}" for i in range(8) for op in "BUF"
              if op != "F" or i + warm < 8]
    return ",".join([*first, *steady])


@pytest.mark.parametrize(("parameters", "delay", "depth", "rate"), [
    ({}, 3, 3, 0.1), ({}, 4, 3, 0.075), ({}, 6, 3, 0.05), ({}, 2, 1, 0.05),
    ({"concurrency": 6}, 6, 1, 0.1), ({"concurrency": 2}, 8, 4, 0.025),
    ({"smoothness": 1.0}, 3, 3, 0.1), ({"smoothness": 1.0}, 4, 3, 0.0625),
    ({"smoothness": 0.01}, 9, 3, 0.1), ({"smoothness": math.inf}, 4, 3, 0.0),
    ({"concurrency": 0, "smoothness": 5.0}, 1, 3, 0.05),
])
def test_the_rule_by_hand(parameters, delay, depth, rate):
    assert DelayAdaptive(**parameters).step_rate(Late(0.1, delay, depth)) == pytest.approx(
        rate, rel=1e-15)


def test_replicas_side_by_side_are_slowed_each_by_its_own_rate():
    column = np.array([[0.1], [0.01]])
    slowed = DelayAdaptive(smoothness=1.0).step_rate(Late(column, 5, 2))
    assert slowed.tolist() == [[0.05], [0.01]]


@pytest.mark.parametrize(("schedule", "microbatches"), [
    ("round-robin", 1), ("round-robin", 2), ("1f1b", 4), ("nf1b", 2)])
def test_in_a_fixed_order_it_is_stash_bit_for_bit(schedule, microbatches):
    keys = {**TINY, "schedule": schedule, "microbatches": microbatches, "stages": 4,
            "minibatches": 12}
    one, weights = history(**keys, mitigation="delay-adaptive")
    other, stash = history(**keys, mitigation="stash")
    assert same_weights(weights, stash)
    assert np.array_equal(one.staleness, other.staleness)


def late(program: Program) -> dict[tuple[int, int], int]:
    """(stage, mini-batch) to the updates between its forward and its own, by walking streams."""
    seen, n = updates_seen(program), program.shape.microbatches
    first: dict[tuple[int, int], int] = {}
    for (op, stage, micro), version in seen.items():
        if op == "F":
            place = stage, micro // n
            first[place] = min(version, first.get(place, version))
    return {(stage, i): seen["U", stage, i * n] - version
            for (stage, i), version in first.items()}


@pytest.mark.parametrize(("parameters", "microbatches"), [
    ({}, 1), ({"smoothness": 4.0}, 1), ({"concurrency": 1}, 2),
    ({"concurrency": 1, "smoothness": 4.0}, 2)])
def test_under_greedy_dispatch_every_step_is_the_rules(parameters, microbatches):
    """Plain descent on ½·Σ λ·w²: a step is minus the rate times λ times the weights read."""
    rule = {"name": "delay-adaptive", **parameters}
    trace, weights = history(**GREEDY, microbatches=microbatches, mitigation=rule,
                             task="quadratic", curvatures=[0.5, 2.0], momentum=0.0,
                             learning_rate=0.1, seed=2)
    behind, seen = late(trace.program()), updates_seen(trace.program())
    slowed = 0
    for (stage, minibatch), delay in behind.items():
        rate = DelayAdaptive(**parameters).step_rate(Late(0.1, delay, 4 - stage))
        slowed += rate < 0.1
        micro = range(minibatch * microbatches, (minibatch + 1) * microbatches)
        gradient = sum(np.array([0.5, 2.0]) * weights[stage][seen["F", stage, m]]
                       for m in micro) / microbatches
        version = seen["U", stage, micro[0]]
        step = weights[stage][version + 1] - weights[stage][version]
        assert step == pytest.approx(-rate * gradient, rel=1e-9, abs=1e-15)
    assert slowed > 3


def test_a_gradient_that_may_be_dropped_is_dropped():
    rule = {"name": "delay-adaptive", "smoothness": math.inf}
    trace, weights = history(**GREEDY, **TINY, mitigation=rule)
    behind, seen = late(trace.program()), updates_seen(trace.program())
    stood = {(stage, version) for stage, own in enumerate(weights)
             for version, (old, new) in enumerate(pairwise(own)) if np.array_equal(old, new)}
    assert stood == {(stage, seen["U", stage, minibatch])
                     for (stage, minibatch), delay in behind.items() if delay > 4 - stage}
    assert len(stood) > 3
    assert trace.header.training.diverged_at is None


def test_the_size_of_updates_is_that_of_the_slowed_steps():
    rule = {"name": "delay-adaptive", "smoothness": math.inf}
    trace, weights = history(**GREEDY, **TINY, mitigation=rule)
    for own, mean in zip(weights, trace.header.training.mean_update_rmse, strict=True):
        moved = [math.sqrt(np.mean((new - old) ** 2)) for old, new in pairwise(own)]
        assert mean == pytest.approx(np.mean(moved), rel=1e-9)


def test_an_order_that_was_recorded_slows_the_same_updates():
    keys = {**TINY, "stages": 4, "minibatches": 30, "mitigation": "delay-adaptive"}
    recorded, weights = history(**keys, dispatch="greedy", jitter={"sigma": 0.8})
    _, again = history(recorded.program(), **keys)
    assert same_weights(weights, again)
    _, stash = history(recorded.program(), **{**keys, "mitigation": "stash"})
    assert not same_weights(weights, stash)


def test_a_written_order_that_runs_ahead_is_slowed():
    program = parse_program(f"{ahead(0, 4)}\n{ahead(1, 3)}")
    assert [late(program)[stage, 5] for stage in range(2)] == [3, 2]
    keys = {**TINY, "stages": 2, "minibatches": 8}
    _, adapted = history(program, **keys, mitigation="delay-adaptive")
    _, stash = history(program, **keys, mitigation="stash")
    assert same_weights([own[:3] for own in adapted[:1]], [own[:3] for own in stash[:1]])
    assert not same_weights(adapted, stash)


@pytest.mark.parametrize("rule", ["all-reduce", "apart"])
def test_copies_that_combine_step_alike_and_copies_apart_by_their_own_delays(rule):
    """Two copies of stage 0: where they combine, a round is as late as its latest mini-batch."""
    _, seen = learnt(schedule="hybrid", stages=3, replicas=[2, 1, 1], minibatches=16,
                         copies=rule, mitigation=LATE, **TINY)
    alike = [np.array_equal(*found) for (stage, version), found in seen.items()
             if stage == 0 and len(found) == 2]
    assert len(alike) >= 6
    assert all(alike) if rule == "all-reduce" else not any(alike)
    _, plain = learnt(schedule="hybrid", stages=3, replicas=[2, 1, 1], minibatches=16,
                      copies=rule, mitigation="stash", **TINY)
    assert not all(np.array_equal(seen[place][0], plain[place][0]) for place in seen)


def test_versions_and_seconds_are_those_of_stash():
    keys = {**GREEDY, "task": "none"}
    one, other = (simulate(**keys, mitigation=name) for name in ("delay-adaptive", "stash"))
    for column in ("version_read", "version_applied", "staleness", "start_s", "end_s"):
        assert np.array_equal(getattr(one, column), getattr(other, column), equal_nan=True)
    assert one.header.versions_held == other.header.versions_held

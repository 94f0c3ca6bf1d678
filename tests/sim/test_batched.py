"""Replicas on one array axis give what each gives alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sim.experiment.batched
from sim.errors import DeadlockError
from sim.experiment.batched import blocks, run_many
from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment
from sim.experiment.run import run
from sim.mitigations import MITIGATIONS
from sim.trace import COLUMNS, Trace
from tests.sim.experiments import TINY, experiment
from tests.sim.pairs import running

TOLERANCE = 1e-12
PROFILE = Path(__file__).parents[2] / "figures" / "experiments" / "profile.json"
PIPELINES = [("round-robin", 1), ("nf1b", 4), ("gpipe", 2), ("sequential", 1), ("round-robin", 4)]


def equal(one: Any, other: Any) -> bool:
    """Numbers, lists and tables equal to 1e-12, NaN to NaN, everything else exactly."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, float | np.ndarray):
        return bool(np.allclose(one, other, rtol=TOLERANCE, atol=0, equal_nan=True))
    return bool(one == other)


def same_traces(one: Trace, other: Trace) -> None:
    assert equal(one.header.as_dict(), other.header.as_dict())
    for name in COLUMNS:
        assert equal(getattr(one, name), getattr(other, name)), name
    assert equal(one.curves, other.curves)


def check(given: list[Experiment]) -> list[Trace]:
    """Together and one by one; the traces in the order asked for."""
    found = dict(run_many(given))
    assert sorted(found) == list(range(len(given)))
    traces = []
    for place, each in enumerate(given):
        together = found[place]
        assert isinstance(together, Trace)
        same_traces(run(each), together)
        traces.append(together)
    return traces


def replicas(**keys: Any) -> list[Experiment]:
    """Three rates over two seeds."""
    return [experiment(**{"learning_rate": rate, "seed": seed, "evaluate_every": 4, **keys})
            for rate, seed in ((0.05, 0), (0.2, 1), (0.01, 1))]


@pytest.mark.parametrize("backward", ["graph", "recompute"])
@pytest.mark.parametrize("convention", ["ema", "heavy-ball"])
@pytest.mark.parametrize("task", [TINY, {"task": "quadratic", "curvatures": [1.0, 0.2]}])
def test_every_mitigation_on_every_schedule_equals_runs_alone(backward, convention, task):
    """All mitigations of a schedule are one group, so blocks hold several of them."""
    for schedule, microbatches in PIPELINES:
        names = [m for s, m in running(3, microbatches, [schedule])]
        check([each for name in names for each in replicas(
            **task, schedule=schedule, microbatches=microbatches, mitigation=name, stages=3,
            minibatches=9, backward=backward, convention=convention)])


def test_every_registered_mitigation_was_among_them():
    tried = {m for schedule, n in PIPELINES for _, m in running(3, n, [schedule])}
    assert tried == set(MITIGATIONS.names())


@settings(max_examples=25)
@given(st.data())
def test_any_mixture_in_any_blocks_equals_runs_alone(data):
    names = ["none", "stash", "spectrain", "spectrain-stashed", "nwpt",
             {"name": "i-timeprest", "decay": 0.3}]
    cache = data.draw(st.sampled_from([1, 6_000, 20_000, 10**9]))
    drawn = st.fixed_dictionaries({
        "mitigation": st.sampled_from(names), "seed": st.integers(0, 2),
        "learning_rate": st.floats(0.001, 0.3), "momentum": st.sampled_from([0.0, 0.9]),
        "rate_schedule": st.sampled_from([{}, {"name": "cosine", "warmup": 2},
                                          {"name": "step", "every": 3}])})
    given_ = [experiment(**TINY, stages=2, minibatches=7, **keys)
              for keys in data.draw(st.lists(drawn, min_size=1, max_size=9))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sim.experiment.batched, "CACHE_BYTES", cache)
        check(given_)


@given(st.lists(st.sampled_from("abcd"), max_size=40), st.integers(1, 12))
def test_blocks_hold_every_replica_once_and_no_more_than_fit(mitigations, size):
    found = list(blocks(mitigations, size))
    assert sorted(place for block in found for place in block) == list(range(len(mitigations)))
    for block in found:
        assert 1 <= len(block) <= size
        names = [mitigations[place] for place in block]
        assert names == sorted(names)  # those under one mitigation are neighbours
        assert len(set(names)) == 1 or all(4 * names.count(name) < size for name in set(names))


def test_replicas_really_train_together(monkeypatch):
    sizes = []
    whole = sim.experiment.batched.step_block

    def counting(block):
        sizes.append(len(block))
        return whole(block)

    monkeypatch.setattr(sim.experiment.batched, "step_block", counting)
    given_ = [experiment(**TINY, minibatches=5, seed=seed, mitigation=name)
              for name in ("none", "stash") for seed in range(4)]
    list(run_many(given_))
    assert sizes == [4, 4] or sizes == [8]


def test_one_replica_diverges_and_the_others_do_not_notice():
    given_ = [experiment(**TINY, minibatches=9, learning_rate=rate, mitigation="stash")
              for rate in (0.05, 1e100, 0.1)]
    traces = check(given_)
    found = [trace.header.training.diverged_at for trace in traces]
    assert found[0] is found[2] is None
    assert 0 < found[1] < 20


def test_weights_that_overflow_at_the_very_end_are_told():
    """All losses finite, the last update not."""
    traces = check([experiment(task="quadratic", stages=1, minibatches=1, learning_rate=rate)
                    for rate in (0.1, 1e300)])
    assert [t.header.training.diverged_at for t in traces] == [None, 1]


def test_jitter_of_every_seed_and_greedy_orders_are_their_own():
    for dispatch in ("static", "greedy"):
        given_ = [experiment(**TINY, minibatches=8, seed=seed, jitter={"sigma": 0.5},
                             dispatch=dispatch, latency_s=0.3) for seed in (0, 1, 1)]
        ends = [trace.end_s.max() for trace in check(given_)]
        assert ends[0] != ends[1]
        assert ends[1] == ends[2]


def test_costs_sizes_and_shapes_may_differ():
    check([experiment(**{**TINY, **keys}) for keys in (
        {"stages": 2, "minibatches": 5}, {"stages": 3, "minibatches": 5},
        {"stages": 3, "minibatches": 5, "width": 9},
        {"stages": 3, "minibatches": 5, "forward_s": 2.0},
        {"stages": 3, "minibatches": 5, "distances": False},
        {"stages": 3, "minibatches": 5, "task": "none"},
        {"stages": 3, "minibatches": 5, "batch_size": 4})])


def test_what_is_refused_comes_back_in_its_place():
    stuck = resolve({"pipeline": {"minibatches": 4}, "training": TINY,
                     "cluster": {"activation_bytes": 2.0, "activation_limit_bytes": 1.0}})
    good = experiment(**TINY, minibatches=4)
    found = dict(run_many([good, stuck, good]))
    assert isinstance(found[1], DeadlockError)
    same_traces(run(good), found[0])
    same_traces(run(good), found[2])


def test_a_link_that_is_set_and_one_left_to_the_profile_are_two():
    """Both latencies are 0 in the configuration; the one left alone is the profile's."""
    keys = {"profile": str(PROFILE), "stages": 4, "minibatches": 6, "task": "none"}
    left, given_ = check([experiment(**keys), experiment(**keys, latency_s=0.0)])
    assert left.end_s.max() > given_.end_s.max()

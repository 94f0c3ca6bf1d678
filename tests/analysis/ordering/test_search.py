"""The search: never worse than its starts, the same again, and within the limit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import sim
from analysis.ordering.bounds.makespan import lower_bound_s
from analysis.ordering.exact.branching import best_order
from analysis.ordering.judge import judge
from analysis.ordering.problem import OrderProblem, least_bytes
from analysis.ordering.search import search
from analysis.ordering.starts.named import named_orders
from analysis.ordering.streams import streams_of
from sim.errors import ConfigurationError
from sim.kernels.pairs import NUMPY
from tests.analysis.ordering.drawn import problem as flat
from tests.analysis.ordering.problems import uneven, within


def test_what_is_found_is_better_than_the_known_and_is_what_the_engine_says():
    better = 0
    for seed in range(4):
        problem = uneven(seed)
        tight = within(problem, judge(problem, named_orders(problem)["1f1b"]).peak_bytes.max())
        found = search(tight, rounds=2000, seed=seed)
        better += found.makespan_s < min(found.named_s.values())
        assert found.makespan_s <= min(found.starts_s.values())
        assert lower_bound_s(tight) <= found.makespan_s
        assert (found.peak_bytes <= tight.limit_bytes).all()
        assert judge(tight, streams_of(found.program)).makespan_s == found.makespan_s
        trace = sim.run(problem.experiment, program=found.program)
        assert trace.end_s.max() == found.makespan_s
    assert better >= 3


@pytest.mark.parametrize(("name", "stages", "microbatches"), [
    ("zb-h1", 3, 4), ("zb-h1", 4, 8), ("zb-h2", 3, 5), ("zb-h2", 4, 8)])
@pytest.mark.parametrize("seconds", [(1, 1, 1), (2, 3, 1)])
def test_it_equals_zero_bubble_at_its_memory(name, stages, microbatches, seconds):
    free = flat(stages, microbatches, **dict(zip(
        ("forward_s", "input_s", "weight_s"), seconds, strict=True)))
    named = judge(free, named_orders(free)[name])
    found = search(within(free, named.peak_bytes.max()), rounds=0)
    assert found.named_s[name] == named.makespan_s
    assert lower_bound_s(free) <= found.makespan_s <= named.makespan_s


@pytest.mark.parametrize("seed", range(8))
def test_it_attains_the_optimum_of_small_cases(seed):
    attains_the_optimum(seed)


@pytest.mark.verify
@pytest.mark.parametrize("seed", range(8, 200))
def test_it_attains_the_optimum_of_many_small_cases(seed):
    attains_the_optimum(seed)


def attains_the_optimum(seed):
    rng = np.random.default_rng(seed)
    free = uneven(seed, int(rng.integers(2, 4)), int(rng.integers(2, 5)))
    least = least_bytes(free).max()
    most = judge(free, named_orders(free)["gpipe"]).peak_bytes.max()
    problem = within(free, [np.inf, least + int((most - least) * rng.random())][seed % 2])
    best = best_order(problem)
    proved = judge(problem, streams_of(best.program)).makespan_s
    assert best.proved
    assert search(problem, rounds=20_000, bound_s=proved, kernels=NUMPY).makespan_s == proved


def test_rounds_give_the_same_order_again_and_a_seed_another():
    once, again, other = (search(uneven(1), rounds=500, seed=seed) for seed in (3, 3, 4))
    assert (once.program, once.judged) == (again.program, again.judged)
    assert once.judged != other.judged


def test_it_ends_where_nothing_better_can_be():
    found = search(uneven(2), rounds=10_000, bound_s=np.inf)
    assert found.makespan_s == min(found.starts_s.values())
    assert found.judged < 30


@pytest.mark.parametrize("keys", [{}, {"schedule": "interleaved", "chunks": 2}])
def test_stages_move_to_where_they_are_better(keys):
    base = uneven(0, 4 * keys.get("chunks", 1), 4, **keys)
    problem = OrderProblem.of(base.experiment.changed({"costs.device_factor": [1, 2, 1, 1.5]}),
                              device=base.device)
    stay, go = (search(problem, rounds=3000, move_stages=moves) for moves in (False, True))
    assert go.makespan_s < stay.makespan_s
    home = go.program.home[0]
    assert home.tolist() != problem.device.tolist()
    trace = sim.run(problem.placed(home).experiment, program=go.program)
    assert trace.end_s.max() == go.makespan_s
    assert go.named_s.items() >= stay.named_s.items()


def test_seconds_are_kept_to_and_progress_is_told():
    told = []
    found = search(uneven(0), seconds=0.2, progress=lambda *each: told.append(each))
    assert found.searched_s < 1.0
    assert [part for part, *_ in told] == sorted(part for part, *_ in told)
    assert told[-1][1] == found.makespan_s


def test_orders_that_are_not_flushed_are_refused():
    with pytest.raises(ConfigurationError, match="flushed"):
        search(dataclasses.replace(uneven(0), max_staleness=1))

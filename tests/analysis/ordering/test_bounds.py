"""Lower bounds of an order's makespan, and branch and bound, against all orders there are."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.ordering.bounds.anywhere import anywhere_bound_s
from analysis.ordering.bounds.makespan import lower_bound_s, plain_bound_s
from analysis.ordering.bounds.one_machine import shortest as one_machine
from analysis.ordering.bounds.room import in_flight
from analysis.ordering.exact.branching import best_order, shorter_order
from analysis.ordering.problem import OrderProblem
from sim.errors import ConfigurationError
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.schedules import SCHEDULES
from sim.times.memory import most_claimed
from tests.analysis.ordering.drawn import drawn, problem, tiny
from tests.oracles.every_order import shortest

SEEDS = [*range(8), *(pytest.param(seed, marks=pytest.mark.verify) for seed in range(8, 60))]
SPLIT_ORDERS = ["gpipe", "1f1b", "eager-1f1b", "zb-h1", "zb-h2"]


def simulated(given: OrderProblem, program: Any) -> float:
    trace = run(given.experiment, program, training=False, engine="exact")
    return float(trace.end_s.max())


def found_by_all(given: OrderProblem, **modes: bool) -> float:
    return shortest(tiny(given), **modes)


# the bounds: (P, M) = (3, 4), one micro-batch of one byte (Qi et al. 2023, exact branch and bound)
@pytest.mark.parametrize(("costs", "limit", "expected"), [
    ((1, 1, 1), 3, 14), ((1, 1, 1), 5, 14), ((2, 3, 1), 3, 32), ((2, 3, 1), 5, 31)])
def test_known_optima_come_out(costs: tuple[int, int, int], limit: float, expected: int) -> None:
    f, i, w = costs
    given = problem(3, 4, limit, forward_s=f, input_s=i, weight_s=w)
    best = best_order(given)
    assert (best.makespan_s, best.proved) == (expected, True)
    assert simulated(given, best.program) == expected
    name = "zb-h1" if limit == 3 else "zb-h2"
    assert simulated(given, SCHEDULES[name].program(given.experiment.shape)) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_branch_and_bound_equals_all_orders(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stages, micro = ((2, 2), (3, 2), (1, 3))[seed % 3]
    given = drawn(rng, stages, micro, costs={"update_s": rng.integers(0, 3, stages).tolist()})
    best = best_order(given)
    assert best.proved
    assert best.makespan_s == found_by_all(given)
    assert simulated(given, best.program) == best.makespan_s


@pytest.mark.verify
@pytest.mark.parametrize("seed", range(12))
def test_branch_and_bound_equals_all_orders_of_three_micro_batches(seed: int) -> None:
    given = drawn(np.random.default_rng(100 + seed), 2, 3)
    assert best_order(given).makespan_s == found_by_all(given)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_order_is_below_the_bound(seed: int) -> None:
    """Also where a backward is shorter whole than in halves, or halves hold less."""
    rng = np.random.default_rng(seed)
    stages, micro = ((2, 2), (3, 2))[seed % 2]
    given = drawn(rng, stages, micro, most=3, backward_s=rng.integers(1, 12, stages))
    given = replace(given, halved_bytes=given.held_bytes * rng.choice([0.25, 0.5, 1.0]))
    best = found_by_all(given, whole=micro * stages < 6)
    bound = lower_bound_s(given)
    assert plain_bound_s(given) <= bound <= best
    assert bound <= lower_bound_s(given, best) <= best


@pytest.mark.parametrize("seed", SEEDS)
def test_the_optimum_of_small_cases_is_proved_and_runs(seed: int) -> None:
    """At most 3 stages and 4 micro-batches: the search for orders is held to these."""
    rng = np.random.default_rng(1000 + seed)
    given = drawn(rng, int(rng.integers(2, 4)), int(rng.integers(2, 5)))
    best = best_order(given)
    assert best.proved
    assert simulated(given, best.program) == best.makespan_s
    assert lower_bound_s(given) <= lower_bound_s(given, best.makespan_s) <= best.makespan_s
    setup_limit = given.experiment.changed({"cluster.activation_limit_bytes": given.limit_bytes})
    assert run(setup_limit, best.program, training=False).end_s.max() == best.makespan_s


@pytest.mark.parametrize("name", SPLIT_ORDERS)
@pytest.mark.parametrize("seed", range(2))
def test_named_orders_are_not_below_the_bound_at_their_memory(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wide = drawn(rng, 5, 10)
    program = SCHEDULES[name].program(wide.experiment.shape)
    trace = run(wide.experiment, program, training=False)
    most = max(_in_flight(program))
    given = replace(wide, limit_bytes=float(most))
    assert lower_bound_s(given) <= trace.end_s.max()


def _in_flight(program: Any) -> list[float]:
    from sim.times.cluster import Cluster, Link
    stages = program.shape.stages
    return most_claimed(program, Cluster(Link(), np.zeros(stages - 1), np.ones(stages))).tolist()


def test_stages_that_share_a_device_are_bounded_together() -> None:
    rng = np.random.default_rng(7)
    given = problem(6, 6, forward_s=rng.integers(1, 5, 6), input_s=rng.integers(1, 5, 6),
                    weight_s=rng.integers(1, 5, 6), occupied_s=1.0, latency_s=0.5,
                    pipeline={"schedule": "interleaved", "chunks": 2})
    program = SCHEDULES["interleaved"].program(given.experiment.shape)
    work = (given.forward_s + given.backward_s).reshape(2, 3).sum(axis=0).max() * 6
    bound = lower_bound_s(given)
    assert work <= bound <= simulated(given, program)
    assert in_flight(replace(given, limit_bytes=4.0)).inputs == [4, 4, 4, 2, 2, 2]


def test_halves_that_hold_less_let_more_be_in_flight() -> None:
    given = problem(2, 9, 4.0)
    assert in_flight(given) == ([4, 4], [4, 4])
    given = replace(given, halved_bytes=given.held_bytes / 2)
    assert in_flight(given).weights == [7, 7]  # one whole and six halves
    assert in_flight(replace(given, limit_bytes=float("inf"))) == ([9, 9], [9, 9])


def test_one_machine_runs_the_largest_tail_first() -> None:
    heads, ticks, tails = (np.array(each) for each in ([0, 2, 3], [4, 3, 1], [0, 5, 9]))
    # 0 for two, 1 for one, 2 for one (its tail ends at 13), 1 for two (at 11), 0 for two
    assert one_machine(heads, ticks, tails) == 13


def test_a_large_problem_gets_the_plain_bound() -> None:
    given = problem(16, 400)
    assert lower_bound_s(given) == plain_bound_s(given) == 15 + 400 * 3


@pytest.mark.parametrize(("changes", "said"), [
    ({"workers": {"count": 2}, "pipeline": {"minibatches": 2}}, "workers.count"),
    ({"pipeline": {"dispatch": "greedy"}}, "pipeline.dispatch"),
    ({"costs": {"jitter": {"sigma": 0.1}}}, "costs.jitter"),
    ({"costs": {"stragglers": [{"stage": 0, "from_s": 0.0, "to_s": 1.0, "factor": 2.0}]}},
     "costs.stragglers"),
    ({"costs": {"microbatch_scale": [1.0, 2.0]}}, "costs.microbatch_scale"),
    ({"cluster": {"tied": [{"stages": [0, 2]}]}}, "cluster.tied"),
    ({"cluster": {"activation_limit_bytes": 1e9}}, "cluster.activation_limit_bytes"),
    ({"pipeline": {"schedule": "chimera", "stages": 4, "microbatches": 4}}, "pipeline.schedule"),
])
def test_what_no_fixed_order_has_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        OrderProblem.of(resolve({"training": {"task": "none"}, **changes}))


def test_a_limit_without_room_is_refused_device_by_device() -> None:
    with pytest.raises(ConfigurationError) as refused:
        problem(3, 2, 2.0, activation_bytes=[1.0, 3.0, 2.5])
    assert [line.split(" needs")[0] for line in refused.value.lines] == [
        "--memory-limit: device 1", "--memory-limit: device 2"]
    with pytest.raises(ConfigurationError, match="devices"):
        problem(3, 2, device=[0, 2, 2])


def test_stages_may_be_moved_to_devices_of_another_pace() -> None:
    given = problem(4, 3, device=[0, 1, 1, 0], costs={"device_factor": [1.0, 3.0]},
                    pipeline={"schedule": "interleaved", "chunks": 2})
    assert given.forward_s.tolist() == [1, 3, 3, 1]
    assert given.placed([1, 1, 0, 0]).forward_s.tolist() == [3, 3, 1, 1]
    assert given.placed([0, 0, 1, 1]).stages_on(1) == [2, 3]


def test_a_bound_for_all_places_is_below_that_of_each() -> None:
    given = problem(4, 6, device=[0, 1, 1, 0], costs={"device_factor": [1.0, 3.0]}, latency_s=0.5,
                    pipeline={"schedule": "interleaved", "chunks": 2})
    bound = anywhere_bound_s(given)
    assert bound == 4 * 6 * 3 / (1 + 1 / 3)  # all work, on a device and a third of one
    for places in product((0, 1), repeat=4):
        if len(set(places)) == 2:
            assert bound == anywhere_bound_s(given.placed(places)) <= lower_bound_s(
                given.placed(places))


def test_a_profile_says_what_a_device_holds(tmp_path: Path) -> None:
    stage = {"forward_s": 1.0, "backward_s": 2.0, "weight_bytes": 10.0, "activation_bytes": 3.0,
             "input_bytes": 1.0, "workspace_bytes": 5.0}
    path = tmp_path / "profile.json"
    path.write_text(json.dumps({"format": "pipestale-profile", "version": 1, "stages": [stage] * 2,
                                "boundary_bytes": [4.0], "bandwidth_bytes_per_s": 8.0}))
    document = {"pipeline": {"stages": 2, "microbatches": 4}, "costs": {"profile": str(path)},
                "training": {"task": "none"}}
    given = OrderProblem.of(resolve(document), state_copies=2.0)
    assert given.base_bytes.tolist() == [35.0, 35.0]
    assert (given.held_bytes.tolist(), given.halved_bytes.tolist()) == ([3.0] * 2, [3.0] * 2)
    assert given.occupied_s.tolist() == [[0.5], [0.5]]
    document["pipeline"] |= {"backward": "recompute"}
    given = OrderProblem.of(resolve(document))
    assert [each[0] for each in (given.held_bytes, given.halved_bytes, given.rerun_bytes)] == [
        1.0, 4.0, 3.0]


@pytest.mark.parametrize(("change", "said"), [
    ({"stages": 9, "microbatches": 9}, "at most"),
    ({"backward_s": 1.5}, "longer in halves"),
    ({"max_staleness": 2}, "max_staleness"),
    ({"stages": 4, "device": [0, 1, 0, 1], "occupied_s": 1.0}, "share a link"),
])
def test_what_branch_and_bound_cannot_prove_is_refused(change: dict[str, Any], said: str) -> None:
    given = problem(**({"stages": 2, "microbatches": 2} | change))
    with pytest.raises(ConfigurationError, match=said):
        best_order(given)


def test_what_is_shorter_than_an_order_is_found_or_proved_not_to_be() -> None:
    given = drawn(np.random.default_rng(4), 4, 7, most=5)
    named = SCHEDULES["gpipe"].program(given.experiment.shape)
    wide = replace(given, limit_bytes=float("inf"))
    found = shorter_order(wide, simulated(wide, named))
    assert found.proved
    assert found.best is not None
    assert simulated(wide, found.best.program) == found.best.makespan_s < simulated(wide, named)
    assert lower_bound_s(wide, found.best.makespan_s) <= found.best.makespan_s
    again = shorter_order(wide, found.best.makespan_s)
    assert (again.best, again.proved) == (None, True)
    assert not shorter_order(wide, simulated(wide, named), most_steps=0).proved
    assert not shorter_order(wide, simulated(wide, named), seconds=0.0).proved


def test_a_search_cut_short_says_that_nothing_is_proved() -> None:
    given = drawn(np.random.default_rng(6), 3, 4, most=4)
    assert not best_order(given, 1).proved
    assert best_order(given, 1).makespan_s >= best_order(given).makespan_s

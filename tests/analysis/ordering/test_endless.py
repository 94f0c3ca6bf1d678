"""Orders without a flush: periods as the solver has them, staleness as versions are planned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.ordering.bounds.period import period_bound_s
from analysis.ordering.periodic.cycle import Cycle, Event, Scale
from analysis.ordering.periodic.holding import needed_bytes, staleness
from analysis.ordering.periodic.moves import may_swap, moved
from analysis.ordering.periodic.named import named_cycles
from analysis.ordering.periodic.search import Endless, endless_order
from analysis.ordering.problem import OrderProblem
from analysis.theory.endless import solve
from sim.errors import ConfigurationError
from sim.experiment.run import run
from sim.op import Op
from tests.analysis.ordering.drawn import problem


def uneven(seed: int, stages: int, microbatches: int, max_staleness: int, **more: Any
           ) -> OrderProblem:
    """Uneven stages, links that take up to half of a pass and keep it under way as long."""
    rng = np.random.default_rng([seed, stages, microbatches])

    def some(size: int, least: float, most: float) -> Any:
        return rng.uniform(least, most, size).round(3)

    return problem(stages, microbatches, forward_s=some(stages, 0.5, 1.5),
                   input_s=some(stages, 0.5, 1.5), weight_s=some(stages, 0.5, 1.5),
                   occupied_s=some(stages - 1, 0.0, 0.5), latency_s=some(stages - 1, 0.0, 0.5),
                   max_staleness=max_staleness, **more)


def as_solved(given: OrderProblem, cycle: Cycle) -> tuple[float, list[int]]:
    """Period and most stale forwards of a cycle's program, by the solver and the version plan."""
    shifts = [each.shift for events in cycle.devices for each in events]
    minibatches = 3 * given.stages + 8 + max(shifts) - min(shifts)
    program = cycle.program(given, minibatches)
    setup, found = solve(given.experiment.changed(minibatches=minibatches), program)
    plan = setup.checked_versions(program)
    return found.period_s, (plan.applied - plan.forward).max(axis=1).tolist()


def checked(given: OrderProblem, found: Endless) -> None:
    period, late = as_solved(given, found.cycle)
    assert period == found.period_s >= period_bound_s(given)
    assert late == found.staleness.tolist()
    assert max(late) <= given.max_staleness


@pytest.mark.parametrize(("stages", "microbatches", "limit"), [
    (4, 1, 1), (3, 2, 1),
    *(pytest.param(*each, marks=pytest.mark.verify) for each in [(4, 1, 3), (4, 3, 2), (6, 1, 5)])])
def test_an_order_is_what_the_solver_and_the_versions_say(stages: int, microbatches: int,
                                                          limit: int) -> None:
    given = uneven(1, stages, microbatches, limit, costs={"update_s": 0.125})
    found = endless_order(given, rounds=160)
    checked(given, found)
    again = endless_order(given, rounds=160)
    assert (again.cycle, again.searched) == (found.cycle, found.searched)


def test_it_beats_round_robin_where_stages_are_uneven_and_links_slow() -> None:
    """At the staleness of round-robin, S − 1, with all its warm-ups that keep it."""
    given = uneven(0, 5, 1, 4)
    found = endless_order(given, rounds=300)
    checked(given, found)
    assert found.period_s <= 0.97 * found.named["round-robin"]
    assert found.period_s < min(found.named.values())


@pytest.mark.verify
def test_it_is_as_short_as_can_be_in_most_of_many_and_never_longer_than_a_named_one() -> None:
    apart, better = [], 0
    for seed in range(20):
        given = uneven(seed, 5, 1, 4)
        found = endless_order(given, rounds=1500)
        checked(given, found)
        best = min(found.named.values())
        assert found.period_s <= best
        better += found.period_s < best
        apart.append(found.period_s / period_bound_s(given) - 1)
    assert better >= 15
    assert np.median(apart) < 0.001
    assert max(apart) < 0.05


def test_less_staleness_takes_no_shorter_a_period() -> None:
    periods = [endless_order(uneven(3, 4, 1, limit), rounds=150).period_s for limit in (1, 3, 6)]
    bounds = [period_bound_s(uneven(3, 4, 1, limit)) for limit in (1, 3, 6)]
    assert periods == sorted(periods, reverse=True)
    assert bounds == sorted(bounds, reverse=True)
    assert periods[-1] == pytest.approx(bounds[-1], rel=1e-6)  # as busy as the busiest device


def test_named_orders_are_the_cycles_of_their_programs() -> None:
    given = uneven(2, 4, 2, 3)
    scale, seen = Scale(given), {}
    for name, cycle in named_cycles(given):
        weighed = scale.weigh(cycle)
        assert weighed is not None
        seen[name] = weighed.period_s
        if name in ("round-robin", "1f1b", "zb-h1", "gpipe"):
            experiment = given.experiment.changed({"pipeline.schedule": name})
            setup, found = solve(experiment)
            assert found.period_s == weighed.period_s
            plan = setup.checked_versions(setup.program)
            late = (plan.applied - plan.forward).max(axis=1)
            assert late.tolist() == staleness(cycle, given.stages).tolist()
    assert {"round-robin", "1f1b", "zb-h1", "zb-h2", "gpipe", "round-robin, warmup 6"} <= set(seen)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), stages=st.integers(2, 4), micro=st.integers(1, 3),
       limit=st.integers(1, 3))
def test_moves_keep_an_order_that_runs_and_its_limit(seed: int, stages: int, micro: int,
                                                     limit: int) -> None:
    given_, rng = uneven(seed, stages, micro, limit), np.random.default_rng(seed)
    scale = Scale(given_)
    now = next(found for name, cycle in named_cycles(given_) if name == "zb-h1"
               and (found := scale.weigh(cycle)))
    for _ in range(12):
        cycle = moved(now, micro, limit, rng)
        found = None if cycle is None else scale.weigh(cycle)
        if found is not None:
            now = found
            assert staleness(now.cycle, stages).max() <= limit
    period, late = as_solved(given_, now.cycle)
    assert period == now.period_s
    assert late == staleness(now.cycle, stages).tolist()


def test_neighbours_that_depend_on_each_other_stay() -> None:
    forward, back, half = Event(Op.F, 0, 0, 0), Event(Op.I, 0, 0, 0), Event(Op.W, 0, 0, 0)
    update = Event(Op.U, 0, 0, 2)
    assert not may_swap(forward, back, 1, 1)
    assert not may_swap(back, half, 1, 1)
    assert not may_swap(half, update._replace(shift=0), 1, 1)
    assert not may_swap(update, forward, 1, 1)  # it would read weights two updates old
    assert may_swap(update, forward, 1, 2)
    assert may_swap(back, forward._replace(shift=-1), 1, 1)
    assert may_swap(back, forward._replace(stage=1), 1, 1)


@pytest.mark.parametrize("mitigation", ["stash", "none", "spectrain-stashed"])
def test_bytes_are_at_least_the_runs(mitigation: str) -> None:
    given = uneven(4, 4, 2, 2, pipeline={"mitigation": mitigation})
    given = replace(given, weight_bytes=np.full(4, 7.0), base_bytes=np.full(4, 7.0))
    found = endless_order(given, rounds=60)
    program = found.cycle.program(given, 20)
    trace = run(given.experiment.changed(minibatches=20), program, training=False)
    from analysis.metrics.report import report
    flying = report(trace)["memory"]["peak_in_flight"]
    assert (found.needed_bytes >= np.array(flying) + 7.0).all()
    held = np.array(report(trace)["versions_held"]) * 7.0 + flying
    if mitigation != "spectrain-stashed":
        assert (found.needed_bytes >= held).all()


def test_a_memory_limit_is_kept_and_costs_time() -> None:
    free = endless_order(uneven(5, 4, 1, 3), rounds=200)
    tight = uneven(5, 4, 1, 3)
    tight = replace(tight, limit_bytes=3.0)
    found = endless_order(tight, rounds=300)
    assert (found.needed_bytes <= 3.0).all()
    assert found.period_s > free.period_s
    assert period_bound_s(tight) > period_bound_s(uneven(5, 4, 1, 3))
    assert needed_bytes(found.cycle, tight).tolist() == found.needed_bytes.tolist()
    checked(tight, found)


def test_stages_may_share_devices() -> None:
    given = uneven(6, 4, 2, 2, pipeline={"schedule": "interleaved", "chunks": 2})
    assert given.devices == 2
    checked(given, endless_order(given, rounds=120))


def test_memory_for_one_micro_batch_is_enough() -> None:
    """Two stages a device, whose forwards run again: what a greedy order leaves room for counts."""
    given = problem(4, 2, 5.0, max_staleness=2, activation_bytes=[2.0, 0.0, 1.0, 3.0],
                    pipeline={"schedule": "zbv", "chunks": 2, "backward": "recompute"})
    given = replace(given, held_bytes=np.array([0.0, 2.0, 2.0, 0.0]),
                    rerun_bytes=np.array([1.0, 3.0, 1.0, 3.0]),
                    halved_bytes=np.array([1.0, 5.0, 3.0, 3.0]))
    found = endless_order(given, rounds=60)
    assert (found.needed_bytes <= 5.0).all()
    checked(given, found)


def test_a_mitigation_that_reads_older_weights_itself_is_refused() -> None:
    given = uneven(1, 3, 3, 2, pipeline={"mitigation": "2bw"})
    with pytest.raises(ConfigurationError, match="says itself which version"):
        endless_order(given, rounds=1)


def test_bounds_are_those_of_what_is_busiest() -> None:
    alike = {"forward_s": 1.0, "input_s": 1.0, "weight_s": 1.0}
    assert period_bound_s(problem(4, 2, max_staleness=9, **alike)) == 6.0
    assert period_bound_s(problem(4, 2, max_staleness=9, occupied_s=5.0, **alike)) == 10.0
    # down and up with one micro-batch under way: 4 + 4, a weight half, and 3 times two links
    assert period_bound_s(problem(4, 1, max_staleness=1, latency_s=1.0, **alike)) == 15.0 / 2
    assert period_bound_s(problem(4, 1, 2.0, max_staleness=9, latency_s=1.0, **alike)) == 15.0 / 2

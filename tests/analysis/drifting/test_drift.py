"""Policies under drift: what planners know, what they leave alone, and what a run learns."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.drifting.course import Course, Leg
from analysis.drifting.cutting import crossing
from analysis.drifting.orders import named, own
from analysis.drifting.planning import Planner
from analysis.drifting.policies import POLICIES, PolicyRun, policies, run_policy
from analysis.drifting.running import pace, set_up, timed
from analysis.drifting.study import report, rows
from analysis.drifting.training import learn
from sim.errors import ConfigurationError
from sim.experiment.learning.learners import learners
from sim.experiment.run import run, settle
from sim.kernels.pairs import NUMBA, NUMPY, installed
from sim.numerics.training import train
from sim.order.check import execution_order
from sim.times.engine import simulate
from sim.times.exact.timeline import timeline
from tests.analysis.drifting.cases import FLUSHED, LATE, SLOWER, problem

PLANNERS = ("replan", "recut")


def both(asked, *names):
    """The runs under several policies."""
    planner = Planner(asked)
    return [run_policy(planner, POLICIES[name]) for name in names]


def bits(run_):
    found = run_.timed.timeline
    return found.program, found.start_s.tobytes(), found.end_s.tobytes()


@settings(deadline=None, max_examples=4)
@given(st.sampled_from([FLUSHED, LATE]), st.sampled_from([5, 8, 11]),
       st.lists(st.sampled_from([0.5, 1.0, 1.7]), min_size=3, max_size=3),
       st.sampled_from([0.0, 0.4]))
def test_without_drift_whoever_plans_does_what_was_planned_at_the_start(pipeline, every, forward,
                                                                        latency):
    asked = problem(pipeline, every, costs={"forward_s": forward}, cluster={"latency_s": latency})
    static, *planned = both(asked, "static", *PLANNERS)
    for found in planned:
        assert len(found.course.legs) == 1
        assert bits(found) == bits(static)
        assert report(asked, found) | {"policy": "", "rule": ""} == (
            report(asked, static) | {"policy": "", "rule": ""})


def test_the_static_policy_is_the_simulators_own_run():
    asked = problem(LATE, costs={"trends": [SLOWER], "jitter": {"sigma": 0.2}}, orders=())
    found = run_policy(Planner(asked), POLICIES["static"])
    alone = run(asked.experiment)
    assert found.course.legs[0].order.name == "round-robin"
    assert np.array_equal(found.timed.timeline.start_s, alone.start_s)
    assert np.array_equal(found.timed.timeline.end_s, alone.end_s)
    learnt = learn(asked, found)
    assert np.array_equal(learnt.loss, alone.curves["minibatch_loss"])
    assert learnt.final.final_loss == alone.header.training.final_loss


def moved(asked, first, *cuts):
    """A run whose layers move to each of `cuts` in turn, every 4 mini-batches."""
    order = Planner(asked).orders[0]
    total = asked.experiment.pipeline.minibatches
    legs = [Leg(first * number, first if number + 1 < len(cuts) else total - first * number, order,
                cut, 0.5 if number else 0.0) for number, cut in enumerate(cuts)]
    course = Course(tuple(legs))
    return PolicyRun(POLICIES["recut"], course, timed(asked, course))


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_what_is_learnt_under_a_flush_is_the_same_wherever_layers_are(optimizer):
    """The weights themselves, layer by layer: their optimizer's arrays go with them."""
    asked = problem(optimizer=optimizer, learning_rate=0.02)
    stays = learn(asked, moved(asked, 4, (3, 3, 3)))
    goes = learn(asked, moved(asked, 4, (3, 3, 3), (1, 2, 6), (5, 3, 1)))
    for one, other in zip(np.concatenate(stays.weights), np.concatenate(goes.weights),
                          strict=True):
        assert one == other
    assert np.array_equal(stays.loss, goes.loss)
    assert stays.final == goes.final


def test_a_cut_that_is_equal_changes_nothing_bit_for_bit():
    asked = problem(LATE)
    stays = moved(asked, 10, (3, 3, 3))
    again = PolicyRun(stays.policy, Course((
        replace(stays.course.legs[0], minibatches=20),)).going_on(20), stays.timed)
    assert len(again.pieces) == 1
    assert bits(PolicyRun(again.policy, again.course, timed(asked, again.course))) == bits(stays)
    assert np.array_equal(learn(asked, again).loss, learn(asked, stays).loss)


def test_layers_move_when_all_is_done_and_nothing_runs_meanwhile():
    asked = problem(LATE)
    found = moved(asked, 10, (3, 3, 3), (2, 3, 4))
    timeline_, program = found.timed.timeline, found.timed.timeline.program
    late = program.rows.index >= 10
    assert timeline_.start_s[late].min() == timeline_.end_s[~late].max() + 0.5
    plan = found.timed.plan  # and so the first after it read what the last before it wrote
    assert (plan.forward[:, 10] == 10).all()


@pytest.mark.parametrize("pipeline", [FLUSHED, LATE])
def test_engines_agree_on_a_course_with_moves_and_every_kind_of_drift(pipeline):
    asked = problem(pipeline, costs={
        "trends": [SLOWER], "jitter": {"sigma": 0.3}, "device_factor": [1.0, 1.3, 0.7],
        "stragglers": [{"stage": 2, "from_s": 10.0, "to_s": 40.0, "factor": 3.0}]},
        cluster={"latency_s": 0.3, "bandwidth_bytes_per_s": 2000.0})
    setup = moved(asked, 4, (3, 3, 3), (1, 2, 6)).timed.setup
    given_ = setup.program, setup.costs, setup.cluster
    reference = simulate(*given_, np.random.default_rng(5))
    for method in ("auto", "plain", "periodic"):
        found = timeline(*given_, np.random.default_rng(5), method=method)
        assert np.array_equal(found.start_s, reference.start_s)
        assert np.array_equal(found.end_s, reference.end_s)


@pytest.mark.parametrize("pipeline", [FLUSHED, LATE])
def test_layers_may_move_after_every_mini_batch(pipeline):
    """Each device then waits for all others again and again, and for messages besides."""
    asked = problem(pipeline, costs={"jitter": {"sigma": 0.5}}, cluster={"latency_s": 0.1})
    cuts = [(3, 3, 3), (1, 2, 6), (6, 2, 1), (1, 7, 1)] * 4
    setup = moved(asked, 1, *cuts).timed.setup
    given_ = setup.program, setup.costs, setup.cluster
    reference = simulate(*given_, np.random.default_rng(5))
    for kernels in (NUMPY, *([NUMBA] if installed() else [])):
        found = timeline(*given_, np.random.default_rng(5), kernels=kernels)
        assert np.array_equal(found.start_s, reference.start_s)


def test_a_planner_sees_what_has_been_and_not_what_is_to_come():
    """Whatever comes after the moment of deciding, the pace that was seen is the same."""
    window = {"stage": 1, "from_s": 50.0, "to_s": 70.0, "factor": 3.0}
    asked = problem(LATE, 5, costs={"stragglers": [window]})
    course = Course((Leg(0, 10, own(asked.experiment), asked.first_cut),))
    whole = timed(asked, course.going_on(30)).timeline
    now = whole.start_s[whole.program.rows.index >= 10].min()
    assert now < 50
    assert pace(asked, course, np.ones(3)).tolist() == [1, 1, 1]
    later = Course((Leg(0, 21, own(asked.experiment), asked.first_cut),))
    seen = pace(asked, later, np.ones(3))
    assert seen[0] == seen[2] == 1
    assert 1 < seen[1] <= 3
    others = problem(LATE, 5, costs={"stragglers": [window, {
        "stage": 0, "from_s": 400.0, "to_s": 500.0, "factor": 9.0}]})
    assert pace(others, later, np.ones(3)).tolist() == seen.tolist()


def test_a_doubting_planner_does_not_chase_noise_and_still_sees_a_device_slow_down():
    keys = {"pipeline": {**LATE, "minibatches": 80}, "every": 8}
    noise = {"jitter": {"sigma": 0.5}}
    plain, doubts = problem(**keys, costs=noise), problem(**keys, costs=noise, doubt=4.0)
    chased, kept = (run_policy(Planner(each), POLICIES["recut"]) for each in (plain, doubts))
    assert len(chased.course.legs) > 1 == len(kept.course.legs)
    slower = problem(**keys, costs={"jitter": {"sigma": 0.2}, "trends": [SLOWER]}, doubt=4.0)
    found = run_policy(Planner(slower), POLICIES["recut"])
    assert found.course.legs[-1].cut[1] < 3
    exact = problem(**keys, costs={"trends": [SLOWER | {"to_s": 30.0}]}, doubt=100.0)
    course = Course((Leg(0, 72, own(exact.experiment), exact.first_cut),))
    assert pace(exact, course, np.ones(3)).tolist() == [1.0, 2.5, 1.0]  # no noise, no doubt


def test_noise_strikes_every_policy_alike_and_what_has_been_stays():
    asked = problem(costs={"jitter": {"sigma": 0.4}})
    one = moved(asked, 4, (3, 3, 3), (2, 3, 4)).timed.timeline
    other = moved(asked, 4, (3, 3, 3), (1, 2, 6)).timed.timeline
    early = one.program.rows.index < 16
    assert np.array_equal(one.end_s[early], other.end_s[early])
    split = next(each for each in named(asked.experiment) if each.name == "zb-h1")
    mixed = Course((Leg(0, 4, own(asked.experiment), (3, 3, 3)), Leg(4, 12, split, (3, 3, 3))))
    found = timed(asked, mixed).timeline
    mine = found.program.rows.index < 16
    assert np.array_equal(found.end_s[mine], one.end_s[early])


def test_a_stage_that_slows_down_gives_layers_away_and_the_run_is_faster():
    asked = problem({**FLUSHED, "minibatches": 40}, costs={"trends": [SLOWER]},
                    cluster={"bandwidth_bytes_per_s": 1e4})
    static, recut = both(asked, "static", "recut")
    assert recut.course.legs[-1].cut[1] < 3
    assert recut.timed.timeline.end_s.max() < 0.8 * static.timed.timeline.end_s.max()
    before, leg = recut.course.legs[:2]
    crosses = crossing(before.cut, leg.cut, asked.layer_bytes)
    assert leg.moved_bytes == crosses.sum() > 0
    assert leg.move_s == crosses.max() / 1e4
    assert np.array_equal(learn(asked, static).loss, learn(asked, recut).loss)


def test_greedy_takes_the_same_start_and_may_read_other_versions():
    asked = problem(LATE, costs={"trends": [SLOWER], "jitter": {"sigma": 0.5}})
    static, greedy = both(asked, "static", "greedy")
    assert static.course == greedy.course
    found = report(asked, greedy)
    assert any(len(stage) > 1 for stage in found["staleness"]["distribution"]["forward"])


def test_a_run_trains_as_the_simulators_training_does():
    """What pieces make, one loop over the whole joined program makes too, where layers stay."""
    asked = problem(LATE, costs={"trends": [SLOWER]})
    late = next(each for each in named(asked.experiment) if each.name == "1f1b")
    course = Course((Leg(0, 20, own(asked.experiment)), Leg(20, 20, late)))
    found = PolicyRun(POLICIES["replan"], course, timed(asked, course))
    setup = found.timed.setup
    stages, _ = learners(setup, found.timed.plan, setup.task)
    whole = found.timed.timeline.program
    result = train(execution_order(whole), stages, setup.task, whole)
    assert np.array_equal(learn(asked, found).loss, result.loss)


def test_rows_are_paired_with_the_first_and_a_refusal_is_a_row():
    asked = problem(task="none", layers=None)
    found = rows(asked, policies("static,recut"), [0, 1])
    assert found[0]["versus"] is None
    assert found[0]["throughput_minibatches_per_s_values"] is not None
    assert "pipeline.layout" in found[1]["refused"]
    found = rows(problem(costs={"jitter": {"sigma": 0.3}}), policies("static,greedy"), [0, 1])
    assert found[1]["versus"] == "static"
    assert found[1]["paired"]["final_loss"]["values"] == [1.0, 1.0]
    assert len(found[1]["courses"]) == 2


def test_a_layouts_layers_move_too():
    asked = problem({"schedule": "1f1b", "microbatches": 4, "minibatches": 24,
                     "layout": "t*3|t*3|t*3"}, costs={
        "trends": [SLOWER], "per_layer": {"t": {"forward_s": 0.4, "backward_s": 0.8,
                                                "weight_bytes": 1000.0, "output_bytes": 10.0}}},
        cluster={"bandwidth_bytes_per_s": 1e5}, state_copies=3.0)
    found = run_policy(Planner(asked), POLICIES["recut"])
    assert len(found.course.legs) > 1
    assert found.course.legs[1].moved_bytes % 4000 == 0
    assert learn(asked, found) is not None


@pytest.mark.parametrize(("keys", "said"), [
    ({"every": 0}, "--every"), ({"pipeline": {**FLUSHED, "dispatch": "greedy"}},
                                "pipeline.dispatch"),
    ({"pipeline": {**FLUSHED, "schedule": "interleaved", "stages": 6, "chunks": 2}}, "chunks"),
    ({"orders": ("zb-h3",)}, "zb-h1"),
    ({"cluster": {"activation_bytes": 2.0, "activation_limit_bytes": 1.0}}, "no order")])
def test_what_policies_cannot_take_is_refused(keys, said):
    with pytest.raises(ConfigurationError, match=said):
        _ = Planner(problem(**keys)).start


def test_unknown_policies_are_refused_with_the_nearest():
    with pytest.raises(ConfigurationError, match="did you mean static"):
        policies("statik")


def test_orders_read_no_staler_weights_than_the_experiments_own():
    names = [each.name for each in named(problem().experiment)]
    assert names[0] == "1f1b"
    assert "round-robin" not in names
    assert {"gpipe", "zb-h1"} < set(names)
    late = [each.name for each in named(problem(LATE).experiment)]
    assert late[0] == "round-robin"


def test_a_course_is_one_program_that_any_engine_can_settle():
    asked = problem()
    setup = set_up(asked, moved(asked, 4, (3, 3, 3), (2, 2, 5)).course)
    one, other = (settle(setup, engine=name).timeline for name in ("simpy", "exact"))
    assert np.array_equal(one.end_s, other.end_s)

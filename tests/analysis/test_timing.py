"""Bubble, communication wait and throughput against what can be worked out by hand."""

import pytest

from analysis.metrics.report import report
from analysis.metrics.timing import comm_wait_s, steady_of, timing
from analysis.terminal.report_tables import report_tables
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.trace import Trace
from tests.analysis.screens import shown


def simulated(pipeline: dict, costs: dict | None = None, cluster: dict | None = None) -> Trace:
    return run(resolve({"pipeline": pipeline, "costs": costs or {}, "cluster": cluster or {},
                        "training": {"task": "none"}}))


@pytest.mark.parametrize(("stages", "micro"), [(2, 4), (4, 8), (3, 5)])
def test_gpipe_bubble_is_the_papers(stages: int, micro: int) -> None:
    found = timing(simulated({"schedule": "gpipe", "stages": stages, "minibatches": 1,
                              "microbatches": micro}))
    assert found.bubble_fraction == pytest.approx((stages - 1) / (micro + stages - 1))
    assert found.comm_wait_fraction == 0
    assert found.makespan_s == 2 * (micro + stages - 1)


@pytest.mark.parametrize(("schedule", "idle"), [
    ("1f1b", [9.0, 6.0, 3.0, 0.0]),  # device k works from kf to the end less kb: (P-1-k)(f+b)
    ("gpipe", [9.0, 6.0, 3.0, 0.0])])
def test_span_idle_counts_from_a_devices_own_first_instruction_to_its_last(schedule, idle):
    trace = simulated({"schedule": schedule, "stages": 4, "minibatches": 1, "microbatches": 8},
                      {"backward_s": 2.0, "update_s": 0.0})
    found = timing(trace)
    assert found.span_idle_s.tolist() == idle
    assert found.makespan_s * 4 * found.bubble_fraction == pytest.approx(4 * 3 * 3.0)
    assert found.span_idle_fraction == pytest.approx(18 / (4 * 24 + 18))
    said = shown(report_tables(report(trace)), 200)
    assert "span idle      15.8 % of the time" in said
    assert "at most 9 s, on device 0" in said


def test_no_device_waits_within_its_span_where_stages_are_alike_and_nothing_flushes():
    found = report(simulated({"stages": 1, "minibatches": 8}))
    assert (found["span_idle_s"], found["span_idle_fraction"]) == ([0.0], 0.0)
    nothing = report(simulated({"minibatches": 20}, {"forward_s": 0.0, "backward_s": 0.0}))
    assert (nothing["span_idle_s"], nothing["span_idle_fraction"]) == ([0.0] * 3, None)


def test_wait_for_a_message_is_told_from_other_bubbles() -> None:
    """Two stages, one mini-batch, 1 s passes, 0.5 s links: each device waits 0.5 s for one."""
    trace = simulated({"schedule": "sequential", "stages": 2, "minibatches": 1},
                      cluster={"latency_s": 0.5})
    found = timing(trace)
    assert found.makespan_s == 5
    assert found.comm_wait_fraction == pytest.approx(1.0 / 10)
    assert found.bubble_fraction == pytest.approx(1 - 4 / 10)
    assert comm_wait_s(trace).sum() == 1.0


def test_lowered_program_waits_as_long(tmp_path) -> None:
    from sim.schedules import SCHEDULES

    experiment = resolve({"pipeline": {"minibatches": 9}, "cluster": {"latency_s": 0.25},
                          "training": {"task": "none"}})
    program = SCHEDULES["round-robin"].program(experiment.shape)
    plain, lowered = run(experiment, program), run(experiment, program.lower())
    assert timing(plain).comm_wait_fraction == timing(lowered).comm_wait_fraction > 0
    assert timing(plain).bubble_fraction == timing(lowered).bubble_fraction


def test_steady_state_leaves_out_s_minibatches_at_each_end() -> None:
    shapes = [simulated({"stages": 3, "minibatches": m}).shape for m in (60, 8, 7, 6)]
    assert [steady_of(each) for each in shapes] == [(4, 57), (4, 5), (4, 4), None]


@pytest.mark.parametrize(("minibatches", "rate", "said"), [
    (1, None, "of 1 the first and the last 3 are not steady"),
    (6, None, "of 6 the first and the last 3 are not steady"),
    (7, None, "a rate needs two steady mini-batches"),
    (8, 0.5, None)])
def test_a_steady_rate_needs_two_steady_minibatches(minibatches, rate, said) -> None:
    found = report(simulated({"stages": 3, "minibatches": minibatches}))
    assert found["steady_throughput_minibatches_per_s"] == rate
    assert (said or "") in (found["steady_throughput_reason"] or "")
    assert (found["steady_throughput_reason"] is None) == (said is None)
    text = shown(report_tables(found), 200)
    assert (said or "mini-batches 4 to 5 of 8") in text
    assert ("means are of the whole run" in text) == (minibatches <= 6)


def test_several_workers_have_as_many_more_at_each_end() -> None:
    rates = {m: timing(simulated_together(m)).steady_throughput_minibatches_per_s
             for m in (12, 16)}
    assert rates[12] is None
    assert rates[16] == pytest.approx(2 * 0.5)


def test_no_time_at_all_has_no_rate_and_says_why() -> None:
    found = report(simulated({"minibatches": 20}, {"forward_s": 0.0, "backward_s": 0.0}))
    assert found["steady_throughput_minibatches_per_s"] is None
    assert found["steady_throughput_reason"].startswith("no time passes")


def simulated_together(minibatches: int) -> Trace:
    return run(resolve({"pipeline": {"minibatches": minibatches}, "workers": {"count": 2},
                        "training": {"width": 8}}), training=False)


def test_steady_throughput_is_the_slowest_stage() -> None:
    found = timing(simulated({"stages": 3, "minibatches": 40},
                             {"forward_s": [1.0, 2.0, 0.5], "backward_s": [1.0, 3.0, 0.5]}))
    assert found.steady_throughput_minibatches_per_s == pytest.approx(1 / 5)


def test_utilisation_is_the_complement_of_the_bubble() -> None:
    found = timing(simulated({"stages": 4, "minibatches": 12}, {"jitter": {"sigma": 0.3}}))
    assert 1 - found.utilisation.mean() == pytest.approx(found.bubble_fraction)


def test_recompute_takes_one_more_forward_of_time_and_less_memory_but_of_one_in_flight() -> None:
    common = {"stages": 3, "minibatches": 30}
    graph, again = (report(run(resolve({"pipeline": common | {"backward": how}})))
                    for how in ("graph", "recompute"))
    assert graph["steady_throughput_minibatches_per_s"] == pytest.approx(1 / 2)
    assert again["steady_throughput_minibatches_per_s"] == pytest.approx(1 / 3)
    *early, last = zip(again["memory"]["peak_activation_bytes"],
                       graph["memory"]["peak_activation_bytes"], strict=True)
    assert all(a < g for a, g in early)
    assert last[0] == last[1]  # of one micro-batch in flight all is there again in the backward

"""Staleness, inconsistency and distances of the report."""

import pytest

from analysis.metrics.report import report
from analysis.terminal.report_tables import distribution_table, report_tables
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.rows import plain
from tests.analysis.screens import shown
from tests.sim.experiments import by_pass


def reported(mitigation: object = "none", **pipeline: object) -> dict:
    return report(run(resolve({"pipeline": {"mitigation": mitigation, **pipeline}})))


@pytest.mark.parametrize(("mitigation", "forward", "backward", "inconsistent", "vertical"), [
    ("none", [3, 2, 1, 0], [0, 0, 0, 0], 3 / 4, 1),
    ("stash", [3, 2, 1, 0], [3, 2, 1, 0], 0, 1),
    ("vertical-sync", [3, 3, 3, 3], [3, 3, 3, 3], 0, 0),
])
def test_staleness_and_inconsistency_by_mitigation(
        mitigation: str, forward: list, backward: list, inconsistent: float,
        vertical: float) -> None:
    found = reported(mitigation, stages=4)
    assert found["staleness"]["forward"] == forward
    assert found["staleness"]["backward"] == backward
    assert found["staleness"]["max"] == 3
    assert found["inconsistent_fraction"] == pytest.approx(inconsistent)
    assert found["vertical_inconsistent_fraction"] == vertical


def test_interpolation_reports_its_effective_staleness() -> None:
    found = reported({"name": "i-timeprest", "weighting": "reciprocal"}, stages=4)
    assert found["staleness"]["backward"] == [3, 2, 1, 0]
    assert found["staleness"]["effective_backward"] == pytest.approx([3 / 4, 2 / 3, 1 / 2, 0])


def test_synchronous_schedules_have_no_staleness_and_no_distance() -> None:
    found = reported(schedule="1f1b", microbatches=4)
    assert found["staleness"]["max"] == 0
    assert found["weight_distance"] == {"forward": [0, 0, 0], "backward": [0, 0, 0]}
    assert found["weight_gap"]["forward"] == [0, 0, 0]


def test_prediction_brings_stage_0_nearer_than_stale_weights() -> None:
    stale, predicted = reported(), reported("spectrain")
    assert (predicted["weight_distance"]["forward"][0]
            < 0.7 * stale["weight_distance"]["forward"][0])


def test_gap_is_distance_in_updates() -> None:
    """A steady walk: at staleness d the gap is near d, and never above it by much."""
    gap = reported(minibatches=200)["weight_gap"]["forward"]
    assert 1.2 < gap[0] < 2.2
    assert 0.7 < gap[1] < 1.2
    assert gap[2] == 0


def test_plain_turns_what_json_lacks_into_none() -> None:
    assert plain({"a": [float("nan"), float("inf"), 1.5]}) == {"a": [None, None, 1.5]}


def test_a_report_says_how_many_updates_came_too_late_and_how_late_all_were() -> None:
    noisy = resolve({"pipeline": {"stages": 5, "minibatches": 60, "dispatch": "greedy",
                                  "mitigation": "delay-adaptive"},
                     "costs": {"jitter": {"sigma": 0.8}}, "training": {"task": "none"}})
    trace = run(noisy)
    late = by_pass(trace, "staleness")
    share = [float((row > 5 - k).mean()) for k, row in enumerate(late)]
    found = report(trace)["staleness"]
    assert found["slowed_fraction"] == pytest.approx(share)
    assert share[2] > 0
    for k, counts in enumerate(found["distribution"]["forward"]):
        steady = late[k, 5:-5].astype(int).tolist()
        assert counts == {str(value): steady.count(value) for value in sorted(set(steady))}
    for columns in (80, 200):
        assert "slowed %" in shown(report_tables(report(trace)), columns)
        assert "staleness distribution" in shown(distribution_table(report(trace)), columns)


def test_rates_too_small_for_the_bound_are_slowed_by_nothing() -> None:
    rule = {"name": "delay-adaptive", "concurrency": 1, "smoothness": 1.0}
    assert reported(rule)["staleness"]["slowed_fraction"] == [0, 0, 0]
    steep = reported(rule | {"smoothness": 10.0}, minibatches=10)["staleness"]["slowed_fraction"]
    assert steep == pytest.approx([0.8, 0, 0])
    assert reported("stash")["staleness"]["slowed_fraction"] is None


@pytest.mark.parametrize("rule", ["all-reduce", "apart"])
def test_copies_are_slowed_as_they_step(rule: str) -> None:
    """Stage 0 has two copies; each is late by one update of its own, then by two, in turn."""
    found = report(run(resolve({
        "pipeline": {"schedule": "hybrid", "replicas": [2, 1, 1], "minibatches": 24,
                     "mitigation": {"name": "delay-adaptive", "concurrency": 1}},
        "workers": {"copies": rule}, "training": {"task": "none"}})))["staleness"]
    assert set(found["distribution"]["forward"][0]) == {"1", "2"}
    assert found["slowed_fraction"][1:] == [0, 0]
    assert 0.4 < found["slowed_fraction"][0] <= 1

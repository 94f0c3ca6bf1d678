"""Staleness, inconsistency and distances of the report."""

import pytest

from analysis.metrics.report import report
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.rows import plain


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

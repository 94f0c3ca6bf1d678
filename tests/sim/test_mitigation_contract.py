"""What every mitigation owes on every schedule: it runs, or is refused with a reason."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from sim.errors import ConfigurationError
from sim.mitigations import MITIGATIONS
from sim.op import Op
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from tests.sim.experiments import by_pass, experiment, simulate
from tests.sim.fitting import fitted, size_keys
from tests.sim.pairs import accepted, table

EVERY = pytest.mark.parametrize("name", MITIGATIONS.names())
SIZES = [(1, 1, 1), (2, 3, 1), (3, 7, 2), (4, 5, 4), (5, 2, 1)]


def test_the_mitigations_of_the_papers_are_there():
    assert {"none", "stash", "vertical-sync", "spectrain", "spectrain-stashed", "nwpt",
            "timeprest", "v-timeprest", "i-timeprest", "delay-adaptive"} <= set(MITIGATIONS.names())


@EVERY
def test_a_mitigation_says_its_rule_and_source(name):
    kind = MITIGATIONS[name]
    assert kind.name == name
    assert kind.rule
    assert kind.source
    assert kind() == kind()


def sizes(schedule: str) -> Iterator[PipelineShape]:
    """Small shapes that a schedule takes."""
    for size in SIZES:
        yield fitted(schedule, PipelineShape(*size))


@pytest.mark.parametrize(("name", "schedule", "backward"), table(
    MITIGATIONS.names(), SCHEDULES.names(), ["graph", "recompute"]))
def test_a_pair_runs_to_the_end_or_is_refused_with_a_reason(name, schedule, backward):
    for shape in sizes(schedule):
        asked = {"schedule": schedule, "mitigation": name, "backward": backward,
                 "task": "quadratic", **size_keys(shape)}
        if not accepted(schedule, name, shape.stages, shape.microbatches, shape.chunks):
            with pytest.raises(ConfigurationError, match=r"pipeline.mitigation: .+"):
                experiment(**asked)
            continue
        trace = simulate(**asked)
        assert np.bincount(trace.op)[0] == shape.stages * shape.total
        assert np.isfinite(trace.header.training.final_loss)
        assert trace.header.training.diverged_at is None


@pytest.mark.parametrize(("name", "schedule"), table(MITIGATIONS.names(), SCHEDULES.names()))
def test_versions_read_exist_and_are_no_newer_than_the_one_updated(name, schedule):
    for shape in sizes(schedule):
        if accepted(schedule, name, shape.stages, shape.microbatches, shape.chunks):
            trace = simulate(schedule=schedule, mitigation=name, task="none", **size_keys(shape))
            assert np.all(trace.version_read >= 0)
            assert np.all(trace.version_read <= trace.version_applied)
            applied = by_pass(trace, "version_applied")
            assert np.all(applied == np.arange(applied.shape[1]) // shape.microbatches)


FLUSHED = [name for name in SCHEDULES.names()
           if name not in ("round-robin", "nf1b", "paci", "hybrid")]


@pytest.mark.parametrize("schedule", FLUSHED)
def test_an_order_that_is_flushed_reads_fresh_weights_under_every_mitigation(schedule):
    """Also where the last mini-batch is smaller; 2BW alone is a mini-batch late by its rule."""
    shape = fitted(schedule, PipelineShape(3, 4, 4))
    least = fitted(schedule, PipelineShape(3, 1, 1)).microbatches
    smaller = replace(shape, last_microbatches=least)
    for name in MITIGATIONS.names():
        for size in (shape, smaller):
            if not accepted(schedule, name, size.stages, size.microbatches, size.chunks):
                continue
            trace = simulate(schedule=schedule, mitigation=name, task="none", **size_keys(size))
            forwards = trace.op == Op.F
            late = (name == "2bw") * (trace.version_applied[forwards] > 0)
            assert np.all(trace.staleness[forwards] == late)


def refusal(**keys) -> str:
    with pytest.raises(ConfigurationError) as caught:
        experiment(task="none", **keys)
    return str(caught.value)


@pytest.mark.parametrize("name", ["timeprest", "v-timeprest"])
@pytest.mark.parametrize("schedule", ["gpipe", "1f1b", "round-robin", "sequential"])
def test_timeprest_is_refused_off_nf1b(name, schedule):
    said = refusal(schedule=schedule, mitigation=name)
    assert said == f"pipeline.mitigation: {name} is defined on nf1b, not on {schedule}"


@pytest.mark.parametrize("stages", range(1, 8))
@pytest.mark.parametrize("microbatches", [1, 2, 4])
def test_v_timeprest_is_accepted_exactly_up_to_one_stage_more_than_micro_batches(
        stages, microbatches):
    keys = {"schedule": "nf1b", "mitigation": "v-timeprest", "stages": stages,
            "microbatches": microbatches}
    if stages <= microbatches + 1:
        assert experiment(task="none", **keys)
    else:
        said = refusal(**keys)
        assert f"got {stages} stages and {microbatches} micro-batches" in said


@pytest.mark.parametrize("name", ["spectrain", "spectrain-stashed"])
@pytest.mark.parametrize(("schedule", "microbatches"), [
    ("gpipe", 1), ("1f1b", 4), ("nf1b", 2), ("sequential", 1), ("round-robin", 2)])
def test_the_time_unit_horizon_is_refused_off_the_papers_pipeline(name, schedule, microbatches):
    table = {"name": name, "horizon": "time-unit"}
    said = refusal(schedule=schedule, microbatches=microbatches, mitigation=table)
    assert "time-unit horizon is defined on round-robin" in said
    assert 'use horizon = "update"' in said
    assert accepted(schedule, {"name": name, "horizon": "update"}, 3, microbatches)
    assert accepted("round-robin", table, 3, 1)


@pytest.mark.parametrize("name", ["none", "stash", "vertical-sync", "spectrain",
                                  "spectrain-stashed", "nwpt", "i-timeprest", "delay-adaptive"])
@pytest.mark.parametrize("schedule", ["sequential", "gpipe", "1f1b", "round-robin", "nf1b"])
def test_what_is_defined_everywhere_is_accepted_everywhere(name, schedule):
    assert accepted(schedule, name, 4, 2)

"""Versions, staleness and versions held, against the papers and against a plain walk."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.experiment.making import make_mitigation
from sim.mitigations import Mitigation
from sim.op import Op
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.weights.versions import VersionPlan
from tests.oracles.version_walk import most_held, updates_seen, versions_read
from tests.sim.experiments import TIMES, by_pass, simulate, steady
from tests.sim.pairs import accepted
from tests.sim.strategies import names, shapes

STAGES = pytest.mark.parametrize("stages", range(1, 9))


def round_robin(stages: int, mitigation: str):
    return simulate(schedule="round-robin", stages=stages, minibatches=4 * stages + 2,
                    mitigation=mitigation, **TIMES)


def staleness(trace, op: Op) -> np.ndarray:
    return by_pass(trace, "staleness", op)[:, steady(trace.shape)]


def column(values) -> np.ndarray:
    return np.array(list(values))[:, None]


@STAGES
def test_stash_is_stale_by_the_stages_after_it_and_holds_as_many_versions(stages):
    trace = round_robin(stages, "stash")
    expected = column(stages - 1 - k for k in range(stages))
    assert np.all(staleness(trace, Op.F) == expected)
    assert np.all(staleness(trace, Op.B) == expected)
    assert trace.header.versions_held == [stages - k for k in range(stages)]


@STAGES
def test_vertical_sync_is_equally_stale_on_every_stage_and_holds_s_versions(stages):
    trace = round_robin(stages, "vertical-sync")
    assert np.all(staleness(trace, Op.F) == stages - 1)
    assert np.all(staleness(trace, Op.B) == stages - 1)
    assert trace.header.versions_held == [stages] * stages


@STAGES
def test_vanilla_forwards_are_stale_and_its_backwards_are_not(stages):
    trace = round_robin(stages, "none")
    assert np.all(staleness(trace, Op.F) == column(stages - 1 - k for k in range(stages)))
    assert np.all(staleness(trace, Op.B) == 0)
    assert trace.header.versions_held == [1] * stages


@STAGES
@pytest.mark.parametrize("more", [-1, 0, 3])
def test_v_timeprest_holds_one_version(stages, more):
    n = stages + more
    if n < 1:
        n = 1
    if stages <= n + 1:
        trace = simulate(schedule="nf1b", stages=stages, microbatches=n, minibatches=12,
                         mitigation="v-timeprest", **TIMES)
        assert trace.header.versions_held == [1] * stages


def test_the_first_minibatches_read_the_first_version():
    trace = round_robin(4, "stash")
    assert by_pass(trace, "version_read")[:, :4].tolist() == [
        [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 2], [0, 1, 2, 3]]


WALKED = ["none", "nwpt", "spectrain", "v-timeprest", "stash", "i-timeprest",
          "spectrain-stashed", "vertical-sync", "timeprest"]


@given(names, shapes(5, 7), st.sampled_from(WALKED))
def test_versions_are_those_of_a_walk_through_the_streams(schedule, shape, mitigation):
    if not accepted(schedule, mitigation, shape.stages, shape.microbatches):
        return
    trace = simulate(schedule=schedule, mitigation=mitigation, stages=shape.stages,
                     minibatches=shape.minibatches, microbatches=shape.microbatches, **TIMES)
    seen = updates_seen(trace.program())
    for row in range(len(trace)):
        each = trace.instruction(row)
        micros = range(each.index, each.index + each.count)
        applied = seen["U", each.stage, each.index]
        assert trace.version_applied[row] == applied
        if each.op in (Op.F, Op.B):
            read = [versions_read(mitigation, seen, each.stage, m)[int(each.op)] for m in micros]
            assert trace.version_read[row] == min(read)
            mean = sum(applied - version for version in read) / len(read)
            assert trace.staleness[row] == pytest.approx(mean, abs=1e-12)


@given(names, shapes(4, 6), st.sampled_from([m for m in WALKED if m != "spectrain-stashed"]))
def test_versions_held_are_the_most_that_are_newest_or_still_to_be_read(schedule, shape,
                                                                        mitigation):
    if not accepted(schedule, mitigation, shape.stages, shape.microbatches):
        return
    program = SCHEDULES[schedule].program(shape)
    seen = updates_seen(program)
    held = VersionPlan.of(program, make_mitigation(mitigation)).versions_held
    for stage in range(shape.stages):
        reads = {m: versions_read(mitigation, seen, stage, m) for m in range(shape.total)}
        assert held[stage] == most_held(program, stage, reads)


@pytest.mark.parametrize("horizon", ["update", "time-unit"])
@pytest.mark.parametrize("stages", range(1, 7))
def test_a_stashed_prediction_is_held_beside_the_newest_weights(stages, horizon):
    trace = simulate(schedule="round-robin", stages=stages, minibatches=4 * stages + 2,
                     mitigation={"name": "spectrain-stashed", "horizon": horizon}, **TIMES)
    for k, held in enumerate(trace.header.versions_held):
        steps = stages - 1 - k + (k // 2 if horizon == "time-unit" else 0)
        in_flight = stages - k  # forwards done whose backward is to come, at their most
        assert held == 1 + (in_flight if steps else 0)


class Prophet(Mitigation):
    name = "prophet"

    def forward_version(self, reads):
        return reads.latest + 1


def test_a_version_that_cannot_exist_is_refused_by_name():
    program = SCHEDULES["round-robin"].program(PipelineShape(2, 3))
    with pytest.raises(ValueError, match="mitigation 'prophet' needs version 1 for the forward of "
                                         "micro-batch 0 on stage 0, where only 0 exists"):
        VersionPlan.of(program, Prophet())

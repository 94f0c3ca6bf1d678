"""Versions and bytes held over time."""

import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.advice.footprint import footprint
from analysis.metrics.memory import Changes, memory, steps
from analysis.metrics.report import report
from analysis.metrics.staleness import plan_of
from sim.errors import ConfigurationError
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.header import StageBytes
from sim.mitigations import MITIGATIONS
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.times.profile import Profile, StageProfile
from tests.sim.experiments import experiment, simulate
from tests.sim.strategies import placed


def held(mitigation: str, schedule: str = "round-robin", n: int = 1, **pipeline: object):
    document = {"pipeline": {"schedule": schedule, "microbatches": n, "mitigation": mitigation,
                             **pipeline},
                "costs": {"update_s": 0.25}, "training": {"batch_size": 24}}
    trace = run(resolve(document), training=False)
    return trace, memory(trace, plan_of(trace))


def test_changes_at_one_end_of_a_row_count_together() -> None:
    """What a row gives back as it ends is gone before the next begins at that moment."""
    found = steps(Changes(np.array([2.0, 0.0, 2.0, 1.0, 2.0]), np.array([3, 0, 3, 2, 4]),
                          np.array([1.0, 1.0, -2.0, 3.0, 2.0])))
    assert found.time_s.tolist() == [0, 1, 2, 2]
    assert found.value.tolist() == [1, 4, 3, 5]


@pytest.mark.parametrize("mitigation", MITIGATIONS.names())
def test_peak_over_time_is_the_plans_versions_held(mitigation: str) -> None:
    order = ("round-robin", 4) if mitigation == "2bw" else ("nf1b", 3)
    trace, stages = held(mitigation, *order, stages=4)
    assert [int(s.versions.peak) for s in stages] == trace.header.versions_held
    assert all(s.versions.value.min() >= 1 for s in stages)


def test_stash_bytes_follow_the_papers_versions() -> None:
    _, stages = held("stash", stages=5)
    for k, stage in enumerate(stages):
        assert stage.stash_bytes.peak == (5 - k - 1) * stage.weight_bytes
        assert stage.stash_bytes.value[-1] == 0


def test_activations_in_flight_are_s_minus_k() -> None:
    trace, stages = held("none", stages=4)
    kept = trace.header.sizes.activation_bytes
    for k, stage in enumerate(stages):
        assert stage.activation_bytes.peak == (4 - k) * kept[k]
        assert stage.activation_bytes.value[-1] == 0
        assert stage.total_bytes.peak <= stage.activation_bytes.peak + 4 * stage.weight_bytes


def test_sizes_are_those_of_the_numpy_arrays() -> None:
    trace, _ = held("none", stages=3)
    layers = [(64, 64), (64, 64), (64, 10)]
    assert trace.header.sizes.weight_bytes == [8 * (i + 1) * o for i, o in layers]
    assert trace.header.sizes.boundary_bytes == [8 * 24 * 64] * 2


def stages_of(trace):
    return memory(trace, plan_of(trace))


def test_a_profiled_stage_that_recomputes_has_one_full_set_beside_its_inputs(tmp_path) -> None:
    """FAULTS row 1: an input is 1 byte and the activations 10, so S−k inputs and 10."""
    stage = {"forward_s": 1, "backward_s": 2, "recompute_s": 1, "weight_bytes": 0,
             "activation_bytes": 10, "input_bytes": 1}
    path = tmp_path / "profile.json"
    path.write_text(json.dumps({"format": "pipestale-profile", "version": 1,
                                "stages": 4 * [stage]}))
    keys = {"schedule": "1f1b", "stages": 4, "minibatches": 1, "microbatches": 8,
            "profile": str(path), "task": "none"}
    held = report(simulate(**keys, backward="recompute"))["memory"]
    assert held["peak_bytes"] == held["peak_device_bytes"] == [14, 13, 12, 11]
    assert report(simulate(**keys))["memory"]["peak_bytes"] == [40, 30, 20, 10]


def test_arrays_that_are_made_again_leave_out_the_input_that_is_kept() -> None:
    """FAULTS row 1: weights, four inputs, and the rest of what one micro-batch has."""
    trace = simulate(schedule="gpipe", stages=4, microbatches=4, minibatches=4, batch_size=28,
                     layers=8, backward="recompute")
    assert report(trace)["memory"]["peak_bytes"] == [88064, 88064, 88064, 56960]


def test_halves_of_a_recomputed_backward_hold_its_activations_from_one_to_the_other() -> None:
    program = Program.parse("0F0,0F1,0I0,0I1,0W0,0W1,0U0,0U1\n", PipelineShape(1, 2))
    trace = simulate(program, stages=1, minibatches=2, activation_bytes=10.0, task="none",
                     backward="recompute")
    assert stages_of(trace)[0].activation_bytes.value.tolist() == [0, 0, 10, 20, 10, 0]


def test_one_backward_of_several_micro_batches_makes_them_again_one_by_one() -> None:
    trace = simulate(schedule="nf1b", stages=2, microbatches=3, minibatches=4, task="none",
                     backward="recompute", activation_bytes=10.0, boundary_bytes=1.0)
    last = stages_of(trace)[-1].activation_bytes
    assert last.peak == 3 + 10  # its inputs are what crosses the boundary before it


def test_what_takes_no_time_is_held_for_its_moment() -> None:
    trace = simulate(stages=2, minibatches=4, backward_s=0.0, recompute_s=0.0, task="none",
                     activation_bytes=10.0, backward="recompute")
    assert [stage.activation_bytes.peak for stage in stages_of(trace)] == [10, 10]


def test_a_trace_from_before_has_no_activations_made_again() -> None:
    kept = {"weight_bytes": [1.0], "activation_bytes": [2.0], "boundary_bytes": []}
    assert StageBytes.of(kept).recomputed_bytes == []
    assert StageBytes.of(kept).as_dict() == kept


@pytest.mark.parametrize(("mitigation", "copies"), [
    ("none", [0, 0, 0, 0]), ("stash", [0, 0, 0, 0]), ("spectrain", [1, 1, 1, 1]),
    ({"name": "spectrain", "horizon": "update"}, [1, 1, 1, 0]), ("nwpt", [1, 1, 1, 1]),
    ("spectrain-stashed", [0, 0, 0, 0]), ("i-timeprest", [1, 1, 1, 0]),
    ({"name": "i-timeprest", "decay": 0.0}, [0, 0, 0, 0]),
    ({"name": "i-timeprest", "decay": np.inf}, [0, 0, 0, 0]),
    ({"name": "i-timeprest", "weighting": "reciprocal"}, [1, 1, 1, 0])])
def test_weights_made_for_one_pass_count_while_it_runs(mitigation, copies) -> None:
    """FAULTS row 6: those of a pass whose horizon or gap is 0 are a version's own."""
    trace = simulate(stages=4, minibatches=12, mitigation=mitigation)
    for stage, count in zip(stages_of(trace), copies, strict=True):
        assert stage.copy_bytes.peak == count * stage.weight_bytes
        assert not count or stage.copy_bytes.value[-1] == 0
    plain = report(simulate(stages=4, minibatches=12))["memory"]["peak_bytes"]
    held = report(trace)["memory"]["peak_bytes"]
    assert all(more > less for more, less, n in zip(held, plain, copies, strict=True) if n)


def test_copies_live_from_the_start_to_the_end_of_their_pass() -> None:
    trace = simulate(stages=2, minibatches=3, mitigation="nwpt", task="none")
    for k, stage in enumerate(stages_of(trace)):
        passes = (trace.stage == k) & (trace.op <= 1)
        moments = np.sort(np.concatenate((trace.start_s[passes], trace.end_s[passes])))
        assert stage.copy_bytes.time_s.tolist() == moments.tolist()


def test_flushed_passes_are_predicted_no_update_ahead_and_need_no_copy() -> None:
    trace = simulate(schedule="1f1b", stages=3, microbatches=3, minibatches=5, batch_size=6,
                     mitigation={"name": "spectrain", "horizon": "update"})
    assert all(stage.copy_bytes.peak == 0 for stage in stages_of(trace))


@pytest.mark.parametrize(("decay", "held"), [
    (np.inf, [1, 1, 1, 1]), (746.0, [1, 1, 1, 1]), (400.0, [2, 2, 2, 1]), (1.0, [4, 3, 2, 1]),
    (0.0, [4, 3, 2, 1])])
def test_versions_that_have_no_share_are_not_held(decay, held) -> None:
    """FAULTS row 4: exp(-746) and exp(-2*400) are 0 in float64, exp(-400) is not."""
    trace = simulate(stages=4, minibatches=12, mitigation={"name": "i-timeprest", "decay": decay})
    assert trace.header.versions_held == held
    assert [stage.versions.peak for stage in stages_of(trace)] == held


@given(placed(), st.sampled_from(MITIGATIONS.names()), st.sampled_from(["graph", "recompute"]),
       st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=3, max_size=3))
@settings(max_examples=60)
def test_a_runs_peaks_are_those_of_its_order_whatever_its_times(case, mitigation, backward, times):
    """The advisor counts by the order, a report by the clock; some instructions take no time."""
    schedule, shape = case
    assume(shape.chunks == shape.workers == 1)
    sizes = {"weight_bytes": 7.0, "activation_bytes": 50.0, "input_bytes": 3.0}
    forward, back, update = times
    profile = Profile(format="pipestale-profile", version=1, stages=tuple(
        StageProfile(forward_s=forward, backward_s=back, update_s=update, recompute_s=0.0, **sizes)
        for _ in range(shape.stages)))
    try:
        given = experiment(schedule=schedule.name, stages=shape.stages, backward=backward,
                           minibatches=shape.minibatches, microbatches=shape.microbatches,
                           mitigation=mitigation, task="none")
        trace = run(given, profile=profile)
    except ConfigurationError:
        assume(False)
    plan = plan_of(trace)
    held, counted = memory(trace, plan), footprint(plan, profile, backward, 0.0)
    assert [stage.total_bytes.peak for stage in held] == counted.peak.tolist()
    assert [stage.copy_bytes.peak for stage in held] == counted.copies.tolist()
    assert [stage.activation_bytes.peak for stage in held] == counted.activations.tolist()

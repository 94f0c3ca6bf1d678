"""Predicted peaks whose every byte can be added up by hand."""

import gc
from dataclasses import replace

import numpy as np
import pytest

from analysis.metrics.staleness import plan_of
from analysis.validation.memory import memory_entries, predicted_peaks
from analysis.validation.weight_sets import Count, StandIn, WeightSets
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.op import Op
from sim.times.profile import Profile, StageProfile

WEIGHTS, RESIDENT, HELD, ENTRY = 10.0, 20.0, 100.0, 5.0
RISES = {"F": 120.0, "B": 30.0, "U": 25.0}


def trace(schedule="round-robin", stages=2, training=None, **pipeline):
    return run(resolve({
        "pipeline": {"stages": stages, "minibatches": 8, "schedule": schedule, **pipeline},
        "training": {"task": "none", "distances": False, **(training or {})}}))


def profile(stages=2, placement=None, **changes):
    known = {"weight_bytes": WEIGHTS, "resident_bytes": RESIDENT, "held_bytes": HELD,
             "input_bytes": ENTRY, "rise_bytes": RISES, **changes}
    return Profile(format="pipestale-profile", version=1, placement=placement, stages=tuple(
        StageProfile(forward_s=1.0, backward_s=1.0, **known) for _ in range(stages)))


def test_a_peak_is_what_is_held_and_what_an_instruction_needs_beside_it():
    always = RESIDENT + WEIGHTS
    first, last = predicted_peaks(trace(), profile(), [[0], [1]])
    assert first == always + 2 * HELD + ENTRY + RISES["B"]  # with the gradient that has come
    assert last == always + HELD + RISES["B"]


def test_a_stash_is_held_beside_it():
    stashed, _ = predicted_peaks(trace(mitigation="stash"), profile(), [[0], [1]])
    plain, _ = predicted_peaks(trace(), profile(), [[0], [1]])
    assert stashed == plain + WEIGHTS


def test_a_sum_of_gradients_waits_for_its_update():
    two, _ = predicted_peaks(trace("gpipe", microbatches=2), profile(rise_bytes=RISES | {
        "B": 1000.0}), [[0], [1]])
    assert two == RESIDENT + WEIGHTS + 2 * HELD + ENTRY + 1000.0
    updating, _ = predicted_peaks(trace("gpipe", microbatches=2), profile(rise_bytes=RISES | {
        "U": 1000.0}), [[0], [1]])
    assert updating == RESIDENT + WEIGHTS + WEIGHTS + 1000.0


def test_a_wide_backward_gives_back_as_it_goes():
    """Before its second micro-batch the first is gone, but its messages are not."""
    wide = trace("nf1b", microbatches=2, stages=1, mitigation="none")
    peak, = predicted_peaks(wide, profile(stages=1, rise_bytes=RISES | {"B": 1000.0}), [[0]])
    assert peak == RESIDENT + WEIGHTS + 2 * HELD + 1000.0
    light = profile(stages=1, held_bytes=1.0, rise_bytes=RISES | {"B": 1000.0})
    peak, = predicted_peaks(wide, light, [[0]])
    assert peak == RESIDENT + WEIGHTS + 1.0 + WEIGHTS + 1000.0  # with the gradient of the first


def test_devices_that_share_a_memory_add_up_when_they_run():
    """Under `sequential` one pass runs at a time: its rise is beside what the other holds.

    The message between them is memory of the one, which the other refers to.
    """
    both, *apart = predicted_peaks(trace("sequential"), profile(), [[0, 1], [0], [1]])
    assert both == 2 * (RESIDENT + WEIGHTS) + 2 * HELD - ENTRY + RISES["B"]
    assert max(apart) < both < sum(apart)


def test_captured_stages_have_their_slots_all_the_time():
    captured = profile(held_bytes=0.0, slot_bytes=500.0, rise_bytes={
        "F": ENTRY, "B": ENTRY + WEIGHTS, "U": 25.0})
    first, last = predicted_peaks(trace(), captured, [[0], [1]])
    always = RESIDENT + WEIGHTS
    assert first == always + 2 * 500.0 + WEIGHTS + 25.0
    assert last == always + 500.0 + WEIGHTS + 25.0


def test_on_cuda_memory_is_handed_out_in_blocks_when_the_host_asks():
    given = trace("sequential")
    sizes = profile(placement=("cuda:0", "cuda:0"), weight_bytes=513.0, held_bytes=2048.0,
                    input_bytes=512.0)
    waiting, = predicted_peaks(given, sizes, [[0, 1]])
    beside = replace(given, asked_s=given.start_s, issued_s=given.end_s)
    assert predicted_peaks(beside, sizes, [[0, 1]]) == [waiting]
    forward = given.op == Op.F
    ahead = replace(given, asked_s=np.where(forward, 0.0, given.start_s),
                    issued_s=np.where(forward, 0.5, given.end_s))
    sooner, = predicted_peaks(ahead, sizes, [[0, 1]])
    assert sooner > waiting + 2048.0  # all forwards are asked for at once


def test_entries_say_how_far_off_the_prediction_is():
    measured = [{"device": "a", "stages": [0], "measured_bytes": 200},
                {"device": "b", "stages": [1], "measured_bytes": 160}]
    first, last = memory_entries(trace(), profile(), measured)
    assert first["rel_error"] == pytest.approx(265 / 200 - 1)
    assert last == measured[1] | {"predicted_bytes": 160.0, "rel_error": 0.0}
    unknown, _ = memory_entries(trace(), profile(rise_bytes={}), measured)
    assert unknown["predicted_bytes"] is None
    assert unknown["rel_error"] is None


def test_stand_ins_are_counted_while_they_live():
    one = StandIn.new(count := Count())
    two = 0.5 * one + one
    assert (count.vectors, count.scalars) == (2, 0)
    size = two.dot(two)
    del one
    two += 1.0
    assert (count.vectors, count.scalars) == (1, 1)
    del two, size
    gc.collect()
    assert (count.vectors, count.scalars) == (0, 0)


@pytest.mark.parametrize(("optimizer", "standing"), [("momentum", 1), ("adam", 3)])
def test_weight_sets_are_those_of_the_stage_itself(optimizer, standing):
    given = trace(mitigation="spectrain", training={"distances": True, "optimizer": optimizer})
    tables = given.header.experiment
    sets = WeightSets(0, plan_of(given), tables["training"], tables["pipeline"])
    assert sets.standing == standing
    before = sets.count.vectors
    sets.forward(0)
    sets.forward(1)
    assert sets.count.vectors == before + 2  # the predictions they computed with
    sets.backward(0)  # here with the weights themselves: no update is ahead of it
    assert sets.count.vectors == before + 3  # the gradient
    sets.update(0)
    assert sets.count.vectors == 1 + standing + 1  # the second prediction is still to be compared

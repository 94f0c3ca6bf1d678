"""Halves, micro-batches, devices and boundaries with seconds of their own, reckoned by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sim.__main__ import main
from sim.errors import ConfigurationError
from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.times.cluster import Link
from sim.times.load import loads
from tests.sim.experiments import TIMES, by_pass, experiment, simulate
from tests.sim.test_costs import lasting, write_profile

pytestmark = pytest.mark.filterwarnings("error")

ROW = "0F0,0I0,0W0,0U0,0F1,0I1,0W1,0U1\n"
FLUSH = {"schedule": "1f1b", "stages": 4, "minibatches": 1, "microbatches": 8, "backward_s": 2.0,
         **TIMES}


@pytest.mark.parametrize(("given_", "halves"), [
    ({}, (1.5, 1.5)), ({"input_backward_s": 0.5}, (0.5, 1.5)),
    ({"weight_backward_s": [0.25]}, (1.5, 0.25)),
    ({"input_backward_s": 14.0, "weight_backward_s": 6.0}, (14.0, 6.0)),
])
def test_halves_take_what_they_are_given_and_else_half_of_the_backward(given_, halves):
    trace = simulate(Program.parse(ROW, PipelineShape(1, 2)), schedule="file", stages=1,
                     minibatches=2, backward_s=3.0, **given_, **TIMES)
    assert (lasting(trace, Op.I) == halves[0]).all()
    assert (lasting(trace, Op.W) == halves[1]).all()


def test_a_half_that_is_given_wins_over_a_profiles(tmp_path):
    row = "0F0,0I0,0W0,0U0\n1F0,1I0,1W0,1U0\n"
    profile = write_profile(tmp_path / "p.json", input_backward_s=0.75, weight_backward_s=1.25)
    keys = {"schedule": "file", "stages": 2, "minibatches": 1, "profile": profile, **TIMES}
    trace = simulate(Program.parse(row), input_backward_s=[0.25, 0.5], **keys)
    assert lasting(trace, Op.I).ravel().tolist() == [0.25, 0.5]
    assert lasting(trace, Op.W).ravel().tolist() == [1.25, 1.25]


def test_a_heavy_micro_batch_holds_up_a_flush():
    """On four stages a micro-batch of weight x takes 3x: the four-fold one holds each in turn."""
    scaled = simulate(**FLUSH, microbatch_scale=[1.0, 1.0, 4.0, 1.0, 1.0, 1.0, 1.0, 2.0])
    assert scaled.end_s.max() == 77.0
    alike = simulate(**FLUSH, microbatch_scale=[1.5])
    assert alike.end_s.max() == 49.5 == 1.5 * simulate(**FLUSH).end_s.max()
    assert lasting(scaled, Op.F)[0].tolist() == [1.0, 1.0, 4.0, 1.0, 1.0, 1.0, 1.0, 2.0]
    assert lasting(scaled, Op.B)[3].tolist() == [2.0, 2.0, 8.0, 2.0, 2.0, 2.0, 2.0, 4.0]


def test_factors_repeat_within_a_mini_batch_and_begin_again_with_the_next():
    trace = simulate(**{**FLUSH, "microbatches": 3, "minibatches": 2, "update_s": 0.5},
                     microbatch_scale=[1.0, 3.0])
    assert lasting(trace, Op.F)[0].tolist() == [1.0, 3.0, 1.0, 1.0, 3.0, 1.0]
    assert np.nanmax(lasting(trace, Op.U)) == np.nanmin(lasting(trace, Op.U)) == 0.5


def test_a_backward_of_several_takes_their_mean_or_as_profiled_their_sum(tmp_path):
    keys = {"schedule": "nf1b", "stages": 2, "minibatches": 2, "microbatches": 4,
            "backward": "recompute", "microbatch_scale": [1.0, 4.0, 2.0], **TIMES}
    whole = simulate(**keys, backward_s=3.0, recompute_s=0.5)
    assert np.nanmax(lasting(whole, Op.B)) == 3.0 * 8 / 4 + 0.5 * 8
    profile = write_profile(tmp_path / "p.json", recompute_s=0.5)
    measured = simulate(**keys, profile=profile)
    assert np.nanmin(lasting(measured, Op.B)) == (2.0 + 0.5) * 8


def test_the_weight_of_an_instruction_is_the_sum_of_its_micro_batches_factors():
    op = np.array([Op.F, Op.B, Op.B, Op.U, Op.W])
    found = loads(np.array([1.0, 0.1, 4.0]), 4, op, np.array([5, 0, 6, 4, 3]),
                  np.array([1, 4, 2, 4, 1]))
    assert found.tolist() == [0.1, 1.0 + 0.1 + 4.0 + 1.0, 5.0, 4.0, 1.0]


def test_a_slow_device_is_slow_in_all_it_does_and_of_every_worker():
    keys = {"schedule": "interleaved", "stages": 4, "chunks": 2, "minibatches": 4,
            "microbatches": 2, "update_s": 0.5, "count": 2, "device_factor": [1.0, 3.0],
            "slowdown": [1.0, 2.0], "width": 4, "batch_size": 4}
    trace = simulate(**keys)
    took = (trace.end_s - trace.start_s)[trace.op != Op.U]
    factor = np.array([1.0, 3.0, 2.0, 6.0])
    assert np.array_equal(took, factor[trace.device[trace.op != Op.U]])
    updates = trace.op == Op.U
    assert np.array_equal((trace.end_s - trace.start_s)[updates], 0.5 * factor[trace.device[
        updates]])


def test_the_slowest_device_sets_the_pace_of_a_pipeline_that_never_flushes():
    trace = simulate(stages=3, minibatches=40, device_factor=[1.0, 1.0, 2.5], **TIMES)
    done = by_pass(trace, "end_s", Op.U)[0]
    assert done[30] - done[29] == 5.0


def test_each_boundary_has_a_link_of_its_own():
    """A message over boundary k takes latency k and its bytes at bandwidth k, both ways."""
    trace = simulate(schedule="gpipe", stages=3, minibatches=1, latency_s=[0.5, 2.0],
                     bandwidth_bytes_per_s=[100.0, 25.0], boundary_bytes=50.0, **TIMES)
    way = trace.arrived_s - trace.sent_s
    for op, found in ((Op.F, [1.0, 4.0]), (Op.B, [1.0, 4.0])):
        of = by_pass(trace, "arrived_s", op) - by_pass(trace, "sent_s", op)
        there = of[1:] if op is Op.F else of[:-1]
        assert there.ravel().tolist() == found
    assert trace.end_s.max() == 6.0 + np.nansum(way)


def test_workers_are_as_far_apart_as_the_slowest_link_unless_told():
    keys = {"schedule": "gpipe", "stages": 3, "minibatches": 2, "count": 2, "width": 4,
            "batch_size": 4, "boundary_bytes": 0.0, "latency_s": [0.25, 1.5]}
    free = simulate(**{**keys, "sync_latency_s": 0.0}).end_s.max()
    assert simulate(**keys).end_s.max() == free + 2 * 1.5
    link = Link(np.array([0.25, 1.5]), np.array([10.0, 5.0]))
    assert link.slowest() == Link(1.5, 5.0)
    assert Link(np.zeros(0), np.zeros(0)).slowest() == Link()


def test_two_boundaries_that_share_a_link_queue_on_it_with_seconds_of_their_own():
    """Stages 0 and 2 are on one device, 1 and 3 on the other: boundaries 0 and 2 go the same way,
    and what holds the link is as long as its own boundary's bytes take."""
    program = Program.parse("# pipestale program: stages=4 minibatches=1 microbatches=2 chunks=2\n"
                            "0F0,0F1,2F0,2F1,2B0,0B0,2B1,0B1\n1F0,1F1,3F0,3F1,3B0,1B0,3B1,1B1\n")
    keys = {"schedule": "file", "stages": 4, "chunks": 2, "minibatches": 1, "microbatches": 2,
            "forward_s": 0.5, **TIMES}
    trace = simulate(program, **keys, boundary_bytes=[10.0, 0.0, 40.0],
                     bandwidth_bytes_per_s=[5.0, 1.0, 40.0])
    arrived = by_pass(trace, "arrived_s")
    # 0F0 ends at 0.5, 0F1 at 1: their messages hold the link to 2.5 and 4.5
    assert arrived[1].tolist() == [2.5, 4.5]
    # 1F0 ends at 3, so 2F0 runs to 3.5; its message waits for that of 0F1, then takes 1 s
    assert arrived[2, 0] == 3.0
    assert arrived[3].tolist() == [5.5, 6.5]


def test_the_last_mini_batch_may_be_smaller(tmp_path):
    text = ("# pipestale program: stages=2 minibatches=2 microbatches=2 chunks=1 "
            "last_microbatches=1\n0F0,0F1,0B0-1,0U0-1,0F2,0B2,0U2\n"
            "1F0,1F1,1B0-1,1U0-1,1F2,1B2,1U2\n")
    keys = {"schedule": "file", "stages": 2, "minibatches": 2, "microbatches": 2,
            "last_microbatches": 1, "boundary_bytes": 10.0, "bandwidth_bytes_per_s": 20.0, **TIMES}
    file = write_profile(tmp_path / "p.json", update_s=0.25)
    trace = simulate(Program.parse(text), **keys, profile=file, microbatch_scale=[2.0, 3.0])
    assert lasting(trace, Op.F)[0].tolist() == [2.0, 3.0, 2.0]
    assert by_pass(trace, "end_s", Op.B)[0, 0] - by_pass(trace, "start_s", Op.B)[0, 0] == 10.0
    assert lasting(trace, Op.B)[0, 2] == 4.0
    back = by_pass(trace, "arrived_s", Op.B) - by_pass(trace, "sent_s", Op.B)
    assert back[0, [0, 2]].tolist() == [1.5, 1.0]  # bytes of two, and of one, and a latency of 0.5


@pytest.mark.parametrize(("keys", "said"), [
    ({"microbatch_scale": [1.0, 2.0]}, "costs.microbatch_scale: one number per micro-batch of a "
     "mini-batch, so up to 1, got 2"),
    ({"device_factor": [1.0, 2.0]}, "costs.device_factor: one number per device of a worker, so 3, "
     "got 2"),
    ({"stages": 4, "chunks": 2, "schedule": "interleaved", "microbatches": 2,
      "device_factor": [1.0] * 4}, "costs.device_factor: one number per device of a worker, so 2, "
     "got 4"),
    ({"latency_s": [1.0]}, "cluster.latency_s: one number per boundary between stages, so 2, "
     "got 1"),
    ({"bandwidth_bytes_per_s": [1.0] * 3}, "cluster.bandwidth_bytes_per_s: one number per "
     "boundary between stages, so 2, got 3"),
    ({"input_backward_s": [1.0]}, "costs.input_backward_s: one number per stage, so 3, got 1"),
])
def test_lists_of_another_length_are_refused(keys, said):
    with pytest.raises(ConfigurationError) as caught:
        experiment(**keys)
    assert said in caught.value.problems


@pytest.mark.parametrize("keys", [
    {"microbatches": 2, "microbatch_scale": [1.0, 1e4]}, {"device_factor": [1.0, 1.0, 1e4]}])
def test_what_factors_make_longer_than_ticks_count_is_refused(keys):
    with pytest.raises(ConfigurationError, match=r"F.* takes 1e\+10 s; times are counted"):
        simulate(schedule="gpipe", batch_size=32, forward_s=1e6, minibatches=1, **keys)


def test_the_door_takes_them_all(tmp_path):
    case = Path(tmp_path, "halves.csv")
    case.write_text("\n".join([
        "0F0,0F1,0F2,0I0,0W0,0F3,0I1,0W1,0I2,0W2,0I3,0W3",
        "1F0,1I0,1W0,1F1,1I1,1W1,1F2,1I2,1W2,1F3,1I3,1W3"]) + "\n")
    asked = ["run", "--program", str(case), "--json", "--set", "stages=2", "--set",
             "minibatches=1", "--set", "microbatches=4", "--set", "task=none"]
    for key in ("forward_s=10", "input_backward_s=14", "weight_backward_s=6",
                "microbatch_scale=[1, 1, 1, 2]", "device_factor=[1, 0.5]", "latency_s=[0.5]"):
        asked += ["--set", key]
    found = CliRunner().invoke(main, asked)
    assert found.exit_code == 0, found.output
    values = json.loads(found.stdout)
    # device 0 never waits: by 30 s, when it has done three forwards, the first gradient is there
    assert values["makespan_s"] == 5 * 10.0 + 5 * (14.0 + 6.0)

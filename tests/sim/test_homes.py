"""Stages with several homes: copies, their messages, versions and rounds of updates."""

import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.metrics.report import report
from sim.errors import ConfigurationError, InvalidProgramError
from sim.experiment.program_file import reshaped
from sim.experiment.run import run
from sim.op import Op
from sim.order.program import Program
from sim.order.replicated import replicated as whole
from sim.order.shape import PipelineShape
from sim.trace import Trace
from tests.oracles import homes
from tests.sim.experiments import experiment
from tests.sim.times.engines import NAMES

TWO_WAYS = ("0F0,0F1,1F2,1B2,1F3,1B3,0B0,0B1", "1F0,1B0,0F2,1F1,1B1,0F3,0B2,0B3")
REPLICATED = ("0F0,0B0,0U0,0F2,0B2,0U2", "0F1,0B1,0U1,0F3,0B3,0U3",
              "1F0,1B0,1U0,1F1,1B1,1U1,1F2,1B2,1U2,1F3,1B3,1U3")


def parsed(lines, *sizes, **options) -> Program:
    return Program.parse("\n".join(lines), PipelineShape(*sizes, **options)).validate()


def two_ways() -> Program:
    return parsed(TWO_WAYS, 2, 1, 4, ranks=2)


def replicated() -> Program:
    return parsed(REPLICATED, 2, 4, ranks=3)


def simulated(program: Program, engine: str = "auto", **keys) -> Trace:
    keys = {"task": "none", "backward_s": 2.0, **keys}
    return run(reshaped(experiment(**keys), program), program, engine=engine)


def test_copies_are_the_stages_on_each_of_their_devices():
    copies = two_ways().copies
    assert list(zip(copies.stage.tolist(), copies.device.tolist(), strict=True)) == [
        (0, 0), (0, 1), (1, 0), (1, 1)]
    assert copies.of.tolist() == [[0, 0, 1, 1], [3, 3, 2, 2]]
    assert copies.homes.tolist() == [2, 2]
    assert two_ways().several
    assert (two_ways().home == -1).all()


def test_a_copy_is_a_stage_where_each_has_one():
    program = parsed(["0F0,2F0,2B0,0B0", "1F0,1B0"], 3, 1, ranks=2)
    assert not program.several
    assert program.copies.stage.tolist() == [0, 1, 2]
    assert program.copies.device.tolist() == [0, 1, 0]


def test_updates_left_out_come_when_a_device_has_done_its_mini_batch():
    streams = str(two_ways()).splitlines()[1:]
    assert streams == [f"{TWO_WAYS[0]},1U0-3,0U0-3", f"{TWO_WAYS[1]},1U0-3,0U0-3"]


def test_two_directions_by_hand():
    """Both lists followed with a pencil: device 0 waits at 1F2 until 5 (0F2 is the third thing of
    device 1), at 1F3 until 9; stage 1 updates once 1B3 has ended at 12, stage 0 once 0B1 has."""
    trace = simulated(two_ways())
    device = [trace.start_s[trace.device == d].tolist() for d in (0, 1)]
    assert device == [[0, 1, 5, 6, 9, 10, 12, 14, 16, 16], [1, 2, 4, 5, 6, 8, 9, 12, 14, 16]]
    assert report(trace)["bubble_fraction"] == 1 - 24 / 32


@pytest.mark.parametrize(("copies", "makespan"), [("apart", 15.0), ("all-reduce", 18.0)])
def test_replicas_update_together_or_apart(copies, makespan):
    """Apart: stage 1 is busy 1 to 13 without a gap, and 2 s for the last backward of stage 0.

    Together: replica 0 waits for replica 1, which ends its backward of mini-batch 1 at 9 (stage 1
    does 1-4 and 4-7), so forwards go on at 9, and the second round is the first again 9 s later.
    """
    assert simulated(replicated(), copies=copies).end_s.max() == makespan


def test_an_exchange_takes_its_time_before_every_round():
    trace = simulated(replicated(), sync_latency_s=0.25)
    assert trace.end_s.max() == 18 + 2 * 2 * 0.25  # two copies: 2(2 − 1) steps each round


def test_a_round_of_one_copy_waits_for_nobody():
    program = parsed(["0F0,0B0,0F2,0B2", "0F1,0B1"], 1, 3, ranks=2)
    trace = simulated(program, sync_latency_s=1.0)
    updates = trace.start_s[trace.op == Op.U]
    assert updates.tolist() == [5.0, 8.0, 5.0]


def test_free_placement_and_unequal_ranks():
    trace = simulated(parsed(["0F0,2F0,2B0,0B0", "1F0,1B0"], 3, 1, ranks=2))
    assert (trace.end_s.max(), report(trace)["bubble_fraction"]) == (9.0, 0.5)


def test_a_smaller_last_mini_batch():
    program = parsed(["0F0,0F1,0B0,0B1,0U0-1,0F2,0B2,0U2", "1F0,1B0,1F1,1B1,1U0-1,1F2,1B2,1U2"],
                     2, 2, 2, last_microbatches=1)
    bare = parsed(["0F0,0F1,0B0,0B1,0F2,0B2", "1F0,1B0,1F1,1B1,1F2,1B2"],
                  2, 2, 2, last_microbatches=1)
    assert program == bare
    trace = simulated(program)
    assert trace.end_s.max() == 15.0
    assert trace.header.versions_held == [1, 1]


@pytest.mark.parametrize(("lines", "sizes", "options", "rule", "mark"), [
    (["0F0,1F0,0B0", "1B0"], (2, 1), {"ranks": 2},
     "1B0 is on device 1, its forward on device 0", ">1B0<"),
    (["0F0,0B0,0U0", "0F1,0B1,0U1,0F2,0B2"], (1, 3), {"ranks": 2},
     "stage 0 never does 0U2 on device 1", ""),
    (["0F0,0B0,0U0,0U1", "0F1,0B1,0U1"], (1, 2), {"ranks": 2},
     "0U1 is of a mini-batch of which device 0 does nothing on stage 0", ">0U1<"),
    (["0F0,0B0,0U0-1,0U0-1", "0F1,0B1,0U0-1"], (1, 1, 2), {"ranks": 2},
     "0U0-1 is a repetition", ">0U0-1<"),
    (["0F0,0B0", "0F0,0F1,0B1"], (1, 2), {"ranks": 2}, "0F0 is a repetition", ">0F0<"),
    (["1F0,1F1,1B0-1", "0F0,0B0-1", "0F1"], (2, 1, 2), {"ranks": 3},
     "0B0-1 is on device 1, its forward on device 2", ">0B0-1<"),
    (["0F0,0B0", "0F2,0B2", "0F1,0B1", "0F3,0B3"], (1, 4), {"workers": 2, "ranks": 2},
     "of several workers each stage lives on one device", ">0F0<"),
    (["0F0,0F1,0B0,0B1,0U0-1,0F2,0B2,0U2-3"], (1, 2, 2), {"last_microbatches": 1},
     "micro-batches are 0…2", ">0U2-3<"),
    (["0F0,0F1,0F2,0F3,0F4,0B0,0B1,0B2,0B3,0B4,0U0-2,0U3"], (1, 2, 3), {"last_microbatches": 2},
     "covers its whole mini-batch of 3 micro-batches, the last of 2", ">0U3<"),
])
def test_what_no_copy_can_do_is_refused(lines, sizes, options, rule, mark):
    with pytest.raises(InvalidProgramError) as caught:
        parsed(lines, *sizes, **options)
    assert rule in caught.value.rule
    assert mark in caught.value.table


def test_messages_of_copies_have_both_ends():
    program = two_ways().lower().validate()
    assert Program.parse(str(program)) == program
    lines = str(program).splitlines()
    with pytest.raises(InvalidProgramError, match="stage 0 has none of micro-batch 1"):
        Program.parse("\n".join(lines).replace("0SEND_F1,", ""))
    with pytest.raises(InvalidProgramError, match="0RECV_B0 is on device 1"):
        Program.parse("\n".join([lines[0], lines[1].replace("0RECV_B0,", ""),
                                 lines[2] + ",0RECV_B0"]))


def test_copies_that_wait_for_each_other_in_a_circle_are_told():
    program = parsed([*REPLICATED[:2], "1F0,1B0,1U0,1F2,1B2,1U2,1F1,1B1,1U1,1F3,1B3,1U3"], 2, 4,
                     ranks=3)
    assert simulated(program, copies="apart").end_s.max() == 21.0
    with pytest.raises(InvalidProgramError, match="device 0 at 0U0 waits for 0B1") as caught:
        simulated(program)
    assert ">0U0<" in caught.value.table


def test_what_takes_one_home_a_stage_says_so():
    with pytest.raises(ConfigurationError, match="greedy dispatch takes one home a stage"):
        simulated(replicated(), dispatch="greedy")
    with pytest.raises(ConfigurationError, match="block-momentum takes one home a stage"):
        simulated(replicated(), combine="block-momentum")


@pytest.mark.parametrize(("keys", "said"), [
    ({"schedule": "chimera", "stages": 4, "microbatches": 4, "count": 2},
     "pipeline.schedule: chimera has stages on several devices, which take one worker, got 2"),
    ({"schedule": "hybrid", "stages": 2, "replicas": [2, 1], "count": 2},
     "pipeline.schedule: hybrid has stages on several devices, which take one worker, got 2"),
    ({"schedule": "dualpipe", "stages": 2, "microbatches": 4, "dispatch": "greedy"},
     "pipeline.dispatch: greedy dispatch takes one home a stage; choose static")])
def test_schedules_with_copies_are_refused_where_they_do_not_go(keys, said):
    with pytest.raises(ConfigurationError) as caught:
        experiment(task="none", **keys)
    assert caught.value.problems == [said]


def test_a_program_given_with_copies_takes_one_worker():
    with pytest.raises(InvalidProgramError, match="2 workers run orders in which each stage lives"):
        whole(two_ways(), PipelineShape(2, 2, 4, ranks=2, workers=2))


def test_versions_are_not_compared_between_replicas():
    with pytest.raises(ConfigurationError, match="replicas of a stage count only updates of their"):
        simulated(replicated(), mitigation="vertical-sync")
    assert simulated(two_ways(), mitigation="vertical-sync").header.versions_held == [1, 1]


def test_each_copy_holds_weights_on_its_device():
    program = two_ways()
    trace = run(reshaped(experiment(task="digits-mlp", width=6, batch_size=8), program), program,
                training=False)
    found = report(trace)["memory"]
    first, second = found["weight_bytes"]
    for device, peak in enumerate(found["peak_device_bytes"]):
        kept = np.array(trace.header.sizes.activation_bytes)
        mine = trace.device == device
        held = np.cumsum(np.where(trace.op == Op.F, 1, np.where(trace.op == Op.B, 0, 0))[mine]
                         * kept[trace.stage[mine]]
                         - np.concatenate(([0.0], np.where(
                             trace.op == Op.B, kept[trace.stage], 0.0)[mine][:-1])))
        assert peak == first + second + held.max()
    # every micro-batch crosses the boundary, forth and back, and each stage's two copies add up
    # their gradients in a ring of two
    assert found["link_bytes_per_minibatch"] == (
        2 * 4 * trace.header.sizes.boundary_bytes[0] + 2 * (first + second))


@st.composite
def orders(draw):
    dice = random.Random(draw(st.integers(0, 10**6)))
    n = draw(st.integers(1, 3))
    sizes = homes.Sizes(draw(st.integers(1, 4)), draw(st.integers(1, 4)), n,
                        draw(st.integers(1, 4)), draw(st.integers(1, n)))
    turns = draw(st.sampled_from(["micro", "mini"]))
    return sizes, homes.drawn(dice, sizes, turns, halves=draw(st.booleans()))


def program_of(sizes: homes.Sizes, streams: homes.Streams) -> Program:
    shape = PipelineShape(sizes.stages, sizes.minibatches, sizes.microbatches, ranks=len(streams),
                          last_microbatches=sizes.last)
    return Program.parse(homes.text(streams), shape).validate()


@given(orders(), st.booleans(), st.sampled_from([0.0, 0.5]), st.sampled_from([0.0, 0.75]))
@settings(max_examples=25)
def test_any_order_of_copies_runs_as_it_is_defined(drawn, apart, transfer, latency):
    sizes, streams = drawn
    program = program_of(sizes, streams)
    keys = {"forward_s": 1.0, "backward_s": 2.5, "update_s": 0.25, "latency_s": latency,
            "boundary_bytes": 8.0, "bandwidth_bytes_per_s": 8.0 / transfer if transfer else None,
            "sync_latency_s": 0.125, "copies": "apart" if apart else "all-reduce"}
    seconds = {(op, k): {"F": 1.0, "B": 2.5, "I": 1.25, "W": 1.25, "U": 0.25}[op]
               for op in "FBIWU" for k in range(sizes.stages)}
    many = program.copies.homes.tolist() if program.several else [1] * sizes.stages
    expected = homes.times(streams, sizes, seconds, transfer, latency,
                           [2 * (homes - 1) * 0.125 for homes in many], apart=apart)
    for engine in ["simpy", *NAMES]:
        trace = simulated(program, engine, **keys)
        assert trace.start_s.tolist() == [start for device in expected for start in device]
        assert trace.program() == program


@given(orders(), st.sampled_from(["none", "stash"]))
@settings(max_examples=25)
def test_versions_count_the_updates_of_the_own_copy(drawn, mitigation):
    sizes, streams = drawn
    program = program_of(sizes, streams)
    trace = simulated(program, mitigation=mitigation)
    seen = homes.versions(streams)
    read = {}
    for row in range(len(trace)):
        for m in range(trace.index[row], trace.index[row] + trace.count[row]):
            read[Op(trace.op[row]).name, int(trace.stage[row]), int(m)] = trace.version_read[row]
    for (op, stage, m), version in seen.items():
        mine = seen["F", stage, m] if mitigation == "stash" else version
        assert read.get((op, stage, m), read.get(("I", stage, m))) == mine
    done = {}
    for row in np.flatnonzero(trace.op == Op.U).tolist():
        place = int(trace.stage[row]), int(trace.device[row])
        assert trace.version_applied[row] == done.setdefault(place, 0)
        done[place] += 1
    if mitigation == "stash":
        assert trace.header.versions_held == [
            max(homes.most_held(streams, k, d) for place, d in done if place == k)
            for k in range(sizes.stages)]


@given(orders())
@settings(max_examples=10)
def test_a_file_of_copies_is_read_back(drawn):
    program = program_of(*drawn)
    trace = simulated(program, mitigation="stash")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.npz"
        trace.save(path)
        found = Trace.load(path)
    assert found.program() == program
    assert report(found) == report(trace)

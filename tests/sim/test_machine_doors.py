"""Pairs, receives, sends, ties and overlapped exchanges through the door, with times by hand."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.metrics.critical import critical_path
from analysis.metrics.report import report
from analysis.theory.endless import endless
from analysis.theory.steady import steady_state
from sim.__main__ import main as sim
from sim.errors import ConfigurationError, DeadlockError
from sim.experiment.run import add_times, run
from sim.experiment.setup import Setup, VirtualSetup
from sim.kernels.pairs import installed
from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.times.engines import ENGINES
from sim.trace import Trace
from sim.workers.later import put_off
from tests.sim.experiments import experiment, simulate

pytestmark = pytest.mark.filterwarnings("error")

CASES = Path(__file__).parents[1] / "cases"
PLAIN = ("task=none", "forward_s=1.0", "backward_s=2.0")
SHARED = {"schedule": "interleaved", "stages": 4, "chunks": 2, "microbatches": 2, "count": 2,
          "backward_s": 2.0, "sync_latency_s": 1.5, "task": "none"}


def ran(name: str, *settings: str, code: int = 0):
    options = [word for each in (*PLAIN, *settings) for word in ("--set", each)]
    result = CliRunner().invoke(sim, ["run", "--program", str(CASES / name), "--json", *options])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout) if code == 0 else result.output


@pytest.mark.parametrize(("receives", "makespan"), [
    ("posted", 18.0), ("in-order", 18.0), ("holding", 21.0)])
def test_a_message_is_waited_for_by_its_pass_or_by_its_recv(receives, makespan):
    """Held up at 2RECV_F0 till 3 s, device 0 does 0F1 two seconds later than it could, and so on
    up and down the V: 3 s in all."""
    assert ran("messages.csv", "latency_s=0.5", f"receives={receives}")["makespan_s"] == makespan


def test_sends_that_wait_for_each_other_are_told_with_both():
    said = ran("rendezvous.csv", "latency_s=0.5", "sends=rendezvous", code=2)
    assert "device 0 at 0SEND_F1 waits for 1SEND_B0" in said
    assert "device 1 at 1SEND_B0 waits for 0SEND_F1" in said
    assert ran("rendezvous.csv", "sends=buffered")["makespan_s"] == 9.0


def test_a_send_leaves_when_its_recv_is_reached_and_its_device_waits_till_then():
    """Device 1 is at RECV_F1 after 1B0, at 4 s; so 0SEND_F1, ready at 2 s, starts at 4 s."""
    program = Program.parse("0F0,0SEND_F0,0F1,0SEND_F1,0RECV_B0,0B0,0RECV_B1,0B1\n"
                            "1RECV_F0,1F0,1B0,1RECV_F1,1F1,1SEND_B0,1B1,1SEND_B1\n",
                            PipelineShape(2, 1, 2))
    trace = simulate(program, stages=2, minibatches=1, microbatches=2, schedule="file",
                     backward_s=2.0, sends="rendezvous", task="none")
    start = {str(trace.instruction(row)): float(trace.start_s[row]) for row in range(len(trace))}
    assert (start["0SEND_F1"], start["1F1"], start["1SEND_B0"]) == (4.0, 4.0, 5.0)
    waiting = simulate(program, stages=2, minibatches=1, microbatches=2, schedule="file",
                       backward_s=2.0, task="none")
    assert waiting.start_s[waiting.op == Op.SEND_F].tolist() == [1.0, 2.0]


def test_in_order_what_was_posted_first_is_waited_for_first():
    """Device 1 posts RECV_F1 before RECV_F0: 1F0 waits for both, till 2 s; posted, till 1 s."""
    program = Program.parse("0F0,0SEND_F0,0F1,0SEND_F1,0RECV_B0,0B0,0RECV_B1,0B1\n"
                            "1RECV_F1,1RECV_F0,1F0,1B0,1SEND_B0,1F1,1B1,1SEND_B1\n",
                            PipelineShape(2, 1, 2))
    for receives, at in (("posted", 1.0), ("in-order", 2.0)):
        trace = simulate(program, stages=2, minibatches=1, microbatches=2, schedule="file",
                         receives=receives, task="none")
        row = next(r for r in range(len(trace)) if str(trace.instruction(r)) == "1F0")
        assert (trace.start_s[row], trace.arrived_s[row]) == (at, at)


@pytest.mark.parametrize(("pair", "makespan"), [
    (None, 63.0), (3.0, 63.0), (2.5, 59.0), (2.0, 52.0)])
def test_a_pair_takes_what_is_told_of_it(pair, makespan):
    values = ran("dualpipev.csv", *([f"overlapped_s={pair}"] if pair else []))
    assert values["makespan_s"] == makespan
    work = 60 - 41 / 4 * (3 - (pair or 3))  # of a device's 20 micro-batches, 41 pairs on four
    assert values["bubble_fraction"] == pytest.approx(1 - work / makespan, abs=1e-12)


def test_both_rows_of_a_pair_have_its_start_and_end(tmp_path):
    """One device does F0 alone, then F1 with B0 in 2.5 s, then B1; stage 1 likewise."""
    program = Program.parse("0F0,0F1,(0F2;0B0),0B1,0B2\n1F0,1B0,1F1,1B1,1F2,1B2\n",
                            PipelineShape(2, 1, 3))
    trace = simulate(program, stages=2, minibatches=1, microbatches=3, schedule="file",
                     backward_s=2.0, overlapped_s=2.5, batch_size=3, task="none")
    times = {str(trace.instruction(row)): (float(trace.start_s[row]), float(trace.end_s[row]))
             for row in range(len(trace))}
    assert times["1B0"] == (2.0, 4.0)
    assert times["0F2"] == times["0B0"] == (4.0, 6.5)  # waits for the backward's message too
    assert times["0B1"] == (7.0, 9.0)  # 1B1 ends at 7
    assert times["1F2"] == (7.0, 8.0)  # here since 6.5, when the pair was over
    assert trace.end_s.max() == times["0B2"][1] == 12.0
    assert report(trace)["bubble_fraction"] == pytest.approx(1 - (8.5 + 9) / 24)
    path = critical_path(trace)
    assert (path.compute_s, path.message_s, path.other_s) == (12.0, 0.0, 0.0)
    trace.save(tmp_path / "pair.npz")
    assert Trace.load(tmp_path / "pair.npz").program() == trace.program() == Setup.of(
        experiment(stages=2, minibatches=1, microbatches=3, schedule="file", batch_size=3),
        program).program


def test_an_exchange_beside_computing_takes_eighteen_seconds_a_step_instead_of_21():
    """12 s of work and 3 s of bubble a step; an all-reduce of two is two steps of 1.5 s.

    Without overlap both stages of a device wait for theirs one after the other: 15 + 2·3.  With
    it that of the second chunk runs while the first one's backwards do, and the first one's has the
    link from then on: only its 3 s are waited for.
    """
    for overlap, step in ((False, 21.0), (True, 18.0)):
        for steps in (1, 3):
            trace = simulate(**SHARED, minibatches=2 * steps, overlap=overlap)
            assert trace.end_s.max() == step * steps


@pytest.mark.parametrize("name", ["1f1b", "gpipe", "interleaved"])
def test_overlap_and_ties_leave_what_a_flushed_order_learns_as_it_is(name):
    keys = {"schedule": name, "stages": 4, "minibatches": 4, "microbatches": 4, "count": 2,
            "chunks": 2 if name == "interleaved" else 1, "task": "quadratic"}
    plain = simulate(**keys)
    other = simulate(**keys, overlap=True, sync_latency_s=0.75,
                     tied=[{"stages": [0, 3], "size_bytes": 8.0}])
    assert np.array_equal(plain.curves["minibatch_loss"], other.curves["minibatch_loss"])
    assert plain.header.training == other.header.training
    assert other.end_s.max() > plain.end_s.max()


def test_an_update_put_off_passes_over_other_stages_alone():
    program = SCHEDULES["interleaved"].program(PipelineShape(4, 2, 2, 2))
    moved = put_off(program, {2})
    assert list(map(str, moved.stream(0))) == [
        "0F0", "0F1", "2F0", "2F1", "2B0", "2B1", "0B0", "0B1", "0U0-1",
        "0F2", "0F3", "2U0-1", "2F2", "2F3", "2B2", "2B3", "0B2", "0B3", "0U2-3", "2U2-3"]
    assert put_off(moved, {2}) is moved
    assert put_off(program, ()) is program


def test_tied_stages_wait_for_both_gradients_and_for_their_exchange():
    """Stage 1's gradient is there at 4 s, stage 0's at 6 s; the exchange, two steps of 0.5 s and
    0.5·8 bytes each at 8 bytes/s, is over at 8 s."""
    keys = {"schedule": "sequential", "stages": 2, "minibatches": 1, "backward_s": 2.0,
            "latency_s": 0.0, "bandwidth_bytes_per_s": 8.0, "boundary_bytes": 0.0,
            "update_s": 0.25, "task": "none"}
    tied = simulate(**keys, tied=[{"stages": [0, 1], "size_bytes": 16.0}])
    updates = tied.op == Op.U
    assert tied.start_s[updates].tolist() == [8.0, 8.0]
    alone = simulate(**keys)
    assert sorted(alone.start_s[alone.op == Op.U].tolist()) == [4.0, 6.0]
    same = simulate(Program.parse("0F0,1F0,1B0,1U0,0B0,0U0\n", PipelineShape(2, 1, chunks=2)),
                    **keys | {"schedule": "file", "chunks": 2},
                    tied=[{"stages": [0, 1], "size_bytes": 16.0}])
    assert same.start_s[same.op == Op.U].tolist() == [6.0, 6.25]  # at home on one device


@pytest.mark.parametrize(("keys", "said"), [
    ({"count": 2, "combine": "wave", "overlap": True}, "workers.overlap: under workers.combine"),
    ({"tied": [{"stages": [1, 1]}]}, "cluster.tied.0.stages: two stages from 0 to 2, got 1 and 1"),
    ({"tied": [{"stages": [0, 3]}]}, "got 0 and 3"),
])
def test_what_cannot_be_is_refused_with_the_key(keys, said):
    with pytest.raises(ConfigurationError, match=said):
        experiment(**keys)


def test_greedy_dispatch_with_ties_is_refused():
    with pytest.raises(ConfigurationError, match="updates that wait for each other"):
        simulate(dispatch="greedy", tied=[{"stages": [0, 2]}], task="none")


STEADY = [
    {"schedule": "1f1b", "tied": [{"stages": [0, 2], "size_bytes": 4.0}]},
    {"schedule": "round-robin", "microbatches": 1, "tied": [{"stages": [0, 2]}]},
    {"schedule": "dualpipev", "stages": 6, "chunks": 2, "microbatches": 8, "overlapped_s": 2.5},
    {"schedule": "dualpipev", "stages": 6, "chunks": 2, "microbatches": 8, "overlapped_s": 3.5},
]


@pytest.mark.parametrize("keys", STEADY, ids=range(len(STEADY)))
def test_the_steady_state_is_that_of_long_runs(keys):
    keys = {"stages": 3, "microbatches": 4, "backward_s": 2.0, "latency_s": 0.25, "task": "none",
            "bandwidth_bytes_per_s": 8.0, "boundary_bytes": 1.0, **keys}
    found = endless(experiment(**keys))
    ends = [float(simulate(**keys, minibatches=many).end_s.max()) for many in (30, 42)]
    assert found["period_s"] == pytest.approx((ends[1] - ends[0]) / 12, rel=1e-12)
    trace = simulate(**keys, minibatches=200)
    busy = report(trace)["bubble_fraction"]
    assert found["bubble_fraction"] == pytest.approx(busy, abs=0.02)


def test_the_steady_state_of_sends_that_wait_for_their_receives():
    keys = {"schedule": "gpipe", "stages": 3, "microbatches": 2, "task": "none", "latency_s": 0.25,
            "backward_s": 2.0}
    ends, setups = [], []
    for sends, many in itertools.product(("buffered", "rendezvous"), (20, 30)):
        asked = experiment(**keys, minibatches=many, sends=sends)
        program = SCHEDULES["gpipe"].program(asked.shape).lower()
        ends.append(float(run(asked, program).end_s.max()))
        setups.append(VirtualSetup.of(asked, program))
    for number in (0, 2):
        setup = setups[number]
        found = steady_state(setup.program, setup.costs, setup.cluster)
        assert found.period_s == (ends[number + 1] - ends[number]) / 10
    assert ends[1] < ends[3]


def test_the_critical_cycle_names_pairs_and_exchanges():
    keys = {"stages": 3, "microbatches": 4, "task": "none", "latency_s": 0.25}
    tied = endless(experiment(**keys, schedule="1f1b", tied=[{"stages": [0, 2]}]))
    (exchange,) = [each for each in tied["critical_cycle"] if each["kind"] == "exchange"]
    assert (exchange["name"], exchange["seconds"]) == ("exchange after 0B", 0.5)
    paired = endless(experiment(**keys | {"stages": 4}, schedule="dualpipev", chunks=2,
                                overlapped_s=1.5))
    names = {each["name"]: each["seconds"] for each in paired["critical_cycle"]}
    assert {"3B&0F", "0B&3F"} & set(names)
    assert all(seconds == 1.5 for name, seconds in names.items() if "&" in name)
    whole = sum(each["seconds"] for each in paired["critical_cycle"])
    assert whole == paired["period_s"] * paired["critical_minibatches"]


def test_what_a_pair_keeps_is_held_until_both_are_over():
    """B of micro-batch 0 before F of 2 in the text, yet both are held while the two run."""
    text = "0F0,0F1,({};{}),0B1,0B2\n1F0,1B0,1F1,1B1,1F2,1B2\n"
    keys = {"stages": 2, "minibatches": 1, "microbatches": 3, "schedule": "file", "task": "none",
            "batch_size": 3, "backward_s": 2.0, "overlapped_s": 2.5, "activation_bytes": 1.0}
    for two in (("0F2", "0B0"), ("0B0", "0F2")):
        program = Program.parse(text.format(*two), PipelineShape(2, 1, 3))
        assert simulate(program, **keys, activation_limit_bytes=3.0).end_s.max() == 12.0
        with pytest.raises(DeadlockError, match="waits for activation memory"):
            simulate(program, **keys, activation_limit_bytes=2.0)


def test_a_pair_is_slowed_in_windows_of_its_backwards_stage():
    """From 4 s on, when it starts; its 2.5 s are five."""
    program = Program.parse("0F0,0F1,(0F2;0B0),0B1,0B2\n1F0,1B0,1F1,1B1,1F2,1B2\n",
                            PipelineShape(2, 1, 3))
    trace = simulate(program, stages=2, minibatches=1, microbatches=3, schedule="file",
                     backward_s=2.0, overlapped_s=2.5, batch_size=3, task="none",
                     stragglers=[{"stage": 0, "from_s": 4.0, "to_s": 5.0, "factor": 2.0}])
    row = next(r for r in range(len(trace)) if str(trace.instruction(r)) == "0B0")
    assert (trace.start_s[row], trace.end_s[row]) == (4.0, 9.0)


@pytest.mark.parametrize("keys", [
    {"schedule": "chimera", "stages": 4, "microbatches": 4},
    {"schedule": "dualpipe", "stages": 4, "microbatches": 8, "overlapped_s": 2.5},
    {"schedule": "hybrid", "stages": 3, "replicas": [2, 1, 1], "microbatches": 1}], ids=str)
def test_exchanges_of_copies_beside_computing_are_one_timeline_in_every_engine(keys):
    setup = VirtualSetup.of(experiment(**keys, minibatches=4, task="none", backward_s=2.0,
                                       sync_latency_s=0.5, overlap=True))
    found = [add_times(setup, name) for name in ENGINES
             if name != "exact-compiled" or installed()]
    assert all(np.array_equal(each.start_s, found[0].start_s) for each in found)
    free = add_times(replace(setup, cluster=replace(setup.cluster, sync_s=None)))
    assert found[0].end_s.max() > free.end_s.max()

"""Why devices stood idle: kinds that add up, senders, and chains that fill each stretch."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.__main__ import main
from analysis.metrics.critical import critical_path
from analysis.metrics.explained import MOST_NAMED, explained
from analysis.metrics.idle import KINDS, idle
from analysis.metrics.timing import comm_wait_s, timing
from analysis.terminal.explained.idle_tables import MOST_LINES, idle_tables
from sim.errors import InvalidProgramError
from sim.experiment.run import run
from sim.op import Op
from sim.trace import Trace
from tests.analysis.screens import shown
from tests.sim.experiments import TIMES, experiment, schedule_program, simulate
from tests.sim.strategies import names, shapes, timings, unlike

pytestmark = pytest.mark.filterwarnings("error")
FLUSH = {"schedule": "1f1b", "stages": 4, "minibatches": 1, "microbatches": 8, "backward_s": 2.0,
         "latency_s": 0.5, **TIMES}


@st.composite
def runs(draw) -> Trace:
    shape = draw(shapes(5, 8, (1, 2, 3)))
    keys = draw(timings(shape.stages)) | draw(unlike(shape))
    return simulate(schedule=draw(names), stages=shape.stages, minibatches=shape.minibatches,
                    microbatches=shape.microbatches, dispatch=draw(st.sampled_from(
                        ["static", "static", "greedy"])), **keys, **TIMES)


@settings(deadline=None, max_examples=30)
@given(runs())
def test_kinds_add_up_to_what_no_device_computes(trace):
    found, whole = idle(trace), timing(trace)
    free = whole.makespan_s * (1 - whole.utilisation)
    assert found.by_device.sum(1) == pytest.approx(free, abs=1e-7)
    assert (found.by_device >= 0).all()
    wait = np.bincount(trace.device, comm_wait_s(trace), trace.shape.devices)
    assert found.by_device[:, KINDS.index("message")] == pytest.approx(wait, abs=1e-9)
    within = found.by_device[:, :4].sum(1)
    first = [trace.start_s[trace.device == d].min() for d in range(trace.shape.devices)]
    assert within - first == pytest.approx(whole.span_idle_s, abs=1e-7)


@settings(deadline=None, max_examples=30)
@given(runs())
def test_what_ran_meanwhile_fills_each_stretch_without_gaps(trace):
    """Each pass of a chain ends before the next begins, and with messages they take all of it."""
    for alike in idle(trace).largest:
        each, ran = alike.longest, alike.longest.meanwhile
        assert alike.seconds >= each.seconds * (1 - 1e-9)
        if each.kind == "done":
            assert (each.row, ran, alike.times) == (None, None, 1)
            assert trace.end_s[trace.device == each.device].max(initial=0.0) == each.from_s
            continue
        assert trace.start_s[each.row] == each.to_s
        others = (trace.device == each.device) & (trace.op <= Op.U)
        assert not (others & (trace.start_s < each.to_s) & (trace.end_s > each.from_s)
                    & (trace.end_s > trace.start_s)).any()
        rows = [*ran.rows.tolist(), each.row]
        for one, other in pairwise(rows):
            assert trace.end_s[one] <= trace.start_s[other]
        passes = np.clip(trace.end_s[ran.rows] - np.maximum(trace.start_s[ran.rows], each.from_s),
                         0.0, None)
        assert ran.passes_s == pytest.approx(passes.sum(), abs=1e-9)
        assert 0 <= ran.queued_s <= ran.message_s
        if trace.header.pipeline["dispatch"] == "static":
            assert ran.passes_s + ran.message_s == pytest.approx(each.seconds, abs=1e-8)
        if each.kind in ("sender", "message"):
            assert str(trace.instruction(each.sender)) in senders(trace, each.row)
            assert each.arrived_s == pytest.approx(trace.start_s[each.row], abs=1e-8) or (
                trace.header.pipeline["dispatch"] == "greedy")


def senders(trace: Trace, row: int) -> set[str]:
    """What the stage before or after has to do first, by the rule a newcomer reads."""
    each = trace.instruction(row)
    step = -1 if each.op is Op.F else 1
    micro = range(each.index, each.index + each.count)
    return {str(other) for other in map(trace.instruction, range(len(trace)))
            if other.stage == each.stage + step and other.op is each.op
            and set(micro) & set(range(other.index, other.index + other.count))}


def test_a_flush_by_hand():
    """0F0 to 0F3 end at 4 s; 0B0 waits for four stages' passes and the messages between them."""
    trace = simulate(**FLUSH)
    first = explained(trace)["stretches"][0]
    assert (first["instruction"], first["waited_for"], first["of_device"]) == ("0B0", "1B0", 1)
    assert (first["from_s"], first["to_s"], first["sent_s"], first["arrived_s"]) == (
        4.0, 13.0, 12.5, 13.0)
    assert first["meanwhile"] == {
        "passes": [{"instruction": name, "device": int(name[0])}
                   for name in ("3F0", "3B0", "2B0", "1B0")],
        "earlier_passes": 0, "passes_s": 7.0, "message_s": 2.0, "queued_s": 0.0,
        "exchange_s": 0.0, "other_s": 0.0}
    end = [e for e in explained(trace)["stretches"] if e["kind"] == "done"]
    assert [(e["device"], e["seconds"]) for e in end] == [(3, 7.5), (2, 5.0), (1, 2.5)]


def test_messages_behind_others_on_their_link_are_told():
    """0F0 to 0F3 end at 1, 2, 3, 4 s; each message holds its link for 2 s, so that of 0F3 leaves at
    7 s, three late: 1F3 9-10, 2F3 12-13, 2B0 13-14, 1B0 16-17, and 0B0 begins at 19."""
    trace = simulate(schedule="gpipe", stages=3, minibatches=1, microbatches=4,
                     boundary_bytes=100.0, bandwidth_bytes_per_s=50.0, **TIMES)
    first = explained(trace)["stretches"][0]
    assert (first["instruction"], first["kind"], first["seconds"]) == ("0B0", "sender", 15.0)
    assert [each["instruction"] for each in first["meanwhile"]["passes"]] == [
        "1F3", "2F3", "2B0", "1B0"]
    assert [first["meanwhile"][key] for key in ("passes_s", "message_s", "queued_s")] == [
        4.0, 5.0 + 3 * 2.0, 3.0]


def test_workers_wait_for_each_others_gradients_and_their_exchange():
    trace = run(experiment(schedule="gpipe", stages=2, minibatches=4, microbatches=2, count=2,
                           slowdown=[1.0, 3.0], sync_latency_s=0.25, **TIMES))
    found = idle(trace)
    waits = [e for e in found.largest if e.longest.kind == "exchange" and e.longest.device < 2]
    assert {str(trace.instruction(e.longest.row)) for e in waits} <= {"0U0-1", "1U0-1", "0U4-5",
                                                                      "1U4-5"}
    for each in (e.longest for e in waits):
        assert trace.device[each.sender] == each.device + 2  # the slow worker's
        assert each.meanwhile.exchange_s == pytest.approx(0.5, abs=1e-6)
        assert each.meanwhile.passes_s == pytest.approx(each.seconds - 0.5, abs=1e-6)
    assert found.by_device[:, KINDS.index("other")] == pytest.approx(0.0, abs=1e-9)


def test_a_device_that_starts_late_for_no_reason_in_the_order_is_told_so():
    trace = simulate(stages=2, minibatches=2, **TIMES)
    late = trace.end_s == trace.end_s.max()
    found = idle(replace(trace, start_s=trace.start_s + 5 * late, end_s=trace.end_s + 5 * late))
    assert found.by_device[:, KINDS.index("other")].tolist() == [5.0, 0.0]
    (other,) = (e for e in found.largest if e.longest.kind == "other")
    assert (other.seconds, other.longest.sender) == (6.0, None)  # a second for 1B1, then for nobody
    assert (other.longest.meanwhile.passes_s, other.longest.meanwhile.other_s) == (1.0, 5.0)


def test_messages_that_are_instructions_are_heard_by_their_receives():
    keys = {"schedule": "gpipe", "stages": 3, "minibatches": 1, "microbatches": 3,
            "latency_s": 0.5, **TIMES}
    plain = idle(simulate(**keys))
    program = schedule_program("gpipe", 3, 1, 3).lower()
    lowered = idle(simulate(program, **{**keys, "schedule": "file"}))
    assert lowered.by_device == pytest.approx(plain.by_device)
    assert [e.seconds for e in lowered.largest] == [e.seconds for e in plain.largest]


def test_rows_that_are_no_program_are_refused():
    trace = simulate(**FLUSH)
    half = {name: getattr(trace, name)[: len(trace) // 2] for name in trace.columns}
    with pytest.raises(InvalidProgramError):
        idle(Trace(trace.header, **half))


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_table_fits_its_screen_and_says_whom_and_why(width):
    text = shown(idle_tables(explained(simulate(**FLUSH))), width)
    assert max(map(len, text.splitlines())) <= width
    assert "1B0 of device 1" in " ".join(text.split())
    assert "nothing left to do" in " ".join(text.split())
    assert idle_tables(explained(simulate(stages=1, minibatches=1, **TIMES))) == []


def test_a_long_run_names_the_ends_of_its_chains_alone():
    trace = simulate(stages=40, minibatches=50, jitter={"sigma": 0.2}, **TIMES)
    values = explained(trace)
    assert any(e["meanwhile"] and e["meanwhile"]["earlier_passes"] for e in values["stretches"])
    assert all(len(e["meanwhile"]["passes"]) <= MOST_NAMED for e in values["stretches"]
               if e["meanwhile"])
    text = shown(idle_tables(values), 100)
    assert "more" in text
    assert text.count(" of device ") <= MOST_LINES


def test_the_door_gives_both(tmp_path):
    simulate(**FLUSH).save(tmp_path / "t.npz")
    found = CliRunner().invoke(main, ["report", str(tmp_path / "t.npz"), "--json"])
    values = json.loads(found.stdout)
    assert values["idle"] == explained(Trace.load(tmp_path / "t.npz"))
    assert "idle: what devices waited for" in CliRunner().invoke(
        main, ["report", str(tmp_path / "t.npz")]).output


@pytest.mark.parametrize("keys", [
    {"schedule": "dualpipev", "stages": 4, "chunks": 2, "microbatches": 6, "overlapped_s": 2.5},
    {"schedule": "chimera", "stages": 4, "microbatches": 4, "sync_latency_s": 0.25},
    {"schedule": "zb-h1", "stages": 3, "microbatches": 4, "input_backward_s": 1.5},
    {"schedule": "1f1b", "stages": 3, "microbatches": 4, "tied": [{"stages": [0, 2]}]}],
    ids=lambda keys: keys["schedule"])
def test_pairs_copies_halves_and_ties_are_followed_too(keys):
    trace = simulate(minibatches=2, latency_s=0.5, backward_s=2.0, **keys, **TIMES)
    found, whole = idle(trace), timing(trace)
    assert found.by_device.sum(1) == pytest.approx(
        whole.makespan_s * (1 - whole.utilisation), abs=1e-7)
    assert found.by_device[:, KINDS.index("other")] == pytest.approx(0.0, abs=1e-9)
    for each in (alike.longest for alike in found.largest if alike.longest.row is not None):
        ran = each.meanwhile
        assert ran.passes_s + ran.message_s + ran.exchange_s == pytest.approx(each.seconds)
        assert ran.other_s == pytest.approx(0.0, abs=1e-8)
    path = critical_path(trace)
    assert path.compute_s + path.message_s + path.other_s == pytest.approx(whole.makespan_s)


@pytest.mark.parametrize("table", [
    {"cluster": {"tied": 3}}, {"cluster": {"tied": [{"stages": [0, 0.5]}, {"stages": "ab"}, 7]}},
    {"cluster": {"tied": [{"stages": [0, 99]}], "sends": [1]}}, {"workers": {"combine": 4}},
    {"workers": {"combine": {"name": "nobody"}}}, {"workers": {"copies": {}}}], ids=str)
def test_what_another_tool_wrote_of_the_experiment_is_no_error(table):
    trace = simulate(schedule="gpipe", stages=2, minibatches=2, count=2, **TIMES)
    found = idle(replace(trace, header=replace(trace.header, experiment=table)))
    assert found.by_device.sum() == pytest.approx(idle(trace).by_device.sum())

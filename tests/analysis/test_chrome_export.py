"""The Chrome trace as Perfetto's loader reads it: slices, arrows, counters and names."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sim
from analysis.exports import export
from analysis.metrics.memory import memory
from analysis.metrics.report import report
from analysis.metrics.staleness import plan_of
from sim.op import Op
from sim.order.torch_csv.reading import parse
from sim.trace import Trace
from tests.analysis.perfetto_loader import Loaded, load
from tests.sim.experiments import TIMES, experiment, schedule_program, simulate
from tests.sim.strategies import names, shapes, timings

LOOP = "0F0,0F1,2F0,2F1,2B0,0B0,2B1,0B1\n1F0,1F1,3F0,3B0,1B0,3F1,3B1,1B1\n"


def loaded(trace: Trace) -> Loaded:
    return load(export(trace, "chrome"))


def by_instruction(found: Loaded):
    return {s.arguments["instruction"]: s for s in found.slices}


@pytest.fixture(scope="module")
def default() -> Trace:
    return simulate(task="digits-mlp", width=6, batch_size=8, minibatches=12,
                    mitigation="spectrain", update_s=0.25, latency_s=0.125)


def test_every_instruction_is_a_slice_with_its_exact_duration(default):
    found = by_instruction(loaded(default))
    assert len(found) == len(default)
    for row in range(len(default)):
        drawn = found[str(default.instruction(row))]
        assert drawn.start_ns == round(default.start_s[row] * 1e9)
        assert drawn.end_ns == round(default.end_s[row] * 1e9)
        assert float(drawn.arguments["start_s"]) == default.start_s[row]
        assert float(drawn.arguments["end_s"]) == default.end_s[row]
        assert drawn.pid == default.device[row] + 1


def test_arguments_are_the_columns(default):
    found = by_instruction(loaded(default))
    for row in range(len(default)):
        arguments = found[str(default.instruction(row))].arguments
        for name in ("version_read", "version_applied", "staleness", "weight_distance"):
            value = float(getattr(default, name)[row])
            assert name in arguments or np.isnan(value)
            assert np.isnan(value) or float(arguments[name]) == value
    assert found["0F3"].name == "F4"
    assert found["0F3"].arguments["staleness"] == 2
    assert {s.category for s in found.values()} == {"forward", "backward", "update"}


def test_arrows_run_from_pass_to_pass_between_neighbours(default):
    arrows = {(kind, a.arguments["instruction"], b.arguments["instruction"])
              for kind, a, b in loaded(default).flows}
    assert arrows == (
        {("activation", f"{k}F{m}", f"{k + 1}F{m}") for k in range(2) for m in range(12)}
        | {("gradient", f"{k + 1}B{m}", f"{k}B{m}") for k in range(2) for m in range(12)})


def test_a_backward_of_several_micro_batches_sends_one_arrow():
    trace = simulate(schedule="nf1b", stages=2, minibatches=2, microbatches=3, **TIMES)
    gradients = [(a.arguments["instruction"], b.arguments["instruction"])
                 for kind, a, b in loaded(trace).flows if kind == "gradient"]
    assert gradients == [("1B0-2", "0B0-2"), ("1B3-5", "0B3-5")]


def test_processes_are_devices_and_threads_stages_in_order():
    trace = simulate(parse(LOOP), schedule="file", stages=4, minibatches=1, microbatches=2,
                     **TIMES)
    found = loaded(trace)
    assert found.processes == {1: "device 0", 2: "device 1"}
    assert sorted(found.threads.values()) == [(1, "stage 0"), (1, "stage 2"), (2, "stage 1"),
                                              (2, "stage 3")]
    by_place = sorted(found.threads, key=lambda tid: found.places["thread", tid])
    assert [found.threads[tid] for tid in by_place] == sorted(found.threads.values())
    assert not set(found.threads) & set(found.processes), "tid = pid is the main thread"
    for drawn in found.slices:
        stage = drawn.arguments["instruction"][0]
        assert found.threads[drawn.tid][1] == f"stage {stage}"


def test_names_sort_as_the_pipeline_runs_from_ten_stages_on():
    found = loaded(simulate(stages=11, minibatches=2, **TIMES))
    titles = [found.processes[pid] for pid in sorted(found.processes)]
    assert titles == sorted(titles)
    assert (titles[2], titles[10]) == ("device 02", "device 10")


def test_counters_follow_the_memory_of_each_stage(default):
    found = loaded(default)
    for k, held in enumerate(memory(default, plan_of(default))):
        def peak(name: str, key: str, stage: int = k) -> float:
            return max(v for _, v in found.counters[stage + 1, f"stage {stage} {name}", key])

        assert peak("bytes", "weights") == held.weight_bytes
        assert peak("bytes", "stash") == held.stash_bytes.peak
        assert peak("bytes", "copies") == held.copy_bytes.peak == held.weight_bytes
        assert peak("bytes", "activations") == held.activation_bytes.peak
        assert peak("weight versions", "held") == held.versions.peak
        assert peak("in flight", "micro-batches") == report(default)["memory"]["peak_in_flight"][k]
        assert found.counters[k + 1, f"stage {k} in flight", "micro-batches"][-1][1] == 0


def test_counters_of_a_worker_are_on_its_own_devices():
    found = loaded(simulate(stages=2, minibatches=8, count=2, mitigation="stash", **TIMES))
    for process, (stage, flying) in enumerate(2 * [(0, 2), (1, 1)], 1):
        held = found.counters[process, f"stage {stage} in flight", "micro-batches"]
        assert max(value for _, value in held) == flying


@given(st.data())
def test_any_run_loads_without_loss(data):
    """Whatever schedule, shape, costs and links: nothing overlaps, every arrow binds."""
    name, shape = data.draw(names), data.draw(shapes())
    times = data.draw(timings(shape.stages))
    trace = simulate(schedule=name, stages=shape.stages, minibatches=shape.minibatches,
                     microbatches=shape.microbatches, **TIMES, **times)
    found = loaded(trace)
    assert len(found.slices) == len(trace)
    program = trace.program()
    backward = program.row_of(Op.B, Op.I)
    sent = set(itertools.chain(
        zip(*(t.ravel().tolist() for t in (program.row_of(Op.F)[:-1], program.row_of(Op.F)[1:])),
            strict=True),
        zip(*(t.ravel().tolist() for t in (backward[1:], backward[:-1])),
            strict=True)))
    assert {(a.arguments["instruction"], b.arguments["instruction"])
            for _, a, b in found.flows} == {
                (str(program.instruction(a)), str(program.instruction(b))) for a, b in sent}


@given(st.integers(0, 40), st.integers(1, 3))
def test_passes_that_take_no_time_keep_their_arrows(ticks, stages):
    trace = simulate(stages=stages, minibatches=4, forward_s=0.0, backward_s=ticks * 2.0**-30,
                     **TIMES)
    found = loaded(trace)
    assert len(found.slices) == len(trace)
    assert len(found.flows) == 2 * 4 * (stages - 1)


def test_messages_of_a_lowered_program_have_threads_of_their_own():
    program = schedule_program("round-robin", 2, 3).lower()
    found = loaded(simulate(program, stages=2, minibatches=3, **TIMES))
    assert {name for _, name in found.threads.values()} == {
        "stage 0", "stage 0 SEND_F", "stage 0 RECV_B", "stage 1", "stage 1 RECV_F",
        "stage 1 SEND_B"}
    assert len(found.flows) == 6


def test_measured_neighbours_that_overlap_by_noise_do_not_overlap_in_the_file(default):
    from dataclasses import replace

    noisy = replace(default, end_s=default.end_s + 1e-5)
    assert len(loaded(noisy).slices) == len(default)


def test_the_strict_loader_refuses_what_perfetto_would_drop(default):
    """The check itself can fail: each of these is a file that Perfetto opens with losses."""
    good = export(default, "chrome").decode()
    document = json.loads(good)
    events = document["traceEvents"]
    first = next(i for i, e in enumerate(events) if e["ph"] == "X")
    arrow = next(i for i, e in enumerate(events) if e["ph"] == "f")

    def broken(place: int, **change: object) -> bytes:
        changed = [e | change if i == place else e for i, e in enumerate(events)]
        return json.dumps(document | {"traceEvents": changed}).encode()

    assert load(json.dumps(document).encode()).slices
    for content in (broken(first, dur=events[first]["dur"] * 1.5), broken(arrow, bp="x"),
                    broken(arrow, ts=0.0), broken(arrow, id=10**6), broken(first, name="→"),
                    broken(first, tid=events[first]["tid"] + 1),
                    json.dumps(document | {"displayTimeUnit": "ns"}).encode()):
        with pytest.raises((AssertionError, KeyError)):
            load(content)


def test_about_names_what_ran(default):
    document = json.loads(export(default, "chrome"))
    assert document["otherData"]["mitigation"] == "spectrain"
    assert experiment().pipeline.schedule == document["otherData"]["schedule"]


@pytest.mark.parametrize("text", [
    "0F0,(0F1;0B0),0B1\n1F0,1B0,1F1,1B1\n",  # on one thread
    "0F0,3F0,(0F1;3B0),3F1,3B1,0B0,0B1\n1F0,2F0,1F1,2F1,2B0,1B0,2B1,1B1\n"])
def test_the_two_of_a_pair_last_as_long(text):
    trace = sim.run(program=sim.parse_program(text), task="none", backward_s=2.0, overlapped_s=2.5)
    found = by_instruction(loaded(trace))
    pair = [str(trace.instruction(row)) for row in np.flatnonzero(trace.paired)]
    first, second = (found[each] for each in pair)
    assert (first.start_ns, first.end_ns) == (second.start_ns, second.end_ns)
    assert first.end_ns - first.start_ns == 2_500_000_000

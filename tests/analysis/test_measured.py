"""Chrome traces of profilers become runs: what is told apart, counted, refused, and given back."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import analysis
import sim
from analysis.__main__ import main
from analysis.comparison.difference import difference
from analysis.exports import export
from analysis.measured.mapping import Mapping, read_mapping
from analysis.measured.profile import profile_of
from analysis.measured.reading import measured, read_run
from analysis.metrics.report import report
from sim.errors import ConfigurationError, TraceError
from sim.op import Op
from sim.times.profile import read_profile

pytestmark = pytest.mark.filterwarnings("error")
EXAMPLES = Path(__file__).parents[2] / "figures/experiments"
NAMED = r"(?P<stage>\d+)(?P<op>[FBIWU])(?P<microbatch>\d+)"
QUICK = {"task": "none", "minibatches": 3, "microbatches": 4}


def event(name, start_us, end_us, process=1, thread=1, category="user_annotation"):
    return {"ph": "X", "cat": category, "name": name, "pid": process, "tid": thread,
            "ts": start_us, "dur": end_us - start_us}


def chrome(path, events, **head):
    text = json.dumps({"traceEvents": events} | head)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def ranges_of(trace, scale=1e6, updates=False, base=0.0):
    """A simulated run as a profiler would name it: a process per device, 4F1 for a pass."""
    n = trace.shape.microbatches
    return [event(f"{trace.stage[row]}{Op(trace.op[row]).name}{trace.index[row] % n}",
                  base + trace.start_s[row] * scale, base + trace.end_s[row] * scale,
                  process=int(trace.device[row]) + 10)
            for row in range(len(trace)) if updates or trace.op[row] != Op.U]


def mapping(**keys):
    return Mapping.model_validate({"ranges": [{"name": NAMED}]} | keys)


@pytest.mark.parametrize("keys", [
    {"schedule": "1f1b", "stages": 4}, {"schedule": "gpipe", "stages": 3},
    {"schedule": "interleaved", "stages": 4, "chunks": 2},
    {"schedule": "1f1b", "stages": 3, "latency_s": 0.25, "update_s": 0.5},
    {"schedule": "round-robin", "stages": 3, "microbatches": 1, "minibatches": 7},
], ids=lambda keys: keys["schedule"])
def test_a_run_named_as_a_profiler_would_is_that_run(tmp_path, keys):
    """Order, versions and times come back, with the updates told or put where they belong."""
    plan = sim.run(**QUICK | keys)
    timed = "update_s" in keys
    file = chrome(tmp_path / "run.json", ranges_of(plan, updates=timed, base=5e12))
    run = read_run(file, mapping(microbatches=plan.shape.microbatches))
    assert run.shape == plan.shape
    assert run.program() == plan.program()
    assert (run.version_read == plan.version_read).all()
    assert np.abs(run.start_s - plan.start_s).max() < 2e-6  # what float64 has of such microseconds
    assert np.abs(run.end_s - plan.end_s).max() < 2e-6
    ours, theirs = report(plan), report(run)
    for name in ("bubble_fraction", "throughput_minibatches_per_s"):
        assert theirs[name] == pytest.approx(ours[name], rel=1e-5)
    assert difference(plan, run)["first_difference"] is None


def test_waiting_for_messages_is_what_stands_between_sender_and_idle_receiver(tmp_path):
    """2 stages, GPipe, latency 1: stage 1 waits for F0 and stage 0 for B0, on two devices of six
    seconds and the two latencies."""
    plan = sim.run(schedule="gpipe", stages=2, minibatches=1, microbatches=1, latency_s=1.0,
                   task="none")
    assert plan.end_s.max() == 6.0
    run = read_run(chrome(tmp_path / "run.json", ranges_of(plan)), mapping())
    assert report(run)["comm_wait_fraction"] == pytest.approx(2 / 12)


@pytest.mark.parametrize("schedule", ["1f1b", "round-robin"])
def test_our_own_export_read_back_is_the_run(tmp_path, schedule):
    trace = sim.run(schedule=schedule, stages=4, microbatches=2, minibatches=9, mitigation="stash",
                    width=8, batch_size=8, latency_s=0.125)
    file = tmp_path / "run.json"
    file.write_bytes(export(trace, "chrome"))
    back = read_run(file)
    assert back.header == trace.header
    for name in trace.columns:
        assert np.array_equal(getattr(back, name), getattr(trace, name), equal_nan=True), name
    assert report(back)["bubble_fraction"] == report(trace)["bubble_fraction"]


def test_columns_of_hosts_are_exported_and_read_back_too(tmp_path):
    recorded = sim.load(Path(__file__).parents[1] / "golden/measured.npz")
    file = tmp_path / "run.json"
    file.write_bytes(export(recorded, "chrome"))
    back = read_run(file)
    assert back.columns == recorded.columns
    for name in recorded.columns:
        assert np.array_equal(getattr(back, name), getattr(recorded, name), equal_nan=True), name


def test_ranks_of_one_run_have_their_own_files_and_one_clock(tmp_path):
    """Each file counts from its own base; ranks are told by the process group, not by names."""
    plan = sim.run(schedule="gpipe", stages=2, **QUICK)
    for device, name in ((0, "z.json"), (1, "a.json.gz")):
        mine = [each for each in ranges_of(plan) if each["pid"] == device + 10]
        for each in mine:
            each["name"] = each["name"].replace(f"{device}F", "Forward ").replace(
                f"{device}B", "Backward ")
            each |= {"pid": 1, "ts": each["ts"] + 7e6 * device}
        chrome(tmp_path / name, mine, baseTimeNanoseconds=10**18 - 7 * 10**9 * device,
               distributedInfo={"rank": device})
    run = read_run(tmp_path)
    assert run.program() == plan.program()
    assert np.abs(run.start_s - plan.start_s).max() < 1e-6
    assert run.header.gpu.clock_residual_s == 0


def test_beginnings_and_ends_apart_are_ranges_and_the_device_own_ones_win(tmp_path):
    events = [event("0F0", 0, 9, category="user_annotation"),
              event("0F0", 2, 5, category="gpu_user_annotation"),
              {"ph": "B", "cat": "gpu_user_annotation", "name": "0B0", "pid": 1, "tid": 1,
               "ts": 6}, {"ph": "E", "pid": 1, "tid": 1, "ts": 10}, {"ph": "E", "ts": 1}]
    run = read_run(chrome(tmp_path / "run.json", events), mapping())
    assert ((run.end_s - run.start_s) * 1e6).round(6).tolist() == [3.0, 4.0, 0.0]
    partly = [*events[:2], event("0B0", 10, 12)]  # no backward of the device's own
    found = read_run(chrome(tmp_path / "partly.json", partly), mapping())
    assert ((found.end_s - found.start_s) * 1e6).round(6).tolist() == [9.0, 2.0, 0.0]
    host = mapping(ranges=[{"name": NAMED, "category": "user_annotation"}])
    with pytest.raises(TraceError, match="no complete run"):
        read_run(tmp_path / "run.json", host)


def test_a_range_with_the_wait_inside_counts_from_when_its_input_was_made(tmp_path):
    events = [event("0F0", 0, 4, 1), event("1F0", 0, 6, 2), event("1B0", 6, 9, 2),
              event("0B0", 4, 12, 1)]
    file = chrome(tmp_path / "run.json", events)
    inside = read_run(file, mapping())
    assert (inside.start_s * 1e6).round(6).tolist() == [0, 9, 12, 4, 6, 9]
    plain = read_run(file, mapping(waits="none"))
    assert (plain.start_s * 1e6).round(6).tolist() == [0, 4, 12, 0, 6, 9]
    events[3] = event("0B0", 4, 8, 1)  # over before 1B0 is: when its input was there is not known
    odd = read_run(chrome(tmp_path / "odd.json", events), mapping())
    assert (odd.start_s * 1e6).round(6).tolist() == [0, 4, 8, 4, 6, 9]
    assert odd.header.gpu.clock_residual_s == pytest.approx(1e-6)


@pytest.mark.parametrize(("device", "devices"), [("stage", 3), ("thread", 3), (None, 3)])
def test_stages_of_one_process_may_be_devices(tmp_path, device, devices):
    plan = sim.run(schedule="1f1b", stages=3, **QUICK)
    events = [each | {"pid": 1, "tid": each["pid"]} for each in ranges_of(plan)]
    keys = {} if device is None else {"device": device}
    run = read_run(chrome(tmp_path / "run.json", events), mapping(**keys))
    assert run.shape.devices == devices
    assert run.program() == plan.program()


def test_passes_without_numbers_are_counted_and_those_of_the_whole_run_kept(tmp_path):
    plan = sim.run(schedule="1f1b", stages=2, **QUICK)
    whole, bare = ranges_of(plan), ranges_of(plan)
    rows = [row for row in range(len(plan)) if plan.op[row] != Op.U]
    for each, other, row in zip(whole, bare, rows, strict=True):
        each["name"] = f"{plan.stage[row]}{Op(plan.op[row]).name}{plan.index[row]}"
        other["name"] = f"step {'forward' if plan.op[row] == Op.F else 'backward'}"
    counted = mapping(microbatches=4, ranges=[{"name": "step forward", "op": "F"},
                                              {"name": "step backward", "op": "B"}])
    for events, by in ((whole, mapping(microbatches=4)), (bare, counted)):
        run = read_run(chrome(tmp_path / "run.json", events), by)
        assert run.program() == plan.program()


def test_the_profile_of_a_run_is_the_medians_of_its_passes(tmp_path):
    plan = sim.run(schedule="1f1b", stages=3, forward_s=[1.0, 2.0, 3.0], backward_s=[2.0, 5.0, 4.0],
                   update_s=0.5, latency_s=0.25, **QUICK)
    file = chrome(tmp_path / "run.json", ranges_of(plan, updates=True))
    found = profile_of(read_run(file, mapping(microbatches=4)))
    assert [each.forward_s for each in found.stages] == pytest.approx([1, 2, 3])
    assert [each.backward_s for each in found.stages] == pytest.approx([2, 5, 4])
    assert [each.update_s for each in found.stages] == pytest.approx([0.5] * 3)
    assert found.latency_s == pytest.approx(0.25)
    assert found.stages[0].spread["forward_s"].repeats == 12


def test_the_example_of_a_real_profiler_is_read_by_its_mapping():
    run = analysis.profiled(EXAMPLES / "profiled", mapping=EXAMPLES / "ranges.toml")
    plan = sim.run(schedule="gpipe", stages=2, minibatches=4, microbatches=4, task="none")
    assert run.program() == plan.program()
    assert run.header.gpu.settings["files"] == ["rank0.json", "rank1.json"]


def call(*arguments, code=0, columns=80):
    found = CliRunner().invoke(main, [str(each) for each in arguments],
                               env={"COLUMNS": str(columns)})
    assert found.exit_code == code, found.output
    return found


def test_the_doors_read_a_profiler_traces_and_say_what_they_found(tmp_path):
    by = ("--mapping", EXAMPLES / "ranges.toml")
    found = call("report", EXAMPLES / "profiled", *by)
    assert ("2 stages on 2 devices (a file is one), 4 mini-batches of 4 micro-batches"
            in found.stderr.replace("\n", " "))
    assert max(map(len, found.stdout.splitlines())) <= 80
    values = json.loads(call("report", EXAMPLES / "profiled", *by, "--json").stdout)
    assert values["stages"] == 2
    out, profile = tmp_path / "run.npz", tmp_path / "profile.json"
    call("measured", EXAMPLES / "profiled", *by, "--out", out, "--profile", profile)
    assert report(sim.load(out)) == report(measured(
        sorted((EXAMPLES / "profiled").iterdir()), read_mapping(EXAMPLES / "ranges.toml")))
    assert len(read_profile(profile).stages) == 2
    plan = tmp_path / "plan.npz"
    sim.run(schedule="gpipe", stages=2, minibatches=4, microbatches=4, task="none",
            profile=str(profile)).save(plan)
    values = json.loads(call("compare", plan, EXAMPLES / "profiled", *by, "--json").stdout)
    assert values["order_equal"]
    assert values["versions_equal"]
    first = values["first_difference"]
    assert first["of"] == "times"
    apart = max(abs(first["first"][key] - first["second"][key]) for key in ("start_s", "end_s"))
    assert apart > values["tolerance_s"] > 0
    wide = call("compare", plan, EXAMPLES / "profiled", *by, "--json", "--tolerance", 1000)
    assert json.loads(wide.stdout)["first_difference"] is None


def test_where_order_first_parts_from_a_plan_is_told(tmp_path):
    """GPipe's second stage does no backward before its forwards are done, 1F1B's does."""
    plan = sim.run(schedule="1f1b", stages=2, minibatches=1, microbatches=2, task="none")
    other = sim.run(schedule="gpipe", stages=2, minibatches=1, microbatches=2, task="none")
    run = read_run(chrome(tmp_path / "run.json", ranges_of(other)), mapping())
    found = difference(plan, run)["first_difference"]
    assert (found["of"], found["device"], found["number"]) == ("order", 1, 1)
    assert (found["first"]["op"], found["second"]["op"]) == ("B", "F")


@pytest.mark.parametrize(("events", "said"), [
    ([event("matmul", 0, 1)], "no range is a pass by this mapping; ranges there are: 'matmul'"),
    ([event("0F0", 0, 1)], "no complete run of 1 stages"),
    ([event("0F0", 0, 1), event("0B0", 1, 2), event("0F2", 2, 3)], "no complete run"),
    ([event("0F0", 0, 1), event("0B0", 1, 2), event("0B999999", 2, 3)],
     "name stages up to 0 and micro-batches up to 999999, but there are 3"),
    ([event("0U0", 0, 1)], "updates alone"),
    ([event("0F0", 0, 1) | {"ts": "soon"}], "ts is no number of microseconds, got soon"),
    ([event("0F0", 0, -5)], "dur is no number of microseconds"),
    ([event("0F0", 0, 1) | {"ts": 1e300}], "ts is no number"),
])
def test_ranges_that_are_no_run_are_refused(tmp_path, events, said):
    with pytest.raises(TraceError, match=r"run\.json: ") as error:
        read_run(chrome(tmp_path / "run.json", events), mapping())
    assert said in str(error.value)


def test_files_that_are_no_chrome_traces_are_refused(tmp_path):
    for name, content, said in (
            ("a.json", b"{", "not JSON"), ("b.json", b'{"traceEvents": 3}', "no list traceEvents"),
            ("c.json.gz", b"\x1f\x8bno", "c.json.gz: "), ("d.json", b"3", "no list traceEvents"),
            ("e.json", b'{"otherData": {"tool": "pipestale"}, "traceEvents": []}',
             "written by an older version"),
            ("f.json", b'{"otherData": {"tool": "pipestale", "header": "{}"}, "traceEvents": []}',
             "none of a run")):
        (tmp_path / name).write_bytes(content)
        found = call("report", tmp_path / name, code=2)
        assert said in found.output
        assert "Traceback" not in found.output
    (tmp_path / "empty").mkdir()
    assert "a folder without Chrome traces" in call("report", tmp_path / "empty", code=2).output
    assert "no such file" in call("report", tmp_path / "none.json", code=2).output
    assert "give --out" in call("measured", tmp_path / "a.json", code=2).output


def test_copies_of_a_pipeline_are_not_taken_for_one(tmp_path):
    plan = sim.run(schedule="gpipe", stages=2, **QUICK)
    events = ranges_of(plan)
    events += [each | {"pid": each["pid"] + 2, "ts": each["ts"] + 3} for each in events]
    with pytest.raises(TraceError, match="F of micro-batch 0 of stage 0 is there twice, file 0 "
                                         "process 10 and file 0 process 12; give the traces of"):
        read_run(chrome(tmp_path / "run.json", events), mapping())


@pytest.mark.parametrize(("text", "said"), [
    ("", "ranges: field required"), ("ranges = []", "ranges: "),
    ("[[ranges]]\nname = '('\nop = 'F'", "ranges.0.name: not a regular expression"),
    ("[[ranges]]\nname = '(?P<rank>.)'\nop = 'F'", "groups are"),
    ("[[ranges]]\nname = 'x'\nop = 'G'", "ranges.0.op: "),
    ("device = 'gpu'\n[[ranges]]\nname = 'x'", "device: "),
    ("device = ", "not TOML"),
])
def test_a_mapping_that_is_none_is_refused_by_its_key(tmp_path, text, said):
    file = tmp_path / "map.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as error:
        read_mapping(file)
    assert said in str(error.value)


def test_ranges_without_an_op_or_with_an_odd_number_are_told(tmp_path):
    file = chrome(tmp_path / "run.json", [event("step 1", 0, 1)])
    for pattern, said in (("step 1", "an op is F, B, I, W or U"),
                          (r"step (?P<op>\d)", "got '1'")):
        with pytest.raises(TraceError, match="range 'step 1'") as error:
            read_run(file, Mapping.model_validate({"ranges": [{"name": pattern}]}))
        assert said in str(error.value)
    odd = Mapping.model_validate({"ranges": [{"name": "step (?P<stage>.+)", "op": "F"}]})
    with pytest.raises(TraceError, match="its stage is a number"):
        read_run(chrome(tmp_path / "run.json", [event("step one", 0, 1)]), odd)


def test_a_mitigation_that_does_not_go_with_the_order_is_refused(tmp_path):
    plan = sim.run(schedule="gpipe", stages=2, **QUICK)
    file = chrome(tmp_path / "run.json", ranges_of(plan))
    kept = read_run(file, mapping(mitigation="stash"))
    assert kept.header.mitigation == "stash"
    with pytest.raises(ConfigurationError, match="mitigation"):
        read_run(file, mapping(mitigation="stahs"))


PROGRAMS = {
    "two directions": "0F0,0F1,1F2,1B2,1F3,1B3,0B0,0B1,1U0-3,0U0-3\n"
                      "1F0,1B0,0F2,1F1,1B1,0F3,0B2,0B3,1U0-3,0U0-3\n",
    "a replicated stage": "0F0,0F2,0B0,0U0,0B2,0U2\n0F1,0F3,0B1,0U1,0B3,0U3\n"
                          "1F0,1B0,1U0,1F1,1B1,1U1,1F2,1B2,1U2,1F3,1B3,1U3\n",
    "stages on a V": "0F0,3F0,3B0,0B0\n1F0,2F0,2B0,1B0\n",
    "unequal devices": "0F0,0F1,0B0,0B1\n1F0,2F0,2B0,1B0,1F1,2F1,2B1,1B1\n",
    "a smaller last mini-batch": "0F0,0F1,0B0,0B1,0U0-1,0F2,0B2,0U2\n"
                                 "1F0,1B0,1F1,1B1,1U0-1,1F2,1B2,1U2\n",
    "halves": "0F0,0F1,0I0,0I1,0W0,0W1,0U0-1\n1F0,1I0,1W0,1F1,1I1,1W1,1U0-1\n",
}


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
def test_any_placement_is_seen_in_what_devices_did(tmp_path, text):
    """Several homes, unequal devices, halves: the order comes back, and through our own export
    every column."""
    program = sim.parse_program(text)
    plan = sim.run(program=program, task="none", latency_s=0.25, update_s=0.125)
    ranges = ranges_of(plan)
    for each, row in zip(ranges, np.flatnonzero(plan.op != Op.U), strict=True):
        each["name"] = f"{plan.stage[row]}{Op(plan.op[row]).name}{plan.index[row]}"
    n = program.shape.microbatches
    run = read_run(chrome(tmp_path / "run.json", ranges), mapping(microbatches=n))
    assert (run.shape.devices, run.shape.total) == (plan.shape.devices, plan.shape.total)
    assert str(run.program()).split("\n", 1)[1] == str(plan.program()).split("\n", 1)[1]
    work = plan.op != Op.U
    assert np.abs(run.start_s - plan.start_s)[work].max() < 1e-9
    file = tmp_path / "own.json"
    file.write_bytes(export(plan, "chrome"))
    back = read_run(file)
    for name in plan.columns:
        assert np.array_equal(getattr(back, name), getattr(plan, name), equal_nan=True), name

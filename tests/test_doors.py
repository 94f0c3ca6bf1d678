"""The doors as a user meets them: commands, JSON, exit codes, messages."""

import csv
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.__main__ import main as analysis
from sim.__main__ import main as sim
from sim.trace import Trace

pytestmark = pytest.mark.filterwarnings("error")  # whatever a door warns of, a user would read
FAST = ("--set", "training.task=none")


def call(door: object, *arguments: object) -> Result:
    return CliRunner().invoke(door, [str(a) for a in arguments])  # type: ignore[arg-type]


def as_json(door: object, *arguments: object) -> object:
    result = call(door, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(door: object, *arguments: object) -> str:
    """The message of a call that must fail as a user's mistake."""
    result = call(door, *arguments)
    assert result.exit_code == 2, (result.exit_code, result.output, result.exception)
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result.output


def test_timeline_of_minibatch_4_is_the_papers_table() -> None:
    """REFERENCE section 2, all six rows, both labellings; start_s is half-slot − 2."""
    rows = as_json(sim, "timeline", "--minibatch", 4)
    assert [[r["stage"], r["op"], r["start_s"] + 2, r["time_unit"], r["version_time_unit"],
             r["horizon"], r["version_updates"], r["staleness_updates"]] for r in rows] == [
        [0, "F", 8, 4, 4, 2, 1, 2],
        [1, "F", 9, 5, 5, 1, 2, 1],
        [2, "F", 10, 5, 5, 1, 3, 0],
        [2, "B", 11, 5, 5, 1, 3, 0],
        [1, "B", 12, 6, 6, 0, 3, 0],
        [0, "B", 13, 6, 6, 0, 3, 0]]


def test_timeline_has_no_time_units_off_round_robin() -> None:
    rows = as_json(sim, "timeline", "--minibatch", 2, "--set", "schedule=gpipe")
    assert {(r["time_unit"], r["version_time_unit"], r["horizon"]) for r in rows} == {
        (None, None, None)}
    assert "time units are defined on round-robin" in refused(
        sim, "timeline", "--labels", "time-unit", "--set", "schedule=gpipe")


def test_timeline_grid_shows_the_warm_up_of_the_paper() -> None:
    lines = call(sim, "timeline", "--labels", "updates").output.splitlines()
    assert lines[0].split()[2:10] == ["1F", "2F", "3F", ".", ".", "1", "4F", "2"]
    assert lines[4].split()[2:8] == [".", ".", "1F", "1", "2F", "2"]
    assert lines[1].split()[:5] == ["v0", "v0", "v0", "v0", "v1"]


def test_run_reports_what_doors_promises() -> None:
    found = as_json(sim, "run")
    assert isinstance(found, dict)
    assert set(found) >= {
        "schedule", "mitigation", "stages", "makespan_s", "bubble_fraction", "comm_wait_fraction",
        "throughput_minibatches_per_s", "steady_throughput_minibatches_per_s", "staleness",
        "inconsistent_fraction", "versions_held", "weight_distance", "final_loss", "accuracy",
        "diverged", "seed"}
    assert (found["schedule"], found["mitigation"], found["stages"]) == ("round-robin", "none", 3)
    assert found["staleness"]["forward"] == [2, 1, 0]
    assert found["staleness"]["backward"] == [0, 0, 0]
    assert found["staleness"]["max"] == 2
    assert found["versions_held"] == [1, 1, 1]
    assert found["makespan_s"] == 2 * 60 + 4
    assert found["steady_throughput_minibatches_per_s"] == 0.5
    assert found["inconsistent_fraction"] == pytest.approx(2 / 3)
    assert found["diverged"] is False
    assert len(found["weight_distance"]["forward"]) == 3
    assert 0.5 < found["accuracy"] <= 1


def test_divergence_is_reported_not_raised() -> None:
    found = as_json(sim, "run", "--set", "learning_rate=1e100")
    assert isinstance(found, dict)
    assert found["diverged"] is True
    assert found["diverged_at"] < 10
    assert found["final_loss"] is None


def test_compare_lists_a_row_each_and_reasons_of_refusals() -> None:
    rows = as_json(sim, "compare", "--mitigations", "none,timeprest,timeprest@nf1b/2", *FAST)
    assert isinstance(rows, list)
    assert [r["refused"] is None for r in rows] == [True, False, True]
    assert "defined on nf1b" in rows[1]["refused"]
    assert rows[2]["schedule"] == "nf1b"
    assert rows[2]["microbatches"] == 2


def test_compare_takes_parameters_in_a_name() -> None:
    rows = as_json(sim, "compare", "--mitigations", "i-timeprest:decay=0,stash")
    assert isinstance(rows, list)
    assert rows[0]["mitigation"] == "i-timeprest(decay=0.0)"
    assert rows[0]["final_loss"] == rows[1]["final_loss"]


def test_list_names_come_first() -> None:
    listed = as_json(sim, "list")
    assert isinstance(listed, dict)
    text = [line.split(" ")[0] for line in call(sim, "list").output.splitlines()]
    for kind in ("schedules", "mitigations", "tasks"):
        for entry in listed[kind]:
            assert entry["name"] in text
            assert entry["rule"]
            assert entry["source"]


def test_trace_report_export_and_compare(tmp_path) -> None:
    first, second = tmp_path / "a.npz", tmp_path / "b.npz"
    out = as_json(sim, "run", "--out", first)
    call(sim, "run", "--out", second, "--set", "costs.forward_s=2.0")
    assert as_json(analysis, "report", first) == out
    both = as_json(analysis, "compare", first, second)
    assert isinstance(both, dict)
    assert both["order_equal"]
    assert both["versions_equal"]
    assert both["start_max_difference_s"] > 0
    assert call(analysis, "export", first, "--format", "csv", "--out",
                tmp_path / "a.csv").exit_code == 0
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert list(rows[0]) == ["stage", "op", "minibatch", "microbatch", "start_s", "end_s",
                             "version_read", "version_applied", "staleness", "weight_distance"]
    assert len(rows) == len(Trace.load(first))
    starts = [float(r["start_s"]) for r in rows]
    assert starts == sorted(starts)
    mine = [r for r in rows if r["minibatch"] == "4" and r["op"] in "FB"]
    assert [(r["stage"], r["op"], r["version_read"], r["version_applied"]) for r in mine] == [
        ("0", "F", "1", "3"), ("1", "F", "2", "3"), ("2", "F", "3", "3"),
        ("2", "B", "3", "3"), ("1", "B", "3", "3"), ("0", "B", "3", "3")]
    assert all(repr(float(r["weight_distance"])) == r["weight_distance"] for r in mine)


def test_csv_leaves_microbatch_empty_where_a_pass_covers_the_minibatch(tmp_path) -> None:
    call(sim, "run", "--out", tmp_path / "n.npz", "--set", "schedule=nf1b", "--set",
         "microbatches=2", *FAST)
    call(analysis, "export", tmp_path / "n.npz", "--format", "csv", "--out", tmp_path / "n.csv")
    rows = list(csv.DictReader((tmp_path / "n.csv").read_text().splitlines()))
    assert {r["microbatch"] for r in rows if r["op"] == "F"} == {"0", "1"}
    assert {r["microbatch"] for r in rows if r["op"] in "BU"} == {""}


def test_a_program_file_runs_and_a_broken_one_is_shown_marked(tmp_path) -> None:
    good, stuck, odd = (tmp_path / f"{n}.txt" for n in ("good", "stuck", "odd"))
    good.write_text("0F0,0F1,0B0,0B1\n1F0,1B0,1F1,1B1\n")
    stuck.write_text("0F0,0B0\n1B0,1F0\n")
    odd.write_text("0F0,0B0\n1F0,what\n")
    found = as_json(sim, "run", "--program", good, *FAST)
    assert isinstance(found, dict)
    assert (found["stages"], found["makespan_s"], found["schedule"]) == (2, 6, "file")
    message = refused(sim, "run", "--program", stuck)
    assert "device 1 at 1B0 waits for 1F0" in message
    assert ">1B0<" in message
    assert "line 2" in refused(sim, "run", "--program", odd)
    assert "there is no such file" in refused(sim, "run", "--program", tmp_path / "none.txt")


def test_every_mistake_in_a_file_is_listed_with_its_path(tmp_path) -> None:
    path, out = tmp_path / "bad.toml", tmp_path / "never.npz"
    path.write_text('[pipeline]\nschedule = "gpip"\nstages = 0\n[costs]\nforward_s = "x"\n'
                    "[training]\nlearning_rte = 1\n")
    message = refused(sim, "run", path, "--out", out)
    for expected in ("pipeline.stages:", "costs.forward_s:", "training.learning_rte:",
                     "learning_rate"):
        assert expected in message
    assert not out.exists()
    path.write_text('[pipeline]\nschedule = "gpip"\n')
    assert "did you mean gpipe?" in refused(sim, "run", path)


@pytest.mark.parametrize(("settings_", "said"), [
    (["mitigation=v-timeprest"], "defined on nf1b"),
    (["schedule=nf1b", "stages=4", "microbatches=2", "mitigation=v-timeprest"],
     "stages <= microbatches + 1"),
    (["schedule=gpipe", 'mitigation={name="spectrain", horizon="time-unit"}'], "time-unit horizon"),
    (['mitigation={name="i-timeprest", decay=-1}'], "decay"),
    (['mitigation={name="stash", decay=1}'], "no such parameter"),
    (["microbatches=5"], "divides"),
    (["costs.forward_s=[1, 2]"], "one number per stage, so 3, got 2"),
    (["costs.profile=nowhere.json"], "nowhere.json"),
    (["stages"], "write KEY=VALUE"),
    (["pipeline=3"], "pipeline"),
    (["cluster.activation_limit_bytes=1"], "activation memory"),
])
def test_refusals_say_why(settings_: list[str], said: str) -> None:
    arguments = [a for s in settings_ for a in ("--set", s)]
    assert said in refused(sim, "run", *arguments)


@pytest.mark.parametrize("command", [["report"], ["export", "--format", "csv", "--out", "x.csv"]])
def test_a_file_that_is_no_trace_is_refused(tmp_path, command: list[str]) -> None:
    path = tmp_path / "not.npz"
    path.write_bytes(b"PK\x03\x04 nothing")
    assert "not a pipestale-trace" in refused(analysis, command[0], path, *command[1:])
    assert "no such file" in refused(analysis, command[0], tmp_path / "gone.npz", *command[1:])


def test_greedy_jitter_shows_a_distribution(tmp_path) -> None:
    path = tmp_path / "greedy.npz"
    found = as_json(sim, "run", "--out", path, "--set", "dispatch=greedy", "--set", "stages=4",
                    "--set", "minibatches=300", "--set", "costs.jitter={sigma=0.4}", *FAST)
    assert isinstance(found, dict)
    spread = found["staleness"]["distribution"]["forward"]
    assert max(len(stage) for stage in spread) > 1
    assert all(sum(stage.values()) == 292 for stage in spread)
    assert "staleness distribution" in call(analysis, "report", path).output


KEYS = st.sampled_from([
    "pipeline.schedule", "pipeline.stages", "pipeline.minibatches", "pipeline.microbatches",
    "pipeline.mitigation", "pipeline.backward", "pipeline.dispatch", "costs.forward_s",
    "costs.backward_s", "costs.update_s", "costs.jitter", "costs.stragglers",
    "costs.trends", "cluster.latency_s", "cluster.latency", "cluster.bandwidth_bytes_per_s",
    "cluster.boundary_bytes",
    "cluster.activation_limit_bytes", "training.momentum", "training.seed", "training.convention",
    "stages", "nothing", "a.b.c", ""])
VALUES = st.one_of(
    st.sampled_from(["gpipe", "1f1b", "nf1b", "sequential", "stash", "spectrain", "i-timeprest",
                     "timeprest", "greedy", "recompute", "{ sigma = 0.1 }", "[1.0, 2.0]", "[]",
                     "[{ stage = 0, from_s = 1.0, to_s = 2.0, factor = 3.0 }]", "inf", "nan",
                     "-1", "0", "1", "2", "7", "1e-9", "1e300", "true", "{}", "''", "=", "\n"]),
    st.text(max_size=6))


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(KEYS, VALUES), max_size=5))
def test_no_setting_makes_a_traceback_or_hangs(pairs: list[tuple[str, str]]) -> None:
    """Whatever is set, a run ends with a result, or with exit code 2 and a message."""
    arguments = ["--set", "minibatches=8", *FAST]
    for key, value in pairs:
        arguments += ["--set", f"{key}={value}"]
    result = call(sim, "run", *arguments)
    assert result.exit_code in (0, 2), (arguments, result.exception)
    assert result.exit_code == 0 or result.output.startswith(("error:", "Usage:"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["0F0", "0B0", "0U0", "0F1", "0B1", "1F0", "1B0", "1F1", "1B1",
                                 "1U0", "0SEND_F0", "1RECV_F0", "x", "", "\n", "0B0-1"]),
                max_size=14))
def test_no_program_text_makes_a_traceback(cells: list[str]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "p.txt")
        path.write_text(",".join(cells))
        result = call(sim, "run", "--program", path, *FAST)
    assert result.exit_code in (0, 2), (cells, result.exception)


def test_infinite_decay_is_the_latest_weights(tmp_path) -> None:
    path = tmp_path / "inf.npz"
    found = as_json(sim, "run", "--out", path, "--set",
                    'mitigation={ name = "i-timeprest", decay = inf }')
    plain = as_json(sim, "run", "--set", "mitigation=none")
    assert isinstance(found, dict)
    assert isinstance(plain, dict)
    assert found["final_loss"] == plain["final_loss"]
    assert found["staleness"]["effective_backward"] == [0, 0, 0]
    assert as_json(analysis, "report", path) == found

"""The advisor: a true Pareto front, memory that is the runs', files that reproduce its points."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.__main__ import main
from analysis.advice.advise import advise
from analysis.advice.candidates import schedules
from analysis.advice.files import as_toml, settled_period_s
from analysis.advice.pareto import pareto_front
from analysis.advice.question import Question
from analysis.advice.ranking import name
from analysis.metrics.report import report
from sim.__main__ import main as sim
from sim.errors import ConfigurationError
from sim.experiment.configuration import read_experiment, resolve
from sim.experiment.run import run
from sim.mitigations import MITIGATIONS
from sim.op import Op
from sim.trace import Trace

pytestmark = pytest.mark.filterwarnings("error")  # whatever a door warns of, a user would read

STAGE = {"forward_s": 0.5, "backward_s": 1.0, "update_s": 0.1, "weight_bytes": 100.0,
         "activation_bytes": 40.0, "input_bytes": 10.0, "workspace_bytes": 7.0}
GOOD = {"format": "pipestale-profile", "version": 1, "microbatch_size": 4, "latency_s": 0.05,
        "stages": [STAGE, {**STAGE, "forward_s": 0.7, "weight_bytes": 300.0},
                   {**STAGE, "backward_s": 0.8, "activation_bytes": 90.0}]}
DECIDED = ("front", "dominated")


def written(folder, **changes) -> Path:
    path = folder / "profile.json"
    path.write_text(json.dumps({k: v for k, v in (GOOD | changes).items() if v is not None}))
    return path


def without(key):
    return [{k: v for k, v in stage.items() if k != key} for stage in GOOD["stages"]]


def ask(path, *arguments, devices=3, limit="1e9"):
    return CliRunner().invoke(main, ["advise", str(path), "--devices", str(devices),
                                     "--memory-limit", str(limit), *map(str, arguments)])


def costs(row):
    return -row["samples_per_s"], row["peak_bytes"], row["staleness_mean"]


def beats(one, other):
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


@given(st.lists(st.tuples(*3 * [st.integers(0, 4)]), min_size=1, max_size=30))
def test_the_front_is_what_nothing_beats(points):
    on = pareto_front(np.array(points, dtype=float))
    front = [p for p, best in zip(points, on, strict=True) if best]
    for point, best in zip(points, on, strict=True):
        assert best != any(beats(other, point) for other in points)
        assert best or any(beats(other, point) for other in front)


@st.composite
def profiles(draw):
    one = st.sampled_from
    stages = [{"forward_s": draw(one([0.3, 0.5, 1.0])), "backward_s": draw(one([0.6, 1.0, 2.0])),
               "update_s": draw(one([0.0, 0.1])), "weight_bytes": draw(one([1.0, 50.0, 400.0])),
               "activation_bytes": draw(one([1.0, 60.0, 300.0])),
               "input_bytes": draw(one([1.0, 20.0]))} for _ in range(draw(st.integers(1, 4)))]
    return {"stages": stages, "latency_s": draw(one([0.0, 0.2]))}


@given(profiles(), st.sampled_from([300.0, 900.0, 2000.0]), st.booleans())
@settings(max_examples=12)
def test_every_row_is_where_it_belongs(tmp_path_factory, profile, limit, consistent):
    path = written(tmp_path_factory.mktemp("p"), **profile)
    advice = advise(Question(path, limit, len(profile["stages"]), (1, 3), consistent=consistent))
    rows = advice["rows"]
    assert len({name(row) for row in rows}) == len(rows) == (
        len(schedules()) * 2 * 2 * len(MITIGATIONS.names()))
    allowed = [row for row in rows if row["status"] in DECIDED]
    front = [row for row in rows if row["status"] == "front"]
    assert rows[:len(front)] == front
    for row in rows:
        if row["status"] == "refused":
            assert row["refused"]
            continue
        fits = row["peak_bytes"] <= limit
        assert (row["status"] != "over limit") == fits
        assert (row in allowed) == (
            fits and not (consistent and row["inconsistent_fraction"]))
        assert row["peak_bytes"] == max(row["device_bytes"]["peak"])
    for row in allowed:
        beaten = any(beats(costs(other), costs(row)) for other in front)
        assert (row["status"] == "front") != beaten
    for row in allowed:
        twins = [other for other in allowed if costs(other) == costs(row)]
        assert {other["status"] for other in twins} == {row["status"]}
        assert (row["same_as"] is None) == (row is twins[0])


def test_refusals_are_listed_with_their_reason(tmp_path):
    rows = advise(Question(written(tmp_path, stages=without("input_bytes")), 1e9, 3))["rows"]
    said = {name(row): row["refused"] for row in rows if row["status"] == "refused"}
    assert "defined on nf1b, not on gpipe" in said["gpipe-2-timeprest-graph"]
    assert "stages <= microbatches + 1" in said["nf1b-1-v-timeprest-graph"]
    assert "no stages.0.input_bytes" in said["1f1b-2-stash-recompute"]
    assert all(row["refused"] is None for row in rows if row["status"] != "refused")


@pytest.mark.parametrize("schedule", schedules())
@pytest.mark.parametrize(("mitigation", "backward"), [
    ("none", "recompute"), ("stash", "graph"), ("vertical-sync", "graph"),
    ("spectrain-stashed", "recompute"), ("spectrain", "graph"), ("nwpt", "recompute"),
    ("i-timeprest", "graph")])
def test_bytes_and_staleness_are_those_of_a_run(tmp_path, schedule, mitigation, backward):
    path = written(tmp_path)
    advice = advise(Question(path, 1e9, 3, (2,), backwards=(backward,), state_copies=0.0))
    (row,) = [r for r in advice["rows"]
              if (r["schedule"], r["mitigation"]) == (schedule, mitigation)]
    values = report(run(resolve({
        "pipeline": {"schedule": schedule, "stages": 3, "microbatches": 2,
                     "mitigation": mitigation, "backward": backward},
        "costs": {"profile": str(path)}, "training": {"task": "none"}})))
    workspace = np.full(3, 7.0)
    held, memory = row["device_bytes"], values["memory"]
    assert (held["peak"] - workspace).tolist() == memory["peak_bytes"]
    assert held["stash"] == memory["peak_stash_bytes"]
    assert held["copies"] == memory["peak_copy_bytes"]
    assert held["activations"] == memory["peak_activation_bytes"]
    assert row["versions_held"] == values["versions_held"]
    late = values["staleness"]
    assert row["staleness_mean"] == pytest.approx(
        np.mean([late["forward"], late["effective_backward"]]))
    assert row["inconsistent_fraction"] == pytest.approx(values["inconsistent_fraction"])


def test_state_and_recomputed_activations_are_counted(tmp_path):
    path = written(tmp_path)
    rows = advise(Question(path, 1e9, 3, (2,), state_copies=2.0))["rows"]
    held = {name(row): row["device_bytes"] for row in rows if "device_bytes" in row}
    assert held["sequential-2-none-graph"]["peak"] == [347.0, 947.0, 397.0]
    assert held["sequential-2-none-recompute"]["peak"] == [357.0, 957.0, 407.0]
    assert held["gpipe-2-none-graph"]["activations"] == [80.0, 80.0, 180.0]
    assert held["gpipe-2-none-recompute"]["activations"] == [60.0, 60.0, 110.0]


def test_throughput_is_compared_by_samples(tmp_path):
    path = written(tmp_path)
    (row,) = [r for r in advise(Question(path, 1e9, 3, (), (8,)))["rows"]
              if name(r) == "gpipe-2-none-graph"]
    assert (row["batch_size"], row["microbatches"]) == (8, 2)
    assert row["samples_per_s"] == pytest.approx(8 / row["period_s"], rel=1e-15)
    plain = advise(Question(written(tmp_path, microbatch_size=None), 1e9, 3))
    assert plain["criteria"]["throughput"] == "microbatches_per_s"
    assert {r.get("samples_per_s") for r in plain["rows"]} == {None}


def test_each_front_point_is_reproduced_by_its_file(tmp_path):
    out = tmp_path / "o ut"
    result = ask(written(tmp_path), "--out", out, "--json", limit=1500, devices=3)
    assert result.exit_code == 0, result.output
    advice = json.loads(result.stdout)
    assert json.loads((out / "advice.json").read_text()) == advice
    every = [row for row in advice["rows"] if row["status"] == "front"]
    front = [row for row in every if row["same_as"] is None]
    assert {f"{name(row)}.toml" for row in front} == {p.name for p in out.glob("*.toml")}
    assert 2 < len(front) < len(every)
    assert [row for row in advice["rows"] if "experiment_file" in row] == front
    for row in front:
        trace = simulated(out / row["experiment_file"], tmp_path / "t.npz")
        assert steady_period(trace) == pytest.approx(row["period_s"], rel=1e-12, abs=0.0)
        assert trace.header.pipeline["mitigation"] == row["mitigation"]
    for row in front:
        read = read_experiment(out / row["experiment_file"]).pipeline
        assert (read.schedule, read.microbatches, read.backward, read.mitigation) == (
            row["schedule"], row["microbatches"], row["backward"], row["mitigation"])


def simulated(file, out) -> Trace:
    done = CliRunner().invoke(sim, ["run", str(file), "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    trace = Trace.load(out)
    rate = json.loads(done.stdout)["steady_throughput_minibatches_per_s"]
    assert 1 / rate == pytest.approx(steady_period(trace), rel=0.02)
    return trace


def steady_period(trace) -> float:
    """Seconds per mini-batch over twelve of them, late, by when the first stage updates."""
    end = np.sort(trace.end_s[(trace.op == Op.U) & (trace.stage == 0)])
    last = trace.shape.minibatches - 4 * trace.shape.stages - 8
    return float(end[last - 1] - end[last - 13]) / 12


def test_a_run_that_has_not_settled_has_no_period(tmp_path):
    keys = {"pipeline": {"minibatches": 60}, "training": {"task": "none"}}
    assert settled_period_s(run(resolve(keys))) == 2.0
    jittered = keys | {"costs": {"jitter": {"sigma": 0.1}}}
    assert settled_period_s(run(resolve(jittered))) is None


def test_toml_keeps_every_string(tmp_path):
    import tomllib

    document = {"a": {"x": 'é"\\\n\x7f\t', "y": 3}, "b": {"z": "🙂"}}
    assert tomllib.loads(as_toml(document)) == document


def test_the_table_shows_the_front_and_on_demand_the_rest(tmp_path):
    path = written(tmp_path)
    short, long = ask(path, limit=1500), ask(path, "--all", limit=1500)
    assert short.exit_code == long.exit_code == 0
    assert "besides:" in short.output
    assert "over limit" not in short.output
    assert "over limit" in long.output
    assert long.output.index("*") < long.output.index("dominated")


def test_nothing_that_fits_is_an_answer(tmp_path):
    result = ask(written(tmp_path), "--out", tmp_path / "out", limit=10)
    assert result.exit_code == 0
    assert "nothing fits: the least any candidate needs is" in " ".join(result.output.split())
    assert not list((tmp_path / "out").glob("*.toml"))
    assert (tmp_path / "out" / "advice.png").exists()


@pytest.mark.parametrize(("changes", "arguments", "said"), [
    ({}, ["--stages", "--devices", "2"], "one stage a device"),
    ({}, {"limit": 0}, "--memory-limit"),
    ({}, {"limit": "nan"}, "--memory-limit"),
    ({}, {"limit": "inf"}, "--memory-limit"),
    ({}, ["--state-copies", -1], "--state-copies"),
    ({}, ["--microbatches", "1,x"], "whole numbers by comma"),
    ({}, ["--microbatches", "0"], "--microbatches: at least 1"),
    ({}, ["--batch-size", "6"], "multiple of the profile's microbatch_size 4"),
    ({}, ["--batch-size", "8", "--microbatches", "2"], "not both"),
    ({"microbatch_size": None}, ["--batch-size", "8"], "no microbatch_size"),
    ({"stages": [*GOOD["stages"][:2], {"forward_s": 1.0, "backward_s": 1.0,
                                       "weight_bytes": 1.0}]}, [], "stages.2.activation_bytes"),
    ({"stages": [*GOOD["stages"][:2], {**STAGE, "forward_s": 1e12}]}, [],
     "2F0 takes 1e+12 s; times are counted exactly"),
    ({"boundary_bytes": [1.0, 9e14], "bandwidth_bytes_per_s": 1e6}, [],
     "the message of 1F0 takes 9e+08 s; times are counted exactly"),
    ({"boundary_bytes": [1.0]}, [], "boundary_bytes"),
    ({"format": "other"}, [], "format")])
def test_a_mistake_is_one_line_and_nothing_is_written(tmp_path, changes, arguments, said):
    keys, rest = (arguments, []) if isinstance(arguments, dict) else ({}, arguments)
    out = tmp_path / "out"
    result = ask(written(tmp_path, **changes), *rest, "--out", out, **keys)
    assert result.exit_code == 2
    assert said in result.output
    assert result.output.count("\n") == 1
    assert not out.exists()


def test_what_takes_no_time_is_refused_by_name(tmp_path):
    idle = [{**STAGE, "forward_s": 0.0, "backward_s": 0.0, "update_s": 0.0,
             "recompute_s": 0.0}] * 3
    rows = advise(Question(written(tmp_path, stages=idle, latency_s=None), 1e9, 3, (2,)))["rows"]
    assert {row["refused"] for row in rows} == {"nothing in the profile takes any time"}


def test_a_missing_profile_is_told(tmp_path):
    with pytest.raises(ConfigurationError):
        Question(tmp_path / "none.json", -1.0, 3)
    result = ask(tmp_path / "none.json")
    assert result.exit_code == 2
    assert "there is no such file" in result.output

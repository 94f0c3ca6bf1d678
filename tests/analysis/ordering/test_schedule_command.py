"""`analysis schedule`: what it answers is what a run of the program it writes says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import analysis
import sim
from analysis.__main__ import main
from analysis.metrics.report import report
from analysis.theory.endless import endless
from sim.experiment.configuration import resolve
from sim.experiment.run import run

pytestmark = pytest.mark.filterwarnings("error")  # whatever a door warns of, a user would read

ROUNDS = ["--rounds", "400"]
ACTIVATIONS = [4.0, 3.0, 2.0, 2.0]


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    stages = [{"forward_s": f, "backward_s": i + w, "input_backward_s": i, "weight_backward_s": w,
               "update_s": 0.25, "weight_bytes": 5.0, "activation_bytes": a}
              for f, i, w, a in zip([1.0, 1.5, 0.75, 1.25], [1.25, 1.0, 1.5, 1.0],
                                    [0.75, 1.25, 0.5, 1.0], ACTIVATIONS, strict=True)]
    path = tmp_path / "stages.json"
    path.write_text(json.dumps({
        "format": "pipestale-profile", "version": 1, "stages": stages,
        "boundary_bytes": [2.0, 1.0, 2.0], "latency_s": 0.25, "bandwidth_bytes_per_s": 8.0}))
    return path


def asked(*arguments: Any) -> dict[str, Any]:
    done = CliRunner().invoke(main, ["schedule", *map(str, arguments), "--json"])
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def test_a_flushed_order_is_what_a_run_of_it_says(profile: Path, tmp_path: Path) -> None:
    out = tmp_path / "order.txt"
    found = asked(profile, "--microbatches", 6, "--memory-limit", 21, *ROUNDS, "--out", out)
    ran = sim.run(program=out, profile=str(profile), task="none")
    told = report(ran)
    assert told["makespan_s"] == found["makespan_s"] >= found["lower_bound_s"]
    assert told["memory"]["peak_device_bytes"] == found["peak_device_bytes"]
    assert max(found["peak_device_bytes"]) <= 21
    assert found["staleness"]["max"] == 0
    assert str(sim.parse_program(found["program"])) == str(ran.program())
    assert found["makespan_s"] < min(found["named"].values())
    free = asked(profile, "--microbatches", 6, *ROUNDS)
    assert free["makespan_s"] <= found["makespan_s"]


def test_small_cases_are_proved(profile: Path) -> None:
    found = asked(profile, "--microbatches", 3)
    assert found["proved"]
    assert found["lower_bound_s"] == found["makespan_s"]
    assert found["start"] == "branch and bound"
    assert found["makespan_s"] <= min(found["named"].values())


def test_an_order_without_a_flush_is_what_theory_says_of_it(profile: Path, tmp_path: Path) -> None:
    out = tmp_path / "order.txt"
    found = asked(profile, "--microbatches", 2, "--max-staleness", 2, *ROUNDS, "--out", out)
    assert found["mitigation"] == "stash"
    document = {"pipeline": {"stages": 4, "microbatches": 2, "mitigation": "stash"},
                "costs": {"profile": str(profile)}, "training": {"task": "none"}}
    program = sim.parse_program(out.read_text())
    experiment = resolve(document).changed(minibatches=program.shape.minibatches)
    steady = endless(experiment, program)
    assert steady["period_s"] == found["period_s"] >= found["lower_bound_s"]
    assert steady["staleness"]["forward"] == found["staleness"]["forward"]
    trace = run(experiment, program)
    assert trace.staleness.max() == found["staleness"]["max"] <= 2
    assert report(trace)["memory"]["peak_device_bytes"] == found["peak_device_bytes"]
    short = asked(profile, "--microbatches", 2, "--max-staleness", 2, *ROUNDS, "--minibatches", 5)
    assert sim.parse_program(short["program"]).shape.minibatches == 5
    assert short["period_s"] == found["period_s"]


def test_the_library_answers_as_the_command_does(profile: Path) -> None:
    told = analysis.order(profile, microbatches=5, memory_limit=25.0, rounds=200)
    assert told == asked(profile, "--microbatches", 5, "--memory-limit", 25, "--rounds", 200)


def test_state_counts_where_it_is_asked_for(profile: Path) -> None:
    found = asked(profile, "--microbatches", 4, "--state-copies", 2, "--rounds", 50)
    assert [need - peak for need, peak in zip(
        found["needed_device_bytes"], found["peak_device_bytes"], strict=True)] == [10.0] * 4


def test_layers_are_cut_for_so_many_devices_or_as_a_plan_says(profile: Path, tmp_path: Path
                                                              ) -> None:
    out = tmp_path / "order.txt"
    found = asked(profile, "--microbatches", 4, "--devices", 2, "--rounds", 50, "--out", out)
    assert (found["stages"], found["devices"]) == (2, 2)
    stages = tmp_path / "order.stages.json"
    ran = sim.run(program=out, profile=str(stages), task="none")
    assert report(ran)["makespan_s"] == found["makespan_s"]
    plan = tmp_path / "partition.json"
    plan.write_text(json.dumps({"stages": [{"layers": [0, 0]}, {"layers": [1, 1]},
                                           {"layers": [2, 3]}]}))
    found = asked(profile, "--microbatches", 4, "--plan", plan, "--rounds", 50)
    assert found["stages"] == 3


def test_an_experiment_says_the_rest_itself(tmp_path: Path) -> None:
    path = tmp_path / "experiment.toml"
    path.write_text('[pipeline]\nstages = 6\nchunks = 2\nschedule = "zbv"\nmicrobatches = 6\n'
                    '[costs]\ndevice_factor = [1.0, 1.5, 1.0]\n[training]\ntask = "none"\n')
    found = asked(path, "--rounds", 50, "--set", "latency_s=0.125")
    assert found["placement"] == [0, 1, 2, 2, 1, 0]
    moved = asked(path, "--rounds", 500, "--set", "latency_s=0.125", "--move-stages")
    assert moved["makespan_s"] >= moved["lower_bound_s"]
    program = sim.parse_program(moved["program"])
    assert program.home[0].tolist() == moved["placement"]


@pytest.mark.parametrize("columns", ["80", "200"])
@pytest.mark.parametrize("more", [[], ["--max-staleness", "2"]])
def test_the_screen_names_what_was_beaten(profile: Path, columns: str, more: list[str],
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    done = CliRunner().invoke(main, ["schedule", str(profile), "--microbatches", "6", *more,
                                     "--rounds", "100"])
    assert done.exit_code == 0, done.output
    assert all(len(line) <= int(columns) for line in done.stdout.splitlines())
    for said in ("lower bound", "found", "round-robin" if more else "zb-h1"):
        assert said in done.stdout
    assert "…" not in done.stdout


@pytest.mark.parametrize(("arguments", "said"), [
    (["--microbatches", "0"], "--microbatches: at least 1"),
    ([], "--microbatches: "),
    (["--microbatches", "2", "--memory-limit", "1"], "--memory-limit: device 0 needs 9 bytes"),
    (["--microbatches", "2", "--memory-limit", "nan"], "--memory-limit: bytes, more than 0"),
    (["--microbatches", "2", "--max-staleness", "-1"], "--max-staleness: at least 0"),
    (["--microbatches", "2", "--devices", "9"], "got 9 devices"),
    (["--microbatches", "2", "--plan", "nowhere.json"], "nowhere.json"),
    (["--microbatches", "2", "--plan", "STAGES"], "not what analysis partition writes"),
    (["--microbatches", "2", "--set", "jitter={ sigma = 0.1 }"], "costs.jitter"),
    (["--microbatches", "2", "--set", "staegs=3"], "did you mean"),
    (["--microbatches", "2", "--minibatches", "3"], "--minibatches: a flushed order"),
    (["--microbatches", "2", "--max-staleness", "1", "--move-stages"], "--move-stages"),
    (["--microbatches", "4", "--max-staleness", "1", "--mitigation", "2bw"],
     "says itself which version"),
])
def test_mistakes_are_told_and_nothing_is_written(profile: Path, tmp_path: Path,
                                                  arguments: list[str], said: str) -> None:
    out = tmp_path / "order.txt"
    arguments = [str(profile) if each == "STAGES" else each for each in arguments]
    done = CliRunner().invoke(main, ["schedule", str(profile), *arguments, "--out", str(out)])
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()

"""`--program` on every door: the file's shape counts, workers and mini-batches repeat it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import analysis
import sim
from analysis.__main__ import main as analysis_door
from figures.__main__ import main as figures_door
from sim.__main__ import main as sim_door
from sim.experiment.program_file import first_minibatches, taken, with_program
from sim.order.replicated import replicated
from sim.order.shape import PipelineShape

pytestmark = pytest.mark.filterwarnings("error")
CASES = Path(__file__).parents[1] / "cases"
FOUR = Path(__file__).parents[1] / "golden/orders/1f1b-4x8.txt"
PAIRS = Path(__file__).parents[1] / "golden/orders/dualpipev-4x2x8.txt"
FAST = ("--set", "task=none", "--set", "backward_s=2")


def told(door, command: str, file: Path, *settings: str) -> dict:
    options = [part for each in settings for part in ("--set", each)]
    result = CliRunner().invoke(door, [command, "--program", str(file), *FAST, *options, "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    assert result.stderr.startswith(f"{file.name} is ")
    return json.loads(result.stdout)


def refused(door, command: str, file: Path, *settings: str) -> str:
    options = [part for each in settings for part in ("--set", each)]
    result = CliRunner().invoke(door, [command, "--program", str(file), *FAST, *options])
    assert result.exit_code == 2, result.output
    return result.stderr


def test_numbers_per_stage_are_counted_by_the_files_stages():
    assert told(sim_door, "run", FOUR, "forward_s=[1,1,1,1]")["makespan_s"] == 33
    assert told(sim_door, "run", FOUR, "boundary_bytes=[1,1,1]")["makespan_s"] == 33
    assert "one number per stage, so 4, got 3" in refused(sim_door, "run", FOUR,
                                                          "forward_s=[1,1,1]")
    assert "has 3 stages, the program given 4" in refused(sim_door, "run", FOUR,
                                                          'layout="E|t|L"')


@pytest.mark.parametrize("text", ["0F0,0F1,0B0,0B1\n1F0,1B0,1F1,1B1\n",
                                  "0F0,0F1,0B0,0B1,0U0-1\n1F0,1B0,1F1,1B1,1U0-1\n"])
def test_a_program_of_one_mini_batch_is_repeated(text, tmp_path):
    path = tmp_path / "one.txt"
    path.write_text(text)
    found = told(sim_door, "run", path, "minibatches=3")
    assert (found["minibatches"], found["makespan_s"]) == (3, 27)
    assert found["staleness"]["max"] == 0


def test_a_program_of_several_mini_batches_is_as_long_as_it_is():
    path = CASES / "uneven-batches.txt"
    assert told(sim_door, "run", path, "minibatches=9")["minibatches"] == 2
    result = CliRunner().invoke(sim_door, ["run", "--program", str(path), *FAST,
                                           "--set", "minibatches=9", "--json"])
    assert result.stderr.splitlines()[1:] == [
        "pipeline.minibatches = 9 is left out: the program has 2"]


def test_every_worker_runs_the_program():
    _, program = with_program({"workers": {"count": 3}, "pipeline": {"minibatches": 6},
                               "training": {"task": "none"}}, taken(PAIRS))
    assert program.shape == PipelineShape(8, 6, 8, 2, workers=3)
    own = with_program({"pipeline": {"minibatches": 2}, "training": {"task": "none"}},
                       taken(PAIRS))[1]
    assert program == replicated(own, program.shape)
    assert len(program.pairs) == 6 * len(taken(PAIRS).program.pairs)
    found = told(sim_door, "run", PAIRS, "workers.count=2", "sync_latency_s=1")
    assert found["minibatches"] == 2
    alone = told(sim_door, "run", PAIRS)["makespan_s"]
    assert found["makespan_s"] > alone  # they wait for each other's gradients at the end
    assert "workers.count: divides" in refused(sim_door, "run", PAIRS, "workers.count=2",
                                               "minibatches=3")


def test_workers_train_as_one_worker_on_all_their_batches():
    """Synchronous, so two workers are one with twice the mini-batch: the mean of gradients."""
    keys = ["batch_size=8", "width=6", "seed=1", "task=digits-mlp", "learning_rate=0.1",
            "distances=false"]
    path = CASES / "bom.csv"
    found = told(sim_door, "run", path, *keys, "workers.count=2", "minibatches=8")
    plain = CliRunner().invoke(sim_door, [
        "run", *[part for each in [*keys, "schedule=gpipe", "stages=2", "microbatches=2",
                                   "minibatches=8", "workers.count=2"]
                 for part in ("--set", each)], "--json"])
    assert found["final_loss"] == json.loads(plain.stdout)["final_loss"]


@pytest.mark.parametrize("mitigation", ["none", "stash", "spectrain", "nwpt"])
def test_mitigations_read_the_programs_versions(mitigation):
    found = told(sim_door, "run", CASES / "halves.csv", f"mitigation={mitigation}",
                 "minibatches=4", "batch_size=8", "width=6", "task=digits-mlp")
    assert found["mitigation"].startswith(mitigation)
    assert found["staleness"]["max"] == 0
    assert np.isfinite(found["final_loss"])


def test_mitigations_are_compared_on_a_program():
    small = ("batch_size=8", "width=6", "minibatches=4", "task=digits-mlp", "distances=false")
    options = [part for each in small for part in ("--set", each)]
    result = CliRunner().invoke(sim_door, ["compare", "--program", str(CASES / "bom.csv"),
                                           *options, "--mitigations", "none,stash", "--json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [(row["mitigation"], row["schedule"], row["refused"]) for row in rows] == [
        ("none", "file", None), ("stash", "file", None)]
    keys = {"batch_size": 8, "width": 6, "minibatches": 4, "distances": False}
    assert rows == sim.compare(program=CASES / "bom.csv", mitigations="none,stash", **keys)
    alone = sim.run(program=CASES / "bom.csv", mitigation="stash", **keys)
    assert rows[1]["final_loss"] == analysis.report(alone)["final_loss"]
    for more, said in ((("--mitigations", "stash@gpipe"), "none names a schedule"),
                       (("--systems", "all"), "a system has an order of its own")):
        wrong = CliRunner().invoke(sim_door, ["compare", "--program", str(CASES / "bom.csv"),
                                              *options, *more])
        assert wrong.exit_code == 2
        assert said in wrong.stderr


def test_replicas_jitter_a_program():
    keys = {"task": "none", "jitter.sigma": 0.2, "minibatches": 3}
    found = sim.replicas(program=PAIRS, runs=3, **keys)
    for seed, makespan_s in zip(found.seeds.tolist(), found.makespan_s.tolist(), strict=True):
        assert sim.run(program=PAIRS, seed=seed, **keys).end_s.max() == makespan_s


def test_the_timeline_is_drawn():
    result = CliRunner().invoke(sim_door, ["timeline", "--program", str(CASES / "bom.csv"), *FAST])
    assert result.exit_code == 0, result.output
    assert "device 0" in result.stdout
    assert "byte order mark" in result.stderr


def test_steady_repeats_a_program_for_ever():
    found = told(analysis_door, "steady", CASES / "bom.csv")
    assert found["period_s"] == 9
    assert analysis.steady(program=CASES / "bom.csv", backward_s=2, task="none")["period_s"] == 9
    schedule = analysis.steady(schedule="1f1b", stages=4, microbatches=8, backward_s=2,
                               task="none")
    assert told(analysis_door, "steady", FOUR, "minibatches=7")["period_s"] == schedule["period_s"]
    assert "does not repeat within its 2 mini-batches" in refused(
        analysis_door, "steady", CASES / "uneven-batches.txt")


def test_steady_takes_a_program_of_many_mini_batches(tmp_path):
    path = tmp_path / "many.txt"
    path.write_text(str(sim.schedules["round-robin"].program(PipelineShape(3, 20))))
    usual = analysis.steady(schedule="round-robin", stages=3, task="none", backward_s=2)
    assert told(analysis_door, "steady", path)["period_s"] == usual["period_s"]


def test_figures_draw_a_program(tmp_path):
    result = CliRunner().invoke(figures_door, ["timeline", "--program", str(CASES / "bom.csv"),
                                               "--set", "task=none", "--out", str(tmp_path / "p")])
    assert result.exit_code == 0, (result.output, result.exception)
    assert "bom.csv is PyTorch's CSV" in result.stderr


def test_the_library_takes_a_programs_file():
    trace = sim.run(program=CASES / "bom.csv", minibatches=2, task="none", backward_s=2)
    assert trace.end_s.max() == 18
    assert trace.program() == sim.run(program=trace.program(), task="none").program()
    assert taken(CASES / "bom.csv").said.startswith("bom.csv is PyTorch's CSV (a byte order mark")


def test_marks_of_byte_order_are_passed_over_in_every_text(tmp_path):
    toml, profile = tmp_path / "e.toml", tmp_path / "p.json"
    stage = {"forward_s": 1, "backward_s": 2, "weight_bytes": 0, "activation_bytes": 1}
    profile.write_text("\ufeff" + json.dumps({"format": "pipestale-profile", "version": 1,
                                              "stages": [stage, stage]}), encoding="utf-8")
    toml.write_text('\ufeff[pipeline]\r\nstages = 2\r\nminibatches = 4\r\n[costs]\r\n'
                    f'profile = "{profile}"\r\n[training]\r\ntask = "none"\r\n', encoding="utf-8")
    result = CliRunner().invoke(sim_door, ["run", str(toml), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["stages"] == 2


def test_the_first_mini_batches_of_a_program_keep_their_pairs():
    _, program = with_program({"pipeline": {"minibatches": 3}, "training": {"task": "none"}},
                              taken(PAIRS))
    assert first_minibatches(program, 1) == taken(PAIRS).program

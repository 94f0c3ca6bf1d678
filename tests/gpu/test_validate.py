"""The validator on CPU threads: DOORS' files, and that it finds what is not exact."""

import csv
import json

import pytest
import torch
from click.testing import CliRunner

from gpu.__main__ import main
from gpu.studies.validation import exactness
from sim.numerics.store import VersionStore
from sim.times.profile import read_profile

SMALL = ["--set", "minibatches=6", "--set", "batch_size=4", "--repeats", "1"]
EXACT = {"order_equal", "versions_equal", "weights_max_rel", "weights_noise_floor_rel"}
STATISTICAL = {"step_time_rel_error", "event_duration_p95_rel", "event_start_p95_rel",
               "bubble_abs_error", "memory_rel_error", "kendall_tau"}


def validate(*options):
    return CliRunner().invoke(main, ["validate", *SMALL, *options])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("validation")
    result = validate("--grid", "none,stash@gpipe/2,v-timeprest@nf1b/2,timeprest", "--out",
                      str(out))
    assert result.exit_code == 0, result.output
    return out


def test_the_report_has_doors_form(folder):
    report = json.loads((folder / "report.json").read_text())
    assert {"device", "exact", "statistical", "runs", "targets", "targets_met"} <= report.keys()
    for part in (report, *report["runs"]):
        assert part["exact"].keys() >= EXACT
        assert part["statistical"].keys() >= STATISTICAL
    assert [(run["schedule"], run["mitigation"]) for run in report["runs"]] == [
        ("round-robin", "none"), ("gpipe", "stash"), ("nf1b", "v-timeprest")]
    assert report["targets"]["step_time_rel_error"] == 0.02
    assert report["refused"][0].startswith("timeprest: pipeline.mitigation: ")
    for run in report["runs"]:
        assert "clock_residual_s" in run
        assert "launch_bound_fraction" in run


def test_the_exact_part_is_exact_on_a_cpu(folder):
    report = json.loads((folder / "report.json").read_text())
    for part in (report, *report["runs"]):
        assert part["exact"]["order_equal"] is True
        assert part["exact"]["versions_equal"] is True
        assert part["exact"]["weights_max_rel"] == 0
        assert part["exact"]["weights_noise_floor_rel"] == 0
    assert all(run["statistical"]["memory_rel_error"] < 0.03 for run in report["runs"])


def test_raw_rows_page_profiles_and_figure_lie_beside_it(folder):
    rows = list(csv.DictReader((folder / "rows.csv").open()))
    runs = {row["run"] for row in rows}
    assert len(runs) == 3
    assert all(float(row["measured_end_s"]) >= float(row["measured_start_s"]) for row in rows)
    page = (folder / "report.md").read_text()
    assert "Exact part: passed" in page
    assert all(run in page for run in runs)
    assert (folder / "validation.png").read_bytes().startswith(b"\x89PNG")
    profiles = list((folder / "profiles").iterdir())
    assert len(profiles) == 3
    assert all(read_profile(path).stages for path in profiles)


def test_a_version_broken_on_purpose_exits_with_1(monkeypatch, tmp_path):
    """A backward that takes the newest weights where the stash holds the ones it needs."""
    monkeypatch.setattr(VersionStore, "read_back", lambda store, *_: store.newest)
    result = validate("--grid", "stash", "--out", str(tmp_path))
    assert result.exit_code == 1
    assert "error: the exact part failed" in result.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["exact"]["versions_equal"] is False
    assert report["exact"]["passed"] is False
    assert "Exact part: FAILED" in (tmp_path / "report.md").read_text()


def test_weights_that_differ_exit_with_1(monkeypatch):
    whole = exactness.run

    def off(assembly, *args, **options):
        trace = whole(assembly, *args, **options)
        assembly.stages[1].refresh(assembly.stages[1].weights * (1 + 1e-6))
        return trace

    monkeypatch.setattr(exactness, "run", off)
    result = validate("--grid", "none")
    assert result.exit_code == 1
    assert "Exact part: FAILED" in result.stdout


def test_a_failing_run_leaves_nothing_behind(monkeypatch, tmp_path):
    def broken(*_):
        raise ValueError("a layer broke")

    monkeypatch.setattr(torch.autograd, "grad", broken)
    result = validate("--grid", "none", "--out", str(tmp_path / "deep" / "out"))
    assert result.exit_code == 1
    assert "error: stage 1 failed at 1B0 on cpu#1: ValueError: a layer broke" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_divergence_names_the_stage_and_writes_nothing(tmp_path):
    result = validate("--grid", "none", "--set", "learning_rate=1e30", "--out", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: stage 1 is no longer finite at 1F")
    assert list(tmp_path.iterdir()) == []


def test_no_run_is_begun_that_would_not_be_done_in_time(tmp_path):
    result = validate("--grid", "none,stash", "--within", "0.001", "--out", str(tmp_path))
    assert result.exit_code == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert [run["mitigation"] for run in report["runs"]] == ["none"]
    assert report["refused"] == ["stash@round-robin/1: no time left"]


@pytest.mark.parametrize(("options", "says"), [
    (["--grid", "noone"], "'noone' is unknown"),
    (["--grid", "timeprest"], "nf1b"),
    (["--batch-sizes", "16,x"], "--batch-sizes: whole numbers by commas"),
    (["--devices", "cuda:0/2"], "is not there"),
    (["--out", f"{__file__}/x"], "is no folder that can be written to"),
])
def test_a_mistake_is_one_line_and_exit_code_2(options, says):
    result = validate(*options)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_batch_and_image_sizes_multiply_the_grid(tmp_path):
    result = validate("--grid", "none", "--batch-sizes", "2,4", "--image-sizes", "16,32", "--out",
                      str(tmp_path))
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert [(run["batch_size"], run["image_size"]) for run in report["runs"]] == [
        (2, 16), (4, 16), (2, 32), (4, 32)]

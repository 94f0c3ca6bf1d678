"""The validator on CPU threads: DOORS' files, and that it finds what is not exact."""

import csv
import json
import re
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from gpu.__main__ import main
from gpu.commands.validate import Asked, grid_of, not_begun
from gpu.errors import StageMemoryError
from gpu.lanes.devices import parse_devices
from gpu.runtime.settings import RunSettings
from gpu.studies.validation import exactness
from gpu.studies.validation import validate as validation
from gpu.studies.validation.cases import Case
from gpu.studies.validation.grid import Sizes, asked_rows, every_row
from gpu.studies.validation.wide import combinations, in_turn
from sim.commands.bars import time_left
from sim.experiment.compared.contender import contenders
from sim.experiment.configuration import resolve
from sim.experiment.program_file import reshaped
from sim.experiment.setup import Setup
from sim.mitigations import MITIGATIONS
from sim.numerics.store import VersionStore
from sim.order.program import Program
from sim.schedules import SCHEDULES
from sim.times.profile import read_profile

SMALL = ["--set", "minibatches=6", "--set", "batch_size=4", "--repeats", "1"]
EXACT = {"order_equal", "versions_equal", "weights_max_rel", "weights_noise_floor_rel"}
STATISTICAL = {"step_time_rel_error", "event_duration_p95_rel", "event_start_p95_rel",
               "bubble_abs_error", "memory_rel_error", "kendall_tau"}


def validate(*options):
    return CliRunner().invoke(main, ["validate", *SMALL, *options])


@pytest.fixture
def undrawn(monkeypatch):
    """Reports without their pictures, which take most of a small validation's time."""
    monkeypatch.setattr("figures.bundles.validation._pictures", lambda *_: [])


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


@pytest.mark.usefixtures("undrawn")
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


@pytest.mark.verify
def test_weights_that_differ_exit_with_1(monkeypatch):
    whole = exactness.run

    def off(assembly, *args, **options):
        trace = whole(assembly, *args, **options)
        assembly.stages[1].refresh(assembly.stages[1].weights * (1 + 1e-6))
        return trace

    monkeypatch.setattr(exactness, "run", off)
    result = validate("--grid", "none")
    assert result.exit_code == 1
    assert "exact part FAILED" in result.stdout


def test_a_failing_run_leaves_nothing_behind(monkeypatch, tmp_path):
    def broken(*_):
        raise ValueError("a layer broke")

    monkeypatch.setattr(torch.autograd, "grad", broken)
    result = validate("--grid", "none", "--out", str(tmp_path / "deep" / "out"))
    assert result.exit_code == 1
    # both devices warm up at once: either's first backward may be the first to fail
    assert re.search(r"error: stage (\d) failed at \1B0 on cpu#\1: ValueError: a layer broke",
                     result.stderr)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("undrawn")
def test_a_run_that_needs_too_much_memory_is_left_out_and_the_next_begins(monkeypatch, tmp_path):
    whole = validation.validate_one

    def too_large(case, bench, link=None):
        if case.experiment.training.batch_size == 8:
            raise StageMemoryError(0, "0F0", "cpu#0", "out of memory")
        return whole(case, bench, link)

    monkeypatch.setattr(validation, "validate_one", too_large)
    result = validate("--grid", "none", "--batch-sizes", "8,4", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert [run["batch_size"] for run in report["runs"]] == [4]
    assert report["refused"][0].startswith("none@round-robin/1, narrow, batch 8: stage 0 ran out")
    alone = validate("--grid", "none", "--batch-sizes", "8", "--out", str(tmp_path / "alone"))
    assert alone.exit_code == 1
    assert "error: stage 0 ran out of memory at 0F0" in alone.stderr


@pytest.mark.usefixtures("undrawn")
def test_an_interrupt_keeps_the_runs_that_are_done(monkeypatch, tmp_path):
    whole = validation.validate_one

    def stopped(case, bench, link=None):
        if case.experiment.pipeline.mitigation["name"] == "stash":
            raise KeyboardInterrupt
        return whole(case, bench, link)

    monkeypatch.setattr(validation, "validate_one", stopped)
    result = validate("--grid", "none,stash,spectrain", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert [run["mitigation"] for run in report["runs"]] == ["none"]
    assert report["refused"] == [f"{name}@round-robin/1: no time left"
                                 for name in ("stash", "spectrain")]


def test_a_divergence_names_the_stage_and_writes_nothing(tmp_path):
    result = validate("--grid", "none", "--set", "learning_rate=1e30", "--out", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: stage 1 is no longer finite at 1F")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("undrawn")
def test_no_run_is_begun_that_would_not_be_done_in_time(tmp_path):
    result = validate("--grid", "none,stash", "--within", "0.001", "--out", str(tmp_path))
    assert result.exit_code == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert [run["mitigation"] for run in report["runs"]] == ["none"]
    assert report["refused"] == ["stash@round-robin/1: no time left"]


@pytest.mark.verify
@pytest.mark.usefixtures("undrawn")
def test_an_order_of_the_users_own_is_validated_under_every_mitigation_that_takes_it(tmp_path):
    (tmp_path / "order.csv").write_text("0F0,0F1,,0B0,0B1\n,1F0,1B0,1F1,1B1\n")
    out = tmp_path / "out"
    result = validate("--program", str(tmp_path / "order.csv"), "--grid",
                      "none,stash@gpipe/4,stash,v-timeprest", "--out", str(out))
    assert result.exit_code == 0, result.output
    report = json.loads((out / "report.json").read_text())
    assert [(run["schedule"], run["mitigation"]) for run in report["runs"]] == [
        ("file", "none"), ("file", "stash")]  # a row's own schedule is not the user's order
    assert [run["minibatches"] for run in report["runs"]] == [6, 6]
    assert report["exact"]["passed"] is True
    assert report["refused"] == ["v-timeprest: pipeline.mitigation: v-timeprest is defined on "
                                 "nf1b, not on file"]


def test_without_a_grid_every_mitigation_is_tried_on_the_users_order():
    program = Program.parse("# two\n0F0,0F1,0B0,0B1\n1F0,1B0,1F1,1B1\n")
    experiment = reshaped(resolve({"training": {"batch_size": 4}}), program)
    rows = asked_rows(experiment, contenders("all"), program)
    grid = Sizes(("narrow",), (4,), (None,)).cases(experiment, RunSettings(), rows)
    tried = {case.experiment.pipeline.mitigation["name"] for case in grid.cases}
    refused = {line.partition(":")[0] for line in grid.refused}
    assert tried | refused == set(MITIGATIONS.names())
    assert tried & refused == set()
    assert all(case.program is program for case in grid.cases)


def test_a_case_cut_short_keeps_the_order_of_what_is_left():
    experiment = resolve({"pipeline": {"stages": 2, "minibatches": 9, "schedule": "nf1b",
                                       "microbatches": 2}, "training": {"batch_size": 4}})
    program = Setup.of(experiment).program
    case = Case(reshaped(experiment, program), RunSettings(), program)
    short = case.shortened(4)
    assert short.experiment.pipeline.minibatches == 4
    assert short.program.validate().shape.minibatches == 4
    for device in range(2):
        kept = [each for each in program.stream(device) if each.index < 8]
        assert list(short.program.stream(device)) == kept
    assert case.shortened(40).program is program
    assert case.shortened(40).experiment.pipeline.minibatches == 9


def test_the_wide_grid_is_every_pair_the_registries_have_and_begins_with_the_most_different():
    experiment = resolve({"pipeline": {"minibatches": 16}, "training": {"batch_size": 64}})
    found = every_row(experiment, 2)
    pairs = [(row.changes["pipeline"]["schedule"], row.changes["pipeline"]["microbatches"],
              row.name) for row in found]
    assert len(set(pairs)) == len(pairs)
    assert {name for _, _, name in pairs} == set(MITIGATIONS.names())
    alike = {("sequential", 1), ("gpipe", 1), ("split", 1), ("1f1b", 1)}
    assert len({pair[:2] for pair in pairs} & alike) == 1  # one program under four names
    assert {each for each, _, _ in pairs} | {"sequential"} >= {
        each.name for each in SCHEDULES if each.homes == 1 and (each.chunks or each.like is None)}
    for row in found:
        setup = Setup.of(experiment.changed(row.changes))
        setup.versions(setup.program)
        assert setup.program.devices == 2
    first = pairs[:10]
    assert len({name for _, _, name in first}) >= 7
    assert len({pair[:2] for pair in first}) >= 7


def test_the_first_runs_of_a_grid_are_of_all_sizes_and_of_different_rows():
    turns = in_turn(10, 8)
    assert sorted(turns) == [(row, size) for row in range(10) for size in range(8)]
    assert [row for row, _ in turns[:10]] == list(range(10))
    assert {size for _, size in turns[:8]} == set(range(8))
    together = combinations(("a", "b"), (64, 16), (128, 224))
    assert len(set(together)) == 8
    assert all(one[0] != two[0] for one, two in pairwise(together))


def wide_asked(**changes):
    return replace(Asked("cuda:0/2", None, (), (), 1, None, None, "it"), **changes)


def test_what_is_said_narrows_the_wide_grid():
    assert wide_asked().wide
    assert not wide_asked(devices="cpu,cpu").wide
    assert not wide_asked(grid="none").wide
    assert not wide_asked(program=Path("p.csv")).wide
    specs = parse_devices("cuda:0/2")
    base = resolve({"pipeline": {"minibatches": 16}})

    def sizes_of(asked, experiment=base, wanted=None):
        cases = grid_of(experiment, wanted or RunSettings(), asked, specs, None).cases
        return {(case.settings.model, case.experiment.training.batch_size,
                 case.settings.image_size) for case in cases}

    assert sizes_of(wide_asked()) == set(product(("resnet50", "vgg16"), (64, 16), (128, 224)))
    assert sizes_of(wide_asked(networks=("narrow",), image_sizes=(32,), batch_sizes=(16,))) == {
        ("narrow", 16, 32)}
    said = sizes_of(wide_asked(), base.changed(batch_size=32), RunSettings(image_size=96))
    assert said == {("resnet50", 32, 96), ("vgg16", 32, 96)}


def test_what_there_was_no_time_for_is_one_line_of_a_wide_grid():
    left = [Case(resolve({}), RunSettings())] * 3
    assert not_begun(left, wide_asked(), 5) == ["3 of 5 runs of the wide grid: no time left"]
    assert not_begun(left, wide_asked(grid="none"), 5) == ["none@round-robin/1: no time left"] * 3
    assert not_begun([], wide_asked(), 5) == []


def test_the_first_run_says_how_long_all_take():
    assert time_left(12, 20, 20, None) == "20 s a run, about 4 min left"
    assert time_left(12, 200, 20, None) == "20 s a run, about 40 s left"
    assert time_left(900, 20, 20, 480) == "20 s a run, about 8 min left"
    assert time_left(2, 50, 1.51, None) == "1.51 s a run, nearly done"


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


@pytest.mark.verify
@pytest.mark.usefixtures("undrawn")
def test_batch_and_image_sizes_multiply_the_grid(tmp_path):
    result = validate("--grid", "none", "--batch-sizes", "2,4", "--image-sizes", "16,32", "--set",
                      "minibatches=3", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert [(run["batch_size"], run["image_size"]) for run in report["runs"]] == [
        (2, 16), (4, 16), (2, 32), (4, 32)]

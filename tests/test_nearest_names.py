"""Whatever is misspelt at a door, the line that refuses it names what is nearest."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import sim as library
from analysis.__main__ import main as analysis
from gpu.__main__ import main as gpu
from sim.__main__ import main as sim
from sim.commands.pipestale import main as pipestale
from sim.errors import nearest
from sim.files.reading import nearest_path

pytestmark = pytest.mark.filterwarnings("error")
DEMO = "figures/experiments/demo.toml"


@pytest.mark.parametrize(("door", "typed", "meant"), [
    (sim, "run --set stagez=4", "stages"),
    (sim, "run --set pipelin.stages=4", "pipeline"),
    (sim, "run --set training.stages=4", "pipeline.stages"),
    (sim, "run --set backward=recomput", "recompute"),
    (sim, "run --set schedule=GPipe1", "gpipe"),
    (sim, "run --set rate_schedule.name=cosin", "cosine"),
    (sim, "run --set mitigation.name=i-timeprest --set mitigation.deccay=1", "decay"),
    (sim, "run --set optimizer=ADM", "adam"),
    (sim, "run --set combine=all-reduc", "all-reduce"),
    (sim, "run --set task=digits", "digits-mlp"),
    (sim, "run --set profile=figures/experiments/profil.json",
     "figures/experiments/profile.json"),
    (sim, "run --engine simp", "simpy"),
    (sim, "rn", "run"),
    (sim, "run figures/experiments/dem.toml", DEMO),
    (sim, "run figures/experimnts/demo.toml", DEMO),
    (sim, "timeline --program figures/experiments/demmo.toml", DEMO),
    (sim, "compare --systems pipedrem", "pipedream"),
    (sim, "compare --mitigations i-timeprest:deccay=1", "decay"),
    (sim, "compare --mitigations stash@gpip/4", "gpipe"),
    (analysis, "advis", "advise"),
    (analysis, "report figures/experiments/dem.toml", DEMO),
    (analysis, f"export {DEMO} --format cvs --out x", "csv"),
    (analysis, "stability --mitigation stahs", "stash"),
    (gpu, "runn", "run"),
    (gpu, "run --dtype float23", "float32"),
    (pipestale, "siim run", "sim"),
])
def test_a_misspelt_name_is_refused_with_the_nearest(door, typed, meant, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[1])
    found = CliRunner().invoke(door, typed.split())
    assert found.exit_code == 2, (found.output, found.exception)
    assert f"(did you mean {meant}?)" in found.output


def test_a_setting_without_its_option_is_told_how_it_is_given():
    for typed in (["stages=3"], [DEMO, "stages=3"]):
        found = CliRunner().invoke(sim, ["run", *typed])
        assert found.exit_code == 2
        assert "a setting is given as --set " in found.output.lower()


def test_a_function_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(AttributeError, match=r"no attribute 'comparre' \(did you mean compare\?\)"):
        library.comparre  # noqa: B018


@pytest.mark.parametrize(("name", "choices", "meant"), [
    ("STAGES", ["stage", "stages"], "stages"),
    ("stages", ["pipeline.stages", "stag"], "pipeline.stages"),
    ("quadratic", ["stages"], None), ("x", [], None), ("", ["a"], None),
    ("s" * 10_000_000, ["stages"], None),
])
def test_the_nearest_name_is_none_where_none_is_near(name, choices, meant):
    assert nearest(name, choices) == meant


def test_a_file_of_the_kind_that_was_typed_is_nearer_than_another(tmp_path):
    for name in ("run.toml", "run.npz", "other.toml"):
        (tmp_path / name).touch()
    assert nearest_path(tmp_path / "rum.npz") == f" (did you mean {tmp_path / 'run.npz'}?)"
    assert nearest_path(tmp_path / "rum.toml") == f" (did you mean {tmp_path / 'run.toml'}?)"
    assert nearest_path(tmp_path / "nothing.toml") == ""
    assert nearest_path("") == ""
    assert nearest_path(tmp_path) == ""

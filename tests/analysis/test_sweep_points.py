"""What points a sweep has: products, draws, documents, fingerprints; and files that are wrong."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.sweep.options import Choices, Range
from analysis.sweep.points import Grid, Search, Sweep
from analysis.sweep.reading import read_sweep
from analysis.sweep.work import flat, spelled
from sim.errors import ConfigurationError
from sim.experiment.configuration import resolve

VALUES = st.dictionaries(st.sampled_from(["a.x", "a.y", "b.z"]),
                         st.lists(st.integers(), min_size=1, max_size=4), max_size=3)


@given(VALUES)
def test_a_grid_is_the_product_with_the_last_key_quickest(values):
    grid = Grid(values)
    expected = [dict(zip(values, each, strict=True))
                for each in itertools.product(*values.values())]
    assert [grid.settings(i) for i in range(len(grid))] == expected


WHOLE = st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)).map(sorted)
REAL = st.tuples(st.floats(1e-9, 1e9), st.floats(1e-9, 1e9)).map(sorted)


@given(WHOLE, REAL, st.sampled_from(["linear", "log"]), st.integers(0, 99), st.integers(0, 9))
def test_draws_stay_within_their_bounds_and_types(whole, real, scale, seed, number):
    search = Search(10, seed, {"w": Range(low=whole[0], high=whole[1], scale=scale),
                               "r": Range(low=real[0], high=real[1], scale=scale),
                               "c": Choices(choices=["p", [1, 2], {"q": 3}])})
    found = search.settings(number)
    assert isinstance(found["w"], int)
    assert isinstance(found["r"], float)
    assert whole[0] <= found["w"] <= whole[1]
    assert real[0] <= found["r"] <= real[1]
    assert found["c"] in ["p", [1, 2], {"q": 3}]
    assert found == search.settings(number)


def drawn(points: int, **draws: Range) -> list[dict[str, object]]:
    search = Search(points, 7, draws)
    return [search.settings(i) for i in range(points)]


def test_more_points_or_other_keys_change_no_draw():
    few, many = drawn(5, a=Range(low=0.0, high=1.0)), drawn(
        9, b=Range(low=1, high=9), a=Range(low=0.0, high=1.0))
    assert [each["a"] for each in many[:5]] == [each["a"] for each in few]
    assert [each["a"] for each in few] != [each["a"] for each in drawn(5, c=Range(
        low=0.0, high=1.0), a=Range(low=0.0, high=2.0))]


def test_draws_are_spread_as_their_scale_says():
    found = drawn(3000, lin=Range(low=0.0, high=8.0), log=Range(low=1e-4, high=1.0, scale="log"),
                  whole=Range(low=1, high=4), powers=Range(low=1, high=7, scale="log"))
    lin, log = (np.array([each[key] for each in found]) for key in ("lin", "log"))
    assert np.histogram(lin, 4, (0, 8))[0] == pytest.approx(750, rel=0.12)
    assert np.histogram(np.log10(log), 4, (-4, 0))[0] == pytest.approx(750, rel=0.12)
    assert np.bincount([each["whole"] for each in found])[1:] == pytest.approx(750, rel=0.12)
    share = np.bincount([each["powers"] for each in found], minlength=8)[1:] / 3000
    expected = [math.log((k + 1) / k) / math.log(8) for k in range(1, 8)]
    assert share == pytest.approx(expected, abs=0.03)


def test_every_choice_comes_up():
    found = [Search(60, 0, {"k": Choices(choices=["a", "b", "c"])}).settings(i)["k"]
             for i in range(60)]
    assert {*found} == {"a", "b", "c"}


def write(folder: Path, text: str) -> Path:
    path = folder / "s.toml"
    path.write_text(text)
    return path


def test_a_file_in_every_spelling_is_the_same_sweep(tmp_path):
    (tmp_path / "base.toml").write_text("[pipeline]\nminibatches = 7\n")
    spellings = [
        'experiment = "base.toml"\n[grid]\n"pipeline.stages" = [2, 4]\n"training.seed" = [0]',
        "[experiment.pipeline]\nminibatches = 7\n[grid.pipeline]\nstages = [2, 4]\n"
        "[grid.training]\nseed = [0]",
        "[experiment]\npipeline.minibatches = 7\n[grid]\nstages = [2, 4]\nseed = [0]"]
    sweeps = [read_sweep(write(tmp_path, text)) for text in spellings]
    assert len({sweep.fingerprint for sweep in sweeps}) == 1
    point = sweeps[0].point(1)
    assert point.settings == {"pipeline.stages": 4, "training.seed": 0}
    assert resolve(point.document).pipeline.minibatches == 7
    assert resolve(point.document).pipeline.stages == 4
    assert resolve(sweeps[0].point(0).document).pipeline.stages == 2


def test_points_do_not_share_their_documents():
    sweep = Sweep({"pipeline": {"mitigation": {"name": "i-timeprest"}}},
                  Grid({"pipeline.mitigation.decay": [1.0, 2.0]}))
    one, other = sweep.point(0), sweep.point(1)
    assert one.document["pipeline"]["mitigation"] == {"name": "i-timeprest", "decay": 1.0}
    assert other.document["pipeline"]["mitigation"]["decay"] == 2.0
    assert "decay" not in sweep.base["pipeline"]["mitigation"]


def test_a_fingerprint_changes_with_whatever_changes_a_point(tmp_path):
    profile = tmp_path / "p.json"
    profile.write_text("one")
    costs = {"costs": {"profile": str(profile)}}
    grid = {"pipeline.stages": [2, 4], "training.seed": [0, 1]}
    sweeps = [Sweep({}, Grid(grid)), Sweep({}, Grid(grid), seeds=2), Sweep(costs, Grid(grid)),
              Sweep({}, Grid(dict(reversed(grid.items())))),
              Sweep({}, Grid(grid | {"pipeline.stages": [4, 2]})),
              Sweep({}, Search(4, 0, {"training.seed": Range(low=0, high=9)})),
              Sweep({}, Search(4, 1, {"training.seed": Range(low=0, high=9)})),
              Sweep({}, Search(4, 0, {"training.seed": Range(low=0, high=8)}))]
    found = [sweep.fingerprint for sweep in sweeps]
    assert len({*found}) == len(found)
    assert Sweep({}, Grid(grid)).fingerprint == found[0]
    profile.write_text("other")
    assert Sweep(costs, Grid(grid)).fingerprint != found[2]


@pytest.mark.parametrize(("text", "said"), [
    ("", ["grid, random: a sweep has one of the two, got neither"]),
    ("[grid]\nstages = [2]\n[random]\npoints = 2\n[random.keys]\nseed = { low = 0, high = 1 }",
     ["got both"]),
    ("[grid]", ["grid: name at least one key"]),
    ("[grid]\nstages = 2", ["grid.pipeline.stages: a list of at least one value, got 2"]),
    ("[grid]\nstages = []", ["grid.pipeline.stages: a list of at least one value"]),
    ("[grid]\nstagess = [2]", ["grid.stagess: key 'stagess' is unknown", "pipeline.stages"]),
    ("[grid.pipeline]\nstagess = [2]", ["grid.pipeline.stagess:", "did you mean stages?"]),
    ("[grid]\nstages = [1]\n[grid.pipeline]\nstages = [2]", ["named twice, as pipeline.stages"]),
    ('[grid]\n"training.seed.x" = [2]', ["training.seed is no table"]),
    ("[grid]\nseed = [2020-01-01]", ["grid.training.seed: Object of type date"]),
    ("sedes = 2\nseeds = 0\n[grid]\nseed = [1]", ["sedes: key", "did you mean seeds?",
                                                  "seeds: input should be greater"]),
    ("[experiment.pipeline]\nstages = 0\nx = 1\n[grid]\nseed = [1]",
     ["experiment.pipeline.stages:", "experiment.pipeline.x: key 'x' is unknown"]),
    ('experiment = "none.toml"\n[grid]\nseed = [1]', ["experiment: ", "there is no such file"]),
    ("[random]\npoints = 0\n[random.keys]\nseed = { low = 0, high = 1 }", ["random.points:"]),
    ("[random]\npoints = 1\n[random.keys]", ["random.keys: name at least one key"]),
    ("[random]\npoints = 1\n[random.keys]\nseed = 3", ["random.keys.training.seed: { choices"]),
    ("[random]\npoints = 1\n[random.keys]\nseed = { low = 3, high = 1 }",
     ["random.keys.training.seed: ", "low is at most high"]),
    ("[random]\npoints = 1\n[random.keys]\nlearning_rate = { low = 0.0, high = 1, scale = 'log' }",
     ["a log scale starts above 0"]),
    ("[random]\npoints = 1\n[random.keys]\nlearning_rate = { low = 0.1, scale = 'lin' }",
     ["random.keys.training.learning_rate.high: field required",
      "random.keys.training.learning_rate.scale:"]),
    ("[random]\npoints = 1\n[random.keys]\nlearning_rate = { low = -1e308, high = 1e308 }",
     ["random.keys.training.learning_rate: ", "high - low is a finite number"]),
    ("[random]\npoints = 1\n[random.keys]\nseed = { low = 0, high = 9223372036854775808 }",
     ["random.keys.seed.high: a whole number of TOML holds 64 bits"]),
    ('[grid]\nmitigation = ["none"]\n"pipeline.mitigation.decay" = [1.0]',
     ["pipeline.mitigation.decay lies in pipeline.mitigation, which is set as a whole"]),
    ('[grid]\n"pipeline.mitigation.decay" = [1.0]\nmitigation = ["none"]',
     ["pipeline.mitigation.decay lies in pipeline.mitigation, which is set as a whole"]),
    ('[experiment.pipeline]\nmitigation = "none"\n[grid]\n"pipeline.mitigation.decay" = [1.0]',
     ["pipeline.mitigation is not a table"]),
    ("[random]\npoints = 1\n[random.keys]\nseed = { choices = [] }",
     ["random.keys.training.seed.choices:"]),
    ("[grid]\nseed = [" + "0," * 1001 + "]\nstages = [" + "1," * 1001 + "]",
     ["makes 1002001 points"])])
def test_what_is_wrong_with_a_file_is_said_with_its_path(tmp_path, text, said):
    with pytest.raises(ConfigurationError) as caught:
        read_sweep(write(tmp_path, text))
    for expected in said:
        assert expected in str(caught.value)


def test_all_problems_are_listed_at_once(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        read_sweep(write(tmp_path, "[experiment.costs]\nforward_s = 'x'\n[grid]\nstagess = [1]\n"
                                   "minibatches = 3"))
    assert len(caught.value.problems) == 3


def test_reports_are_flattened_and_settings_spelled():
    assert flat({"a": 1, "b": {"c": [1, 2], "d": {"e": None}}}) == {
        "a": 1, "b.c": [1, 2], "b.d.e": None}
    assert spelled({"name": "x", "decay": math.inf, "l": [math.nan, 1.5]}) == {
        "name": "x", "decay": "inf", "l": ["nan", 1.5]}

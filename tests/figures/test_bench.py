"""The bench's figure: what bench.json says, and nothing where there is none."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from figures.__main__ import Bare, draw
from figures.making import check
from figures.pictures import bench
from sim.errors import ConfigurationError
from tests.bench.measure import Ratio, Took


def written(path):
    found = [Ratio("exact_over_bare", [30.0, 20.0, 25.0], [1.0, 1.0, 2.0], "tasks/s", 15.0, True),
             Ratio("compiled_over_bare", [40.0], [1.0], "tasks/s", 100.0, True),
             Ratio("training_overhead", [1.3], [1.0], "s", 1.5, False),
             Took("solver_ms", [9.0], "ms", 50.0)]
    document = {**{each.name: each.document() for each in found}, "machine": {"cpu": "a cpu"}}
    path.write_text(json.dumps(document))


def test_rows_are_the_ratios_of_speeds_alone(tmp_path):
    written(tmp_path / "bench.json")
    rows = bench.data(tmp_path / "bench.json")
    assert [(row["name"], row["ratio"]) for row in rows] == [
        ("exact_over_bare", 25.0), ("compiled_over_bare", 40.0)]
    axis = bench.draw(rows).axes[0]
    assert axis.get_xscale() == "log"
    assert [text.get_text() for text in axis.texts] == ["25×", "40×"]
    assert bench.message(rows) == "1 of 2 aims of speed are met; the largest ratio is 40 (" \
        "compiled over bare)"
    assert [bar.get_width() for bar in axis.patches] == [24.0, 39.0]


def test_the_door_draws_it_and_says_where_there_is_nothing_to_draw(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    door = Bare(commands={"draw": draw})
    missing = CliRunner().invoke(door, ["bench", "--out", "out"])
    assert missing.exit_code == 2
    assert "make bench writes it" in missing.output
    assert "bench" not in check(("all",))
    written(tmp_path / "bench.json")
    drawn = CliRunner().invoke(door, ["bench", "--out", "out"])
    assert drawn.exit_code == 0, drawn.output
    assert (tmp_path / "out" / "bench.png").exists()


def test_another_file_is_refused(tmp_path):
    for text in ("[1, 2]", "{", '{"exact_over_bare": {"bound": "at least"}, "machine": {}}'):
        (tmp_path / "bench.json").write_text(text)
        with pytest.raises(ConfigurationError, match="not what make bench writes"):
            bench.data(tmp_path / "bench.json")

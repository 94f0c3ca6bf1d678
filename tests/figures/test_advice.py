"""The advice figure: rows that draw it, and labels that find room."""

import json
import shlex

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.commands.advise import advise
from figures.drawing.labels import HALF, label
from figures.drawing.style import new_figure
from figures.pictures import advice
from tests.docs.documents import ROOT, text_of


@pytest.fixture(scope="module")
def rows():
    return advice.data()


def test_the_example_has_a_front_a_limit_and_refusals(rows) -> None:
    front = [r for r in rows if r["status"] == "front"]
    assert max(r["peak_bytes"] for r in front) <= advice.LIMIT_BYTES
    assert {r["status"] for r in rows} == {"front", "dominated", "over limit", "refused"}
    assert {r["unit"] for r in rows} == {"samples per second"}


def test_the_picture_is_what_the_documents_command_gives(rows, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    line = next(each for each in text_of("analysis/README.md").splitlines()
                if each.startswith("python -m analysis advise "))
    asked = shlex.split(line.partition(" --out")[0])[4:]
    found = CliRunner().invoke(advise, [*asked, "--json"])
    assert found.exit_code == 0, found.output
    assert advice.flat(json.loads(found.stdout)) == rows


def test_the_picture_names_and_connects_every_point(rows) -> None:
    points = [r for r in rows if r["status"] == "front" and r["same_as"] is None]
    axis = advice.draw(rows).axes[0]
    names = [t.get_text() for t in axis.texts]
    for row in points:
        same = sum(other["same_as"] == row["name"] for other in rows)
        name = f"{row['schedule']}/{row['microbatches']}, {row['mitigation']}"
        assert (f"{name} (+{same})" if same else name) in names
    best = axis.lines[0].get_ydata()
    assert max(best) == max(r["throughput"] for r in points)


@pytest.mark.parametrize("status", ["over limit", "refused"])
def test_an_empty_front_is_drawn_too(rows, status) -> None:
    few = [r | {"status": status} for r in rows if r["status"] == "over limit"]
    figure = advice.draw(few)
    figure.draw_without_rendering()
    assert "nothing fits" in [text.get_text() for text in figure.axes[0].texts]


def test_labels_cover_neither_marks_nor_each_other() -> None:
    rng = np.random.default_rng(0)
    marks = np.concatenate([rng.random((12, 2)), 0.5 + 0.01 * rng.random((6, 2))])
    figure = new_figure(8, 6)
    axis = figure.subplots()
    axis.set(xlim=(-0.1, 1.1), ylim=(-0.1, 1.1))
    offsets = label(axis, marks, [str(i) for i in range(18)], np.empty((0, 2)))
    at = axis.transData.transform(marks) * 72 / figure.dpi
    centres = at + offsets
    apart = np.abs(centres[:, None] - centres[None]) >= 2 * HALF
    assert (apart.any(axis=2) | np.eye(18, dtype=bool)).all()
    assert (np.abs(centres[:, None] - at[None]) >= HALF).any(axis=2).all()

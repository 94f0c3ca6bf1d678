"""The advice figure: rows that draw it, and labels that find room."""

import shlex

import numpy as np
import pytest

from analysis.commands.advise import advise
from figures.drawing.labels import HALF, label
from figures.drawing.style import new_figure
from figures.pictures import advice
from tests.docs.documents import ROOT, text_of
from tests.figures.test_gallery import rows_of


@pytest.fixture(scope="module")
def rows():
    """The gallery's rows: tests/figures/test_gallery sees to it that they are what is computed."""
    return rows_of("advice")


@pytest.fixture(scope="module")
def drawn(rows):
    return advice.draw(rows)


def test_the_example_has_a_front_a_limit_and_refusals(rows) -> None:
    front = [r for r in rows if r["status"] == "front"]
    assert max(r["peak_bytes"] for r in front) <= advice.LIMIT_BYTES
    assert {r["status"] for r in rows} == {"front", "dominated"}
    assert {r["unit"] for r in rows} == {"samples per second"}


def test_the_picture_is_what_the_documents_command_gives() -> None:
    line = next(each for each in text_of("analysis/README.md").splitlines()
                if each.startswith("python -m analysis advise "))
    asked = shlex.split(line.partition(" --out")[0])[4:]
    given = advise.make_context("advise", asked).params
    usual = advise.make_context("advise", [
        str(advice.PROFILE), "--memory-limit", "1", "--devices", "1"]).params
    assert given == usual | {"profile": advice.PROFILE.relative_to(ROOT),
                             "memory_limit": advice.LIMIT_BYTES, "devices": advice.DEVICES}


def test_the_picture_names_and_connects_every_point(rows, drawn) -> None:
    points = [r for r in rows if r["status"] == "front" and r["same_as"] is None]
    axis = drawn.axes[0]
    lines = [line for t in axis.texts for line in t.get_text().splitlines()]
    for row in points:
        same = sum(other["same_as"] == row["name"] for other in rows)
        name = f"{row['schedule']}/{row['microbatches']}" + (
            "" if row["mitigation"] == "none" else f", {row['mitigation']}")
        assert any(line.startswith(f"{name} (+{same})" if same else name) for line in lines)
        assert any(line.endswith(row["laid_out"]) for line in lines)
    best = axis.lines[0].get_ydata()
    assert max(best) == max(r["throughput"] for r in points)


@pytest.mark.parametrize("status", ["over limit", "refused"])
def test_an_empty_front_is_drawn_too(rows, status) -> None:
    few = [r | {"status": status} for r in rows if r["status"] == "dominated"][:20]
    figure = advice.draw(few)
    figure.draw_without_rendering()
    assert "nothing fits" in [text.get_text() for text in figure.axes[0].texts]


def test_labels_cover_neither_marks_nor_each_other() -> None:
    rng = np.random.default_rng(0)
    marks = np.concatenate([rng.random((12, 2)), 0.5 + 0.01 * rng.random((6, 2))])
    figure = new_figure(8, 6)
    axis = figure.subplots()
    axis.set(xlim=(-0.1, 1.1), ylim=(-0.1, 1.1))
    offsets = np.array(label(axis, marks, [str(i) for i in range(18)], np.empty((0, 2))))
    at = axis.transData.transform(marks) * 72 / figure.dpi
    centres = at + offsets
    apart = np.abs(centres[:, None] - centres[None]) >= 2 * HALF
    assert (apart.any(axis=2) | np.eye(18, dtype=bool)).all()
    assert (np.abs(centres[:, None] - at[None]) >= HALF).any(axis=2).all()


def test_names_stand_by_their_points(drawn) -> None:
    """No name of the gallery's picture covers another, and none is farther off than an inch."""
    figure = drawn
    figure.draw_without_rendering()
    axis = figure.axes[0]
    named = [t for t in axis.texts if t.get_text().count("/")]
    boxes = [t.get_window_extent() for t in named]
    for number, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[:number]), named[number].get_text()
    for text, box in zip(named, boxes, strict=True):
        x, y = axis.transData.transform(text.xy)
        away = np.hypot(max(box.x0 - x, 0, x - box.x1), max(box.y0 - y, 0, y - box.y1))
        assert away < figure.dpi, text.get_text()

"""The advice figure: rows that draw it, and labels that find room."""

import numpy as np
import pytest

from figures.drawing.labels import HALF, label
from figures.drawing.style import new_figure
from figures.pictures import advice


def test_the_example_has_a_front_a_limit_and_refusals() -> None:
    rows = advice.data()
    front = [r for r in rows if r["status"] == "front"]
    assert max(r["peak_bytes"] for r in front) <= advice.LIMIT_BYTES
    assert {r["status"] for r in rows} == {"front", "dominated", "over limit", "refused"}
    assert {r["unit"] for r in rows} == {"samples per second"}


def test_the_picture_numbers_and_connects_every_point() -> None:
    rows = advice.data()
    points = [r for r in rows if r["status"] == "front" and r["same_as"] is None]
    figure = advice.draw(rows)
    axis, beneath = figure.axes[:2]
    numbers = [t.get_text() for t in axis.texts if t.get_text().isdigit()]
    assert numbers == [str(i + 1) for i in range(len(points))]
    key = "\n".join(text.get_text() for text in beneath.texts)
    assert all(f"{r['schedule']}/{r['microbatches']}, {r['mitigation']}" in key for r in points)
    best = axis.lines[0].get_ydata()
    assert max(best) == max(r["throughput"] for r in points)


@pytest.mark.parametrize("status", ["over limit", "refused"])
def test_an_empty_front_is_drawn_too(status) -> None:
    rows = [r | {"status": status} for r in advice.data() if r["status"] == "over limit"]
    figure = advice.draw(rows)
    figure.draw_without_rendering()
    assert figure.axes[1].texts[0].get_text() == "nothing fits"


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

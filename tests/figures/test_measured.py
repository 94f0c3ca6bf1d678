"""Pictures of what machines measured: drawn from every committed table, legible in print."""

from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from figures.bundles import network, split_sizes
from figures.pictures import prediction
from figures.rows import read_rows
from figures.traces.validated import event_errors, pairs, scatter
from sim.rows import Rows
from tests.figures.legible import complaints

MEASURED = Path(__file__).parents[2] / "figures" / "measured"
SETTING = "reduced setting: narrow, 4 stages, batch 16, synthetic images, 3 seeds"
PICTURES: dict[str, Callable[[Rows], Figure]] = {
    "distances": lambda rows: network.draw_distances(rows, SETTING),
    "curves": lambda rows: network.draw_curves_by_minibatch(rows, SETTING, 0.95),
    "prediction": lambda rows: prediction.draw(rows, SETTING),
    "split_sizes": lambda rows: split_sizes.draw(rows, 20, SETTING),
    "look_ahead": lambda rows: split_sizes.draw_look_ahead(rows, SETTING),
    "look_ahead_time": lambda rows: split_sizes.draw_totals(rows, SETTING),
    "validation": pairs.draw,
    "scatter": scatter.draw,
    "event_errors": event_errors.draw,
}
TABLES = sorted(p for p in MEASURED.rglob("*.csv") if p.stem in PICTURES)


def test_there_is_a_table_of_every_kind() -> None:
    assert {path.stem for path in TABLES} == set(PICTURES)


@pytest.mark.parametrize("path", TABLES, ids=lambda p: "-".join(p.relative_to(MEASURED).parts))
def test_measured_pictures_can_be_read(path: Path) -> None:
    assert list(complaints(PICTURES[path.stem](read_rows(path)))) == []

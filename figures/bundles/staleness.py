"""A staleness study's pictures with their rows, and the rows that have no picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from figures.bundles import network
from figures.bundles.reports import report_of
from figures.drawing.style import styled
from figures.origin import save
from figures.pictures import prediction
from figures.rows import read_rows
from sim.files.writing import write_text
from sim.rows import Row, rows_as_csv
from sim.wording import plural

REPORT = "staleness.json"


def write(report: Mapping[str, Any], found: Any, out: Path) -> list[Path]:
    """Write a staleness study's pictures and rows into the folder; their paths, in order.

    `found` has the rows of a `gpu` study's `Findings`.
    """
    paths = _pictures(report, found.distances, found.curves, found.prediction, out)
    write_text(out / "targets.csv", rows_as_csv(found.targets))
    return [*paths, out / "targets.csv"]


def draw(folder: Path, out: Path) -> list[Path]:
    """Draw a study's pictures again from its folder, as `gpu staleness --out` wrote it; nothing is
    trained.  The paths of the files written.  Raises ConfigurationError naming what it lacks."""
    predicted = folder / "prediction.csv"
    return _pictures(report_of(folder / REPORT, "methods"), read_rows(folder / "distances.csv"),
                     read_rows(folder / "curves.csv"),
                     read_rows(predicted) if predicted.exists() else [], out)


@styled()
def _pictures(report: Mapping[str, Any], distances: Sequence[Row], curves: Sequence[Row],
              predicted: Sequence[Row], out: Path) -> list[Path]:
    title = (f"{report['model']}, {report['settings']['stages']} stages, {report['data']} images, "
             f"{plural(len(report['seeds']), 'seed')}")
    pictures = [
        (network.draw_distances(distances, title), distances, "distances"),
        (network.draw_curves_by_minibatch(curves, title, report["target_accuracy"]), curves,
         "curves")]
    if predicted:
        pictures.append((prediction.draw(predicted, title), predicted, "prediction"))
    return [path for figure, rows, name in pictures
            for path in save(figure, rows, out, name, report["command"])]

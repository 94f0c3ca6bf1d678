"""A staleness study's pictures with their rows, and the rows that have no picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from figures.bundles import network
from figures.drawing.style import styled
from figures.origin import save
from figures.pictures import prediction
from sim.files.writing import write_text
from sim.rows import rows_as_csv
from sim.wording import plural


@styled()
def write(report: Mapping[str, Any], found: Any, out: Path) -> list[Path]:
    """Write a staleness study's pictures and rows into the folder; their paths, in order.

    `found` has the rows of a `gpu` study's `Findings`.
    """
    title = (f"{report['model']}, {report['settings']['stages']} stages, {report['data']} images, "
             f"{plural(len(report['seeds']), 'seed')}")
    pictures = [
        (network.draw_distances(found.distances, title), found.distances, "distances"),
        (network.draw_curves(found.curves, title, report["target_accuracy"]), found.curves,
         "curves")]
    if found.prediction:
        pictures.append((prediction.draw(found.prediction, title), found.prediction,
                         "prediction"))
    paths = [path for figure, rows, name in pictures
             for path in save(figure, rows, out, name, report["command"])]
    write_text(out / "targets.csv", rows_as_csv(found.targets))
    return [*paths, out / "targets.csv"]

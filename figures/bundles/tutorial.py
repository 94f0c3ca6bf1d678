"""The tutorial's pictures with their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from figures.bundles import split_sizes
from figures.bundles.reports import report_of
from figures.drawing.style import styled
from figures.origin import save
from figures.rows import read_rows
from sim.rows import Row
from sim.wording import plural

REPORT, NAMES = "tutorial.json", ("split_sizes", "look_ahead", "look_ahead_time")


def write(report: Mapping[str, Any], found: Any, out: Path) -> list[Path]:
    """Write the tutorial's pictures and rows into the folder; their paths, in order.

    `found` has the rows of a `gpu` tutorial's `Measured`.
    """
    return _pictures(report, (found.timing, found.curves, found.totals), out)


def draw(folder: Path, out: Path) -> list[Path]:
    """Draw the tutorial's pictures again from its folder, as `gpu tutorial --out` wrote it; nothing
    is measured.  The paths of the files written.  Raises ConfigurationError naming what it lacks.
    """
    return _pictures(report_of(folder / REPORT, "look_ahead"),
                     [read_rows(folder / f"{name}.csv") for name in NAMES], out)


@styled()
def _pictures(report: Mapping[str, Any], rows: Sequence[Sequence[Row]], out: Path) -> list[Path]:
    s, learnt = report["setting"], report["look_ahead"]["setting"]
    size = "reduced setting: " if report["reduced"] else ""
    # a report of an older tool does not say which device was the single one
    single = f"single device {report['single_device']}, " if "single_device" in report else ""
    title = (f"{size}{s['model']}, batch {s['batch_size']}, 3×{s['image_size']}×{s['image_size']}, "
             f"{s['minibatches']} mini-batches; {single}stages on "
             f"{', '.join(report['machine']['devices'])}")
    seeds = learnt.get("seeds_done", learnt["seeds"])
    course = (f"{size}{s['model']}, batch {learnt['batch_size']}, "
              f"{plural(learnt['epochs'], 'epoch')}, learning rate {learnt['learning_rate']:g}, "
              f"{plural(len(seeds), 'seed')}")
    timing, curves, totals = rows
    drawn = (split_sizes.draw(timing, s["shown"], title),
             split_sizes.draw_look_ahead(curves, course), split_sizes.draw_totals(totals, course))
    return [path for name, figure, each in zip(NAMES, drawn, rows, strict=True)
            for path in save(figure, each, out, name, report["command"])]

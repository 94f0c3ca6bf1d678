"""One run of a validation on axes of one's own: predicted above measured, device by device."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from figures.rows import read_rows
from figures.traces.canvas import axes_or_new
from figures.traces.passes.window import unit_of
from figures.traces.validated import pairs
from sim.errors import ConfigurationError, unknown

ROWS = "rows.csv"


def validation(folder: str | PathLike[str], ax: Axes | None = None, *, run: str | None = None
               ) -> Axes:
    """Draw a few mini-batches of one run as they were predicted and as they were measured.

    `folder` is what `python -m gpu validate --out` wrote, `run` one of its runs by its label
    (`none@gpipe/4`), the first unless given.  Every device has two lanes on one time axis, in the
    unit that fits; boxes bear the numbers of their mini-batches.

    Raises ConfigurationError where the folder has no such run, or no rows at all.
    """
    path = Path(folder) / ROWS
    rows = read_rows(path)
    names: list[Any] = list(dict.fromkeys(row.get("run") for row in rows))
    if None in names:
        raise ConfigurationError([f"{path}: not the rows of a validation"])
    if run is not None and run not in names:
        raise ConfigurationError([unknown("run", run, list(map(str, names)))])
    mine = [row for row in rows if row["run"] == (names[0] if run is None else run)]
    shown = list(pairs.steady(mine))
    spans = (float(row[f"{side}_end_s"]) - float(row[f"{side}_start_s"])
             for row in shown for side in pairs.SIDES)
    unit, scale = unit_of(sum(sorted(spans)[-4:]))
    ax = axes_or_new(ax)
    pairs.panel(ax, shown, scale)
    ax.set_xlabel(f"time ({unit})")
    return ax

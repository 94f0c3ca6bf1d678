"""One run of a validation on axes of one's own: predicted above measured, device by device."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from matplotlib.axes import Axes

from figures.rows import read_rows
from figures.traces.canvas import axes_or_new
from figures.traces.passes.window import unit_of
from figures.traces.validated import pairs
from sim.errors import ConfigurationError, unknown

ROWS = "rows.csv"
NEEDED = ("run", "stage", "minibatch", "device", *(f"{side}_{end}_s" for side in pairs.SIDES
                                                   for end in ("start", "end")))


def validation(folder: str | PathLike[str], ax: Axes | None = None, *, run: str | None = None
               ) -> Axes:
    """Draw a few mini-batches of one run as they were predicted and as they were measured.

    `folder` is what `python -m gpu validate --out` wrote, `run` one of its runs by its label or
    the beginning of it (`none@gpipe/4`), the first unless given.  Every device
    has two lanes on one time axis, in the unit that fits; boxes bear the numbers of their
    mini-batches.

    Raises ConfigurationError where the folder has no such run, or no rows at all.
    """
    path = Path(folder) / ROWS
    rows = read_rows(path)
    if not set(NEEDED) <= set(rows[0]):
        raise ConfigurationError([f"{path}: not the rows of a validation"])
    names = list(dict.fromkeys(str(row["run"]) for row in rows))
    known = [name for name in names if name.startswith(run or "")]
    if not known:
        plain = [name.partition(", ")[0] for name in names]
        raise ConfigurationError([unknown("run", str(run), plain)])
    mine = [row for row in rows if row["run"] == known[0]]
    shown = list(pairs.steady(mine))
    spans = (float(row[f"{side}_end_s"]) - float(row[f"{side}_start_s"])
             for row in shown for side in pairs.SIDES)
    unit, scale = unit_of(sum(sorted(spans)[-4:]))
    ax = axes_or_new(ax)
    pairs.panel(ax, shown, scale)
    ax.set_xlabel(f"time ({unit})")
    return ax

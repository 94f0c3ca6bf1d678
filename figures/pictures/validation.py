"""Predicted over measured: the same instructions of a few runs on one time axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from figures.colours import COLOURS
from figures.pieces import Piece
from figures.rows import read_rows
from figures.style import PAGE_IN, headline, legend_below, new_figure
from sim.rows import Row, Rows

MEASURED = Path(__file__).parents[1] / "measured" / "cpu-2core" / "validate" / "rows.csv"
SHOWN = 5  # runs
MINIBATCHES = 4  # from the first on
FILL = {"F": COLOURS["sky"], "B": COLOURS["orange"], "I": COLOURS["orange"],
        "W": COLOURS["yellow"], "U": COLOURS["purple"]}
HEIGHT = {"predicted": 0.21, "measured": -0.21}  # of a lane's middle above its device's line


def configuration() -> dict[str, Any]:
    """What to write into the picture: which measurement it draws."""
    return {"rows": "/".join(MEASURED.parts[-5:]), "minibatches": MINIBATCHES,
            "made_by": "python -m gpu measure --devices cpu,cpu"}


def pieces(seeds: Iterable[int] = ()) -> list[Piece]:
    """The rows of a measurement in one piece; nothing is measured or simulated again."""
    return [Piece({}, committed)]


def committed() -> Rows:
    """What the two-core measurement of this project recorded, cut to what is drawn."""
    return chosen(read_rows(MEASURED))


def chosen(rows: Sequence[Row]) -> Rows:
    """The first mini-batches of one run per schedule, of a validation's rows."""
    first: dict[str, str] = {}
    for row in rows:
        first.setdefault(row["schedule"], row["run"])
    shown = list(first.values())[:SHOWN]
    return [dict(row) for row in rows
            if row["run"] in shown and int(row["minibatch"]) <= MINIBATCHES]


def errors(rows: Sequence[Row]) -> dict[str, float]:
    """How much longer the shown mini-batches took than predicted, as a share, by run."""
    last: dict[str, list[float]] = {}
    for row in rows:
        ends = last.setdefault(row["run"], [0.0, 0.0])
        for n, side in enumerate(HEIGHT):
            ends[n] = max(ends[n], float(row[f"{side}_end_s"]))
    return {run: measured / predicted - 1 for run, (predicted, measured) in last.items()}


def message(rows: Sequence[Row]) -> str:
    """The headline: that the order is kept, and how far the time is off."""
    late = [100 * error for error in errors(rows).values()]
    kept = all(_order(rows, "predicted", device) == _order(rows, "measured", device)
               for device in {(row["run"], row["device"]) for row in rows})
    span = f"{min(late):.0f} to {max(late):.0f} %" if len(late) > 1 else f"{late[0]:.0f} %"
    return (f"Every device {'kept' if kept else 'did NOT keep'} the predicted order; the first "
            f"{MINIBATCHES} mini-batches took {span} longer than predicted")


def _order(rows: Sequence[Row], side: str, device: tuple[str, int]) -> list[tuple[Any, ...]]:
    mine = [row for row in rows if (row["run"], row["device"]) == device]
    return [(row.get("stage"), row["op"], row["minibatch"], row.get("microbatch"))
            for row in sorted(mine, key=lambda row: float(row[f"{side}_start_s"]))]


def draw(rows: Sequence[Row]) -> Figure:
    """A panel per run in `rows`; on every device the prediction above, the measurement below."""
    runs = list(dict.fromkeys(row["run"] for row in rows))
    devices = 1 + max(int(row["device"]) for row in rows)
    figure = new_figure(PAGE_IN, 0.9 + len(runs) * (0.5 + 0.4 * devices))
    headline(figure, message(rows), "Same instructions, profile-driven simulation above, measured "
             f"below; warm-up included; first {MINIBATCHES} mini-batches of a run of each schedule")
    axes = figure.subplots(len(runs), 1, squeeze=False)[:, 0]
    for axis, run in zip(axes, runs, strict=True):
        _panel(axis, run, [row for row in rows if row["run"] == run], devices)
    kinds = [("forward", "F"), ("backward", "B"), ("update", "U")]
    handles = [Patch(facecolor=FILL[op], edgecolor="black", linewidth=0.5) for _, op in kinds]
    legend_below(figure, (handles, [name for name, _ in kinds]), columns=3)
    return figure


def _panel(axis: Axes, run: str, rows: Sequence[Row], devices: int) -> None:
    end = 0.0
    for row in rows:
        for side, above in HEIGHT.items():
            start, stop = (1e3 * float(row[f"{side}_{at}_s"]) for at in ("start", "end"))
            end = max(end, stop)
            axis.add_patch(Rectangle((start, row["device"] - above - 0.18), stop - start, 0.36,
                                     facecolor=FILL[row["op"]], edgecolor="black", linewidth=0.3,
                                     alpha=1.0 if side == "measured" else 0.6))
    axis.set_xlim(0, 1.01 * end)
    axis.set_ylim(devices - 0.5, -0.5)
    ticks = [d - above for d in range(devices) for above in HEIGHT.values()]
    axis.set_yticks(ticks, [f"device {d}, {side}" for d in range(devices) for side in HEIGHT])
    axis.tick_params(left=False)
    axis.spines["left"].set_visible(False)
    axis.set_title(run, loc="left")
    axis.set_xlabel("time (ms)", labelpad=1)

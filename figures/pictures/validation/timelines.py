"""Predicted over measured: the same instructions of a few runs on one time axis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from figures.drawing.colours import COLOURS
from figures.drawing.style import PAGE_IN, SMALLEST_PT, headline, legend_below, new_figure
from figures.pieces import Piece
from figures.rows import read_rows
from figures.traces.timeline import FILL, MEANING
from sim.op import Op
from sim.rows import Row, Rows

MEASURED = Path(__file__).parents[2] / "measured" / "cpu-2core" / "validate" / "rows.csv"
SHOWN = 5  # runs
MINIBATCHES = 4  # in full colour and numbered, from the first in steady state on
SIDES = {"predicted": 0.21, "measured": -0.21}  # of a lane's middle above its device's line
HALF, PALE = 0.18, 0.25  # of a box's height; how strong boxes of other mini-batches are
GAP_PT = 0.5  # beside a number in its box
CLOSE = 0.005  # a time less wrong than that is as predicted
Window = dict[str, tuple[float, float]]  # by side, where the shown mini-batches begin and end


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
    """A few mini-batches in steady state of one run per schedule, of a validation's rows.

    Those are `shown`; rows of others are kept where they lie between them.
    """
    first: dict[str, str] = {}
    for row in rows:
        first.setdefault(row["schedule"], row["run"])
    return [kept for run in list(first.values())[:SHOWN]
            for kept in _steady([row for row in rows if row["run"] == run])]


def _steady(rows: Sequence[Row]) -> Iterator[Row]:
    """The rows of one run between the begin and the end of its shown mini-batches."""
    stages = 1 + max(int(row["stage"]) for row in rows)
    last = max(int(row["minibatch"]) for row in rows)
    begin = max(1, min(stages + 1, last - MINIBATCHES + 1))
    marked = [{"shown": begin <= int(row["minibatch"]) < begin + MINIBATCHES,
               **{name: row[name] for name in row if name not in UNDRAWN}} for row in rows]
    window = _window(marked)
    return (row for row in marked if any(_inside(row, side, window) for side in SIDES))


UNDRAWN = ("measured_sent_s", "measured_arrived_s", "measured_asked_s", "measured_issued_s")


def _window(rows: Sequence[Row]) -> Window:
    mine = [row for row in rows if row.get("shown", True)]
    return {side: (min(float(row[f"{side}_start_s"]) for row in mine),
                   max(float(row[f"{side}_end_s"]) for row in mine)) for side in SIDES}


def _inside(row: Row, side: str, window: Window) -> bool:
    begin, end = window[side]
    return bool(float(row[f"{side}_end_s"]) > begin and float(row[f"{side}_start_s"]) < end)


def errors(rows: Sequence[Row]) -> dict[str, float]:
    """How much longer the shown mini-batches took than predicted, as a share, by run."""
    found = {}
    for run in dict.fromkeys(row["run"] for row in rows):
        window = _window([row for row in rows if row["run"] == run])
        predicted, measured = (end - begin for begin, end in window.values())
        found[run] = measured / predicted - 1
    return found


def message(rows: Sequence[Row]) -> str:
    """The headline: that the order is kept, and how far the time is off."""
    late = errors(rows).values()
    kept = all(_order(rows, "predicted", device) == _order(rows, "measured", device)
               for device in {(row["run"], row["device"]) for row in rows})
    seen = [int(row["minibatch"]) for row in rows if row.get("shown", True)]
    return (f"Every device {'kept' if kept else 'did NOT keep'} the predicted order; mini-batches "
            f"{min(seen)} to {max(seen)} took {_took(min(late), max(late))}")


def _took(low: float, high: float) -> str:
    """How long something took against what was predicted, between two shares, in words."""
    if max(-low, high) < CLOSE:
        return "as long as predicted"
    shorter, longer = (f"{100 * max(share, 0):.0f} %" for share in (-low, high))
    if low < -CLOSE and high > CLOSE:
        return f"between {shorter} shorter and {longer} longer than predicted"
    way = "longer" if high > CLOSE else "shorter"
    few, many = (f"{100 * share:.0f}" for share in sorted((abs(low), abs(high))))
    span = f"{many} %" if few == many else f"up to {many} %" if few == "0" else f"{few} to {many} %"
    return f"{span} {way} than predicted"


def _order(rows: Sequence[Row], side: str, device: tuple[str, int]) -> list[tuple[Any, ...]]:
    mine = [row for row in rows if (row["run"], row["device"]) == device]
    return [(row.get("stage"), row["op"], row["minibatch"], row.get("microbatch"))
            for row in sorted(mine, key=lambda row: float(row[f"{side}_start_s"]))]


def draw(rows: Sequence[Row]) -> Figure:
    """A panel per run in `rows`; on every device the prediction above, the measurement below."""
    runs = list(dict.fromkeys(row["run"] for row in rows))
    devices = 1 + max(int(row["device"]) for row in rows)
    figure = new_figure(PAGE_IN, 0.9 + len(runs) * (0.5 + 0.4 * devices))
    headline(figure, message(rows), "The same instructions, simulated from a profile above and "
             "measured below, each from the start of its first mini-batch shown; numbers are those "
             "of mini-batches, pale ones are others; a run of each schedule")
    axes = figure.subplots(len(runs), 1, squeeze=False)[:, 0]
    for axis, run in zip(axes, runs, strict=True):
        _panel(axis, run, [row for row in rows if row["run"] == run], devices)
    ops = [op for op in FILL if any(row["op"] == op.name for row in rows)]
    handles = [Patch(facecolor=COLOURS[FILL[op]], edgecolor="black", linewidth=0.5) for op in ops]
    legend_below(figure, (handles, [MEANING[op] for op in ops]), columns=len(ops))
    figure.draw_without_rendering()
    for axis, run in zip(axes, runs, strict=True):
        _numbers(axis, [row for row in rows if row["run"] == run])
    return figure


def _panel(axis: Axes, run: str, rows: Sequence[Row], devices: int) -> None:
    window = _window(rows)
    for row in rows:
        full = row.get("shown", True)
        for side, above in SIDES.items():
            start, stop = _clipped(row, side, window)
            axis.add_patch(Rectangle(
                (start, row["device"] - above - HALF), max(stop - start, 0.0), 2 * HALF,
                facecolor=COLOURS[FILL[Op[row["op"]]]], edgecolor="black" if full else "grey",
                linewidth=0.3, alpha=1.0 if full else PALE))
    axis.set_xlim(0, 1.01 * 1e3 * max(end - begin for begin, end in window.values()))
    axis.set_ylim(devices - 0.5, -0.5)
    ticks = [d - above for d in range(devices) for above in SIDES.values()]
    axis.set_yticks(ticks, [f"device {d}, {side}" for d in range(devices) for side in SIDES])
    axis.tick_params(left=False)
    axis.spines["left"].set_visible(False)
    axis.set_title(run, loc="left")
    axis.set_xlabel("time (ms)", labelpad=1)


def _clipped(row: Row, side: str, window: Window) -> tuple[float, float]:
    """Start and end of a row's box in milliseconds from the window's begin, cut at its ends."""
    begin, end = window[side]
    at = (min(max(float(row[f"{side}_{name}_s"]), begin), end) for name in ("start", "end"))
    start, stop = (1e3 * (value - begin) for value in at)
    return start, stop


def _numbers(axis: Axes, rows: Sequence[Row]) -> None:
    """The mini-batch of every shown box that is wide enough to hold its number."""
    window = _window(rows)
    figure = axis.figure
    per_ms = axis.transData.transform((1, 0))[0] - axis.transData.transform((0, 0))[0]
    for row in rows:
        for side, above in SIDES.items():
            start, stop = _clipped(row, side, window)
            text = str(row["minibatch"])
            needed = (0.65 * SMALLEST_PT * len(text) + 2 * GAP_PT) * figure.dpi / 72
            if row.get("shown", True) and (stop - start) * per_ms >= needed:
                axis.text((start + stop) / 2, row["device"] - above, text, ha="center",
                          va="center_baseline", fontsize=SMALLEST_PT).set_in_layout(False)

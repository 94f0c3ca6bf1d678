"""Predicted over measured: the same instructions of a few runs on one time axis each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from figures.drawing.look import Look
from figures.drawing.style import headline, legend_below
from figures.traces.passes.colouring import colouring
from figures.traces.passes.lanes import Heading, Lanes
from figures.traces.passes.painting import paint
from figures.traces.passes.window import unit_of
from sim.rows import Row, Rows

SHOWN = 5  # runs
MINIBATCHES = 4  # in full colour and numbered, from the steady state
LATER = 3  # mini-batches of the steady state before them: a machine runs its first ones cold
SIDES = {"predicted": 0, "measured": 1}  # lanes of a device, downwards
APART = 0.3  # of a lane: between the pairs of two devices
CLOSE = 0.005  # a time less wrong than that is as predicted
Window = dict[str, tuple[float, float]]  # by side, where the shown mini-batches begin and end
UNDRAWN = ("measured_sent_s", "measured_arrived_s", "measured_asked_s", "measured_issued_s")


def chosen(rows: Sequence[Row], most: int = SHOWN) -> Rows:
    """A few mini-batches in steady state of one run per schedule, of a validation's rows.

    Those are `shown`; rows of others are kept where they lie between them.  At most so many runs
    are taken.
    """
    first: dict[str, str] = {}
    for row in rows:
        first.setdefault(row["schedule"], row["run"])
    return [kept for run in list(first.values())[:most]
            for kept in steady([row for row in rows if row["run"] == run])]


def steady(rows: Sequence[Row]) -> Iterator[Row]:
    """The rows of one run between the begin and the end of the mini-batches shown.

    Those lie in the steady state: past the first ones, and before the pipeline drains.
    """
    stages = 1 + max(int(row["stage"]) for row in rows)
    last = max(int(row["minibatch"]) for row in rows)
    middle = (stages + 1 + last - stages - MINIBATCHES + 1) // 2
    begin = max(1, min(middle, stages + 1 + LATER, last - MINIBATCHES + 1))
    marked = [{"shown": begin <= int(row["minibatch"]) < begin + MINIBATCHES,
               **{name: row[name] for name in row if name not in UNDRAWN}} for row in rows]
    between = _window(marked)
    return (row for row in marked if any(_inside(row, side, between) for side in SIDES))


def _window(rows: Sequence[Row]) -> Window:
    mine = [row for row in rows if row.get("shown", True)]
    return {side: (min(float(row[f"{side}_start_s"]) for row in mine),
                   max(float(row[f"{side}_end_s"]) for row in mine)) for side in SIDES}


def longest_s(rows: Sequence[Row]) -> float:
    """Seconds that the shown mini-batches of one run take, of the two sides the longer."""
    return max(end - begin for begin, end in _window(rows).values())


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
    return (f"Every device {'kept' if kept else 'did NOT keep'} the predicted order; {_seen(rows)} "
            f"took {_took(min(late), max(late))}")


def _seen(rows: Sequence[Row]) -> str:
    """Which mini-batches are shown; runs of another length show others."""
    seen: dict[str, set[int]] = {}
    for row in rows:
        if row.get("shown", True):
            seen.setdefault(row["run"], set()).add(int(row["minibatch"]))
    spans = {(min(each), max(each)) for each in seen.values()}
    if len(spans) > 1:
        return f"{MINIBATCHES} mini-batches from the steady state of each run"
    first, last = spans.pop()
    return f"mini-batches {first} to {last}" if first < last else f"mini-batch {first}"


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


def draw(rows: Sequence[Row], look: Look | None = None) -> Figure:
    """A panel per run in `rows`; on every device the prediction above, the measurement below."""
    look = look or Look()
    runs = {run: [row for row in rows if row["run"] == run]
            for run in dict.fromkeys(row["run"] for row in rows)}
    line = float(mpl.rcParams["font.size"]) / 72
    heights = [_lanes(mine).bottom + 0.5 for mine in runs.values()]
    figure = look.figure(1.1 + len(runs) * 4 * line + sum(heights) * 1.75 * line)
    said = look.above(message(rows))
    if said:
        headline(figure, said, "" if look.title else "Simulated from a profile above, measured "
                 "below, each from the start of the first mini-batch shown; pale boxes are of "
                 "other mini-batches")
    axes = figure.subplots(len(runs), 1, squeeze=False, height_ratios=heights)[:, 0]
    unit, scale = unit_of(max(longest_s(mine) for mine in runs.values()))
    entries: dict[str, Any] = {}
    for axis, (run, mine) in zip(axes, runs.items(), strict=True):
        entries |= panel(axis, mine, scale)
        axis.add_artist(Heading(axis, -1.0, run, wide=True))
        late = errors(mine)[run]
        axis.set_xlabel(f"time ({unit}): {_took(late, late)}", labelpad=1)
    legend_below(figure, (list(entries.values()), list(entries)),
                 columns=min(len(entries), 3 if look.width_in < 5 else 6))
    return figure


def panel(axis: Axes, rows: Sequence[Row], scale: float) -> dict[str, Any]:
    """Draw one run on axes; handles of a legend by their label.  `scale` is units a second."""
    placed, between = _lanes(rows), _window(rows)
    drawn = [_box(row, side, between) for row in rows for side in SIDES
             if _inside(row, side, between)]
    usual = sorted(row["end_s"] - row["start_s"] for row in drawn)
    stages = {device: sorted({row["stage"] for row in drawn if row["device"] == device})
              for device in {row["device"] for row in drawn}}
    drawn = [{**row, "usual_s": usual[len(usual) // 2],
              "chunk": stages[row["device"]].index(row["stage"])} for row in drawn]
    colours = colouring(drawn, "pass")
    paint(axis, drawn, placed, colours, scale, accented=False)
    axis.set_xlim(0, scale * longest_s(rows))
    axis.set_ylim(placed.bottom, -1.5)
    axis.set_yticks(list(placed.middle.values()),
                    [f"{device} {side}" for side, _, device in placed.middle])
    axis.set_ylabel("device")
    axis.tick_params(axis="y", length=0)
    axis.spines[["left", "top", "right"]].set_visible(False)
    axis.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10]))
    return {str(handle.get_label()): handle for handle in colours.legend}


def _lanes(rows: Sequence[Row]) -> Lanes:
    """A pair of lanes for each device."""
    placed = Lanes(False)
    for device in sorted({int(row["device"]) for row in rows}):
        for side in SIDES:
            placed.middle[side, None, device] = placed.bottom + 0.5
            placed.bottom += 1.0
        placed.bottom += APART
    placed.bottom -= APART
    return placed


def _box(row: Row, side: str, window: Window) -> Row:
    """A row as one side has it, as boxes are painted: from the window's begin, cut at its ends."""
    begin, end = window[side]
    start, stop = (min(max(float(row[f"{side}_{name}_s"]), begin), end) - begin
                   for name in ("start", "end"))
    return {"run": side, "worker": None, "device": int(row["device"]), "stage": row.get("stage"),
            "op": row["op"], "minibatch": row["minibatch"],
            "microbatch": row.get("microbatch") if row.get("microbatches", 1) > 1 else None,
            "start_s": start,
            "end_s": stop, "marked": row.get("shown", True)}

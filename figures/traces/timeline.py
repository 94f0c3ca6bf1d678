"""The papers' timeline of one's own runs: a lane per device, a box per pass, named as in papers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from figures.drawing.look import Look
from figures.drawing.style import PAGE_IN, headline, wrapped
from figures.traces.canvas import axes_or_new
from figures.traces.given import Given, named
from figures.traces.passes.boxes import boxes
from figures.traces.passes.colouring import ACCENTS, Colouring, check_way, colouring
from figures.traces.passes.lanes import Lanes, as_one, frame, lanes
from figures.traces.passes.legend import explained
from figures.traces.passes.painting import paint
from figures.traces.passes.trips import arrows, label_of, versions
from figures.traces.passes.window import number, unit_of
from figures.traces.wanted import OwnPicture, Wanted
from sim.rows import Row, Rows

MOST_NAMED = 8  # passes whose versions a headline lists


def timeline(traces: Given, ax: Axes | None = None, *, minibatch: int | None = None,
             minibatches: Iterable[int] = (), from_s: float | None = None,
             to_s: float | None = None, stages: Iterable[int] | None = None,
             colour: str = "pass", legend: bool = True) -> Axes:
    """Draw every pass as a box from its start to its end, a lane per device.

    `traces` is one trace or several, stacked on one axis of time; a mapping gives them names.
    A pair that runs as one has one box, its first pass above and its second below.
    Boxes are named as the papers do where there is room: `F4` the forward of mini-batch 4, `B4` its
    backward, `F4.2` of its micro-batch 2 (from 0).  `minibatch` or `minibatches` (from 1) are drawn
    in full colour, with arrows from device to device and the version each of their passes read, by
    time unit where that is defined (`W4`), else by updates (`v3`); all others are pale.  `from_s`
    and `to_s` bound what is shown, in seconds; without them a long run is shown in part, which the
    axis says.  `stages` (from 0) leaves out all others; `colour` is by `pass`, `staleness`,
    `distance` or `minibatch`.  `legend` says what colours mean, under the axes.

    Raises ConfigurationError where what is asked for is not there.
    """
    marked = tuple(dict.fromkeys([*([] if minibatch is None else [minibatch]), *minibatches]))
    wanted = Wanted(marked, from_s, to_s, None if stages is None else tuple(stages), colour)
    rows = made(named(traces), wanted)
    placed = lanes(rows, bool(marked))
    ax = axes_or_new(ax, height_in=_height_in(placed) + 0.9)
    colours = drawn(ax, rows, placed, colour)
    if legend:
        colours.colour_bar(ax, "right")
        explained(ax, colours.legend, colours.labels)
    return ax


def made(runs: Sequence[Any], wanted: Wanted) -> Rows:
    """A row per box of each run, see `figures.traces.passes.boxes`.

    Raises ConfigurationError where what is wanted is not there.
    """
    check_way(wanted.colour)
    return boxes(runs, wanted)


def message(rows: Rows) -> str:
    """The headline: which versions the marked mini-batches read on their round trips, or without
    any how busy the devices are."""
    runs = list(dict.fromkeys(row["run"] for row in rows))
    read: dict[tuple[int, str], Rows] = {
        (row["minibatch"], run): [] for row in rows if row["marked"] for run in runs}
    for row in rows:
        if row["marked"] and row["version_updates"] is not None:
            read[row["minibatch"], row["run"]].append(row)
    if not any(read.values()):
        return _busy(rows, runs)
    name, said = label_of(rows), []
    if len(runs) == len(read) == 1 and len(next(iter(read.values()))) <= MOST_NAMED:
        return _meets(next(iter(read))[0], name, rows)
    for minibatch in sorted({minibatch for minibatch, _ in read}):
        each = [_read(read[minibatch, run], name) + (f" ({run})" if len(runs) > 1 else "")
                for run in runs if read[minibatch, run]]
        said.append(f"mini-batch {minibatch} reads {_listed(each)}")
    text = "; ".join(said)
    return text[0].upper() + text[1:]


def _meets(minibatch: int, name: Any, rows: Sequence[Row]) -> str:
    """The version each pass of one mini-batch read, in the order they started."""
    ways = {way: [name(row) for row in sorted(rows, key=lambda row: float(row["start_s"]))
                  if row["marked"] and row["op"] in ops]
            for way, ops in (("forward", ("F",)), ("backward", ("B", "I", "W")))}
    said = [f"{', '.join(versions)} {way}" for way, versions in ways.items() if versions]
    return f"Mini-batch {minibatch} meets {' and '.join(said)}"


def _read(rows: Sequence[Row], name: Any) -> str:
    """The oldest and the newest version among some rows."""
    def age(row: Row) -> float:
        return float(name(row)[1:])

    oldest, newest = name(min(rows, key=age)), name(max(rows, key=age))
    return f"{oldest} throughout" if oldest == newest else f"{oldest} to {newest}"


def _busy(rows: Sequence[Row], runs: Sequence[str]) -> str:
    """How large a part of the time shown the devices compute."""
    said = []
    for run in runs:
        mine = [row for row in rows if row["run"] == run]
        begin, end = mine[0]["window_from_s"], min(mine[0]["window_to_s"], mine[0]["run_end_s"])
        devices = len(lanes(mine, False).middle)
        again = {second for _, second in as_one(mine)}  # a pair that runs as one counts once
        busy = sum(min(row["end_s"], end) - max(row["start_s"], begin)
                   for number, row in enumerate(mine)
                   if row["op"] in ("F", "B", "I", "W", "U") and number not in again)
        share = 100 * busy / (devices * (end - begin))
        said.append(f"{share:.0f} %" + (f" ({run})" if len(runs) > 1 else ""))
    return f"Devices compute {_listed(said)} of the time shown"


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + (" and " if parts[1:] else "") + parts[-1]


def draw(rows: Rows, look: Look, wanted: Wanted, note: str = "") -> Figure:
    """All runs on one axis of time, as high as their lanes need; `note` stands under the title."""
    placed = lanes(rows, any(row["marked"] for row in rows))
    said = look.above(message(rows))
    figure = look.figure(_height_in(placed) + 0.9 + _title_in(said, note))
    if said:
        headline(figure, said, note)
    axis = figure.subplots()
    colours = drawn(axis, rows, placed, wanted.colour)
    explained(axis, colours.legend, colours.labels)
    colours.colour_bar(axis, "bottom")
    return figure


def _title_in(said: str, note: str) -> float:
    """Inches that a headline takes of the height of a figure as wide as a page."""
    size = float(mpl.rcParams["font.size"])
    lines = wrapped(said, 72 * PAGE_IN, size + 1, "bold") + wrapped(note, 72 * PAGE_IN, size,
                                                                    "normal")
    return 1.35 * size * len(lines) / 72


def drawn(axis: Axes, rows: Rows, placed: Lanes, colour: str) -> Colouring:
    """Draw rows on axes whose lanes are placed; what explains their colours."""
    begin, stop = rows[0]["window_from_s"], rows[0]["window_to_s"]
    unit, scale = unit_of(stop - begin)
    colours = colouring(rows, colour)
    paint(axis, rows, placed, colours, scale)
    if not arrows(axis, rows, placed, scale):
        colours.legend.append(Line2D([], [], color=ACCENTS[0][0], linewidth=1.1,
                                     label="way of a first micro-batch"))
    versions(axis, rows, placed, scale)
    frame(axis, placed, 72 * _height_in(placed))
    axis.set_xlim(begin * scale, stop * scale)
    axis.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10]))
    axis.ticklabel_format(axis="x", style="plain", useOffset=False)
    axis.set_xlabel(f"time ({unit}){_part(rows, scale)}")
    return colours


def _part(rows: Rows, scale: float) -> str:
    """Which part of its run is shown, in the axis's unit; nothing where all of it is."""
    begin, stop = rows[0]["window_from_s"], rows[0]["window_to_s"]
    end = max(row["run_end_s"] for row in rows)
    if begin == 0 and stop >= end:
        return ""
    shown = (f"the first {number(stop * scale)}" if begin == 0
             else f"{number(begin * scale)} to {number(stop * scale)}")
    return f", {shown} of {number(end * scale)}"


def _height_in(placed: Lanes) -> float:
    """Inches that the lanes need so that names can stand in their boxes, within a page's height."""
    line = float(mpl.rcParams["font.size"]) / 72
    lane = line * (3.1 if placed.labelled else 1.9)
    if placed.paired:  # names stand in halves of boxes
        lane *= 1.7
    return float(min((placed.bottom + 0.5) * lane, 7.0))


OWN = OwnPicture("timeline", made, draw, message,
                 frozenset({"minibatches", "from_s", "to_s", "stages", "colour"}))

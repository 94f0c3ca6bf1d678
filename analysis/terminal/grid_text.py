"""The grid as lines for the terminal: coloured where colours are, readable where they are not."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from analysis.terminal.fitted.units import seconds_text
from analysis.terminal.grid import MOST_COLUMNS, PAIR, Box, Grid
from sim.op import Op

# Okabe & Ito 2008, distinguishable under every common colour blindness: of a pass, and of one of
# every second stage of a device; the latter are read on light and dark backgrounds alike
COLOURS = {Op.F: ("#56B4E9", "#0072B2"), Op.B: ("#E69F00", "#D55E00"),
           Op.I: ("#E69F00", "#D55E00"), Op.W: ("#F0E442", "#CC79A7"),
           Op.U: ("#009E73", "#009E73")}
BLUE = "#0072B2"  # white is read on it, black on the others
IDLE, WAIT, MORE = ".", "~", "="
RULER = 5


def lines(grid: Grid) -> list[Text]:
    """The grid's lines, two a device: boxes and versions; a third where it has several stages."""
    found = []
    for device in range(grid.devices):
        boxes = [box for box in grid.boxes if box.device == device]
        found.append(_line(f"device {device}", _drawn(grid, device, boxes), grid))
        found.append(_line("", _labelled(grid, boxes, 1), grid))
        if grid.chunked:
            found.append(_line("  stage", _labelled(grid, boxes, 2), grid))
    return [*found, _line("column", _ruler(grid), grid)]


def _line(title: str, parts: Iterator[Text], grid: Grid) -> Text:
    line = Text(title.ljust(grid.margin), no_wrap=True)
    for part in parts:
        line.append_text(part)
    line.rstrip()
    return line


def _drawn(grid: Grid, device: int, boxes: list[Box]) -> Iterator[Text]:
    """Boxes with idle and waiting columns between."""
    waits = [(first, last) for d, first, last in grid.waits if d == device]
    at = grid.first
    for box in boxes:
        yield from _between(grid, at, box.first, waits)
        yield _box(grid, box)
        at = max(at, min(box.last, grid.last))
    yield from _between(grid, at, grid.last, waits)


def _between(grid: Grid, at: int, until: int, waits: list[tuple[int, int]]) -> Iterator[Text]:
    for column in range(at, until):
        sign = WAIT if any(a <= column < b for a, b in waits) else IDLE
        yield Text(sign.ljust(grid.width), style="dim")


def _box(grid: Grid, box: Box) -> Text:
    """Its text, filled up to its last column; only filling where it began before the grid."""
    first, last = max(box.first, grid.first), min(box.last, grid.last)
    text = box.labels[0] if box.first >= grid.first else ""
    room = (last - first) * grid.width - 1
    long = box.last - box.first > 1
    return Text.assemble((text[:room].ljust(room, MORE if long else " "), _style(grid, box)), " ")


def _style(grid: Grid, box: Box) -> str:
    """The pass's colour, as background; where a mini-batch is selected, behind its boxes alone."""
    if grid.selected is not None and not box.selected:
        return COLOURS[box.op][1]
    colour = COLOURS[box.op][box.chunk % 2]
    bold = "bold " if box.selected else ""
    return f"{bold}{'#FFFFFF' if colour == BLUE else '#000000'} on {colour}"


def _labelled(grid: Grid, boxes: list[Box], which: int) -> Iterator[Text]:
    """A label under the first column of each box."""
    at = grid.first
    for box in boxes:
        if box.first >= at:
            room = (min(box.last, grid.last) - box.first) * grid.width
            yield Text(" " * ((box.first - at) * grid.width))
            style = "bold" if box.selected else "dim" if grid.selected else ""
            yield Text(box.labels[which][:room - 1].ljust(room), style=style)
            at = min(box.last, grid.last)


def _ruler(grid: Grid) -> Iterator[Text]:
    """Every fifth column's number, but for one that would reach beyond the last column."""
    at = grid.first
    for column in range(grid.first + -grid.first % RULER, grid.last, RULER):
        room = RULER * grid.width
        if len(str(column)) >= (grid.last - column) * grid.width:  # a column ends in a space
            return
        yield Text(" " * ((column - at) * grid.width), style="dim")
        number = str(column)[: room - 1]
        shown = number.ljust(min(room, (grid.last - column) * grid.width))
        yield Text(shown, style="dim")
        at = column + -(-len(shown) // grid.width)


def legend(*grids: Grid) -> str:
    """What the signs of a grid, or of several of one trace, mean in one line; only of those that
    are there."""
    grid, boxes = grids[0], [box for each in grids for box in each.boxes]
    n = grid.microbatches
    named = "F or letter" if n <= 26 else "F"
    said = [f"one column = {seconds_text(grid.slot_s)}", f"number = mini-batch, {named} = forward, "
            + ("bare = backward" if n == 1 else "bare or small letter = backward" if n <= 26
               else "bare or B = backward")]
    for there, meaning in (
        (any(b.op is Op.I for b in boxes), "i, w = its input and weight half"),
        (any(b.op is Op.U for b in boxes), "U = update"),
        (any(b.last - b.first > 1 for b in boxes), f"{MORE} goes on"),
        (any(b.other for b in boxes), f"{PAIR} two passes issued as one"),
        (any(b.several for b in boxes), "+ several passes"),
        (any(each.waits for each in grids), f"{WAIT} waits for a message under way"),
        (True, f"{IDLE} idle"),
        (any(b.selected for b in boxes), f"* = mini-batch {grid.selected}"),
    ):
        if there:
            said.append(meaning)
    below = ("W = weights by SpecTrain's time unit" if grid.labels == "time-unit"
             else "v = weight version in updates of the stage")
    return "; ".join([*said, f"below: {below}"])


def cut(*grids: Grid, asked: int | None = None) -> str:
    """What the width, the options or the run's end left out of a grid, or of several of one trace.

    `asked` is the last column asked for.  Empty where nothing is left out.
    """
    first, last, total = grids[0].first, grids[-1].last, grids[0].total
    wanted = last - 1 if asked is None else asked
    said = []
    if wanted >= total:
        said.append("the run ends there")
    elif wanted >= last:
        said.append(f"at most {MOST_COLUMNS} are drawn at once")
    if last < total:
        said.append(f"--from {last} goes on")
    trip = grids[0].trip
    if trip and not (first <= trip[0] and trip[1] < last):
        said.append(f"mini-batch {grids[0].selected} takes columns {trip[0]} to {trip[1]}")
    if (first, last) == (0, total) and not said:
        return ""
    return "; ".join([f"columns {first} to {last - 1} of {total} shown", *said])

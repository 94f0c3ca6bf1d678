"""The round trips of marked mini-batches: arrows from pass to pass, and the versions they read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from figures.drawing.colours import COLOURS
from figures.traces.passes.colouring import accent
from figures.traces.passes.lanes import Lanes
from figures.traces.passes.names import Above
from sim.arrays import Floats
from sim.rows import Row, Rows

MOST_HEADS = 60  # arrows; more of them would cover what they lead to
GAP = 0.5  # of a usual pass: less between two micro-batches is none
HEAD_PT = 4.0  # half an arrow's head, with some air
LEAN = 0.08  # of the shorter pass: how far inside its box an arrow begins and ends
BACKWARD = ("B", "I")
Step = tuple[Row, Row]


def steps(rows: Sequence[Row]) -> Iterator[Step]:
    """Pairs of passes of marked mini-batches, one on another device waiting for what the other
    makes: forwards up the stages, backwards (their input halves) down."""
    made: dict[tuple[str, int, bool, int], Rows] = {}
    for row in rows:
        if row["marked"] and row["op"] in ("F", *BACKWARD):
            made.setdefault(_key(row, row["stage"]), []).append(row)
    for row in rows:
        if not row["marked"] or row["op"] not in ("F", *BACKWARD):
            continue
        before = made.get(_key(row, row["stage"] - 1 if row["op"] == "F" else row["stage"] + 1), [])
        needed = [each for each in before
                  if None in (each["microbatch"], row["microbatch"])
                  or each["microbatch"] == row["microbatch"]]
        if needed:
            last = max(needed, key=lambda each: float(each["end_s"]))
            if last["device"] != row["device"]:
                yield last, row


def _key(row: Row, stage: int) -> tuple[str, int, bool, int]:
    return row["run"], row["minibatch"], row["op"] == "F", stage


def arrows(axis: Axes, rows: Sequence[Row], placed: Lanes, scale: float) -> bool:
    """Draw the way of each marked mini-batch from device to device; `scale` is units a second.

    Whether all of it is drawn: of many micro-batches the first alone is, or nothing but arrows
    could be seen.
    """
    marked = sorted({row["minibatch"] for row in rows if row["marked"]})
    found = list(steps(rows))
    few = found if len(found) <= MOST_HEADS else [
        each for each in found if all(row["microbatch"] in (0, None) for row in each)]
    for one, following in few[:MOST_HEADS]:
        begin, end = _ends(one, following, placed, scale)
        colour, style = accent(following["minibatch"], marked)
        axis.add_patch(FancyArrowPatch(begin, end, arrowstyle="-|>", mutation_scale=7,
                                       linewidth=1.1, color=colour, linestyle=style, zorder=4,
                                       shrinkA=0, shrinkB=0))
    return len(few) == len(found)


def _ends(one: Row, following: Row, placed: Lanes, scale: float
          ) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where an arrow begins and ends, in data units."""
    a, b = placed.of(one), placed.of(following)
    half = placed.half if b > a else -placed.half
    lean = LEAN * min(each["end_s"] - each["start_s"] for each in (one, following))
    return (((one["end_s"] - lean) * scale, a + half),
            ((following["start_s"] + lean) * scale, b - half))


def versions(axis: Axes, rows: Sequence[Row], placed: Lanes, scale: float) -> None:
    """Write above the passes of marked mini-batches which version they read; once over several
    micro-batches that follow each other and read the same."""
    marked = sorted({row["minibatch"] for row in rows if row["marked"]})
    groups = _groups(rows)
    if not groups:
        return
    name, several = label_of(rows), len(marked) > 1
    across = np.array([(group[0]["start_s"], group[-1]["end_s"]) for group in groups]) * scale
    bottom = np.array([placed.of(group[0]) for group in groups]) - placed.half
    upright = np.column_stack((bottom - (1 - 2 * placed.half), bottom))
    above = Above(axis, across, upright, [[name(group[0]) for group in groups]],
                  [accent(group[0]["minibatch"], marked)[0] if several else COLOURS["blue"]
                   for group in groups], [True] * len(groups))
    above.clear = _clear(rows, groups, placed)


def _groups(rows: Sequence[Row]) -> list[Rows]:
    """The marked passes, device by device; micro-batches without a gap and with one version are
    together."""
    groups: list[Rows] = []
    before: Row | None = None
    reading = (row for row in rows if row["version_updates"] is not None)
    for row in sorted(reading, key=lambda row: (row["run"], row["device"], row["start_s"])):
        if row["marked"]:
            if before is not None and before["marked"] and _together(before, row):
                groups[-1].append(row)
            else:
                groups.append([row])
        before = row
    return groups


def _together(one: Row, following: Row) -> bool:
    gap_s = float(following["start_s"]) - float(one["end_s"])
    return (None not in (one["microbatch"], following["microbatch"])
            and gap_s < GAP * following["usual_s"]
            and all(one[key] == following[key] for key in ("run", "device", "minibatch",
                                                           "version_updates")))


def _clear(rows: Sequence[Row], groups: Sequence[Sequence[Row]], placed: Lanes) -> Floats:
    """Points to keep clear at the upper left and right corner of each group, (groups, 2)."""
    into, out = set(), set()
    for one, following in steps(rows):
        if placed.of(one) < placed.of(following):
            into.add(id(following))
        else:
            out.add(id(one))
    return np.array([[HEAD_PT * (id(group[0]) in into), HEAD_PT * (id(group[-1]) in out)]
                     for group in groups])


def label_of(rows: Sequence[Row]) -> Callable[[Row], str]:
    """What the version a row read is called: `W4` by time unit where all of `rows` have one,
    else `v3`, by updates."""
    reading = [row for row in rows if row["version_updates"] is not None]
    paper = all(row["version_time_unit"] is not None for row in reading)
    return lambda row: f"W{row['version_time_unit']}" if paper else f"v{row['version_updates']}"

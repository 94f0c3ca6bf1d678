"""The papers' grid: a line of boxes per device, laid out for a width, with what had to be cut.

A column is a stretch of time (`slot_s`); with equal costs every pass takes one.  Otherwise a
pass is drawn from the column its start is nearest to up to the one its end is nearest to, and
takes one at least; where a second one starts in a column that is taken, the box becomes `+`.
Two passes that are issued as one have one box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.metrics.timeline import name, version_label
from sim.arrays import Floats, Ints
from sim.op import Op
from sim.trace import Trace

NARROWEST = 2  # characters of a column: a sign and a space
PAIR = "&"  # between two passes that are issued as one
MOST_COLUMNS = 2_000  # drawn at once: beyond, nobody scrolls


@dataclass
class Box:
    """What one device does from column `first` up to `last`, with what is written into it.

    `chunk` is the stage's place among those of the device; where `several` passes share a column,
    the box stands for all of them.  `other` is the second of a pair that runs as one.
    """

    device: int
    stage: int
    chunk: int
    op: Op
    first: int
    last: int
    text: str
    version: str
    selected: bool
    several: bool = False
    other: Box | None = None

    @property
    def labels(self) -> tuple[str, str, str]:
        """The box's text, the version under it, and its stage; of a pair both, versions once where
        they are the same."""
        mark = "*" if self.selected else ""
        if self.several:
            return "+" + mark, "", ""
        both = [self] if self.other is None else [self, self.other]
        return (PAIR.join(box.text for box in both) + mark,
                PAIR.join(dict.fromkeys(box.version for box in both)),
                PAIR.join(str(box.stage) for box in both))


@dataclass(frozen=True)
class Grid:
    """A timeline laid out in columns `first … last-1` of `total`, each `width` characters wide.

    A column is `slot_s` seconds.  `waits` are stretches (device, first, last) in which a message a
    device waits for is under way; what is neither a box nor a wait is idle.  `trip` is the first
    and the last column of the mini-batch that is `selected`.
    """

    boxes: list[Box]
    waits: list[tuple[int, int, int]]
    devices: int
    chunked: bool
    slot_s: float
    first: int
    last: int
    total: int
    width: int
    margin: int
    labels: str
    microbatches: int
    selected: int | None = None
    trip: tuple[int, int] | None = None


def usual_slot_s(trace: Trace) -> float:
    """Seconds of a column by default: the shortest pass but for the shortest tenth of them.

    Where that would stretch the mean pass over more than three columns, a round number does.
    """
    seconds = (trace.end_s - trace.start_s)[trace.op <= Op.W]
    positive = np.sort(seconds[seconds > 0])
    if not len(positive):
        return 1.0
    short, third = float(positive[(len(positive) - 1) // 10]), float(positive.mean()) / 3
    return short if short >= third else _round_number(third)


def _round_number(seconds: float) -> float:
    """The largest of 1, 2, 5, 10, … (any power) that is not above."""
    power = 10.0 ** np.floor(np.log10(seconds))
    return float(power * max(step for step in (1, 2, 5) if step * power <= seconds))


def blocks(trace: Trace, characters: int, labels: str, *, last: int | None = None, **options: Any
           ) -> list[Grid]:
    """The grid up to column `last`, however many times `characters` reach that takes, one below
    the other; as far as they reach once where no `last` is given.

    `options` are the others of `lay_out`.  At most `MOST_COLUMNS` are laid out.  Raises ValueError
    where there is no such column.
    """
    found = [lay_out(trace, characters, labels, last=last, **options)]
    if last is not None:
        stop = min(found[0].total, last + 1, found[0].first + MOST_COLUMNS)
        while found[-1].last < stop:
            found.append(lay_out(trace, characters, labels,
                                 **{**options, "first": found[-1].last, "last": stop - 1}))
    return found


def lay_out(trace: Trace, characters: int, labels: str, *, first: int | None = None,
            last: int | None = None, minibatch: int | None = None, slot_s: float | None = None
            ) -> Grid:
    """The grid from column `first` on, up to column `last` or as far as `characters` reach.

    A column is `slot_s` seconds.  Without `first` the grid starts shortly before `minibatch`, if
    one is selected and that is not beyond `last`.  Raises ValueError where there is no such column.
    """
    slot = slot_s or usual_slot_s(trace)
    devices = max(trace.shape.devices, int(trace.device.max()) + 1)
    margin = len(f"device {devices - 1}") + 2
    room = max(NARROWEST, characters - margin)
    start, end = columns(trace.start_s, slot), columns(trace.end_s, slot)
    total = max(1, int(np.ceil(trace.end_s.max() / slot - 1e-9)))
    trip = None if minibatch is None else _trip(trace, start, end, minibatch)
    if first is None:
        first = 0 if trip is None else _shortly_before(trace, trip, room)
        first = first if last is None or first <= last else 0
    if not 0 <= first < total:
        raise ValueError(f"columns are 0 to {total - 1}, got {first}")
    if last is not None and last < first:
        raise ValueError(f"the last column comes after the first, got {first} and {last}")
    stop = min(total, first + room // NARROWEST, total if last is None else last + 1)
    boxes = _boxes(trace, start, end, (first, stop), labels, minibatch)
    chunked = any(_chunks(trace).values())
    width, stop = _fit(boxes, chunked, first, stop, room)
    return Grid([box for box in boxes if box.first < stop], _waits(trace, slot, (first, stop)),
                devices, chunked, slot, first, stop, total, width, margin, labels,
                trace.shape.microbatches, minibatch, trip)


def columns(seconds: Floats, slot_s: float) -> Ints:
    """The column border nearest to each moment (s), of the same shape; halves always upwards."""
    return np.floor(np.asarray(seconds) / slot_s + 0.5).astype(np.int64)


def _trip(trace: Trace, start: Ints, end: Ints, minibatch: int) -> tuple[int, int]:
    """The first and the last column of a mini-batch's passes, which begin and end where given."""
    its = (trace.minibatch == minibatch) & (trace.op <= Op.W)
    first = int(start[its].min())
    return first, max(first, int(end[its].max()) - 1)


def _shortly_before(trace: Trace, trip: tuple[int, int], room: int) -> int:
    lead = min(2 * trace.shape.stages, room // 16)  # what led to it, a quarter of the width
    return max(0, trip[0] - lead)


def _chunks(trace: Trace) -> dict[tuple[int, int], int]:
    """Place of each (device, stage) among the stages of the device."""
    pairs = np.unique(np.stack([trace.device, trace.stage]), axis=1).T.tolist()
    return {(d, k): i - next(j for j, pair in enumerate(pairs) if pair[0] == d)
            for i, (d, k) in enumerate(pairs)}


def _boxes(trace: Trace, start: Ints, end: Ints, window: tuple[int, int], labels: str,
           minibatch: int | None) -> list[Box]:
    """Boxes in the window by device and time; updates only where they take a column."""
    passes = (trace.op <= Op.W) & (trace.end_s > trace.start_s)
    end = np.where(passes, np.maximum(end, start + 1), end)
    drawn = passes | ((trace.op == Op.U) & (end > start))
    rows = np.flatnonzero(drawn & (start < window[1]) & (end > window[0]))
    found: list[Box] = []
    chunk, other, last_row = _chunks(trace), _other(trace), -1
    for row in rows[np.lexsort((trace.start_s[rows], trace.device[rows]))].tolist():
        here = int(trace.device[row]), int(trace.stage[row])
        box = Box(*here, chunk[here], Op(int(trace.op[row])), int(start[row]), int(end[row]),
                  name(trace, row),
                  "" if trace.op[row] == Op.U else version_label(trace, row, labels),
                  minibatch == trace.minibatch_of(row))
        before = found[-1] if found else None
        if before is not None and other.get(row) == last_row:
            before.other = box
            before.selected |= box.selected
        elif before is None or before.device != box.device or before.last <= box.first:
            found.append(box)
        elif before.first == box.first:
            before.several, before.last = True, max(before.last, box.last)
            before.selected |= box.selected
        else:
            before.last = box.first
            found.append(box)
        last_row = row
    return found


def _other(trace: Trace) -> dict[int, int]:
    """The first row of each pair that runs as one in time, by its second."""
    if trace.paired is None:
        return {}
    first, second = np.flatnonzero(trace.paired).reshape(-1, 2).T
    one = trace.start_s[first] == trace.start_s[second]
    return dict(zip(second[one].tolist(), first[one].tolist(), strict=True))


def _waits(trace: Trace, slot_s: float, window: tuple[int, int]) -> list[tuple[int, int, int]]:
    """Whole columns in which a device does nothing but wait for a message under way."""
    order = np.lexsort((np.arange(len(trace)), trace.device))
    free = np.concatenate(([0.0], trace.end_s[order][:-1]))
    free[np.diff(trace.device[order], prepend=-1) != 0] = 0.0
    since = np.ceil(np.fmax(free, trace.sent_s[order]) / slot_s - 1e-9)
    until = np.floor(np.fmin(trace.arrived_s, trace.start_s)[order] / slot_s + 1e-9)
    rows = np.flatnonzero((trace.arrived_s[order] >= 0) & (until > since)
                          & (since < window[1]) & (until > window[0]))
    return [(int(trace.device[order[row]]), int(since[row]), int(until[row])) for row in rows]


def _fit(boxes: Sequence[Box], chunked: bool, first: int, stop: int, room: int
         ) -> tuple[int, int]:
    """Characters of a column and the column to stop before, so that as many as can are shown."""
    needed = np.full(stop - first, NARROWEST)
    for box in boxes:
        if box.first >= first:
            longest = max(map(len, box.labels if chunked else box.labels[:2]))
            place = box.first - first
            needed[place] = max(needed[place], -(-(longest + 1) // (box.last - box.first)))
    widest = np.maximum.accumulate(needed)
    fits = np.flatnonzero(widest * np.arange(1, len(widest) + 1) <= room + 1)
    shown = int(fits[-1]) + 1 if len(fits) else 1
    return int(widest[shown - 1]), first + shown

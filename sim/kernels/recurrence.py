"""The (max,+) recurrence itself: when every row of a static program starts and ends.

One text, `advance`, is run by Python on lists or views and compiled by numba on arrays, with the
same bits.  It is written with indices and numbers only.  That an index is 0 or more is checked even
where it must be: one that may count from the end costs compiled code a quarter more.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from sim.arrays import Floats, Ints
from sim.kernels.pairs import Pair

NOT_SENT = -1.0  # the arrival of a message that is still to be sent
TICKS_PER_S = 2.0**30
NO_FRACTION = 2.0**52  # floats from here on are whole numbers

T = TypeVar("T")


class Column(Protocol[T]):
    """A list, a memoryview or an array of shape (size,), whichever is quickest to step through."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> T: ...

    def __setitem__(self, place: int, value: T, /) -> None: ...


class Position(NamedTuple):
    """How far a run has come.

    By device `head` is its next row and `clock` the seconds when it is free for it; by link `free`
    is the end in seconds of the last transfer; `stack` is room for thrice the devices.
    """

    head: Column[int]
    clock: Column[float]
    free: Column[float]
    stack: Column[int]


class Work(NamedTuple):
    """What rows take and send.

    By row: `seconds` it takes, `target` the row of another device that waits for its message,
    `link` the number of the link that takes (−1: none of either), `transfer_s` for how many seconds
    and `latency_s` how many more until it arrives (empty: none of any).  By link: `receiver`, the
    device at its end.
    """

    target: Column[int]
    seconds: Column[float]
    link: Column[int]
    transfer_s: Column[float]
    latency_s: Column[float]
    receiver: Column[int]


class SlowWindows(NamedTuple):
    """Windows of time in which the instructions of a stage are slower, and trends that stay.

    `stage` is by row; by window `window_stage` is its stage, and `window_s` has four numbers, from
    and to in seconds, the factor, and 1 where that is grown into and kept (`sim.times.costs.Trend`)
    or 0, one window after another.
    """

    stage: Column[int]
    window_stage: Column[int]
    window_s: Column[float]


class OpenGates(NamedTuple):
    """Rows that wait for several others, as workers do for each other (`sim.times.exact.gates`).

    By row: how many others are still `missing`, when it may start (`opened`, seconds), seconds of
    its exchange, and its `device`; row `r` opens the rows `opens[first[r]] … opens[first[r+1] -
    1]`.  All are empty where no row waits in this way.
    """

    missing: Column[int]
    opened: Column[float]
    exchange_s: Column[float]
    first: Column[int]
    opens: Column[int]
    device: Column[int]


class RowTimes(NamedTuple):
    """When rows run, in seconds: `start` and `end`, and when the message a row waits for was `sent`
    and had `arrived`.

    Before it is sent `arrived` is −1; where a row waits for none it is NaN.
    """

    start: Column[float]
    end: Column[float]
    sent: Column[float]
    arrived: Column[float]


def slow_seconds(seconds: float, began: float, stage: int, window_stage: Column[int],
                 window_s: Column[float]) -> float:
    """How long an instruction of a stage takes that began at `began` and would take `seconds`, in
    whole ticks; windows as in `SlowWindows`."""
    for w in range(len(window_stage)):
        if window_stage[w] == stage and window_s[4 * w] <= began:
            since, until, by = window_s[4 * w], window_s[4 * w + 1], window_s[4 * w + 2]
            if window_s[4 * w + 3] > 0.0 and began < until:
                by = 1.0 + (by - 1.0) * ((began - since) / (until - since))
            elif window_s[4 * w + 3] <= 0.0 and began >= until:
                by = 1.0
            seconds *= by
    seconds *= TICKS_PER_S
    if seconds < NO_FRACTION:
        seconds = (seconds + NO_FRACTION) - NO_FRACTION  # rounds as np.round does
    return seconds / TICKS_PER_S


def advance(position: Position, limit: Column[int], work: Work, windows: SlowWindows,
            gates: OpenGates, times: RowTimes) -> None:
    """Execute every stream as far as it can go, at most up to `limit` (rows, by device).

    A device is put on the stack when the last of what its head waits for has come: once for each
    head, so that the stack never holds more than twice the devices.
    """
    head, clock, free, stack = position
    target, seconds, link, transfer, latency, receiver = work
    stage, window_stage, window_s = windows
    missing, opened, exchange, first, opens, home = gates
    start, end, sent, arrived = times
    top = 0
    for device in range(len(head)):
        stack[top] = len(head) - 1 - device
        top += 1
    slowed, gated, late = len(window_stage), len(opens) > 0, len(latency) > 0
    while top > 0:
        top -= 1
        device = stack[top]
        row, stop, now = head[device], limit[device], clock[device]
        while 0 <= row < stop:
            came = arrived[row]
            if came < 0.0:
                break
            if came > now:
                now = came
            if gated:
                if missing[row] > 0:
                    break
                if opened[row] > now:
                    now = opened[row]
            start[row] = now
            took = seconds[row]
            if slowed > 0:
                took = slow_seconds(took, now, stage[row], window_stage, window_s)
            now += took
            end[row] = now
            way, waits = link[row], target[row]
            if way >= 0 and waits >= 0:
                came = free[way]
                if now > came:
                    came = now
                came += transfer[row]
                free[way] = came
                if late:
                    came += latency[row]
                sent[waits] = now
                arrived[waits] = came
                other = receiver[way]
                if (head[other] == waits and waits < limit[other]
                        and (not gated or missing[waits] <= 0)):
                    stack[top] = other
                    top += 1
            if gated:
                for each in range(first[row], first[row + 1]):
                    other = opens[each]
                    missing[other] -= 1
                    if now > opened[other]:
                        opened[other] = now
                    if missing[other] == 0:
                        opened[other] += exchange[other]
                        if (head[home[other]] == other and other < limit[home[other]]
                                and not arrived[other] < 0.0):
                            stack[top] = home[other]
                            top += 1
            row += 1
        head[device] = row
        clock[device] = now


ADVANCE = Pair(advance, advance)


def _expect_at_once(target: Ints, sent: Floats, arrived: Floats) -> None:
    sent[:] = arrived[:] = np.nan
    arrived[target[target >= 0]] = NOT_SENT


def _expect_in_loops(target: Ints, sent: Floats, arrived: Floats) -> None:
    for row in range(len(target)):
        sent[row] = arrived[row] = np.nan
    for row in range(len(target)):
        if target[row] >= 0:
            arrived[target[row]] = NOT_SENT


EXPECT_MESSAGES = Pair(_expect_at_once, _expect_in_loops)
"""`(target, sent, arrived)`: fill `arrived` with −1 where a row is some row's target, else with
NaN, and `sent` with NaN: so they are before a run."""

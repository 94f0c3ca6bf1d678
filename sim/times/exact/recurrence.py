"""The (max,+) recurrence itself: plain Python on lists or views, or compiled, the same lines.

Written with indices and numbers only, so that one text serves both and gives the same bits.  What
can only be 0 or more is said to be: an index that may count from the end costs compiled code a
quarter more.
"""

from __future__ import annotations

from typing import Any

TICKS_PER_S = 2.0**30
NO_FRACTION = 2.0**52  # floats from here on are whole numbers


def advance(head: Any, limit: Any, clock: Any, free: Any, stack: Any, target: Any, seconds: Any,
            link: Any, transfer: Any, receiver: Any, slow: Any, gates: Any, start: Any, end: Any,
            sent: Any, arrived: Any) -> None:
    """Execute every stream as far as it can go, at most up to `limit` (rows, by device).

    `head` and `clock` say how far each device came and when; `free` when each link is.  By row are
    filled `start` and `end`, and of the message a row waits for `sent` and `arrived`: before that
    `arrived` is −1, and NaN where a row waits for none.  `stack` is room for thrice the devices: a
    device is on it when what its head waits for may have come.  `slow` are the stage of each row,
    and stages and (from, to, factor) of windows in which their instructions are slower; `gates`
    what `sim.times.exact.gates` has, and room for when each opens.
    """
    stage, window_stage, window_s = slow
    missing, opened, exchange, first, opens, home = gates
    top = 0
    for device in range(len(head)):
        stack[top] = len(head) - 1 - device
        top += 1
    windows, gated = len(window_stage), len(opens) > 0
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
            if windows > 0:
                began, number = now, stage[row]
                for w in range(windows):
                    if (window_stage[w] == number and window_s[3 * w] <= began
                            and began < window_s[3 * w + 1]):
                        took *= window_s[3 * w + 2]
                took *= TICKS_PER_S
                if took < NO_FRACTION:
                    took = (took + NO_FRACTION) - NO_FRACTION  # rounds as np.round does
                took /= TICKS_PER_S
            now += took
            end[row] = now
            way, waits = link[row], target[row]
            if way >= 0 and waits >= 0:
                came = free[way]
                if now > came:
                    came = now
                came += transfer[row]
                free[way] = came
                sent[waits] = now
                arrived[waits] = came
                other = receiver[way]
                if head[other] == waits and waits < limit[other]:
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
                        if head[home[other]] == other and other < limit[home[other]]:
                            stack[top] = home[other]
                            top += 1
            row += 1
        head[device] = row
        clock[device] = now


"""The (max,+) recurrence itself: plain Python on lists or views, or compiled, the same lines.

Written with indices and numbers only, so that one text serves both and gives the same bits.
"""

from __future__ import annotations

from typing import Any

TICKS_PER_S = 2.0**30
NO_FRACTION = 2.0**52  # floats from here on are whole numbers


def advance(head: Any, limit: Any, clock: Any, free: Any, stack: Any, target: Any, seconds: Any,
            link: Any, transfer: Any, receiver: Any, stage: Any, window_stage: Any, window_s: Any,
            start: Any, end: Any, sent: Any, arrived: Any) -> None:
    """Execute every stream as far as it can go, at most up to `limit` (rows, by device).

    `head` and `clock` say how far each device came and when; `free` when each link is.  By row are
    filled `start` and `end`, and of the message a row waits for `sent` and `arrived`: before that
    `arrived` is −1, and NaN where a row waits for none.  `stack` is room for twice the devices: a
    device is on it when what its head waits for may have come.
    """
    top = 0
    for device in range(len(head)):
        stack[top] = len(head) - 1 - device
        top += 1
    windows = len(window_stage)
    while top > 0:
        top -= 1
        device = stack[top]
        row, stop, now = head[device], limit[device], clock[device]
        while row < stop:
            came = arrived[row]
            if came < 0.0:
                break
            if came > now:
                now = came
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
            way = link[row]
            if way >= 0:
                came = free[way]
                if now > came:
                    came = now
                came += transfer[row]
                free[way] = came
                waits = target[row]
                sent[waits] = now
                arrived[waits] = came
                other = receiver[way]
                if head[other] == waits and waits < limit[other]:
                    stack[top] = other
                    top += 1
            row += 1
        head[device] = row
        clock[device] = now


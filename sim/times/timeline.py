"""The timeline: when each row of a program ran, whichever engine found it."""

from __future__ import annotations

from dataclasses import dataclass

from sim.arrays import Floats
from sim.order.program import Program

Times = tuple[Floats, Floats, Floats, Floats]  # columns of a timeline: start, end, sent, arrived


@dataclass(frozen=True)
class Timeline:
    """Times of each row of `program`, all in seconds, each of shape (rows,).

    `sent_s` is when the message a row waits for left its producer, `arrived_s` when it was here;
    both NaN where nothing crosses devices.
    """

    program: Program
    start_s: Floats
    end_s: Floats
    sent_s: Floats
    arrived_s: Floats

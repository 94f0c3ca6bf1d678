"""The timeline: when each row of a program ran, whichever engine found it."""

from __future__ import annotations

from dataclasses import dataclass

from sim.arrays import Floats
from sim.order.program import Program

Times = tuple[Floats, Floats, Floats, Floats]  # columns of a timeline: start, end, sent, arrived


@dataclass(frozen=True, repr=False)
class Timeline:
    """When each row of `program` ran: columns of shape (rows,), in seconds from the run's start.

    `sent_s` is when the message a row waits for left its producer, `arrived_s` when it was here;
    both NaN where nothing crosses devices.  `asked_s` is when the host began to ask the device for
    a row, `issued_s` when it had asked for all of it; None where hosts are not told apart.
    """

    program: Program
    start_s: Floats
    end_s: Floats
    sent_s: Floats
    arrived_s: Floats
    asked_s: Floats | None = None
    issued_s: Floats | None = None

    def __repr__(self) -> str:
        return (f"<Timeline: {len(self.program)} instructions on {self.program.devices} devices "
                f"in {self.end_s.max(initial=0.0):.6g} s>")

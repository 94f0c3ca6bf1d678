"""Relating the clocks of devices and hosts: an instant lies between two readings of a clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Bracket:
    """An instant known to lie between two readings of the host's clock, in seconds."""

    before_s: float
    after_s: float

    @property
    def middle_s(self) -> float:
        """The best guess at the instant, in seconds."""
        return (self.before_s + self.after_s) / 2

    @property
    def half_width_s(self) -> float:
        """How far, in seconds, the guess can be off."""
        return (self.after_s - self.before_s) / 2


@dataclass(frozen=True)
class Alignment:
    """How a device's clock relates to the host's over a run, all in seconds.

    The device's clock read 0 in the bracket `first` and `elapsed_s` in `last`; `host_s` turns its
    times into the host's by the straight line between the two.
    """

    first: Bracket
    last: Bracket
    elapsed_s: float

    @property
    def residual_s(self) -> float:
        """A bound on the error of `host_s` at the two ends, in seconds."""
        return max(self.first.half_width_s, self.last.half_width_s)

    @property
    def drift_s(self) -> float:
        """Seconds the device's clock gained or lost over the run, which `host_s` corrects."""
        if not self.elapsed_s:
            return 0.0
        return self.last.middle_s - self.first.middle_s - self.elapsed_s

    def host_s(self, device_s: float) -> float:
        """Host time of a device time, both in seconds."""
        if not self.elapsed_s:
            return self.first.middle_s + device_s
        return self.first.middle_s + device_s * (1 + self.drift_s / self.elapsed_s)


def unaligned() -> Alignment:
    """The alignment of a clock that is the host's own."""
    return Alignment(Bracket(0.0, 0.0), Bracket(0.0, 0.0), 0.0)


def offset(asked: Callable[[], tuple[float, float, float]], rounds: int = 16) -> Bracket:
    """Another host's clock minus ours, in seconds, from the quickest of several questions.

    `asked` gives (our time before, the other's answer, our time after); the answer was given
    somewhere in between.  Source: Cristian 1989.
    """
    replies = [asked() for _ in range(rounds)]
    before, there, after = min(replies, key=lambda reply: reply[2] - reply[0])
    return Bracket(there - after, there - before)

"""Workers that wait for each other, event by event: who is missing, and until when it lasts."""

from __future__ import annotations

from sim.order.program import Program
from sim.times.cluster import Cluster


class Exchange:
    """Which workers' exchanges wait for what, while a run goes from event to event.

    A row that waits for several others by `sync` also waits for the exchange that begins with the
    last of them.  `missing` counts by row what is still to end before it, `opens` lists by row
    those that wait for it, `open_s` is when, in seconds, an exchange that has begun is over.
    """

    def __init__(self, program: Program, cluster: Cluster) -> None:
        self.missing: dict[int, int] = {}
        self.opens: dict[int, list[int]] = {}
        for before, after in zip(*(side.tolist() for side in program.sync), strict=True):
            self.missing[after] = self.missing.get(after, 0) + 1
            self.opens.setdefault(before, []).append(after)
        seconds = cluster.exchange_s(program)
        self.seconds = {row: float(seconds[row]) for row in self.missing}
        self.open_s: dict[int, float] = {}

    def ended(self, row: int, now: float) -> list[int]:
        """Rows whose exchange begins now that `row` has ended."""
        begun = []
        for target in self.opens[row]:
            self.missing[target] -= 1
            if not self.missing[target]:
                self.open_s[target] = now + self.seconds[target]
                begun.append(target)
        return begun

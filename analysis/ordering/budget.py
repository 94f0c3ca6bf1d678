"""How long a search may go on: in seconds, or in moves, which are the same on every machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Budget:
    """So many `seconds` from now on, or so many moves where `rounds` are given.

    `moves` are those used up.  A budget `until` a part of another is used up uses that up, too.
    """

    seconds: float
    rounds: int | None
    moves: int = 0
    whole: Budget | None = None
    began: float = field(default_factory=time.perf_counter)

    def until(self, part: float) -> Budget:
        """The budget of the first part of this one, from 0 to 1."""
        rounds = None if self.rounds is None else int(self.rounds * part)
        return Budget(self.seconds * part, rounds, self.moves, self, self.began)

    @property
    def passed_s(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self.began

    @property
    def part(self) -> float:
        """What part is used up, from 0 to 1."""
        used, of = ((self.passed_s, self.seconds) if self.rounds is None
                    else (self.moves, self.rounds))
        return min(1.0, used / of) if of > 0 else 1.0

    def slices(self, most: int) -> Iterator[int]:
        """Numbers of moves to try one after another, until all is used up."""
        while self.part < 1.0:
            size = most if self.rounds is None else min(most, self.rounds - self.moves)
            self.moves += size
            if self.whole is not None:
                self.whole.moves += size
            yield size

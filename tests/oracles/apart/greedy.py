"""Greedy dispatch from moment to moment: every idle device takes the most urgent thing it can.

Updates come before backwards, those before forwards, and halves that only make weight gradients
last; of equals the earliest micro-batch, then the earliest stage.  The first stage starts a forward
only while no more is under way than the static order ever has there: micro-batches between their
forward and their backward, mini-batches between their first forward and their update.
"""

from __future__ import annotations

from tests.oracles.apart.case import Case, Pass
from tests.oracles.apart.orders import Streams
from tests.oracles.apart.times import Seconds, message, stretched

URGENT = {"U": 0, "B": 1, "I": 1, "F": 2, "W": 3}


def dispatched(case: Case, static: Streams, seconds: Seconds) -> Streams:
    """The order that comes about, of one worker."""
    return _Dispatch(case, static, seconds).through()


class _Dispatch:
    def __init__(self, case: Case, static: Streams, seconds: Seconds) -> None:
        self.case, self.seconds = case, seconds
        self.left = [set(stream) for stream in static]
        self.home = {each.stage: d for d, stream in enumerate(static) for each in stream}
        self.does = {(each.kind, each.stage, m): each for stream in static for each in stream
                     for m in each.covers}
        self.halves = any(each.op == "W" for stream in static for each in stream)
        self.most = self.peaks([each for stream in static for each in stream if not each.stage])
        self.under_way = [0, 0]  # micro-batches, mini-batches
        self.done: dict[Pass, int] = {}  # when it has ended
        self.came: dict[Pass, int] = {}  # when its message is at the next device
        self.link: dict[tuple[int, int], int] = {}
        self.busy = [0] * len(static)
        self.order: Streams = [[] for _ in static]

    def through(self) -> Streams:
        now = 0
        while any(self.left):
            while any([self.take(d, now) for d in range(len(self.left))]):  # all decide at once
                pass
            later = [t for t in (*self.busy, *self.came.values()) if t > now]
            if later:
                now = min(later)
            else:
                assert not any(self.left), "nothing can go on"
        return self.order

    def change(self, each: Pass) -> tuple[int, int]:
        """How much more is under way on the first stage once it has started."""
        micro = {"F": 1, "B": -each.count, "I": -each.count}.get(each.op, 0)
        opens = each.op == "F" and each.first % self.case.microbatches == 0
        return micro, opens - (each.op == "U")

    def peaks(self, stream: list[Pass]) -> list[int]:
        now, most = [0, 0], [0, 0]
        for each in stream:
            now = [a + b for a, b in zip(now, self.change(each), strict=True)]
            most = [max(a, b) for a, b in zip(most, now, strict=True)]
        return most

    def take(self, device: int, now: int) -> bool:
        """Start what is most urgent, if anything is; whether it is over at once."""
        if self.busy[device] > now:
            return False
        ready = [each for each in self.left[device] if self.can(each, now)]
        if not ready:
            return False
        each = min(ready, key=lambda x: (URGENT[x.op], x.first, x.stage))
        self.left[device].remove(each)
        self.order[device].append(each)
        if not each.stage:
            self.under_way = [a + b for a, b in zip(self.under_way, self.change(each),
                                                    strict=True)]
        end = now + stretched(self.case, each, now, self.seconds(0, each))
        self.busy[device] = self.done[each] = end
        target = each.stage + {"F": 1, "B": -1}.get(each.kind, 0)
        if target in self.home and self.home[target] != device:
            on_link, after = message(self.case, each.stage, target, each.count)
            way = device, self.home[target]
            self.link[way] = max(end, self.link.get(way, 0)) + on_link
            self.came[each] = self.link[way] + after
        return end == now

    def can(self, each: Pass, now: int) -> bool:
        if each.op == "F" and not each.stage:
            if any(x.op == "F" and not x.stage and x.first < each.first
                   for x in self.left[self.home[0]]):
                return False  # none overtakes
            fits = [a + b <= most for a, b, most in
                    zip(self.under_way, self.change(each), self.most, strict=True)]
            if not all(fits):
                return False
        return all(self.here(self.does[need], each, now) for need in self.needs(each))

    def here(self, need: Pass, each: Pass, now: int) -> bool:
        elsewhere = self.home[need.stage] != self.home[each.stage]
        moment = self.came.get(need) if elsewhere else self.done.get(need)
        return moment is not None and moment <= now

    def needs(self, each: Pass) -> list[tuple[str, int, int]]:
        k, found = each.stage, []
        for m in each.covers:
            if each.op == "F":
                found += [("F", k - 1, m)] * (k > 0)
            elif each.kind == "B":
                found += [("F", k, m)] + [("B", k + 1, m)] * (k + 1 < self.case.stages)
            else:
                found.append(("W" if each.op == "U" and self.halves else "B", k, m))
        return found

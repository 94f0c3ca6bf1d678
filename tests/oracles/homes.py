"""Programs whose stages have several homes, made and walked without the product: plain tuples.

A pass is (operation, stage, micro-batches) with an operation of `FBIWU`; streams are lists of them
by device.  The copy of a stage is the device it is on.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass

Pass = tuple[str, int, tuple[int, ...]]
Streams = list[list[Pass]]
Place = tuple[int, int]  # stage and device


@dataclass(frozen=True)
class Sizes:
    """Stages, mini-batches, micro-batches of each, most devices, and micro-batches of the last."""

    stages: int
    minibatches: int
    microbatches: int
    devices: int
    last: int

    @property
    def total(self) -> int:
        return (self.minibatches - 1) * self.microbatches + self.last

    def covers(self, minibatch: int) -> tuple[int, ...]:
        first = minibatch * self.microbatches
        return tuple(range(first, min(first + self.microbatches, self.total)))


def text(streams: Streams) -> str:
    """A line per device, as programs are written."""
    def cell(each: Pass) -> str:
        op, stage, micro = each
        return f"{stage}{op}{micro[0]}" + (f"-{micro[-1]}" if len(micro) > 1 else "")

    return "\n".join(",".join(map(cell, stream)) for stream in streams) + "\n"


def drawn(dice: random.Random, sizes: Sizes, turns: str, *, halves: bool) -> Streams:
    """A random order that can be executed, also where copies wait for each other.

    By `turns` a stage's copies take micro-batches of a mini-batch (`micro`) or whole mini-batches
    (`mini`), each any of one to three devices; a device without anything to do is left out.
    """
    homes = [dice.sample(range(sizes.devices), dice.randint(1, min(3, sizes.devices)))
             for _ in range(sizes.stages)]
    home = {(k, m): homes[k][(m if turns == "micro" else m // sizes.microbatches) % len(homes[k])]
            for k in range(sizes.stages) for m in range(sizes.total)}
    needs: dict[tuple[str, int, int, int], list[tuple[str, int, int, int]]] = {}
    split = {key: halves and dice.random() < 0.5 for key in home}
    for (k, m), device in home.items():
        def gradient(stage: int, micro: int = m) -> tuple[str, int, int, int]:
            return ("I" if split[stage, micro] else "B", stage, micro, home[stage, micro])

        needs["F", k, m, device] = [("F", k - 1, m, home[k - 1, m])] if k else []
        below = [gradient(k + 1)] if k + 1 < sizes.stages else []
        needs[gradient(k)] = [("F", k, m, device), *below]
        if split[k, m]:
            needs["W", k, m, device] = [gradient(k)]
    rounds = update_rounds(sizes, home)
    for k in range(sizes.stages):
        copies = {place: done for place, done in rounds.items() if place[0] == k}
        for (_, device), done in copies.items():
            for number, minibatch in enumerate(done):
                before = [("W" if split[k, m] else "B", k, m, home[k, m])
                          for place, theirs in copies.items() if number < len(theirs)
                          for m in sizes.covers(theirs[number]) if home[k, m] == place[1]]
                earlier = [("U", k, done[number - 1], device)] if number else []
                needs["U", k, minibatch, device] = before + earlier
    streams: Streams = [[] for _ in range(sizes.devices)]
    gone: set[tuple[str, int, int, int]] = set()
    while len(gone) < len(needs):
        ready = sorted(each for each, wanted in needs.items()
                       if each not in gone and gone.issuperset(wanted))
        op, k, m, device = each = dice.choice(ready)
        gone.add(each)
        streams[device].append((op, k, sizes.covers(m) if op == "U" else (m,)))
    return [stream for stream in streams if stream]


def update_rounds(sizes: Sizes, home: dict[tuple[int, int], int]) -> dict[Place, list[int]]:
    """The mini-batches that each copy updates, in their order."""
    rounds: dict[Place, list[int]] = {}
    for (k, m), device in sorted(home.items()):
        minibatch = m // sizes.microbatches
        mine = rounds.setdefault((k, device), [])
        if minibatch not in mine:
            mine.append(minibatch)
    return rounds


def versions(streams: Streams) -> dict[tuple[str, int, int], int]:
    """(F or B, stage, micro-batch) to the updates of its own copy before it in its stream."""
    seen: dict[tuple[str, int, int], int] = {}
    for stream in streams:
        done: dict[int, int] = defaultdict(int)
        for op, stage, micro in stream:
            for m in micro:
                if op in "FBI":
                    seen["B" if op == "I" else op, stage, m] = done[stage]
            done[stage] += op == "U"
    return seen


def most_held(streams: Streams, stage: int, device: int) -> int:
    """Most versions a copy holds that are newest or still to be read, where a backward reads what
    its forward did."""
    own = [(op, micro[0]) for op, k, micro in streams[device] if k == stage]
    read: dict[int, int] = {}
    newest = 0
    for op, m in own:
        if op == "F":
            read[m] = newest
        newest += op == "U"
    most, newest = 1, 0
    for place, (op, _) in enumerate(own):
        newest += op == "U"
        wanted = {newest} | {read[m] for op, m in own[place + 1:] if op in "FBI"}
        most = max(most, sum(version <= newest for version in wanted))
    return most


def times(streams: Streams, sizes: Sizes, seconds: dict[tuple[str, int], float],
          transfer_s: float, latency_s: float, exchange_s: list[float], *, apart: bool
          ) -> list[list[float]]:
    """The start of everything by device, where messages go over links one at a time and copies
    exchange gradients before they update together (unless `apart`)."""
    home = {(k, m): d for d, stream in enumerate(streams) for op, k, micro in stream
            if op == "F" for m in micro}
    split = {(k, m) for stream in streams for op, k, micro in stream if op == "I" for m in micro}
    rounds = update_rounds(sizes, home)
    end: dict[tuple[str, int, int], float] = {}
    arrived: dict[tuple[str, int, int], float] = {}
    free: dict[tuple[int, int], float] = defaultdict(float)
    starts: list[list[float]] = [[] for _ in streams]
    clock = [0.0] * len(streams)

    def gate(k: int, device: int, minibatch: int) -> float | None:
        """When all that an update waits for of its stage is there; None: not yet."""
        number = rounds[k, device].index(minibatch)
        parts = [(place, theirs[number]) for place, theirs in rounds.items()
                 if place[0] == k and number < len(theirs)]
        if apart or len(parts) == 1:
            return 0.0
        wanted = [("W" if (k, m) in split else "B", k, m) for place, each in parts
                  for m in sizes.covers(each) if home[k, m] == place[1]]
        if any(each not in end for each in wanted):
            return None
        return max(end[each] for each in wanted) + exchange_s[k]

    def waits(device: int, op: str, k: int, m: int) -> float | None:
        if op == "U":
            return gate(k, device, m // sizes.microbatches)
        other = {"F": k - 1, "B": k + 1, "I": k + 1}.get(op, -1)
        if not 0 <= other < sizes.stages or home[other, m] == device:
            return 0.0
        kind = "F" if op == "F" else "I" if (other, m) in split else "B"
        return arrived.get((kind, other, m))

    moved = True
    while moved:
        moved = False
        for device, stream in enumerate(streams):
            while len(starts[device]) < len(stream):
                op, k, micro = stream[len(starts[device])]
                there = waits(device, op, k, micro[0])
                if there is None:
                    break
                moved = True
                starts[device].append(max(clock[device], there))
                clock[device] = starts[device][-1] + seconds[op, k]
                if op == "U":
                    continue
                end[op, k, micro[0]] = clock[device]
                to = home.get((k + (1 if op == "F" else -1), micro[0]), device)
                if op != "W" and to != device:
                    free[device, to] = max(clock[device], free[device, to]) + transfer_s
                    arrived[op, k, micro[0]] = free[device, to] + latency_s
    assert [len(each) for each in starts] == [len(each) for each in streams], "a deadlock"
    return starts

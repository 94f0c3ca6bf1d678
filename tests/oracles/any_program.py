"""What is wrong with the text of a program, or when each of its cells starts and ends.

An own reading of the text form, kept apart from the package: streams of cells, each one instruction
or two that are a pair.  Times are those of links that are only late: an instruction starts once the
one before it in its stream has ended and what it needs is there.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

CELL = re.compile(r"(\d+)(SEND_F|RECV_F|SEND_B|RECV_B|F|B|I|W|U)(\d+)(?:-(\d+))?")
OPPOSITE = {"RECV_F": "SEND_F", "RECV_B": "SEND_B"}


TICK = 2.0**-30  # seconds


def rounded(seconds: float) -> float:
    """Seconds as they are counted."""
    return round(seconds / TICK) * TICK


class Row(NamedTuple):
    """One instruction: on micro-batches `first` to `last`."""

    stage: int
    op: str
    first: int
    last: int

    def __str__(self) -> str:
        end = f"-{self.last}" if self.last > self.first else ""
        return f"{self.stage}{self.op}{self.first}{end}"


Cell = tuple[Row, ...]


def streams_of(text: str) -> list[list[Cell]]:
    """The cells of each line that is no comment."""
    return [[tuple(_row(part) for part in cell.strip("()").split(";"))
             for cell in line.split(",") if cell] for line in text.splitlines()
            if line and not line.startswith("#")]


def _row(text: str) -> Row:
    stage, op, first, last = CELL.fullmatch(text).groups()  # type: ignore[union-attr]
    return Row(int(stage), op, int(first), int(last or first))


@dataclass(frozen=True)
class Costs:
    """Seconds by stage, of an update and of a pair (None: of its two passes), and of a message.

    `holding` says that a RECV holds its device, `apart` that copies of a stage do not wait for each
    other's gradients.
    """

    forward: tuple[float, ...]
    backward: tuple[float, ...]
    update: float = 0.0
    pair: tuple[float, ...] | None = None
    latency: float = 0.0
    holding: bool = False
    apart: bool = False

    def seconds(self, row: Row) -> float:
        """Of one instruction by itself."""
        whole = {"F": self.forward, "B": self.backward}.get(row.op)
        if whole is not None:
            return whole[row.stage]
        return {"I": self.backward[row.stage] / 2, "W": self.backward[row.stage] / 2,
                "U": self.update}.get(row.op, 0.0)


@dataclass
class Model:
    """A program of `stages` whose mini-batches have `sizes` micro-batches."""

    streams: list[list[Cell]]
    stages: int
    sizes: tuple[int, ...]
    at: dict[tuple[int, str, int], list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.at = defaultdict(list)
        for device, stream in enumerate(self.streams):
            for cell in stream:
                for row in cell:
                    self.at[row.stage, row.op, row.first].append(device)

    @property
    def batches(self) -> list[range]:
        """The micro-batches of each mini-batch."""
        ends = [sum(self.sizes[:i + 1]) for i in range(len(self.sizes))]
        return [range(end - size, end) for end, size in zip(ends, self.sizes, strict=True)]

    def faults(self) -> Iterator[str]:
        """What is missing, there twice, or where it may not be; nothing of the order."""
        total, home = sum(self.sizes), {}
        for stage in range(self.stages):
            for micro in range(total):
                done = {op: self.at.get((stage, op, micro), []) for op in "FBIW"}
                kinds = {op for op, where in done.items() if where}
                if kinds not in ({"F", "B"}, {"F", "I", "W"}):
                    yield f"{stage}, {micro}: {sorted(kinds)}"
                elif any(len(where) > 1 for where in done.values()):
                    yield f"{stage}, {micro}: twice"
                elif len({where[0] for where in done.values() if where}) > 1:
                    yield f"{stage}, {micro}: on two devices"
                else:
                    home[stage, micro] = done["F"][0]
        known = {(stage, op, micro) for stage in range(self.stages) for op in "FBIW"
                 for micro in range(total)}
        yield from (f"{key} is of nothing" for key in self.at if key[1] in "FBIW"
                    and key not in known)
        yield from (f"{row} covers several" for row in self._rows()
                    if row.op != "U" and row.last > row.first)
        if len(home) == self.stages * total:
            yield from self._updates(home)
            yield from self._messages(home)
        yield from self._pairs()

    def _rows(self) -> Iterator[Row]:
        return (row for stream in self.streams for cell in stream for row in cell)

    def _updates(self, home: dict[tuple[int, int], int]) -> Iterator[str]:
        """Of every copy one for each mini-batch that it did any of, over all of that."""
        wanted = {(device, stage, batch[0], batch[-1]) for (stage, micro), device in home.items()
                  for batch in self.batches if micro in batch}
        found = [(device, row.stage, row.first, row.last)
                 for device, stream in enumerate(self.streams) for cell in stream for row in cell
                 if row.op == "U"]
        if wanted != set(found) or len(found) != len(wanted):
            yield "updates"

    def _messages(self, home: dict[tuple[int, int], int]) -> Iterator[str]:
        """None at all, or one of each end for what crosses devices."""
        found = sorted((device, row.stage, row.op, row.first)
                       for device, stream in enumerate(self.streams) for cell in stream
                       for row in cell if "_" in row.op)
        wanted = []
        for stage in range(self.stages - 1):
            for micro in range(sum(self.sizes)):
                lower, upper = home[stage, micro], home[stage + 1, micro]
                if lower != upper:
                    wanted += [(lower, stage, "SEND_F", micro), (upper, stage + 1, "RECV_F", micro),
                               (upper, stage + 1, "SEND_B", micro), (lower, stage, "RECV_B", micro)]
        if found and found != sorted(wanted):
            yield "messages"

    def _pairs(self) -> Iterator[str]:
        for stream in self.streams:
            for cell in stream:
                if len(cell) > 1 and (sorted(row.op in "BI" for row in cell) != [False, True]
                                      or sum(row.op == "F" for row in cell) != 1
                                      or cell[0][::2] == cell[1][::2]):
                    yield f"{cell} is no pair"

    def times(self, costs: Costs) -> dict[tuple[int, Row], tuple[float, float]] | None:
        """Start and end of every instruction by device; None where the order cannot be executed."""
        done: dict[tuple[int, Row], tuple[float, float]] = {}
        place, clock = [0] * len(self.streams), [0.0] * len(self.streams)
        moved = True
        while moved:
            moved = False
            for device, stream in enumerate(self.streams):
                while place[device] < len(stream):
                    ended = self._run(stream[place[device]], device, clock[device], done, costs)
                    if ended is None:
                        break
                    clock[device] = ended
                    place[device] += 1
                    moved = True
        finished = all(at == len(stream) for at, stream in zip(place, self.streams, strict=True))
        return done if finished else None

    def _run(self, cell: Cell, device: int, clock: float, done: dict, costs: Costs
             ) -> float | None:
        """When a cell has ended, put among what is done; None where it has to wait."""
        own = [costs.seconds(row) for row in cell]
        if len(cell) == 2 and costs.pair is not None:
            forward, backward = cell if cell[0].op == "F" else cell[::-1]
            whole = costs.forward[forward.stage] + costs.backward[backward.stage]
            if costs.pair[forward.stage] != whole:  # an input half makes it as much shorter
                together = rounded(costs.pair[forward.stage] * (sum(own) / whole))
                ready = [self._ready(row, device, done, costs) for row in cell]
                if None in ready:
                    return None
                start = max(clock, *ready)  # type: ignore[type-var]
                done.update({(device, row): (start, start + together) for row in cell})
                return start + together
        made = {}
        for row, seconds in zip(cell, own, strict=True):
            ready = self._ready(row, device, {**done, **made} if made else done, costs)
            if ready is None:
                return None  # a pair goes as a whole, and its second never waits for its first
            start = max(clock, ready)
            clock = start + seconds
            made[device, row] = (start, clock)
        done.update(made)
        return clock

    def _ready(self, row: Row, device: int, done: dict, costs: Costs) -> float | None:
        """When all that an instruction needs is there; None where some of it is not done."""
        late = 0.0 if row.op == "U" else costs.latency  # gradients of copies have a link of theirs
        found = [self._there(each, its, done, costs, late * (its != device))
                 for each, its in self._needs(row, device, costs)]
        return None if None in found else max(found, default=0.0)  # type: ignore[type-var]

    def _there(self, row: Row, its: int, done: dict, costs: Costs, late: float) -> float | None:
        key = its, row
        if key not in done:
            return None
        if row.op in OPPOSITE and not costs.holding:  # posted: its message, not itself
            sender = self._sender(row)
            sent = done.get(sender)
            return None if sent is None else sent[1] + costs.latency
        return done[key][1] + late

    def _sender(self, row: Row) -> tuple[int, Row]:
        stage = row.stage + (-1 if row.op == "RECV_F" else 1)
        other = Row(stage, OPPOSITE[row.op], row.first, row.last)
        return self.at[other.stage, other.op, other.first][0], other

    def _needs(self, row: Row, device: int, costs: Costs) -> Iterator[tuple[Row, int]]:
        """What has to have ended before, each with its device."""
        stage, op, micro, _ = row
        if op in OPPOSITE:
            if costs.holding:
                its, other = self._sender(row)
                yield other, its
        elif op.startswith("SEND"):
            yield from self._passes(stage, "F" if op == "SEND_F" else "BI", micro)
        elif op == "F":
            if stage:
                yield from self._across(stage - 1, "F", micro, stage, "RECV_F", device)
        elif op in "BI":
            yield from self._passes(stage, "F", micro)
            if stage < self.stages - 1:
                yield from self._across(stage + 1, "BI", micro, stage, "RECV_B", device)
        elif op == "W":
            yield from self._passes(stage, "I", micro)
        else:
            yield from self._gradients(row, device, costs)

    def _passes(self, stage: int, ops: str, micro: int) -> Iterator[tuple[Row, int]]:
        for op in ops:
            for device in self.at.get((stage, op, micro), []):
                yield Row(stage, op, micro, micro), device

    def _across(self, stage: int, ops: str, micro: int, own: int, receive: str, device: int
                ) -> Iterator[tuple[Row, int]]:
        """The pass of a neighbour, or the message received from it."""
        here = self.at.get((own, receive, micro))
        if here:
            yield Row(own, receive, micro, micro), here[0]
        else:
            yield from self._passes(stage, ops, micro)

    def _gradients(self, row: Row, device: int, costs: Costs) -> Iterator[tuple[Row, int]]:
        """All backwards of an update, and of those of the same number of its stage's copies."""
        rounds = {its: [each for cell in stream for each in cell
                        if each.op == "U" and each.stage == row.stage]
                  for its, stream in enumerate(self.streams)}
        number = rounds[device].index(row)
        for its, updates in rounds.items():
            if its != device and (costs.apart or number >= len(updates)):
                continue
            update = updates[number]
            for micro in range(update.first, update.last + 1):
                for op in "BW":
                    if its in self.at.get((row.stage, op, micro), []):
                        yield Row(row.stage, op, micro, micro), its

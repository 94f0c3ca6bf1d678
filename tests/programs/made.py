"""Random sound programs: free placement, several homes, halves, pairs, messages, unequal batches.

A pass at a time, of those that could run now, is put at the end of its device's stream: so there is
an order in which all of them can.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.oracles.any_program import Cell, Costs, Row


@dataclass(frozen=True)
class Made:
    """A program's streams, with the `stages` and the `sizes` of mini-batches it is of."""

    streams: list[list[Cell]]
    stages: int
    sizes: tuple[int, ...]

    def text(self) -> str:
        """The text form."""
        last = "" if self.sizes[-1] == self.sizes[0] else f" last_microbatches={self.sizes[-1]}"
        head = (f"# pipestale program: stages={self.stages} minibatches={len(self.sizes)} "
                f"microbatches={self.sizes[0]} ranks={len(self.streams)}{last}")
        return "\n".join([head, *(",".join(map(shown, stream)) for stream in self.streams)]) + "\n"


def shown(cell: Cell) -> str:
    return str(cell[0]) if len(cell) == 1 else f"({';'.join(map(str, cell))})"


def made(rng: Random) -> Made:
    """A sound program; the same of the same state of `rng`."""
    stages, devices = rng.randint(1, 4), rng.randint(1, 4)
    size, batches = rng.randint(1, 4), rng.randint(1, 3)
    sizes = (*[size] * (batches - 1), rng.randint(1, size))
    homes = _homes(rng, stages, devices)
    return Made(_Writer(rng, stages, len({d for at in homes for d in at}), sizes, homes).write(),
                stages, sizes)


def _homes(rng: Random, stages: int, devices: int) -> list[list[int]]:
    """The devices of each stage, numbered so that each has something to do."""
    several = rng.random() < 0.5
    found = [rng.sample(range(devices), rng.randint(1, devices) if several else 1)
             for _ in range(stages)]
    used = sorted({device for at in found for device in at})
    return [[used.index(device) for device in at] for at in found]


class _Writer:
    """Puts passes into streams one by one."""

    def __init__(self, rng: Random, stages: int, devices: int, sizes: tuple[int, ...],
                 homes: list[list[int]]) -> None:
        self.rng, self.stages, self.sizes = rng, stages, sizes
        self.micros = range(sum(sizes))
        self.home = {(k, m): homes[k][m % len(homes[k])] if m < len(homes[k])
                     else rng.choice(homes[k]) for k in range(stages) for m in self.micros}
        used = sorted(set(self.home.values()))  # a short run may leave a home without work
        self.home = {key: used.index(device) for key, device in self.home.items()}
        self.streams: list[list[Cell]] = [[] for _ in used]
        self.halved = {key: rng.random() < 0.4 for key in self.home}
        self.messages = rng.choice((None, None, "early", "late"))
        self.pairs = rng.random() < 0.4
        self.done: set[Row] = set()
        self.updated: set[tuple[int, Row]] = set()

    def write(self) -> list[list[Cell]]:
        left = {Row(k, op, m, m) for (k, m), half in self.halved.items()
                for op in ("F", *("IW" if half else "B"))}
        while left:
            ready = sorted(row for row in left if self._ready(row))
            row = self.rng.choice(ready)
            other = self._partner(row, ready)
            self._put(*((row,) if other is None else (row, other)))
            left -= {row, other}
            if self.rng.random() < 0.7 or not left:
                self._update()
        self._update()
        return self.streams

    def _ready(self, row: Row) -> bool:
        k, op, m, _ = row
        if op == "W":
            return Row(k, "I", m, m) in self.done
        if op == "F":
            return k == 0 or Row(k - 1, "F", m, m) in self.done
        after = k + 1 == self.stages or any(Row(k + 1, each, m, m) in self.done for each in "BI")
        return after and Row(k, "F", m, m) in self.done

    def _partner(self, row: Row, ready: list[Row]) -> Row | None:
        """Another pass that can run at the same time, to be issued with it as one."""
        kinds = {"F": "BI", "B": "F", "I": "F"}.get(row.op, "")
        found = [other for other in ready if other.op in kinds
                 and self._at(other) == self._at(row) and other[::2] != row[::2]]
        return self.rng.choice(found) if self.pairs and found and self.rng.random() < 0.6 else None

    def _at(self, row: Row) -> int:
        return self.home[row.stage, row.first]

    def _put(self, *cell: Row) -> None:
        device = self._at(cell[0])
        if self.messages == "late":
            for row in cell:
                self._receive(row)
        self.streams[device].append(cell)
        for row in cell:
            self.done.add(row)
            step = {"F": 1, "B": -1, "I": -1}.get(row.op, 0)
            target = self.home.get((row.stage + step, row.first))
            if self.messages is None or not step or target in (None, device):
                continue
            end = "F" if step == 1 else "B"
            m = row.first
            self.streams[device].append((Row(row.stage, f"SEND_{end}", m, m),))
            if self.messages == "early":
                self.streams[target].append((Row(row.stage + step, f"RECV_{end}", m, m),))

    def _receive(self, row: Row) -> None:
        step = {"F": -1, "B": 1, "I": 1}.get(row.op, 0)
        source = self.home.get((row.stage + step, row.first))
        if step and source is not None and source != self._at(row):
            end = "F" if step == -1 else "B"
            self.streams[self._at(row)].append(
                (Row(row.stage, f"RECV_{end}", row.first, row.first),))

    def _update(self) -> None:
        """Every update that all copies of its stage could do now."""
        first = 0
        batches = []
        for size in self.sizes:
            batches.append(range(first, first + size))
            first += size
        for k in range(self.stages):
            copies = sorted({self.home[k, m] for m in self.micros})
            rounds = {d: [b for b in batches if any(self.home[k, m] == d for m in b)]
                      for d in copies}
            for number in range(max(map(len, rounds.values()))):
                its = {d: rounds[d][number] for d in copies if number < len(rounds[d])}
                whole = all(Row(k, op, m, m) in self.done for d, b in its.items() for m in b
                            if self.home[k, m] == d for op in
                            (("W",) if self.halved[k, m] else ("B",)))
                if not whole:  # a copy's updates are numbered as they come
                    break
                for d, b in its.items():
                    row = Row(k, "U", b[0], b[-1])
                    if (d, row) not in self.updated:
                        self.updated.add((d, row))
                        self.streams[d].append((row,))


def costs(rng: Random, program: Made) -> Costs:
    """Seconds of a program, most of them few halves; engines count in ticks, so sums are exact."""
    def some() -> tuple[float, ...]:
        return tuple(rng.randint(1, 12) / 2 for _ in range(program.stages))

    return Costs(some(), some(), rng.choice((0.0, 0.0, 0.5)),
                 some() if rng.random() < 0.6 else None, rng.choice((0.0, 0.5, 3.0)),
                 rng.random() < 0.3, rng.random() < 0.3)

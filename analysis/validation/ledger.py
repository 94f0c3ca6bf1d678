"""What one device holds as its instructions go by: bytes before, during and after each of them.

A row of the trace is stepped as the runtime steps it (`gpu.runtime.worker`), with sizes in place of
tensors.  Messages stand apart, as parcels: how long one is there depends on how it travels, which
is for `memory` to say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from analysis.validation.weight_sets import WeightSets
from sim.op import Op
from sim.times.profile import Profile
from sim.trace import Trace
from sim.weights.versions import VersionPlan

BLOCK = {"cuda": 512}  # bytes: memory is handed out in whole ones; elsewhere to the byte


@dataclass(frozen=True)
class Keeps:
    """What one stage holds and needs, in bytes; the fields are those of its `StageProfile`.

    `entry` is what arrives of a micro-batch, `slot` what a captured stage has for each in flight,
    `scalar` a number that stays on the device (0 where it is nothing beside the rest).
    """

    weights: float
    resident: float
    held: float
    halved: float | None
    entry: float
    slot: float | None
    rise: Mapping[str, float]
    again: bool
    scalar: float

    @classmethod
    def of(cls, profile: Profile, k: int, again: bool) -> Keeps | None:
        """Those of stage `k`, which recomputes if `again`; None where they were not measured."""
        stage = profile.stages[k]
        if None in (stage.weight_bytes, stage.resident_bytes) or not stage.rise_bytes:
            return None
        held = stage.held_bytes if stage.held_bytes is not None else stage.activation_bytes
        kind = profile.placement[k].split(":")[0] if profile.placement else "cpu"
        block = BLOCK.get(kind, 0)
        weights, entry = (_whole(size or 0.0, block) for size in (stage.weight_bytes,
                                                                 stage.input_bytes))
        return cls(weights, stage.resident_bytes or 0.0, held or 0.0, stage.halved_bytes, entry,
                   stage.slot_bytes, stage.rise_bytes, again, block)

    @property
    def keeps_input(self) -> bool:
        """Whether a micro-batch's input lives until its backward: a captured copy needs none."""
        return self.slot is None or self.again

    @property
    def keeps_output(self) -> bool:
        """Whether `held` has the output in it: a graph ends in it, and a captured copy has one of
        its own."""
        return self.slot is None and not self.again

    def beside_input(self, size: float, k: int) -> float:
        """What stage `k` keeps beside an input that came from another stage."""
        return max(0.0, size - self.entry) if k and self.keeps_input else size

    def need(self, op: Op) -> float:
        """The rise of an operation; halves that were not measured take that of a whole backward.

        Raises KeyError where that is missing too.
        """
        whole = op in (Op.I, Op.W) and op.name not in self.rise
        return self.rise["B" if whole else op.name]


def _whole(size: float, block: int) -> float:
    return math.ceil(size / block) * block if block else size


@dataclass
class Parcel:
    """A message, in bytes: made by one row of the trace, taken by another, freed after a third.

    `arrives` says which end it is: the tensor that the receiver gets, or the one that the sender
    has left.  `shared` says that, by reference, it is part of what another stage keeps anyway.
    """

    size: float
    made: int
    taken: int
    freed: int = -1
    arrives: bool = True
    shared: bool = False


@dataclass(frozen=True)
class Work:
    """One row of the trace: bytes its device holds before and after it, and the most meanwhile."""

    row: int
    before: float
    most: float
    after: float


@dataclass
class Ledger:
    """One device stepped through its rows; `base` is what it holds before the first of them.

    `keeps` and `sets` are by stage, for all stages of the pipeline and those of the device.
    """

    trace: Trace
    device: int
    keeps: Sequence[Keeps]
    sets: Mapping[int, WeightSets]
    producers: Mapping[tuple[Op, int, int], int]
    work: list[Work] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    _flight: float = 0.0
    _open: dict[tuple[Op, int, int], Parcel] = field(default_factory=dict)

    @classmethod
    def of(cls, trace: Trace, device: int, plan: VersionPlan, keeps: Sequence[Keeps]) -> Ledger:
        """The ledger of one device of a trace, stepped to its end."""
        own = trace.device == device
        stages = sorted(set(trace.stage[own].tolist()))
        tables = trace.header.experiment
        sets = {k: WeightSets(k, plan, tables["training"], tables["pipeline"]) for k in stages}
        made = cls(trace, device, keeps, sets, producers(trace))
        for row in own.nonzero()[0].tolist():
            if trace.op[row] <= Op.U:
                made._step(row)
        return made

    @property
    def level(self) -> float:
        """Bytes held now, messages aside; slots are there all the time and come with `slots`."""
        return self._flight + sum(
            self.keeps[k].resident + (sets.count.vectors - sets.standing) * self.keeps[k].weights
            + sets.count.scalars * self.keeps[k].scalar for k, sets in self.sets.items())

    def _step(self, row: int) -> None:
        trace, before = self.trace, self.level
        op, k = Op(int(trace.op[row])), int(trace.stage[row])
        first, count = int(trace.index[row]), int(trace.count[row])
        most = before
        left = 0.0
        for index in range(first, first + (1 if op is Op.U else count)):
            most = max(most, self.level + self.keeps[k].need(op))
            if op is Op.F:
                self._forward(row, k, index)
            elif op is Op.U:
                self.sets[k].update(index // trace.shape.microbatches)
            elif op is Op.W:
                self._second_half(row, k, index)
            else:
                left += self._backward(row, k, index, op is Op.I)
        if left:
            self._flight -= left
            self.parcels.append(Parcel(left, row, row, row, arrives=False))
        self.work.append(Work(row, before, most, self.level))

    def _forward(self, row: int, k: int, index: int) -> None:
        keeps, trace = self.keeps[k], self.trace
        if k and k - 1 not in self.sets:
            self._receive(row, Op.F, k, index, keeps.entry, self.keeps[k - 1].keeps_output)
        self.sets[k].forward(index)
        self._flight += keeps.beside_input(keeps.held, k)
        if k + 1 < trace.shape.stages and not keeps.keeps_output:
            size = self.keeps[k + 1].entry
            if k + 1 in self.sets:
                self._flight += size
            else:
                self.parcels.append(Parcel(size, row, row, row, arrives=False))
        if not keeps.keeps_input:
            self._input_gone(row, k, index)

    def _backward(self, row: int, k: int, index: int, half: bool) -> float:
        """A backward of one micro-batch, or its input half; bytes that are sent away after it."""
        keeps = self.keeps[k]
        if k + 1 < self.trace.shape.stages and k + 1 not in self.sets:
            self._receive(row, Op.B, k, index, self.keeps[k + 1].entry, False)
        self._flight -= keeps.beside_input(keeps.held, k)
        if k + 1 in self.sets:
            self._flight -= self.keeps[k + 1].entry
        if half and keeps.halved is not None:
            self.sets[k].input_half(index)
            self._flight += keeps.beside_input(keeps.halved, k)
        else:
            (self.sets[k].input_half if half else self.sets[k].backward)(index)
            self._done(row, k, index)
        if not k:
            return 0.0
        self._flight += keeps.entry
        return 0.0 if k - 1 in self.sets else keeps.entry

    def _second_half(self, row: int, k: int, index: int) -> None:
        keeps = self.keeps[k]
        self.sets[k].weight_half(index)
        if keeps.halved is not None:
            self._flight -= keeps.beside_input(keeps.halved, k)
            self._done(row, k, index)

    def _done(self, row: int, k: int, index: int) -> None:
        """Free what a micro-batch's backward was sent: the gradient, and its forward's input."""
        if (Op.B, k, index) in self._open:
            self._open.pop((Op.B, k, index)).freed = row
        if self.keeps[k].keeps_input:
            self._input_gone(row, k, index)

    def _input_gone(self, row: int, k: int, index: int) -> None:
        if (Op.F, k, index) in self._open:
            self._open.pop((Op.F, k, index)).freed = row
        elif k and not self.keeps[k - 1].keeps_output:
            self._flight -= self.keeps[k].entry

    def _receive(self, row: int, op: Op, k: int, index: int, size: float, shared: bool) -> None:
        made = self.producers[op, k - 1 if op is Op.F else k + 1, index]
        self._open[op, k, index] = parcel = Parcel(size, made, row, shared=shared)
        self.parcels.append(parcel)

    def slots(self, k: int) -> float:
        """Bytes of the captured copies of stage `k`'s passes, as many as are ever in flight."""
        keeps = self.keeps[k]
        if keeps.slot is None:
            return 0.0
        mine = [(Op(int(op)), int(count)) for op, count, stage in
                zip(self.trace.op, self.trace.count, self.trace.stage, strict=True) if stage == k]
        if keeps.again:
            return keeps.slot * max(1, _most(mine, (Op.I,), (Op.W,)))
        return keeps.slot * _most(mine, (Op.F,), (Op.B, Op.W))


def _most(rows: Sequence[tuple[Op, int]], opens: Sequence[Op], closes: Sequence[Op]) -> int:
    """The most micro-batches that are open at once."""
    now = most = 0
    for op, count in rows:
        now += count * ((op in opens) - (op in closes))
        most = max(most, now)
    return most


def producers(trace: Trace) -> dict[tuple[Op, int, int], int]:
    """The row that made what each micro-batch passes on: by F or B, stage and micro-batch."""
    found: dict[tuple[Op, int, int], int] = {}
    for row, op in enumerate(trace.op.tolist()):
        if op in (Op.F, Op.B, Op.I):
            kind, first = Op.F if op == Op.F else Op.B, int(trace.index[row])
            for index in range(first, first + int(trace.count[row])):
                found[kind, int(trace.stage[row]), index] = row
    return found

"""Seconds of many replicas of one program, in blocks that are run together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sim.cluster import Cluster
from sim.costs import CostModel, Floats
from sim.instruction import Ints, Op
from sim.places import Places
from sim.program import Program

MOST_LANES = 256


@dataclass(frozen=True)
class Case:
    """What one replica has of its own; `rng` is drawn from where the costs are jittered."""

    costs: CostModel
    cluster: Cluster
    rng: np.random.Generator


@dataclass(frozen=True)
class Block:
    """Replicas run together: seconds of shape (places, lanes), transfers of (kinds, lanes)."""

    cases: slice
    seconds: Floats
    transfer_s: Floats


@dataclass(frozen=True)
class Blocks:
    """Cases cut into blocks of at most `most_bytes` of seconds.

    A kind is an operation, a stage and a count: what a row takes and sends depends on no more, but
    for jitter.  So a row's place is its kind, or one of its own where any replica is jittered.
    """

    program: Program
    cases: Sequence[Case]
    most_bytes: int

    @cached_property
    def kind(self) -> Ints:
        """Number of each row's kind."""
        op, stage, _, count = self.program.rows
        most = int(count.max()) + 1
        key = (op.astype(np.int64) * self.program.shape.stages + stage) * most + count
        used = np.bincount(key) > 0
        number: Ints = (np.cumsum(used) - 1)[key]
        return number

    @cached_property
    def _example(self) -> Ints:
        """A row of each kind."""
        example = np.zeros(int(self.kind.max()) + 1, dtype=np.int64)
        example[self.kind] = np.arange(len(self.program))
        return example

    @property
    def jittered(self) -> bool:
        return any(case.costs.jitter_sigma for case in self.cases)

    @cached_property
    def _places(self) -> Places:
        return Places.of_instructions(self.program.shape, self._timed)

    @cached_property
    def _timed(self) -> list[Op]:
        """Operations that take time in any replica."""
        timed = {op for costs in self._costs for op in costs.timed(self.program)}
        return sorted(timed)

    @cached_property
    def place(self) -> Ints:
        """Where each row finds its seconds in a block."""
        return self._places.of_rows(self.program) if self.jittered else self.kind

    @cached_property
    def _costs(self) -> list[CostModel]:
        """Each of the cost models once."""
        return list({id(case.costs): case.costs for case in self.cases}.values())

    def _nominal(self, costs: CostModel) -> Floats:
        """Seconds of each kind."""
        return costs.nominal(*(self.program.rows_at(self._example)))

    @cached_property
    def takes_time(self) -> Ints:
        """Whether each row takes any time in any replica."""
        rows: Ints = self._busy[self.kind]
        return rows

    @cached_property
    def _busy(self) -> Ints:
        """Whether each kind takes any time in any replica."""
        found = np.zeros(len(self._example), dtype=bool)
        for costs in self._costs:
            found |= self._nominal(costs) > 0
        return found

    def __iter__(self) -> Iterator[Block]:
        places = self._places.size if self.jittered else len(self._example)
        lanes = max(1, min(MOST_LANES, self.most_bytes // (8 * places)))
        for first in range(0, len(self.cases), lanes):
            cut = slice(first, min(first + lanes, len(self.cases)))
            cases = self.cases[cut]
            seconds = self._jittered(cases) if self.jittered else np.stack(
                [self._nominal(case.costs) for case in cases], axis=1)
            transfer = np.stack([case.cluster.transfers_of(self.program, self._example)
                                 for case in cases], axis=1)
            yield Block(cut, seconds, transfer)

    def _jittered(self, cases: Sequence[Case]) -> Floats:
        nominal = {id(costs): costs.by_block(self.program, self._timed) for costs in self._costs}
        lanes = np.empty((len(cases), self._places.size))
        for lane, case in zip(lanes, cases, strict=True):
            case.costs.jitter(nominal[id(case.costs)], case.rng, lane)
        return np.ascontiguousarray(lanes.T)

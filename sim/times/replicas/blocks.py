"""Seconds of many replicas of one program, in blocks that are run together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sim.arrays import Floats, Ints
from sim.op import Op
from sim.order.program import Program
from sim.times.cluster import Cluster
from sim.times.costs import CostModel, quantize
from sim.times.places import Places
from sim.times.replicas.drawn import Drawn


@dataclass(frozen=True)
class Replica:
    """One of many runs of a program: its costs, its machine, and the generator of its jitter."""

    costs: CostModel
    cluster: Cluster
    rng: np.random.Generator


@dataclass(frozen=True)
class LaneBlock:
    """Replicas that are run together, side by side in lanes.

    `seconds` of their instructions have shape (places, lanes).  `transfer_s`, seconds for which
    their messages hold links, and `latency_s`, those from then to their arrival, have shape (kinds,
    lanes), the latter (0, lanes) where no replica has any; `replicas` says which of all they are.
    The next block may lie in the same memory.
    """

    replicas: slice
    seconds: Floats
    transfer_s: Floats
    latency_s: Floats


@dataclass(frozen=True)
class LaneBlocks:
    """The replicas of one program, to be cut into blocks that are run together.

    A row's kind is its operation, stage and count, where micro-batches or devices are unlike in any
    replica its place in the mini-batch and its device too: how long it takes, and its message,
    depends on no more, but for jitter.  So a row's place is its kind, or one of its own where any
    replica is jittered.
    """

    program: Program
    replicas: Sequence[Replica]

    @cached_property
    def kind(self) -> Ints:
        """Number of each row's kind, shape (rows,)."""
        op, stage, index, count = self.program.rows
        shape, costs = self.program.shape, self._costs.values()
        most = int(count.max()) + 1
        key = (op.astype(np.int64) * shape.stages + stage) * most + count
        if self.slowed or any(each.microbatch_scale is not None for each in costs):
            key = (key * shape.microbatches + index % shape.microbatches) * shape.devices
            key += self.program.device
            number: Ints = np.unique(key, return_inverse=True)[1].ravel()
            return number
        used = np.bincount(key) > 0
        numbered: Ints = (np.cumsum(used) - 1)[key]
        return numbered

    @cached_property
    def _example(self) -> Ints:
        """A row of each kind."""
        example = np.zeros(int(self.kind.max()) + 1, dtype=np.int64)
        example[self.kind] = np.arange(len(self.program))
        return example

    @property
    def jittered(self) -> bool:
        """Whether the seconds of any replica are drawn at random."""
        return any(each.costs.jitter_sigma for each in self.replicas)

    @property
    def slowed(self) -> bool:
        """Whether devices are unlike in any replica."""
        return any(each.slowdown is not None for each in self._costs.values())

    @cached_property
    def _places(self) -> Places:
        return Places.of_instructions(self.program.shape, self._timed)

    @cached_property
    def _timed(self) -> list[Op]:
        """Operations that take time in any replica."""
        timed = {op for costs in self._costs.values() for op in costs.timed(self.program)}
        return sorted(timed)

    @property
    def places(self) -> int:
        """How many seconds are kept for each lane."""
        return self._places.size if self.jittered else len(self._example)

    @cached_property
    def place(self) -> Ints:
        """Where each row finds its seconds in a block, shape (rows,)."""
        return self._places.of_rows(self.program) if self.jittered else self.kind

    @cached_property
    def _costs(self) -> dict[int, CostModel]:
        """Each of the cost models once, by its identity: replicas by seed share theirs."""
        return {id(each.costs): each.costs for each in self.replicas}

    @cached_property
    def _nominal(self) -> dict[int, Floats]:
        """Seconds of each kind, by the costs' identity."""
        return {number: costs.alone(self.program, self._example)
                for number, costs in self._costs.items()}

    @cached_property
    def takes_time(self) -> Ints:
        """Whether each row takes any time in any replica, shape (rows,)."""
        rows: Ints = self._busy[self.kind]
        return rows

    @cached_property
    def _busy(self) -> Ints:
        """Whether each kind takes any time in any replica."""
        found: Ints = np.any([seconds > 0 for seconds in self._nominal.values()], axis=0)
        return found

    def of(self, lanes: int) -> Iterator[LaneBlock]:
        """All replicas in blocks of so many lanes each, the last of those that are left."""
        room = np.empty(self.places * min(lanes, len(self.replicas)))
        for first in range(0, len(self.replicas), lanes):
            some = self.replicas[first:first + lanes]
            seconds = room[:self.places * len(some)].reshape(self.places, len(some))
            self._fill(seconds, some)
            yield LaneBlock(slice(first, first + len(some)), seconds, *self._messages(some))

    @cached_property
    def late(self) -> bool:
        """Whether messages of any replica are under way after they have let go of their links."""
        return any(each.cluster.late for each in self.replicas)

    def _messages(self, some: Sequence[Replica]) -> tuple[Floats, Floats]:
        """Seconds by kind and lane that messages hold their links, and those until they arrive."""
        distinct = {id(each.cluster): each.cluster for each in some}
        sent = self._example if self.late else self._example[:0]
        seconds = {number: (cluster.transfers_of(self.program, self._example),
                            cluster.latencies_of(self.program, sent))
                   for number, cluster in distinct.items()}
        holds, late = zip(*(seconds[id(each.cluster)] for each in some), strict=True)
        return np.stack(holds, axis=1), np.stack(late, axis=1)

    def _fill(self, seconds: Floats, some: Sequence[Replica]) -> None:
        if self.jittered:
            self._drawn.fill(seconds, [(each.costs, each.rng) for each in some])
            for lane, each in enumerate(some if self.slowed else ()):
                self._slow(seconds[:, lane], each.costs)
        else:
            np.stack([self._nominal[id(each.costs)] for each in some], axis=1, out=seconds)

    def _slow(self, seconds: Floats, costs: CostModel) -> None:
        """Slow what is drawn of one replica, (places,), in place: as `CostModel.durations` does."""
        if costs.slowdown is not None and costs.jitter_sigma:
            seconds[:] = quantize(seconds * costs.slowdown[self._device])
        elif costs.slowdown is not None:
            seconds[self.place] = costs.alone(self.program)

    @cached_property
    def _device(self) -> Ints:
        """The device of what is in each place, (places,)."""
        device: Ints = np.zeros(self.places, dtype=np.int64)
        device[self.place] = self.program.device
        return device

    @cached_property
    def _drawn(self) -> Drawn:
        return Drawn(self.places, lambda costs: costs.by_block(self.program, self._timed))

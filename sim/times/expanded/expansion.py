"""A program as engines run it, with its costs and machine; and the way back to what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Floats, Ints
from sim.kernels.pairs import NUMPY, Kernels
from sim.order.program import Program
from sim.times.cluster import Cluster, Link, MessageTimes, Tied
from sim.times.costs import CostModel, Straggler, Trend
from sim.times.expanded.overlapping import pair_seconds
from sim.times.timeline import Timeline

__all__ = ["ExpandedCluster", "ExpandedCosts", "Expansion", "Link", "Mapping", "MessageTimes",
           "PairRows", "Places", "Straggler", "Tied", "Trend", "as_cluster",
           "as_costs"]  # some: of fields


@dataclass(frozen=True)
class Places:
    """Where the rows of a program are among those that engines run; columns of shape (rows,).

    A row's own place is `at`; it starts when `starts` does and ends when `ends` does, which differs
    from that in a pair.  What is told of the message it waits for is that of `heard` (−1: none), or
    where that is `served` in turn when it was there is when `heard` ends.  The message it sends
    leaves from `leaves`.  `size` is how many rows are run.
    """

    at: Ints
    starts: Ints
    ends: Ints
    leaves: Ints
    heard: Ints
    served: bool
    size: int


@dataclass(frozen=True)
class PairRows:
    """The rows of a program that are pairs, forwards and backwards, (pairs,) each, and the rows
    that are run in their place: `waits` for the forward's message, `works` for the backward's and
    then both are done."""

    forward: Ints
    backward: Ints
    waits: Ints
    works: Ints


@dataclass(frozen=True, kw_only=True)
class ExpandedCosts(CostModel):
    """Costs of the rows that are run, from those of the program that was asked about.

    `beside_s` are the seconds of rows that no row of the program stands for, shape (rows run,).
    """

    of: Program
    costs: CostModel
    places: Places
    pairs: PairRows
    beside_s: Floats

    def durations(self, program: Program, rng: np.random.Generator, kernels: Kernels = NUMPY
                  ) -> Floats:
        """Seconds each row that is run takes its device, shape (rows run,)."""
        own = self.costs.durations(self.of, rng, kernels)
        seconds = self.beside_s.copy()
        seconds[self.places.at] = own
        pairs = self.pairs
        seconds[pairs.waits] = 0.0
        seconds[pairs.works] = pair_seconds(self.of, self.costs, own, pairs.forward,
                                            pairs.backward)
        return seconds


@dataclass(frozen=True, kw_only=True)
class ExpandedCluster(Cluster):
    """The machine under the rows that are run.

    Seconds by row, shape (rows run,): `transfer_s`, for which its message holds its link,
    `arrives_s` from then to its arrival (shape (0,) where every message is there at once), and
    `exchange`, of the exchange before it.
    """

    transfer_s: Floats
    arrives_s: Floats
    exchange: Floats

    def transfers(self, program: Program, kernels: Kernels = NUMPY) -> Floats:
        """Seconds each row's message occupies its link, shape (rows run,)."""
        return self.transfer_s

    def latencies(self, program: Program, kernels: Kernels = NUMPY) -> Floats:
        """Seconds from when messages let go of their links to their arrival, shape (rows run,)."""
        return self.arrives_s

    def exchange_s(self, program: Program) -> Floats:
        """Seconds the exchange before each row takes, shape (rows run,)."""
        return self.exchange


@dataclass(frozen=True)
class Expansion:
    """What engines run in place of a program: `program` under `costs` on `cluster`.

    `of` is the program asked about, and `more` says whether there are rows it does not have.
    """

    of: Program
    program: Program
    costs: ExpandedCosts
    cluster: ExpandedCluster
    places: Places

    @property
    def more(self) -> bool:
        """Whether rows are run that the program asked about does not have."""
        return len(self.program) > len(self.of)

    @property
    def starting(self) -> NDArray[np.bool_]:
        """Which rows that are run start as rows of the program do, shape (rows run,)."""
        found = np.zeros(len(self.program), dtype=bool)
        found[self.places.starts] = True
        return found

    @property
    def forward_stage(self) -> Ints:
        """The stage of the forward that a row does as one with a backward, shape (rows run,); −1:
        it does none."""
        found = np.full(len(self.program), -1, dtype=np.int64)
        found[self.costs.pairs.works] = self.of.rows.stage[self.costs.pairs.forward]
        return found

    def folded(self, found: Timeline) -> Timeline:
        """When the rows of the program asked about ran, from when those ran that were run."""
        at = self.places
        heard = np.where(at.heard >= 0, at.heard, 0)
        none = at.heard < 0
        sent, arrived = found.sent_s[heard], found.arrived_s[heard]
        if at.served:
            ended = found.end_s[heard]
            arrived = np.where(found.program.device[heard] >= self.of.devices, ended, arrived)
        host = (None if column is None else column[at.at]
                for column in (found.asked_s, found.issued_s))
        return Timeline(self.of, found.start_s[at.starts], found.end_s[at.ends],
                        np.where(none, np.nan, sent), np.where(none, np.nan, arrived), *host)


def as_costs(costs: CostModel, of: Program, places: Places, pairs: PairRows, beside_s: Floats
             ) -> ExpandedCosts:
    """A cost model told of the rows that are run in place of a program.

    `beside_s` are the seconds of rows that stand for none of the program, shape (rows run,).
    """
    return ExpandedCosts(**_fields(costs, CostModel), of=of, costs=costs, places=places,
                         pairs=pairs, beside_s=beside_s)


def as_cluster(cluster: Cluster, transfer_s: Floats, arrives_s: Floats, exchange: Floats
               ) -> ExpandedCluster:
    """A machine told of the rows that are run in place of a program: see `ExpandedCluster`.

    All arrays are seconds by row, shape (rows run,).
    """
    return ExpandedCluster(**_fields(cluster, Cluster), transfer_s=transfer_s,
                           arrives_s=arrives_s, exchange=exchange)


def _fields(of: CostModel | Cluster, kind: type[CostModel] | type[Cluster]) -> dict[str, Any]:
    return {field.name: getattr(of, field.name) for field in fields(kind)}

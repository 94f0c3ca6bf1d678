"""Rows that wait for several others, other workers' among them, and for the exchange after those.

    start(x) ≥ max(end of every row that opens x) + exchange(x)

So workers that wait for each other are (max,+) linear as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.arrays import NARROW, Floats, Ints
from sim.order.program import Program
from sim.times.cluster import Cluster


@dataclass(frozen=True)
class GateTable:
    """Which rows wait for several others and then for an exchange, as columns.

    By row, shape (rows,): `missing`, how many rows open it, `exchange_s`, seconds of its exchange,
    and `device`.  Row `r` opens the rows `opens[first[r]] … opens[first[r+1] - 1]`; `first` has
    shape (rows + 1,), `opens` (edges,).  All are empty where no row waits in this way.
    """

    missing: Ints
    exchange_s: Floats
    first: Ints
    opens: Ints
    device: Ints

    @classmethod
    def of(cls, program: Program, cluster: Cluster) -> GateTable:
        """The gates of a program whose workers wait for each other by `sync`, on a cluster."""
        before, after = program.sync
        if not len(before):
            none = np.zeros(0, dtype=NARROW)
            return cls(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0, dtype=np.int64),
                       np.zeros(0, dtype=np.int64), none)
        order, rows = np.argsort(before, kind="stable"), np.arange(len(program) + 1)
        return cls(np.bincount(after, minlength=len(program)), cluster.exchange_s(program),
                   np.searchsorted(before[order], rows), after[order], program.device)

"""The rows that engines run, while they are put together from those of a program."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from sim.arrays import NARROW, Floats, Ints
from sim.op import Op
from sim.order.columns import Instructions
from sim.order.program import Program
from sim.order.streams import NO_PAIRS, Edges, Messages, device_of_rows
from sim.order.together import rows_of_pairs
from sim.times.cluster import Cluster
from sim.times.costs import CostModel, quantize
from sim.times.expanded.expansion import Expansion, PairRows, Places, as_cluster, as_costs
from sim.times.expanded.overlapping import forward_first


@dataclass
class Draft:
    """What engines shall run in place of a program; the rules of this room add to it.

    Of a program's rows, columns of shape (rows,): `at`, `starts`, `ends` and `leaves` are as in
    `Places`; `hears` is the row of the program that waits for each row's message, and `to` the row
    run that receives it (−1 of either: none).  `columns`, shape (4, rows run), and `offsets` are
    the streams so far, those of the program's devices first.
    """

    program: Program
    pairs: PairRows
    at: Ints
    starts: Ints
    ends: Ints
    leaves: Ints
    hears: Ints
    to: Ints
    columns: Ints
    offsets: list[int]
    beside_s: list[Floats] = field(default_factory=list)
    before: list[Ints] = field(default_factory=list)
    after: list[Ints] = field(default_factory=list)
    exchanges: list[tuple[Ints, Floats]] = field(default_factory=list)
    served: bool = False

    @classmethod
    def of(cls, program: Program, pairs: Ints) -> Draft:
        """A draft that has a program's rows, and what `pairs`, (pairs, 2, 3), need more.

        A pair is three rows: one waits for the forward's message, one for the backward's and does
        the work of both, and sends what the first of the two sends; one more sends the rest.  The
        forward's is first, so that what it keeps is held while the backward's still is.
        """
        first, second = rows_of_pairs(program.tables, pairs)
        sends = second[program.messages.link[second] >= 0]
        more = np.zeros(len(program), dtype=np.int64)
        more[sends] = 1
        at = np.arange(len(program)) + np.cumsum(more) - more
        ends = at.copy()
        ends[first] = at[second]
        leaves = ends.copy()
        leaves[sends] += 1
        forward, backward = forward_first(program, first, second)
        works, waits = at[second], at[first]
        at[forward], at[backward] = waits, works
        columns = np.empty((4, len(program) + len(sends)), dtype=NARROW)
        for place, column in zip(columns, program.rows, strict=True):
            place[at], place[leaves[sends]] = column, column[sends]
        columns[0, leaves[sends]] = np.where(program.rows.op[sends] == Op.F, Op.SEND_F, Op.SEND_B)
        grown = np.concatenate(([0], np.cumsum(more)))
        offsets = [end + int(grown[end]) for end in program.offsets]
        target = program.messages.target.astype(np.int64)
        return cls(program, PairRows(forward, backward, waits, works), at, ends.copy(), ends,
                   leaves, target, np.where(target >= 0, at[target], -1), columns, offsets)

    @property
    def size(self) -> int:
        """How many rows are run so far."""
        return int(self.columns.shape[1])

    def wait(self, before: Ints, after: Ints) -> None:
        """Let rows that are run wait for others, to which both arrays, (edges,), point."""
        self.before.append(before)
        self.after.append(after)

    def exchange(self, rows: Ints, seconds: Floats) -> None:
        """Let rows that are run, each once, start so many seconds after what they wait for.

        Both have shape (rows that wait,).  What several rules ask of a row comes one after the
        other [choice].
        """
        self.exchanges.append((rows, seconds))

    def stream(self, columns: Ints, seconds: Floats) -> Ints:
        """Add a stream that no device of the program has; the numbers of its rows, (rows,).

        `columns` has shape (4, rows), `seconds` (rows,).
        """
        rows = self.size + np.arange(columns.shape[1])
        self.columns = np.concatenate((self.columns, columns.astype(NARROW)), axis=1)
        self.offsets.append(self.size)
        self.beside_s.append(seconds)
        return rows

    @property
    def edges(self) -> Edges:
        """Rows that are run and those that wait for them: see `wait`."""
        return _joined(self.before), _joined(self.after)

    def of_program(self, rows: Ints) -> Ints:
        """Operation, stage, index and count of rows of the program, shape (4, rows)."""
        return np.stack([column[rows] for column in self.program.rows])

    def done(self, costs: CostModel, cluster: Cluster) -> Expansion:
        """What engines run, with the costs and the machine told of it."""
        own, offsets = self.program, tuple(self.offsets)
        device = device_of_rows(offsets)
        senders = np.flatnonzero(self.to >= 0)
        transfers, latencies = cluster.transfers(own), cluster.latencies(own)
        target, link = (np.full(self.size, -1, dtype=NARROW) for _ in range(2))
        number = own.device[senders].astype(np.int64) * (len(offsets) - 1) + device[
            self.to[senders]]
        links, link[self.leaves[senders]] = np.unique(number, return_inverse=True)
        target[self.leaves[senders]] = self.to[senders]
        heard = np.full(len(own), -1, dtype=np.int64)
        heard[self.hears[senders]] = self.to[senders]
        tables = np.where(own.tables.tables >= 0, self.at[own.tables.tables], -1).astype(NARROW)
        program = replace(
            own, rows=Instructions(*self.columns), offsets=offsets, device=device,
            tables=replace(own.tables, tables=tables), messages=Messages(target, link, links),
            sync=self.edges, pairs=NO_PAIRS)
        places = Places(self.at, self.starts, self.ends, self.leaves, heard, self.served,
                        self.size)
        beside = np.zeros(self.size)
        if self.beside_s:
            beside[self.offsets[own.devices]:] = np.concatenate(self.beside_s)
        return Expansion(
            own, program, as_costs(costs, own, places, self.pairs, beside),
            as_cluster(cluster, self._sent(transfers, senders),
                       self._sent(latencies, senders) if latencies.size else latencies,
                       self._exchange_s()), places)

    def _sent(self, seconds: Floats, senders: Ints) -> Floats:
        """Seconds of messages, by row of the program, for the rows that send them."""
        column = np.zeros(self.size)
        column[self.leaves[senders]] = seconds[senders]
        return column

    def _exchange_s(self) -> Floats:
        seconds = np.zeros(self.size)
        for rows, each in self.exchanges:
            seconds[rows] += quantize(each)
        return seconds


def _joined(parts: list[Ints]) -> Ints:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])

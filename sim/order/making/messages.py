"""Messages between devices: found in complete streams, and made instructions of their own."""

from __future__ import annotations

import numpy as np

from sim.arrays import NARROW, Ints
from sim.kernels.arrivals import SENT
from sim.kernels.pairs import NUMPY, Kernels
from sim.op import Op
from sim.order.columns import Instructions
from sim.order.needs import ELSEWHERE, Need, passes_of
from sim.order.streams import Messages, RowTables, Streams


def messages_of(streams: Streams, tables: RowTables, kernels: Kernels = NUMPY) -> Messages:
    """The messages between devices that complete streams need, by the readiness rule."""
    if tables.several:
        return _of_copies(streams, tables)
    target, link = (np.full(len(streams), -1, dtype=NARROW) for _ in range(2))
    ways = [_way(tables.home, need, streams.devices) for need in ELSEWHERE]
    links = np.unique(np.concatenate([way[way >= 0] for way in ways]))
    for need, way in zip(ELSEWHERE, ways, strict=True):
        sender, waiting = need.before, need.after
        if tables.lowered and need.ends:
            sender, waiting = need.ends[:1], need.ends[1:]
        number = np.where(way >= 0, np.searchsorted(links, way), -1).astype(NARROW)
        kernels.of(SENT)(tables.row_of(*sender), tables.row_of(*waiting), number, -need.step,
                         streams.shape.microbatches, target, link)
    return Messages(target, link, links)


def _of_copies(streams: Streams, tables: RowTables) -> Messages:
    """The messages where a stage may have several homes: looked up micro-batch by micro-batch."""
    target = np.full(len(streams), -1, dtype=NARROW)
    way = np.full(len(streams), -1, dtype=np.int64)
    for need in ELSEWHERE:
        sent, waiting = passes_of(tables, need)
        crosses = streams.device[sent] != streams.device[waiting]
        if tables.lowered and need.ends:
            sent, waiting = passes_of(tables, Need(need.ends[:1], need.ends[1:], need.step))
        by, to = sent[crosses], waiting[crosses]
        target[by] = to
        way[by] = streams.device[by].astype(np.int64) * streams.devices + streams.device[to]
    links = np.unique(way[way >= 0])
    number = np.where(way >= 0, np.searchsorted(links, way), -1).astype(NARROW)
    return Messages(target, number, links)


def _way(home: Ints, need: Need, devices: int) -> Ints:
    """From·devices + to of what stages send for `need`, shape (workers, stages); −1: nothing."""
    way: Ints = np.full(home.shape, -1, dtype=np.int64)
    waits, sends = ((home[:, :-1], home[:, 1:]) if need.step > 0 else (home[:, 1:], home[:, :-1]))
    onward = way[:, 1:] if need.step > 0 else way[:, :-1]
    onward[:] = np.where(sends != waits, sends * devices + waits, -1)
    return way


def lowered(streams: Streams, messages: Messages, pairs: tuple[Ints, Ints]
            ) -> tuple[Instructions, tuple[int, ...]]:
    """Streams with messages as instructions: RECV before what needs one, SEND after what sends one.

    What `pairs`, rows of first and second instructions of shape (pairs,), need comes before both,
    and what they send after both.  As columns of all devices one after another, and the offsets at
    which each device's begin.
    """
    op, stage, index, count = streams.rows
    arrives, leaves = messages.sources() >= 0, messages.link >= 0
    sizes = 1 + arrives.astype(NARROW) + leaves
    ends = np.cumsum(sizes)
    place, forward = ends - 1 - leaves, op == Op.F
    longer = np.empty(int(sizes.sum()), dtype=NARROW)
    longer[place] = op
    for there, step, ends_of in ((arrives, -1, (Op.RECV_F, Op.RECV_B)),
                                 (leaves, 1, (Op.SEND_F, Op.SEND_B))):
        longer[place[there] + step] = np.where(forward[there], *ends_of)
    rows = Instructions(longer, *(np.repeat(column, sizes) for column in (stage, index, count)))
    before = np.concatenate(([0], ends))
    first, second = pairs
    if len(first):
        order = np.arange(len(longer), dtype=float)
        order[place[first][leaves[first]] + 1] = place[second][leaves[first]] + 0.25
        order[place[second][arrives[second]] - 1] = place[first][arrives[second]] - 0.25
        rows = Instructions(*(column[np.argsort(order)] for column in rows))
    return rows, tuple(int(before[end]) for end in streams.offsets)

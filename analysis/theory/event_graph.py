"""The event graph of an endless program: what each start waits for, and how many periods back.

Events are the starts of a pattern's instructions and of its messages on their links.  A device
does one instruction at a time in its order, a link carries one message at a time in the order
they are sent, and a receiver waits for its message to arrive, its latency after the link is free.
Rows that wait for others by `sync` do so for the end of those and for the exchange after.
Source: Baccelli, Cohen, Olsder and Quadrat 1992, chapter 2; rules as in
`sim.times.engine`.
"""

from __future__ import annotations

import numpy as np

from analysis.theory.howard import EventGraph
from analysis.theory.pattern import Pattern
from sim.arrays import Floats, Ints
from sim.order.program import Program
from sim.times.cluster import Cluster
from sim.times.costs import TICK


def event_graph(pattern: Pattern, seconds: Floats, cluster: Cluster) -> tuple[EventGraph, Ints]:
    """The graph of a pattern whose rows take `seconds` (rows of the program,); and who sends.

    Nodes are the pattern's rows, then the messages of those that send, which the second result
    (messages,) names by their place in the pattern.  Each edge carries the time of its source: of
    a message that on its link, and to its receiver its latency as well.
    """
    program, rows = pattern.program, pattern.rows
    holds, late = cluster.transfers(program), cluster.latencies(program)
    ticks, transfer, arrival, exchange = (
        np.rint(s / TICK).astype(np.int64) for s in (
            seconds, holds, holds + late if late.size else holds, cluster.exchange_s(program)))
    here = np.arange(len(rows))
    senders = np.flatnonzero(program.sends[rows])
    message = np.full(len(rows), -1)
    message[senders] = len(rows) + np.arange(len(senders))
    source = program.arrives_from[rows]
    receivers = np.flatnonzero(source >= 0)
    place = np.full(len(program), -1)
    place[rows] = here
    opens, waits = (edge[place[program.sync[1]] >= 0] for edge in program.sync)

    def edges(before: Ints, after: Ints, sent: Ints | None = None
              ) -> tuple[Ints, Ints, Ints, Ints]:
        """Edges from instructions, or where their messages take `sent` ticks, from those."""
        node, periods = pattern.locate(before)
        if sent is None:
            return node, after, ticks[before], -periods
        return message[node], after, sent[before], -periods

    gate, after, opened, periods = edges(opens, place[waits])
    sent_before = _previous_on_link(program, cluster)[rows[senders]]
    return EventGraph.of(
        len(rows) + len(senders), edges(rows - 1, here),
        edges(rows[senders], message[senders]),
        edges(sent_before, message[senders], transfer),
        edges(source[receivers], receivers, arrival),
        (gate, after, opened + exchange[waits], periods)), senders


def _previous_on_link(program: Program, cluster: Cluster) -> Ints:
    """For each sending row the row whose message its link carries before; −1 for none."""
    rows = np.flatnonzero(program.sends)
    link = cluster.links(program)[rows]
    order = np.argsort(link, kind="stable")
    before = np.full(len(program), -1)
    same = link[order][1:] == link[order][:-1]
    before[rows[order][1:][same]] = rows[order][:-1][same]
    return before

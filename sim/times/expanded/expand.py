"""Where a program is expanded: the one way from what was asked to what engines run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sim.arrays import Ints
from sim.order.program import Program
from sim.order.streams import NO_PAIRS, Edges
from sim.times.cluster import Cluster
from sim.times.costs import CostModel
from sim.times.expanded.draft import Draft
from sim.times.expanded.expansion import Expansion
from sim.times.expanded.messages import post, rendezvous, serve_in_order
from sim.times.expanded.overlapping import overlapping
from sim.times.expanded.waits import exchange, exchange_beside, tie
from sim.times.timeline import Timeline

Simulate = Callable[[Program, CostModel, Cluster, np.random.Generator], Timeline]


def expand(program: Program, costs: CostModel, cluster: Cluster) -> Expansion | None:
    """What engines run in place of a program; None where they know all of it themselves."""
    if not expands(program, costs, cluster):
        return None
    draft = Draft.of(program, overlapping(program, costs))
    if program.lowered and cluster.receives == "in-order":
        serve_in_order(draft)
    elif program.lowered and cluster.receives == "posted":
        post(draft)
    if program.lowered and cluster.sends == "rendezvous":
        rendezvous(draft)
    if len(program.sync[0]):
        (exchange_beside if cluster.beside else exchange)(draft, cluster)
    tie(draft, cluster.tied)
    return draft.done(costs, cluster)


def through(simulate: Simulate, program: Program, costs: CostModel, cluster: Cluster,
            rng: np.random.Generator) -> Timeline:
    """The timeline that an engine finds for a program, expanded where that is needed."""
    expansion = expand(program, costs, cluster)
    if expansion is None:
        return simulate(program, costs, cluster, rng)
    return expansion.folded(simulate(expansion.program, expansion.costs, expansion.cluster, rng))


def expands(program: Program, costs: CostModel, cluster: Cluster) -> bool:
    """Whether there is anything in a program, or asked of it, that engines do not know."""
    messages = program.lowered and (cluster.receives != "holding" or cluster.sends != "buffered")
    return bool(messages or cluster.tied or (cluster.beside and len(program.sync[0]))
                or len(overlapping(program, costs)))


def waits_of(program: Program, cluster: Cluster) -> tuple[Ints, Edges]:
    """The row whose message each row waits for, (rows,), −1 for none, and the rows that wait for
    others besides, as `sim.order.streams.Edges`: what the rules of a machine add to an order.

    Of workers that wait for each other the program itself says so.
    """
    draft = Draft.of(program, NO_PAIRS)
    if program.lowered and cluster.receives != "holding":
        post(draft)
    if program.lowered and cluster.sends == "rendezvous":
        rendezvous(draft)
    tie(draft, cluster.tied)
    source, sent = np.full(len(program), -1, dtype=np.int64), np.flatnonzero(draft.hears >= 0)
    source[draft.hears[sent]] = sent
    return source, draft.edges

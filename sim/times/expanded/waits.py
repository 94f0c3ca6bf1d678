"""Updates that wait: for other workers and copies, and for the stage that weights are tied to.

    start(update) ≥ max(end of every backward it waits for) + exchange

An exchange beside computing runs on a link of its device's, one after the other in the order the
gradients become ready; so it is a row of a stream of its own, and only the update waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sim.arrays import Ints
from sim.op import Op, among
from sim.order.check import execution_order
from sim.order.program import Program
from sim.times.cluster import Cluster, Tied
from sim.times.expanded.draft import Draft


def exchange(draft: Draft, cluster: Cluster) -> None:
    """Keep how workers wait for each other, with exchanges between what they wait for and them."""
    before, after = draft.program.sync
    rows = np.unique(after)
    draft.wait(draft.ends[before], draft.at[after])
    draft.exchange(draft.at[rows], cluster.exchange_s(draft.program)[rows])


def exchange_beside(draft: Draft, cluster: Cluster) -> None:
    """Put the exchanges by which updates wait for each other on links beside the devices.

    Updates that wait for the same rows share one exchange.
    """
    program, (before, after) = draft.program, draft.program.sync
    rows, number = np.unique(after, return_inverse=True)
    first = np.full(len(rows), len(program))
    np.minimum.at(first, number, before)
    shared, group = np.unique(first, return_inverse=True)  # by the first row that is waited for
    seconds = cluster.exchange_s(program)
    one = np.zeros(len(shared), dtype=np.int64)
    one[group] = rows  # an update of each group
    edges = np.unique(np.stack((before, group[number])), axis=1)
    link, ready = _queues(program, edges[0], edges[1], len(shared))
    served = np.empty(len(shared), dtype=np.int64)
    for each in np.unique(link):
        mine = np.flatnonzero(link == each)
        mine = mine[np.argsort(ready[mine], kind="stable")]
        served[mine] = draft.stream(draft.of_program(one[mine]), seconds[one[mine]])
    draft.wait(draft.ends[edges[0]], served[edges[1]])
    draft.wait(served[group], draft.at[rows])


def _queues(program: Program, before: Ints, group: Ints, groups: int) -> tuple[Ints, Ints]:
    """The link of each group of rows `before`, and a number by which groups come on it.

    The link is that of the group's rank, and rows of one device are ready in their order.
    [choice] Copies of a stage on several devices of a worker exchange on the link of the first, in
    an order in which all can be executed.  All results have shape (groups,).
    """
    rank = program.device[before].astype(np.int64) % program.shape.worker_devices
    link, last = np.full(groups, program.shape.worker_devices), np.zeros(groups, dtype=np.int64)
    np.minimum.at(link, group, rank)
    np.maximum.at(last, group, rank)
    moment = np.arange(len(program)) - np.array(program.offsets[:-1])[program.device]
    if (link != last).any():
        moment[execution_order(program)] = np.arange(len(program))
    ready = np.zeros(groups, dtype=np.int64)
    np.maximum.at(ready, group, moment[before])
    return link, ready


def tie(draft: Draft, ties: Iterable[Tied]) -> None:
    """Let updates of tied stages wait for the gradients of both on their mini-batch.

    The exchange takes its time where the two live on different devices.
    """
    program = draft.program
    op, stage = program.rows.op, program.rows.stage
    minibatch = program.minibatch
    for each in ties:
        own = np.isin(stage, each.stages)
        backward = np.flatnonzero(own & among(op, (Op.B, Op.W)))
        updates = np.flatnonzero(own & (op == Op.U))
        updates = updates[np.argsort(minibatch[updates], kind="stable")]
        low, high = (np.searchsorted(minibatch[updates], minibatch[backward], side=side)
                     for side in ("left", "right"))
        before = np.repeat(backward, high - low)
        step = np.arange(len(before)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
        after = updates[np.repeat(low, high - low) + step]
        draft.wait(draft.ends[before], draft.at[after])
        apart = np.unique(after[program.device[before] != program.device[after]])
        draft.exchange(draft.at[apart], np.full(len(apart), each.seconds))

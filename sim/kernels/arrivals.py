"""Messages between devices: who waits for what a row sends, and whether both ends are there."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.arrays import Ints
from sim.kernels.pairs import Pair


def _sent_at_once(senders: Ints, waiting: Ints, link_of: Ints, step: int, microbatches: int,
                  target: Ints, link: Ints) -> None:
    workers, stages = link_of.shape
    # axes: stages, turns, workers, micro-batches of a turn
    turns = (stages, -1, workers, senders.shape[1] if workers == 1 else microbatches)
    by, to = senders.reshape(turns), waiting.reshape(turns)
    for worker in range(workers):
        leaves = np.flatnonzero(link_of[worker] >= 0)
        rows = by[leaves][:, :, worker]
        target[rows] = to[leaves + step][:, :, worker]
        link[rows] = link_of[worker, leaves][:, None, None]


def _sent_in_loops(senders: Any, waiting: Any, link_of: Any, step: Any, microbatches: Any,
                   target: Any, link: Any) -> None:
    (workers, stages), total = link_of.shape, senders.shape[1]
    run = total if workers == 1 else microbatches
    for stage in range(stages):
        if not 0 <= stage + step < stages:
            continue
        for first in range(0, total, run):
            way = link_of[first // run % workers, stage]
            if way < 0:
                continue
            by = senders[stage, first : first + run]
            to = waiting[stage + step, first : first + run]
            for micro in range(len(by)):
                row = by[micro]
                if row >= 0:
                    target[row], link[row] = to[micro], way


SENT = Pair(_sent_at_once, _sent_in_loops)
"""`(senders, waiting, link_of, step, microbatches, target, link)` of one kind of message: fills, by
row that sends one, `target` with the row that waits for it and `link` with the link it takes.

`senders` and `waiting` are rows by (stage, micro-batch), both ends of one message having the same
micro-batch and stages `step` apart; `link_of` is the link by (worker, stage that sends), −1 where
nothing leaves the device.  Workers take mini-batches of `microbatches` in turn."""


def _paired_at_once(index: Ints, passes: Ints, send: Ints, receive: Ints, crosses: Ints, step: int
                    ) -> bool:
    leaves, comes = np.append(crosses, False), np.insert(crosses, 0, False)
    if step < 0:
        leaves, comes = comes, leaves
    if (send[~leaves] >= 0).any() or (receive[~comes] >= 0).any():
        return False
    sent, came = send[leaves], receive[comes]
    made, theirs = passes[leaves], passes[np.flatnonzero(comes) - step]
    return not ((sent < 0).any() or (came < 0).any()) and bool(
        (index[sent] == index[made]).all() and (index[came] == index[theirs]).all())


def _paired_in_loops(index: Any, passes: Any, send: Any, receive: Any, crosses: Any, step: Any
                     ) -> Any:
    stages, total = passes.shape
    odd = 0
    for stage in range(stages):
        onward, before = stage + step, stage - step
        leaves = 0 <= onward < stages and crosses[min(stage, onward)]
        comes = 0 <= before < stages and crosses[min(stage, before)]
        mine, sent, came = passes[stage], send[stage], receive[stage]
        theirs = passes[before] if comes else mine
        for micro in range(total):
            if leaves:
                odd += sent[micro] < 0 or index[sent[micro]] != index[mine[micro]]
            else:
                odd += sent[micro] >= 0
            if comes:
                odd += came[micro] < 0 or index[came[micro]] != index[theirs[micro]]
            else:
                odd += came[micro] >= 0
    return odd == 0


PAIRED = Pair(_paired_at_once, _paired_in_loops)
"""`(index, passes, send, receive, crosses, step)`: whether what crosses devices has one SEND and
one RECV, cut like its pass, and nothing else has any.

Tables of rows by (stage, micro-batch) of the passes and of both ends of their messages, which go
`step` stages on; `crosses` says of each stage and the next whether they live on two devices."""

"""What each row sends to another device: the row that waits for it, and its link, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np


def arrivals(op: Any, stage: Any, index: Any, offsets: Any, sends: Any, forward: Any,
             gradient: Any, home: Any) -> Any:
    """Target row and number of the link (−1: sends nothing) by row, and links in use.

    The part of the readiness rule that crosses devices, for a complete program.  `sends` are the
    operation that sends to the next stage and two that send to the stage before; `forward` and
    `gradient` are the rows that wait for those, by (stage, micro-batch), `home` the device by
    (worker, stage).  A link in use is said as from·devices + to, ascending.
    """
    workers, stages = home.shape
    devices, total = len(offsets) - 1, forward.shape[1]
    forwards, gradients = forward.reshape(-1), gradient.reshape(-1)
    number = np.full(devices * devices, -1, dtype=np.int64)
    for worker in range(workers):
        for upper in range(stages - 1):
            one, other = home[worker, upper], home[worker, upper + 1]
            if one != other:
                number[one * devices + other] = number[other * devices + one] = 0
    links = 0
    for pair in range(devices * devices):
        if number[pair] == 0:
            number[pair] = links
            links += 1
    used = np.empty(links, dtype=np.int64)
    for pair in range(devices * devices):
        if number[pair] >= 0:
            used[number[pair]] = pair
    target, link = np.full(len(op), -1, dtype=np.int32), np.full(len(op), -1, dtype=np.int32)
    down, up = np.full(stages, -1, dtype=np.int64), np.full(stages, -1, dtype=np.int64)
    for device in range(devices):
        lives = home[device // (devices // workers)]
        for lower in range(1, stages):
            one, other = lives[lower - 1], lives[lower]
            down[lower - 1] = number[one * devices + other] if one != other else -1
            up[lower] = number[other * devices + one] if one != other else -1
        part = slice(offsets[device], offsets[device + 1])
        mine, places, micro, to, way = op[part], stage[part], index[part], target[part], link[part]
        for row in range(len(mine)):
            what, where = mine[row], places[row]
            if where < 0:
                continue
            if what == sends[0] and down[where] >= 0:
                place = (where + 1) * total + micro[row]
                if place >= 0:
                    to[row], way[row] = forwards[place], down[where]
            elif (what == sends[1] or what == sends[2]) and up[where] >= 0:
                place = (where - 1) * total + micro[row]
                if place >= 0:
                    to[row], way[row] = gradients[place], up[where]
    return target, link, used


def met(index: Any, passes: Any, send: Any, receive: Any, crosses: Any, step: Any) -> Any:
    """Whether what crosses devices has one SEND and one RECV, cut like its pass, and nothing else.

    Tables of rows by (stage, micro-batch) of the passes and of both ends of their messages, which
    go `step` stages on; `crosses` says of each stage and the next whether they live apart.
    """
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

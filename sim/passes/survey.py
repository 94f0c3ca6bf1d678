"""Completeness and the tables by (operation, stage, micro-batch), found in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.instruction import Op

F, B, I, W, U = (op.value for op in (Op.F, Op.B, Op.I, Op.W, Op.U))  # noqa: E741
OPS = len(Op)


def surveyed(op: Any, stage: Any, index: Any, count: Any, offsets: Any, stages: Any, total: Any,
             microbatches: Any, workers: Any) -> Any:
    """Rows by place (an operation's tables one after another), and each operation's number there.

    A number of −1: no such operation; the last number says whether anything covers several
    micro-batches.  Numbers are empty where anything is not as it should be;
    the tables then mean nothing.  What they do not tell: whether neighbours cut alike, and
    messages.
    """
    refused = np.zeros(0, dtype=np.int64)
    nothing = np.zeros((0, stages, total), dtype=np.int32)
    number, present, seen = np.full(OPS + 1, -1, dtype=np.int64), 0, 0
    for row in range(len(op)):
        if op[row] < 0 or op[row] >= OPS:
            return nothing, refused
        seen |= 1 << op[row]
    for each in range(OPS):
        if seen >> each & 1:
            number[each] = present
            present += 1
    size, devices = stages * total, len(offsets) - 1
    tables = np.full((present, stages, total), -1, dtype=np.int32)
    flat, filled = tables.reshape(-1), np.zeros(OPS, dtype=np.int64)
    home, wide = np.full(workers * stages, -1, dtype=np.int32), False
    for device in range(devices):
        worker = device // (devices // workers)
        for row in range(offsets[device], offsets[device + 1]):
            what, where, first, covered = op[row], stage[row], index[row], count[row]
            if (where < 0 or where >= stages or first < 0 or covered < 1
                    or covered > total - first or (what == U and covered != microbatches)):
                return nothing, refused
            if covered > 1 and (what == F or covered > microbatches - first % microbatches):
                return nothing, refused
            if workers > 1 and first // microbatches % workers != worker:
                return nothing, refused
            lives = worker * stages + where
            if home[lives] != device:
                if home[lives] >= 0:
                    return nothing, refused
                home[lives] = device
            place = number[what] * size + where * total + first
            for each in range(place, place + covered):
                if flat[each] >= 0:
                    return nothing, refused
                flat[each] = row
            filled[what] += covered
            wide |= covered > 1
    if filled[F] != size or filled[U] != size:
        return nothing, refused
    if filled[B] != size or filled[I] + filled[W] > 0:
        if filled[B] + filled[I] != size or filled[B] + filled[W] != size:
            return nothing, refused
        for place in range(size):
            whole = filled[B] > 0 and flat[number[B] * size + place] >= 0
            if (whole == (flat[number[I] * size + place] >= 0)
                    or whole == (flat[number[W] * size + place] >= 0)):
                return nothing, refused
    number[OPS] = wide
    return tables, number

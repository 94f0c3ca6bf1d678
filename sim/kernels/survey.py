"""Completeness and the tables by (operation, stage, micro-batch), found in few plain passes."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.op import Op

F, B, I, W, U = (op.value for op in (Op.F, Op.B, Op.I, Op.W, Op.U))  # noqa: E741
OPS = len(Op)


def bounded(op: Any, stage: Any, index: Any, count: Any, stages: Any, total: Any) -> Any:
    """Most micro-batches a row covers; 0 where a row is outside what the shape has."""
    low, last, far, least, most = 0, 0, 0, 1, 1
    highest = 0
    for row in range(len(op)):
        low, highest = min(low, op[row]), max(highest, op[row])
    for row in range(len(op)):
        low, last = min(low, stage[row]), max(last, stage[row])
    for row in range(len(op)):
        least, most = min(least, count[row]), max(most, count[row])
    if most > total:
        return 0
    for row in range(len(op)):
        low, far = min(low, index[row]), max(far, index[row] + count[row])
    if low < 0 or highest >= OPS or last >= stages or least < 1 or far > total:
        return 0
    return most


def surveyed(op: Any, stage: Any, index: Any, count: Any, stages: Any, total: Any,
             microbatches: Any, most: Any) -> Any:
    """Rows by place (an operation's tables one after another), and each operation's number there.

    A number of −1: no such operation.  Numbers are empty where not every pass and update is there
    once, within its mini-batch; the tables then mean nothing.  Columns are `bounded`, by `most`.
    What is not told: where stages live, whether neighbours cut alike, and messages.
    """
    refused, size = np.zeros(0, dtype=np.int64), stages * total
    number, present, seen = np.full(OPS, -1, dtype=np.int64), 0, 0
    for row in range(len(op)):
        seen |= 1 << op[row]
    for each in range(OPS):
        if seen >> each & 1:
            number[each] = present
            present += 1
    tables = np.full((present, stages, total), -1, dtype=np.int32)
    flat, first = tables.reshape(-1), number * size
    for row in range(len(op)):
        what = op[row]
        if what >= 0:
            place = first[what] + stage[row] * total + index[row]
            if place >= 0:
                flat[place] = row
    covered = len(op)
    if most > 1 or microbatches > 1:
        for row in range(len(op)):
            more = count[row]
            covered += more - 1
            if op[row] == U and more != microbatches:
                return tables, refused
            if more > 1:
                if op[row] == F or more > microbatches - index[row] % microbatches:
                    return tables, refused
                place = first[op[row]] + stage[row] * total + index[row]
                for each in range(1, more):
                    flat[place + each] = row
    filled = np.zeros(OPS, dtype=np.int64)
    for each in range(OPS):
        here = 0
        if number[each] >= 0:
            for row in tables[number[each]].reshape(-1):
                here += row >= 0
        filled[each] = here
    if filled.sum() != covered or filled[F] != size or filled[U] != size:
        return tables, refused
    if filled[B] != size or filled[I] + filled[W] > 0:
        if filled[B] + filled[I] != size or filled[B] + filled[W] != size:
            return tables, refused
        for place in range(size):
            whole = filled[B] > 0 and flat[first[B] + place] >= 0
            if (whole == (flat[first[I] + place] >= 0)
                    or whole == (flat[first[W] + place] >= 0)):
                return tables, refused
    return tables, number


def homes(tables: Any, offsets: Any, workers: Any, microbatches: Any) -> Any:
    """Device by (worker, stage); −1 where a stage's rows are not all on one of its worker's."""
    present, stages, total = tables.shape
    devices, run = len(offsets) - 1, total if workers == 1 else microbatches
    home = np.full((workers, stages), -1, dtype=np.int64)
    for worker in range(workers):
        for stage in range(stages):
            lowest, highest = offsets[devices], np.int64(0)
            for each in range(present):
                for first in range(worker * run, total, workers * run):
                    rows = tables[each, stage, first : first + run]
                    for micro in range(len(rows)):
                        row = rows[micro] if rows[micro] >= 0 else offsets[devices]
                        lowest, highest = min(lowest, row), max(highest, rows[micro])
            device = 0
            while device < devices - 1 and offsets[device + 1] <= lowest:
                device += 1
            if highest < offsets[device + 1] and device // (devices // workers) == worker:
                home[worker, stage] = device
    return home

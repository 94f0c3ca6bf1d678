"""Where every instruction of a program is, and whether each that there must be is there once.

The pairs are called one after the other: `WIDEST` proves that every row lies within the shape, so
that `FILLED` may use a row's columns as places in tables, and `COMPLETE` and `HOMES` go by the
tables so filled.  None of them says what is wrong: `sim.order.completeness` does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.arrays import NARROW, Ints
from sim.kernels.pairs import Pair
from sim.op import Op

F, B, I, W, U = (op.value for op in (Op.F, Op.B, Op.I, Op.W, Op.U))  # noqa: E741
OPS = len(Op)


def _widest_at_once(op: Ints, stage: Ints, index: Ints, count: Ints, stages: int, total: int
                    ) -> int:
    if not len(op):
        return 1
    most = int(count.max())
    if most > total or min(op.min(), stage.min(), index.min()) < 0 or count.min() < 1:
        return 0
    far = int(index.max()) + 1 if most == 1 else int((index.astype(np.int64) + count).max())
    return most if op.max() < OPS and stage.max() < stages and far <= total else 0


def _widest_in_loops(op: Any, stage: Any, index: Any, count: Any, stages: Any, total: Any) -> Any:
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


WIDEST = Pair(_widest_at_once, _widest_in_loops)
"""`(op, stage, index, count, stages, total)`: most micro-batches that a row covers, at least 1; 0
where a row is outside what the shape has."""


def _filled_at_once(op: Ints, stage: Ints, index: Ints, count: Ints, stages: int, total: int,
                    widest: int) -> tuple[Ints, Ints]:
    number = np.full(OPS, -1, dtype=np.int64)
    present = [each for each in range(OPS) if (op == each).any()]
    number[present] = np.arange(len(present))
    tables = np.full((len(present), stages, total), -1, dtype=NARROW)
    first: Ints = number * (stages * total)
    if tables.size <= np.iinfo(NARROW).max:
        first = first.astype(NARROW)
    place: Ints = first[op]
    place += stage * total + index
    flat = tables.reshape(-1)
    flat[place] = np.arange(len(op), dtype=NARROW)
    if widest > 1:
        wide = np.flatnonzero(count > 1)
        more = count[wide]
        within = np.arange(more.sum()) - np.repeat(np.cumsum(more) - more, more)
        flat[np.repeat(place[wide], more) + within] = np.repeat(wide, more)
    return tables, number


def _filled_in_loops(op: Any, stage: Any, index: Any, count: Any, stages: Any, total: Any,
                     widest: Any) -> Any:
    number, present, seen = np.full(OPS, -1, dtype=np.int64), 0, 0
    for row in range(len(op)):
        seen |= 1 << op[row]
    for each in range(OPS):
        if seen >> each & 1:
            number[each] = present
            present += 1
    tables = np.full((present, stages, total), -1, dtype=np.int32)
    flat, first = tables.reshape(-1), number * (stages * total)
    for row in range(len(op)):
        what = op[row]
        if what >= 0:
            place = first[what] + stage[row] * total + index[row]
            if place >= 0:
                flat[place] = row
    if widest > 1:
        for row in range(len(op)):
            if count[row] > 1:
                place = first[op[row]] + stage[row] * total + index[row]
                for each in range(count[row]):
                    flat[place + each] = row
    return tables, number


FILLED = Pair(_filled_at_once, _filled_in_loops)
"""`(op, stage, index, count, stages, total, widest)` of columns that `WIDEST` finds within the
shape: tables of rows of each operation there is, shape (operations, stages, total), −1 where there
is no row, and the number of each operation's table, shape (len(Op),), −1 where it has none.

Where several rows do the same, one of them."""


def _complete_at_once(op: Ints, index: Ints, count: Ints, tables: Ints, number: Ints,
                      microbatches: int, widest: int) -> bool:
    if microbatches > 1 or widest > 1:
        wide = count > 1
        beyond = count[wide] > microbatches - index[wide] % microbatches
        if beyond.any() or (op[wide] == F).any() or (count[op == U] != microbatches).any():
            return False
    found, size = np.zeros(OPS, dtype=np.int64), tables[0].size
    found[number >= 0] = [np.count_nonzero(table >= 0) for table in tables]
    covered = int(count.sum()) if widest > 1 else len(op)
    if found.sum() != covered or found[F] != size or found[U] != size:
        return False
    if found[B] == size and found[I] + found[W] == 0:
        return True
    if found[B] + found[I] != size or found[B] + found[W] != size:
        return False
    whole, inputs, weights = (tables[number[each]] >= 0 if number[each] >= 0
                              else np.zeros(tables.shape[1:], dtype=bool) for each in (B, I, W))
    return bool((whole != inputs).all() and (whole != weights).all())


def _complete_in_loops(op: Any, index: Any, count: Any, tables: Any, number: Any,
                       microbatches: Any, widest: Any) -> Any:
    size, flat = tables.shape[1] * tables.shape[2], tables.reshape(-1)
    found, first, covered = np.zeros(OPS, dtype=np.int64), number * size, len(op)
    if widest > 1 or microbatches > 1:
        for row in range(len(op)):
            more = count[row]
            covered += more - 1
            if op[row] == U and more != microbatches:
                return False
            if more > 1 and (op[row] == F or more > microbatches - index[row] % microbatches):
                return False
    for each in range(OPS):
        here = 0
        if number[each] >= 0:
            for row in tables[number[each]].reshape(-1):
                here += row >= 0
        found[each] = here
    if found.sum() != covered or found[F] != size or found[U] != size:
        return False
    if found[B] == size and found[I] + found[W] == 0:
        return True
    if found[B] + found[I] != size or found[B] + found[W] != size:
        return False
    for place in range(size):
        whole = found[B] > 0 and flat[first[B] + place] >= 0
        inputs = found[I] > 0 and flat[first[I] + place] >= 0
        weights = found[W] > 0 and flat[first[W] + place] >= 0
        if whole in (inputs, weights):
            return False
    return True


COMPLETE = Pair(_complete_at_once, _complete_in_loops)
"""`(op, index, count, tables, number, microbatches, widest)`, tables as `FILLED` gives them:
whether every pass and update is there once on every micro-batch, within its mini-batch, and nothing
is there twice.

It does not answer where stages live, whether neighbours cut alike, and whether messages have both
their ends."""


def _homes_at_once(tables: Ints, offsets: Ints, workers: int, microbatches: int) -> Ints:
    present, stages, total = tables.shape
    devices = len(offsets) - 1
    run = total if workers == 1 else microbatches
    turns = tables.reshape(present, stages, -1, workers, run)
    highest = turns.max(axis=(0, 2, 4), initial=0).T
    # −1 is the largest of all where numbers have no sign
    lowest = np.minimum(turns.view(np.uint32).min(axis=(0, 2, 4)).T.astype(np.int64),
                        offsets[devices])
    home = np.searchsorted(offsets[1:devices], lowest, side="right")
    mine = home // (devices // workers) == np.arange(workers)[:, None]
    found: Ints = np.where(mine & (highest < offsets[home + 1]), home, -1)
    return found


def _homes_in_loops(tables: Any, offsets: Any, workers: Any, microbatches: Any) -> Any:
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


HOMES = Pair(_homes_at_once, _homes_in_loops)
"""`(tables, offsets, workers, microbatches)`: device of each stage, shape (workers, stages); −1
where a stage's rows are not all on one device of its worker's, who take mini-batches in turn."""

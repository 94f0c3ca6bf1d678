"""Whether every stage does every micro-batch once, and where it does not, the first bad cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Ints
from sim.errors import InvalidProgramError
from sim.kernels.pairs import NUMPY, Kernels
from sim.kernels.survey import COMPLETE, FILLED, HOMES, WIDEST
from sim.op import Op
from sim.order.completeness.marked_table import marked_table
from sim.order.completeness.messages import check_messages
from sim.order.streams import RowTables, Streams

ONCE = ((Op.F,), (Op.B, Op.I), (Op.B, Op.W), (Op.U,))  # what is done on every micro-batch


def complete_tables(streams: Streams, kernels: Kernels = NUMPY) -> RowTables:
    """Tables of where each instruction is, once it is proved that streams are complete.

    Complete means: every stage does every micro-batch once, on one device, and updates every
    mini-batch.  Quick passes accept what is plainly so; what they refuse is looked at here with
    NumPy, to name what is wrong.  Raises InvalidProgramError with the first offending cell marked.
    """
    tables = _surveyed(streams, kernels if streams.rows.narrow else NUMPY)
    plain = tables is not None
    if tables is None:
        _refuse_passes(streams)
        tables = _judged(streams)
    if tables.widest > 1:
        _check_same_ranges(streams, tables)
    if tables.lowered:
        check_messages(streams, tables, kernels if plain else None)
    return tables


def _surveyed(streams: Streams, kernels: Kernels) -> RowTables | None:
    """The tables of streams that are plainly complete but for messages; None says nothing."""
    shape, (op, stage, index, count) = streams.shape, streams.rows
    columns, size = (op, stage, index, count), (shape.stages, shape.total)
    # else tables of a mistyped shape's size would be made
    if streams.devices != shape.devices or shape.stages * shape.total > len(streams):
        return None
    widest = int(kernels.of(WIDEST)(*columns, *size))
    if not widest:
        return None
    tables, number = kernels.of(FILLED)(*columns, *size, widest)
    if not kernels.of(COMPLETE)(op, index, count, tables, number, shape.microbatches, widest):
        return None
    found = _row_tables(streams, tables, number, widest, kernels)
    return None if (found.home < 0).any() else found


def _judged(streams: Streams) -> RowTables:
    """The tables of streams in which nothing was found wrong; of what is there twice, one."""
    shape, widest = streams.shape, int(streams.rows.count.max())
    tables, number = NUMPY.of(FILLED)(*streams.rows, shape.stages, shape.total, widest)
    return _row_tables(streams, tables, number, widest, NUMPY)


def _row_tables(streams: Streams, tables: Ints, number: Ints, widest: int, kernels: Kernels
                ) -> RowTables:
    shape = streams.shape
    home = kernels.of(HOMES)(tables, np.array(streams.offsets), shape.workers, shape.microbatches)
    tables.flags.writeable = False
    return RowTables(tables, tuple(number.tolist()), widest, home)


def _refuse(streams: Streams, rule: str, row: int | None = None) -> None:
    marked = {} if row is None else dict([streams.step(row)])
    raise InvalidProgramError(rule, marked_table(streams, marked))


def _refuse_where(streams: Streams, bad: NDArray[np.bool_], rule: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        _refuse(streams, f"{rule}: {streams.instruction(row)} does not", row)


def _refuse_passes(streams: Streams) -> None:
    """Refuse rows outside the shape, away from home, or there twice, and whatever is missing."""
    shape, (op, stage, index, count) = streams.shape, streams.rows
    if streams.devices != shape.devices:
        _refuse(streams, f"a stream per device: the shape has {shape.devices} devices, "
                         f"the program {streams.devices} streams")
    if shape.stages * shape.total > len(streams):
        _refuse(streams, f"each stage does F of every micro-batch: {shape.stages} stages and "
                         f"{shape.total} micro-batches need more than {len(streams)} instructions")
    _refuse_where(streams, (stage < 0) | (stage >= shape.stages),
                  f"stages are 0…{shape.stages - 1}")
    _refuse_where(streams, (index < 0) | (index.astype(np.int64) + count > shape.total),
                  f"micro-batches are 0…{shape.total - 1}")
    wide = count > 1
    if wide.any():
        _refuse_wide(streams, wide)
    _refuse_where(streams, (op == Op.U) & (count != shape.microbatches),
                  f"an update covers its whole mini-batch of {shape.microbatches} micro-batches")
    _refuse_misplaced(streams)
    for ops in ONCE:
        _refuse_unless_once(streams, ops)


def _refuse_wide(streams: Streams, wide: NDArray[np.bool_]) -> None:
    """What covers several micro-batches keeps within a mini-batch, and is no forward."""
    op, _, index, count = streams.rows
    n, crosses = streams.shape.microbatches, np.zeros(len(streams), dtype=bool)
    crosses[wide] = index[wide] // n != (index[wide] + count[wide] - 1) // n
    _refuse_where(streams, crosses, f"an instruction stays within one mini-batch of {n}")
    _refuse_where(streams, (op == Op.F) & wide, "a forward covers one micro-batch")


def _refuse_misplaced(streams: Streams) -> None:
    """A stage lives on one device of its worker's."""
    shape, stage = streams.shape, streams.rows.stage
    worker = streams.rows.index // shape.microbatches % shape.workers
    _refuse_where(streams, worker != streams.worker,
                  f"the {shape.workers} workers take mini-batches in turn")
    home = np.full((shape.workers, shape.stages), -1, dtype=np.int32)
    home[worker, stage] = streams.device
    _refuse_where(streams, home[worker, stage] != streams.device, "a stage lives on one device")


def _refuse_unless_once(streams: Streams, ops: tuple[Op, ...]) -> None:
    """Every micro-batch of every stage has a row of `ops`, and no two of the same operation."""
    shape, name = streams.shape, "/".join(each.name for each in ops)
    rows, micro = streams.micro_rows(*ops)
    key = streams.rows.stage[rows].astype(np.int64) * shape.total + micro
    times = np.bincount(key, minlength=shape.stages * shape.total)
    if (times > 1).any():
        row = int(rows[np.flatnonzero(key == np.argmax(times > 1))[1]])
        _refuse(streams, f"each stage does {name} of a micro-batch once: "
                         f"{streams.instruction(row)} is a repetition", row)
    if (times == 0).any():
        stage, index = divmod(int(np.argmax(times == 0)), shape.total)
        _refuse(streams, f"each stage does {name} of every micro-batch: "
                         f"stage {stage} never does {stage}{ops[0].name}{index}")


def _check_same_ranges(streams: Streams, tables: RowTables) -> None:
    """A gradient message is one backward's: neighbours cut a mini-batch at the same places."""
    table = tables.row_of(Op.B, Op.I)
    first = streams.rows.index[table]
    if (first != first[:1]).any():
        stage, micro = np.argwhere(first != first[:1])[0]
        row = int(table[stage, micro])
        _refuse(streams, "all stages cover the same micro-batches in one backward: "
                         f"{streams.instruction(row)} differs from stage 0", row)

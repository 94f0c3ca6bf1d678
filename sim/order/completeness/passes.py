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

ONCE = ((Op.F,), (Op.B, Op.I), (Op.B, Op.W))  # what is done on every micro-batch


def complete_tables(streams: Streams, kernels: Kernels = NUMPY) -> RowTables:
    """Tables of where each instruction is, once it is proved that streams are complete.

    Complete means: every stage does every micro-batch once, with all its passes on one device, and
    every copy of a stage updates every mini-batch that it had a part in.  Quick passes accept what
    is plainly so, with one copy of each stage; the rest is looked at here with NumPy, which also
    names what is wrong.  Raises InvalidProgramError with the first offending cell marked.
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
    if shape.smaller_last:
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
    own = tables[number[Op.U]]
    rows, micro = own_updates(streams, tables[number[Op.F]])
    own[streams.rows.stage[rows], micro] = rows
    return _row_tables(streams, tables, number, widest, NUMPY)


def own_updates(streams: Streams, forward: Ints) -> tuple[Ints, Ints]:
    """Rows of updates, one for each micro-batch of theirs that their own copy did, and those.

    `forward` are the rows of forwards, shape (stages, micro-batches); both results have one
    dimension.
    """
    rows, micro = streams.micro_rows(Op.U)
    mine = streams.device[forward[streams.rows.stage[rows], micro]] == streams.device[rows]
    return rows[mine], micro[mine]


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
    _refuse_where(streams, (op == Op.U) & (count != _sizes(streams)),
                  f"an update covers its whole mini-batch of {shape.microbatches} micro-batches"
                  + (f", the last of {shape.last_microbatches}" if shape.smaller_last else ""))
    _refuse_misplaced(streams)
    for ops in ONCE:
        _refuse_unless_once(streams, ops)
    _refuse_scattered(streams)
    _refuse_updates(streams)


def _sizes(streams: Streams) -> Ints:
    """How many micro-batches the mini-batch of each row has, shape (rows,)."""
    shape = streams.shape
    last = streams.rows.index // shape.microbatches == shape.minibatches - 1
    return np.where(last, shape.size_of(shape.minibatches - 1), shape.microbatches)


def _refuse_wide(streams: Streams, wide: NDArray[np.bool_]) -> None:
    """What covers several micro-batches keeps within a mini-batch, and is no forward."""
    op, _, index, count = streams.rows
    n, crosses = streams.shape.microbatches, np.zeros(len(streams), dtype=bool)
    crosses[wide] = index[wide] // n != (index[wide] + count[wide] - 1) // n
    _refuse_where(streams, crosses, f"an instruction stays within one mini-batch of {n}")
    _refuse_where(streams, (op == Op.F) & wide, "a forward covers one micro-batch")


def _refuse_misplaced(streams: Streams) -> None:
    """What a worker does is on its own devices, each stage on one where there are several."""
    shape, stage = streams.shape, streams.rows.stage
    worker = streams.rows.index // shape.microbatches % shape.workers
    _refuse_where(streams, worker != streams.worker,
                  f"the {shape.workers} workers take mini-batches in turn")
    if shape.workers > 1:
        home = np.full((shape.workers, shape.stages), -1, dtype=np.int32)
        home[worker, stage] = streams.device
        _refuse_where(streams, home[worker, stage] != streams.device,
                      "of several workers each stage lives on one device")


def _refuse_scattered(streams: Streams) -> None:
    """All that a stage does of a micro-batch, its messages included, is on one device.

    Its forward's, which is there once.
    """
    shape, stage = streams.shape, streams.rows.stage.astype(np.int64)
    forward, first = streams.micro_rows(Op.F)
    home = np.empty(shape.stages * shape.total, dtype=np.int64)
    home[stage[forward] * shape.total + first] = streams.device[forward]
    rows, micro = streams.micro_rows(*(op for op in Op if op not in (Op.F, Op.U)))
    there = home[stage[rows] * shape.total + micro]
    away = there != streams.device[rows]
    if away.any():
        at = int(np.argmax(away))
        row = int(rows[at])
        _refuse(streams, "a stage lives on one device for all that it does of a micro-batch: "
                         f"{streams.instruction(row)} is on device {int(streams.device[row])}, "
                         f"its forward on device {int(there[at])}", row)


def _refuse_updates(streams: Streams) -> None:
    """A stage updates every mini-batch once on each device on which it did any of it."""
    shape, (op, stage, index, _) = streams.shape, streams.rows
    place = (streams.device.astype(np.int64) * shape.stages + stage) * shape.minibatches
    place += index // shape.microbatches
    done, update = np.unique(place[op == Op.F]), np.flatnonzero(op == Op.U)
    own = np.isin(place[update], done)
    if not own.all():
        row = int(update[np.argmin(own)])
        _refuse(streams, "a stage lives on one device, or on those that do its passes: "
                         f"{streams.instruction(row)} is of a mini-batch of which device "
                         f"{int(streams.device[row])} does nothing on stage {stage[row]}", row)
    first = np.unique(place[update], return_index=True)[1]
    if len(first) < len(update):
        row = int(update[np.setdiff1d(np.arange(len(update)), first)[0]])
        _refuse(streams, "each stage does U of a mini-batch once: "
                         f"{streams.instruction(row)} is a repetition", row)
    missing = np.setdiff1d(done, place[update])
    if len(missing):
        copy, minibatch = divmod(int(missing[0]), shape.minibatches)
        device, k = divmod(copy, shape.stages)
        _refuse(streams, f"each stage does U of every micro-batch: stage {k} never does "
                         f"{k}U{minibatch * shape.microbatches} on device {device}")


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

"""What has to be true of a trace's columns, whoever wrote them: ranges, order and versions.

A file that another tool wrote, or that somebody changed, is refused here with the column and the
row, so that no number is ever computed from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.arrays import NARROW, Floats, Ints
from sim.errors import TraceError
from sim.op import Op, among
from sim.order.shape import PipelineShape
from sim.times.limits import LONGEST_S

Columns = Mapping[str, NDArray[Any]]
Mask = NDArray[np.bool_]
SLACK = 1e-9  # of a mean of whole numbers


def check_columns(columns: Columns, shape: PipelineShape, simulated: bool) -> None:
    """Make sure that the columns, each of shape (rows,), can be of a run of this shape.

    That they are a complete program is for `Program` to say, which comes between the two halves of
    this.  Clocks of a real machine may disagree about a message's two ends: what is said of those
    is asked of a `simulated` run alone.  Raises TraceError with the first wrong column and row.
    """
    _refuse(columns, "op", ~among(columns["op"], Op), f"operations are 0 to {max(Op):d}")
    for name, end in (("device", shape.devices), ("stage", shape.stages), ("index", shape.total)):
        column = columns[name]
        _refuse(columns, name, (column < 0) | (column >= end), f"a number from 0 to {end - 1}")
    count, n = columns["count"], shape.microbatches
    _refuse(columns, "count", (count < 1) | (columns["index"] % n + count > n),
            f"micro-batches of one mini-batch of {n}")
    _check_times(columns, simulated)
    if "asked_s" in columns:
        _check_pair(columns, "asked_s", "issued_s", True)
    if "paired" in columns:
        _check_pairs(columns)
    device = columns["device"]
    _refuse(columns, "device", _steps(device) < 0, "rows come device by device")
    start = columns["start_s"]
    back = (_steps(start) < 0) & (_steps(device) == 0)
    _refuse(columns, "start_s", back, "a device's rows come in the order of their starts")
    for name in ("weight_distance", "weight_rmse"):
        _refuse(columns, name, columns[name] < 0, "a distance is not negative")


def _check_times(columns: Columns, simulated: bool) -> None:
    start, end = columns["start_s"], columns["end_s"]
    for name in ("start_s", "end_s"):
        _refuse(columns, name, ~(columns[name] < LONGEST_S), f"seconds, below {LONGEST_S:.0f}")
    _refuse(columns, "start_s", start < 0, "seconds from the start of the run")
    _refuse(columns, "end_s", end < start, "not before the start")
    _check_pair(columns, "sent_s", "arrived_s", simulated)


def _check_pair(columns: Columns, first: str, second: str, ordered: bool) -> None:
    """Of two times both are there or neither, and the second is not before the first."""
    one, other = columns[first], columns[second]
    for name in (first, second):
        _refuse(columns, name, np.isinf(columns[name]), "a number of seconds")
    _refuse(columns, second, np.isnan(one) != np.isnan(other), f"there where {first} is")
    if ordered:
        _refuse(columns, second, other < one, f"not before {first}")


def _check_pairs(columns: Columns) -> None:
    """Two rows each are of one pair: they are one in time, or the second follows the first."""
    paired = columns["paired"]
    _refuse(columns, "paired", (paired < 0) | (paired > 1), "0 or 1")
    rows = np.flatnonzero(paired)
    if len(rows) % 2:
        raise TraceError(f"column paired: two rows of each pair, got {len(rows)} rows in all")
    first, second = rows.reshape(-1, 2).T
    start, end = columns["start_s"], columns["end_s"]
    as_one = (start[second] == start[first]) & (end[second] == end[first])
    wrong = np.zeros(len(paired), dtype=bool)
    wrong[second] = ~(as_one | (start[second] >= end[first]))
    _refuse(columns, "start_s", wrong, "that of the pair's first row, or not before its end")


def check_versions(columns: Columns, shape: PipelineShape, *, several: bool = False) -> None:
    """Make sure that versions and staleness can be those of this order, a complete program.

    `several`: whether it has stages with several homes, each with versions of its own.  A pass
    reads a version that its stage had made by then, an update steps the newest, and staleness is
    how far a pass is behind its own update.  Raises TraceError with the first wrong column and
    row.
    """
    newest = _newest(columns, shape, several)
    read, applied = columns["version_read"], columns["version_applied"]
    update = columns["op"] == Op.U
    beyond = (applied < 0) | (applied >= shape.of_worker.minibatches)
    _refuse(columns, "version_applied", np.where(update, applied != newest, beyond),
            "updates of its stage before the own one")
    passes = among(columns["op"], (Op.F, Op.B, Op.I))
    _refuse(columns, "version_read", (read < 0) | (passes & (read > newest)),
            "a version that the stage had made")
    _refuse(columns, "version_read", ~passes & (read != applied), "the version before the update")
    late, gap = columns["staleness"], applied - read
    off = gap - late
    mean = passes & (columns["count"] > 1)  # of several versions, of which the oldest is read
    wrong = ~(np.abs(off) <= SLACK) & ~(mean & (off >= 0) & (late >= 0))
    _refuse(columns, "staleness", wrong | (late < 0), "updates between the versions")
    effective = columns["effective_staleness"]
    _refuse(columns, "effective_staleness", ~((effective >= 0) & (effective <= late + SLACK)),
            "at most the staleness")


def _newest(columns: Columns, shape: PipelineShape, several: bool) -> Ints:
    """Updates of its stage, in its worker or on its device, that precede each row: (rows,)."""
    place: Ints = columns["stage"].astype(NARROW)
    if several:
        place = place + columns["device"].astype(np.int64) * shape.stages
    if shape.workers > 1:
        place += columns["device"] // shape.worker_devices * NARROW(shape.stages)
    update = columns["op"] == Op.U
    if (place[1:] >= place[:-1]).all():
        return _counted(place, update)
    order = np.argsort(place, kind="stable")
    newest = np.empty(len(place), dtype=NARROW)
    newest[order] = _counted(place[order], update[order])
    return newest


def _counted(place: Ints, update: Mask) -> Ints:
    """For each of rows sorted by their place the updates of that place that precede it."""
    seen = np.cumsum(update, dtype=NARROW)
    seen -= update
    first = np.flatnonzero(np.concatenate(([True], place[1:] != place[:-1])))
    seen -= np.repeat(seen[first], np.diff(first, append=len(place)))
    return seen


def check_curves(curves: Columns, shape: PipelineShape) -> None:
    """Make sure that curves can be of a run of this shape, as far as this tool knows them.

    Raises TraceError with the name of the first that cannot.
    """
    loss = curves.get("minibatch_loss")
    if loss is not None and len(loss) != shape.minibatches:
        raise TraceError(f"curve minibatch_loss: {shape.minibatches} numbers, got {len(loss)}")
    at = curves.get("evaluated_minibatch")
    for name in ("validation_loss", "accuracy", "training_loss"):
        if name in curves and (at is None or len(curves[name]) != len(at)):
            raise TraceError(f"curve {name}: as many numbers as evaluated_minibatch has")
    if at is not None and len(at) and not (
            at[0] >= 1 and at[-1] <= shape.minibatches and (np.diff(at) >= 0).all()):
        raise TraceError(f"curve evaluated_minibatch: mini-batches from 1 to {shape.minibatches} "
                         "in their order")
    accuracy = curves.get("accuracy")
    if accuracy is not None and ((accuracy < 0) | (accuracy > 1)).any():
        raise TraceError("curve accuracy: shares from 0 to 1")


def _steps(column: Floats | Ints) -> Any:
    """How much each row is above the one before it; 0 in the first."""
    steps = np.zeros(len(column), dtype=np.result_type(column, np.int32))
    np.subtract(column[1:], column[:-1], out=steps[1:], dtype=steps.dtype)
    return steps


def _refuse(columns: Columns, name: str, wrong: Mask, right: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise TraceError(f"column {name}: {right}, got {columns[name][row].item()} in row {row}")

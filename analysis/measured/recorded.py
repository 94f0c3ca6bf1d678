"""From the passes of a measured run to its trace: order, versions, times and header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from analysis.measured.mapping import Mapping, as_settings
from analysis.measured.passes import Found, Pass
from sim.arrays import Floats
from sim.errors import ConfigurationError, InvalidProgramError, TraceError
from sim.experiment.checks import FILE
from sim.experiment.configuration import resolve
from sim.experiment.making import make_mitigation
from sim.experiment.program_file import given_options
from sim.experiment.recording import describe
from sim.experiment.setup import version_plan
from sim.header import Measured, StageBytes, TraceHeader
from sim.op import Op
from sim.order.columns import Instructions
from sim.order.needs import dependencies
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.trace import Trace
from sim.weights.columns import version_columns


@dataclass(frozen=True)
class Row:
    """An instruction as it was measured, from and to nanoseconds."""

    op: Op
    stage: int
    index: int
    count: int
    start_ns: int
    end_ns: int


def recorded(found: Found, mapping: Mapping, paths: Sequence[Path]) -> Trace:
    """The trace of a measured run.

    A stage whose updates have no ranges has them where a gradient is complete, taking no time.  On
    what a profiler does not say: a message is under way from the end of the pass that sends it to
    the start of the one that waits for it, where that one's device stood idle meanwhile, and is
    there at once where it did not [choice]; sizes are not known, so they are 0.
    Raises TraceError where ranges are missing, and ConfigurationError for a mitigation that does
    not go with the order.
    """
    shape = found.shape
    streams = [_with_updates(each, shape) for each in found.devices]
    program = _program(shape, streams)
    rows = [row for stream in streams for row in stream]
    first = min(row.start_ns for row in rows)
    start, end = (np.array([getattr(row, name) - first for row in rows]) / 1e9
                  for name in ("start_ns", "end_ns"))
    apart_s = _apart_s(program, end)
    if mapping.waits == "inside":
        start, end = _computing(program, start, end)
    sent, arrived = _messages(program, start, end)
    mitigation = make_mitigation(mapping.mitigation)
    try:
        plan = version_plan(program, mitigation, FILE)
    except ValueError as error:
        raise ConfigurationError([f"mitigation: {error}"]) from None
    read, applied, late, effective = version_columns(plan)
    unknown = np.full(len(rows), np.nan)
    header = TraceHeader(
        _experiment(shape, mapping), describe(mitigation), shape, 0, plan.held().tolist(),
        StageBytes([0.0] * shape.stages, [0.0] * shape.stages, [0.0] * (shape.stages - 1)), {},
        gpu=_measured(found, mapping, paths, apart_s))
    op, stage, index, count = program.rows
    return Trace(header, program.device, op, stage, index, count, start, end, sent, arrived, read,
                 applied, late, effective, unknown, unknown)


def _with_updates(passes: Sequence[Pass], shape: PipelineShape) -> list[Row]:
    """A device's rows, with an update after the last backward of each mini-batch of its stages
    that have none."""
    rows = [_row(each, shape) for each in passes]
    updated = {row.stage for row in rows if row.op is Op.U}
    last: dict[tuple[int, int], int] = {}
    for number, row in enumerate(rows):
        if row.op in (Op.B, Op.W) and row.stage not in updated:
            last[row.stage, row.index // shape.microbatches] = number
    ends = set(last.values())
    found: list[Row] = []
    for number, row in enumerate(rows):
        found.append(row)
        if number in ends:
            follows = rows[number + 1].start_ns if number + 1 < len(rows) else row.end_ns
            at = max(row.start_ns, min(row.end_ns, follows))  # ranges may overlap a little
            minibatch = row.index // shape.microbatches
            found.append(Row(Op.U, row.stage, minibatch * shape.microbatches,
                             shape.size_of(minibatch), at, at))
    return found


def _row(each: Pass, shape: PipelineShape) -> Row:
    assert each.stage is not None
    minibatch = each.index // shape.microbatches
    count = shape.size_of(minibatch) if each.op is Op.U else 1
    return Row(each.op, each.stage, each.index, count, each.span.start_ns, each.span.end_ns)


def _program(shape: PipelineShape, streams: Sequence[Sequence[Row]]) -> Program:
    """The order that was executed.  Raises TraceError where something of it is missing."""
    rows = [row for stream in streams for row in stream]
    columns = Instructions(*(np.array([getattr(row, name) for row in rows], dtype=np.int64)
                             for name in ("op", "stage", "index", "count")))
    offsets = np.cumsum([0, *map(len, streams)]).tolist()
    try:
        return Program.of(shape, columns, tuple(offsets))
    except InvalidProgramError as error:
        raise TraceError(f"the ranges are no complete run of {shape.stages} stages and "
                         f"{shape.minibatches} mini-batches of {shape.microbatches} micro-batches "
                         f"on {len(streams)} devices: {error.rule}") from None


def _apart_s(program: Program, end: Floats) -> float:
    """By how many seconds, at most, a pass ended before what it needs had.

    So far clocks of its devices are apart, or the range of what it needs had more inside.
    """
    before, after = dependencies(program)
    return float(np.max(end[before] - end[after], initial=0.0))


def _computing(program: Program, start: Floats, end: Floats) -> tuple[Floats, Floats]:
    """Starts and ends, (rows,) each, of passes whose ranges have the wait for their input inside:
    none starts before what it needs has ended.

    [choice] A range that is over before what it needs is says nothing of when its input was there,
    and stays as it is.
    """
    before, after = dependencies(program)
    said = end[before] < end[after]
    start, end = start.copy(), end.copy()
    np.maximum.at(start, after[said], end[before[said]])
    for begin, stop in pairwise(program.offsets):
        start[begin:stop] = np.maximum.accumulate(start[begin:stop])
    return start, np.maximum(start, end)


def _messages(program: Program, start: Floats, end: Floats) -> tuple[Floats, Floats]:
    """When what each row waits for from another device was sent, and was there, (rows,) each."""
    source = program.arrives_from
    previous = np.concatenate(([0.0], end[:-1]))
    previous[[first for first in program.offsets[:-1] if first < len(previous)]] = 0.0
    sent = np.where(source >= 0, end[source], np.nan)
    sent = np.minimum(sent, start)  # clocks may be a little apart
    return sent, np.where(previous <= sent, start, sent)


def _experiment(shape: PipelineShape, mapping: Mapping) -> dict[str, Any]:
    """The configuration as far as a measured run has one."""
    return resolve({"pipeline": {
        "schedule": FILE, "stages": shape.stages, "minibatches": shape.minibatches,
        "microbatches": shape.microbatches, "chunks": shape.chunks,
        "mitigation": mapping.mitigation, **given_options(shape)},
        "training": {"task": "none"}}).model_dump()


def _measured(found: Found, mapping: Mapping, paths: Sequence[Path], apart_s: float) -> Measured:
    many = len(found.devices)
    return Measured(
        settings={"files": [path.name for path in paths], "device": found.by,
                  "mapping": as_settings(mapping)},
        devices=found.names, threads=0, clock=[{} for _ in range(many)], clock_residual_s=apart_s,
        launch_bound_fraction=[None] * many, host_s=[0.0] * many, peak_bytes=[None] * many,
        base_bytes=[None] * many)

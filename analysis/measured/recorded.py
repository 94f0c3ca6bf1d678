"""From the passes of a measured run to its trace: order, versions, times and header."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from analysis.measured.mapping import Mapping, as_settings
from analysis.measured.passes import OF_DEVICES, Found, Pass
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
from sim.order.instruction import Instruction
from sim.order.needs import dependencies
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.trace import Trace
from sim.weights.columns import version_columns


def recorded(found: Found, mapping: Mapping, paths: Sequence[Path]) -> Trace:
    """The trace of a measured run.

    A stage whose updates have no ranges has them where a gradient is complete, taking no time.  On
    what a profiler does not say: a message is under way from the end of the pass that sends it to
    the start of the one that waits for it, where that one's device stood idle meanwhile, and is
    there at once where it did not [choice]; sizes are not known, so they are 0.
    Raises TraceError where ranges are missing, and ConfigurationError for a mitigation that does
    not go with the order.
    """
    shape, program = found.shape, _program(found)
    start, end = _times(program, found)
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
    unknown = np.full(len(program), np.nan)
    header = TraceHeader(
        _experiment(shape, mapping), describe(mitigation), shape, 0, plan.held().tolist(),
        StageBytes([0.0] * shape.stages, [0.0] * shape.stages, [0.0] * (shape.stages - 1)), {},
        gpu=_measured(found, mapping, paths, apart_s))
    op, stage, index, count = program.rows
    return Trace(header, program.device, op, stage, index, count, start, end, sent, arrived, read,
                 applied, late, effective, unknown, unknown)


def _program(found: Found) -> Program:
    """The order that was executed.  Raises TraceError where something of it is missing."""
    shape = found.shape
    try:
        return Program.from_streams(shape, [[_instruction(each, shape) for each in passes]
                                            for passes in found.devices])
    except InvalidProgramError as error:
        raise TraceError(f"the ranges are no complete run of {shape.stages} stages and "
                         f"{shape.minibatches} mini-batches of {shape.microbatches} micro-batches "
                         f"on {len(found.devices)} devices: {error.rule}") from None


def _instruction(each: Pass, shape: PipelineShape) -> Instruction:
    assert each.stage is not None
    whole = shape.size_of(each.index // shape.microbatches)
    return Instruction(each.stage, each.op, each.index, whole if each.op is Op.U else 1)


def _times(program: Program, found: Found) -> tuple[Floats, Floats]:
    """Starts and ends by row in seconds from the first, (rows,) each.

    An update without a range of its own is at the end of the row before it, or where the next
    begins, if that is earlier: ranges may overlap a little.
    """
    updated = {(each.home, each.stage) for passes in found.devices for each in passes
               if each.op is Op.U}
    homes = [passes[0].home for passes in found.devices]
    known = np.array([op != Op.U or (homes[device], stage) in updated for op, stage, device in zip(
        program.rows.op.tolist(), program.rows.stage.tolist(), program.device.tolist(),
        strict=True)])
    ranges = [each.span for passes in found.devices for each in passes]
    first = min(span.start_ns for span in ranges)
    start, end = np.zeros(len(program)), np.zeros(len(program))
    start[known] = [(span.start_ns - first) / 1e9 for span in ranges]
    end[known] = [(span.end_ns - first) / 1e9 for span in ranges]
    for row in np.flatnonzero(~known).tolist():  # never the first of its device
        inside = row + 1 < len(program) and program.device[row + 1] == program.device[row]
        follows = start[row + 1] if inside and known[row + 1] else end[row - 1]
        start[row] = end[row] = max(start[row - 1], min(end[row - 1], follows))
    return start, end


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


def _by_devices(found: Found) -> bool:
    """Whether the ranges are those that devices timed themselves."""
    return found.devices[0][0].span.category.startswith(OF_DEVICES)


def _measured(found: Found, mapping: Mapping, paths: Sequence[Path], apart_s: float) -> Measured:
    many = len(found.devices)
    return Measured(
        settings={"files": [path.name for path in paths], "device": found.by,
                  "timed by": "devices" if _by_devices(found) else "hosts",
                  "mapping": as_settings(mapping)},
        devices=found.names, threads=0, clock=[{} for _ in range(many)], clock_residual_s=apart_s,
        launch_bound_fraction=[None] * many, host_s=[0.0] * many, peak_bytes=[None] * many,
        base_bytes=[None] * many)

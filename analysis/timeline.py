"""The pipeline in the papers' grid, and one mini-batch's round trip through it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sim.instruction import Op
from sim.time_units import has_time_units as defined
from sim.time_units import time_unit, unit_horizon
from sim.trace import Trace


@dataclass(frozen=True)
class Pass:
    """One pass of a round trip, under both labellings.

    `time_unit`, `version_time_unit` and `horizon` are SpecTrain's (None off round-robin); the
    update counts are the stage's own.
    """

    stage: int
    op: str
    start_s: float
    time_unit: int | None
    version_time_unit: int | None
    horizon: int | None
    version_updates: int
    staleness_updates: float
    microbatch: int | None


def round_trip(trace: Trace, minibatch: int) -> list[Pass]:
    """The passes of one mini-batch in the order they started.

    Raises ValueError naming the mini-batches there are.
    """
    if not 1 <= minibatch <= trace.shape.minibatches:
        raise ValueError(f"mini-batches are 1 to {trace.shape.minibatches}, got {minibatch}")
    wanted = (trace.minibatch == minibatch) & np.isin(trace.op, (Op.F, Op.B, Op.I, Op.W))
    rows = np.flatnonzero(wanted)
    order = np.lexsort((trace.stage[rows], trace.end_s[rows], trace.start_s[rows]))
    return [_pass(trace, int(row), has_time_units(trace)) for row in rows[order]]


def has_time_units(trace: Trace) -> bool:
    """Whether SpecTrain's time units are defined for this trace's pipeline."""
    schedule = trace.header["experiment"]["pipeline"]["schedule"]
    return defined(schedule, trace.shape)


def _pass(trace: Trace, row: int, paper: bool) -> Pass:
    op, stage = Op(int(trace.op[row])), int(trace.stage[row])
    late = float(trace.staleness[row])
    unit = time_unit(op, int(trace.minibatch[row]), stage, trace.shape.stages) if paper else None
    whole = int(trace.count[row]) == trace.shape.microbatches
    return Pass(
        stage, op.name, float(trace.start_s[row]), unit, unit,
        unit_horizon(op, stage, trace.shape.stages) if paper else None,
        int(trace.version_read[row]), int(late) if late.is_integer() else late,
        None if whole else int(trace.index[row]) % trace.shape.microbatches)


def as_json(passes: list[Pass]) -> list[dict[str, Any]]:
    """Plain objects; `microbatch` only where passes cover less than the mini-batch."""
    rows = [asdict(each) for each in passes]
    if all(row["microbatch"] is None for row in rows):
        for row in rows:
            del row["microbatch"]
    return rows


@dataclass(frozen=True)
class Cell:
    """A box of the grid: device, first slot, slots, text, and the version label under it."""

    device: int
    slot: int
    width: int
    text: str
    version: str
    op: Op
    minibatch: int


def slot_s(trace: Trace) -> float:
    """The grid's slot: the shortest pass."""
    seconds = (trace.end_s - trace.start_s)[trace.op <= Op.W]
    positive = seconds[seconds > 0]
    return float(positive.min()) if len(positive) else 1.0


def cells(trace: Trace, labels: str = "updates") -> list[Cell]:
    """Every pass that takes time, by device and slot.

    A forward is `4F`, or `4A`, `4B`, … by micro-batch; a backward the bare number `4` (with its
    micro-batch letter in lower case where it covers one of several).
    """
    slot, found = slot_s(trace), []
    for row in np.flatnonzero((trace.op <= Op.W) & (trace.end_s > trace.start_s)).tolist():
        start = round(trace.start_s[row] / slot)
        found.append(Cell(
            int(trace.device[row]), start, max(1, round(trace.end_s[row] / slot) - start),
            name(trace, row), version_label(trace, row, labels), Op(int(trace.op[row])),
            int(trace.minibatch[row])))
    return found


def name(trace: Trace, row: int) -> str:
    """What the papers write into the box."""
    n, op = trace.shape.microbatches, Op(int(trace.op[row]))
    micro = int(trace.index[row]) % n
    letter = "" if n == 1 else chr(ord("A") + micro) if n <= 26 else f".{micro}"
    minibatch = int(trace.minibatch[row])
    if op is Op.F:
        return f"{minibatch}{letter or 'F'}"
    half = {Op.I: "i", Op.W: "w"}.get(op, "")
    whole = int(trace.count[row]) == n
    return f"{minibatch}{'' if whole else letter.lower()}{half}"


def version_label(trace: Trace, row: int, labels: str) -> str:
    """`W4` by time unit, `v3` by updates."""
    if labels == "time-unit":
        unit = time_unit(Op(int(trace.op[row])), int(trace.minibatch[row]),
                         int(trace.stage[row]), trace.shape.stages)
        return f"W{unit}"
    return f"v{int(trace.version_read[row])}"


def grid(trace: Trace, columns: int = 100, labels: str = "updates", first_slot: int = 0
         ) -> list[str]:
    """Text lines, two a device: boxes, and the version each read; as wide as `columns`."""
    boxes = [c for c in cells(trace, labels) if c.slot >= first_slot]
    width = max((len(t) for c in boxes for t in (c.text, c.version)), default=1) + 1
    margin = len(f"device {trace.shape.devices - 1}  ")
    slots = max(1, (columns - margin) // width)
    lines = []
    for device in range(trace.shape.devices):
        upper = ["." for _ in range(slots)]
        lower = ["" for _ in range(slots)]
        for c in boxes:
            here = c.slot - first_slot
            if c.device == device and here < slots:
                upper[here], lower[here] = c.text, c.version
                for more in range(here + 1, min(slots, here + c.width)):
                    upper[more] = "="
        for title, row in ((f"device {device}", upper), ("", lower)):
            lines.append((title.ljust(margin) + "".join(t.ljust(width) for t in row)).rstrip())
    return lines


def legend(trace: Trace, labels: str, first_slot: int) -> str:
    """What the grid's signs mean."""
    letters = "" if trace.shape.microbatches == 1 else ", a letter its micro-batch"
    versions = ("W = weights by SpecTrain's time unit" if labels == "time-unit"
                else "v = weight version in updates of the stage")
    since = f", from second {first_slot * slot_s(trace):g}" if first_slot else ""
    return (f"one column = {slot_s(trace):g} s{since}; number = mini-batch, F or letter = "
            f"forward, bare = backward{letters}; = goes on, . idle; below: {versions}")


def json_cells(trace: Trace) -> list[dict[str, Any]]:
    """Every pass of the grid with its times and version, for machines."""
    rows = np.flatnonzero(trace.op <= Op.W).tolist()
    return [{"device": int(trace.device[row]), "minibatch": int(trace.minibatch[row]),
             **asdict(_pass(trace, row, has_time_units(trace))),
             "end_s": float(trace.end_s[row])} for row in rows]

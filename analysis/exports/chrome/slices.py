"""Slices of a Chrome trace: every instruction with its duration, on its stage's thread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isfinite, nextafter
from typing import Any

import numpy as np

from sim.arrays import Floats, Ints
from sim.op import Op
from sim.order.check import execution_order
from sim.order.program import Program
from sim.trace import HOST_COLUMNS, PAIR_COLUMNS, Trace

Event = dict[str, Any]
Key = tuple[int, int, int]  # nanosecond, place in an executable order, slice before arrow
COUNTER, SLICE, END, START = 0, 1, 2, 3
CATEGORY = {Op.F: "forward", Op.B: "backward", Op.I: "backward", Op.W: "backward",
            Op.U: "update"}
WHOLE = ("version_read", "version_applied")
REAL = ("staleness", "effective_staleness", "weight_distance", "weight_rmse", "start_s", "end_s",
        "sent_s", "arrived_s")


@dataclass(frozen=True)
class Slices:
    """Where and when each row of a trace is drawn; arrays have shape (rows,).

    `start` and `end` are whole nanoseconds, which is what Perfetto keeps.  `pids` is by device,
    `threads` by thread number with its process and name, `place` each row's place in an executable
    order.
    """

    program: Program
    start: Ints
    end: Ints
    pid: Ints
    tid: Ints
    place: Ints
    pids: dict[int, int]
    threads: dict[int, tuple[int, str]]

    @classmethod
    def of(cls, trace: Trace) -> Slices:
        """Processes, threads and nanoseconds for the rows of a trace."""
        program = trace.program()
        place = np.empty(len(program), dtype=np.int64)
        place[execution_order(program)] = np.arange(len(program))
        pids = {device: device + 1 for device in range(program.devices)}
        # Messages get threads of their own: on real devices they overlap the passes
        message = np.where(trace.op > Op.U, trace.op, 0)
        lanes = np.stack([trace.device, trace.stage, message], axis=1).astype(np.int64)
        each, lane = np.unique(lanes, axis=0, return_inverse=True)
        tid = len(pids) + 1 + lane.reshape(-1)
        digits = len(str(trace.shape.stages - 1))
        threads = {len(pids) + 1 + i: (pids[device], _title(stage, kind, digits))
                   for i, (device, stage, kind) in enumerate(each.tolist())}
        start = nanoseconds(trace.start_s)
        end = _before_the_next(start, nanoseconds(trace.end_s), tid, place)
        end = _pairs_alike(trace, tid, end)
        return cls(program, start, end, trace.device + 1, tid, place, pids, threads)

    def event(self, row: int, phase: str, at: int) -> Event:
        """What every event of a row has; `phase` is its kind, `at` its nanosecond."""
        return {"ph": phase, "pid": int(self.pid[row]), "tid": int(self.tid[row]),
                "ts": microseconds(at)}


def nanoseconds(seconds: Floats) -> Ints:
    """Seconds as the nearest whole nanoseconds, of the same shape."""
    return np.rint(np.asarray(seconds) * 1e9).astype(np.int64)


def microseconds(nanoseconds: int) -> float:
    """The number a viewer turns back into these nanoseconds: it multiplies and truncates."""
    value = nanoseconds / 1000
    return value if int(value * 1000.0) == nanoseconds else nextafter(value, inf)


def slices(trace: Trace, drawn: Slices) -> Iterator[tuple[Key, Event]]:
    """An event per instruction with its duration; an instant where it takes no time."""
    for row, (start, end, place, name, arguments) in enumerate(
            zip(drawn.start.tolist(), drawn.end.tolist(), drawn.place.tolist(), _names(trace),
                _arguments(trace), strict=True)):
        event = drawn.event(row, "X" if end > start else "i", start)
        event |= {"dur": microseconds(end - start)} if end > start else {"s": "t"}
        category = CATEGORY.get(Op(int(trace.op[row])), "message")
        yield (start, place, SLICE), event | {"name": name, "cat": category, "args": arguments}


def _names(trace: Trace) -> Iterator[str]:
    """`F4`, or `F4.2` for micro-batch 2 of mini-batch 4."""
    n = trace.shape.microbatches
    for op, minibatch, index, count in zip(
            trace.op.tolist(), trace.minibatch.tolist(), trace.index.tolist(),
            trace.count.tolist(), strict=True):
        yield f"{Op(op).name}{minibatch}" + ("" if count == n else f".{index % n}")


def _arguments(trace: Trace) -> Iterator[dict[str, Any]]:
    """The columns that apply to each row; seconds as recorded, not rounded to nanoseconds."""
    whole, real = ([(name, getattr(trace, name).tolist()) for name in names
                    if name in trace.columns]
                   for names in ((*WHOLE, *PAIR_COLUMNS), (*REAL, *HOST_COLUMNS)))
    for row in range(len(trace)):
        values: dict[str, Any] = {"instruction": str(trace.instruction(row))}
        values |= {name: column[row] for name, column in whole}
        yield values | {name: column[row] for name, column in real if isfinite(column[row])}


def _title(stage: int, message: int, digits: int) -> str:
    return f"stage {stage:0{digits}}" + (f" {Op(message).name}" if message else "")


def _before_the_next(start: Ints, end: Ints, tid: Ints, place: Ints) -> Ints:
    """Ends cut where the next slice of the thread begins.

    Measured clocks can let neighbours overlap by their noise; viewers would drop such a slice.
    """
    order = np.lexsort((place, start, tid))
    same = tid[order[1:]] == tid[order[:-1]]
    first, second = order[:-1][same], order[1:][same]
    cut = end.copy()
    cut[first] = np.minimum(end[first], start[second])
    return np.maximum(cut, start)


def _pairs_alike(trace: Trace, tid: Ints, end: Ints) -> Ints:
    """Ends of the same rows where the two of a pair on one thread, of which the first was cut to
    nothing, end together: viewers show one inside the other."""
    if trace.paired is None:
        return end
    first, second = np.flatnonzero(trace.paired).reshape(-1, 2).T
    one = tid[first] == tid[second]
    end[first[one]] = end[second[one]]
    return end

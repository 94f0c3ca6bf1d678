"""What every stage holds, as changes at the ends of a trace's rows: what the counters add up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from analysis.metrics.memory import (
    Changes,
    activation_changes,
    copy_changes,
    device_peaks,
    memory,
    recomputed_changes,
    version_changes,
)
from analysis.metrics.staleness import plan_of
from sim.arrays import Ints
from sim.errors import ConfigurationError
from sim.trace import Trace
from sim.weights.versions import VersionPlan

KINDS = ("sets", "copies", "kept", "again")


def sizes(trace: Trace) -> dict[str, Any]:
    """Bytes of one of each kind by stage: weight sets, activations kept, activations made again."""
    found = trace.header.sizes
    none = [0.0] * trace.shape.stages
    return {"weights": found.weight_bytes, "kept": found.activation_bytes,
            "again": found.recomputed_bytes or none}


class Holding(NamedTuple):
    """What a trace's stages hold.

    `columns`, of shape (rows,), say how many of each kind a row's stage holds more (or fewer) as
    the row starts and as it ends, two for each of `KINDS`: weight sets (the newest, and versions
    and predictions beside it; one is there before the run), copies a pass computes with,
    activations of micro-batches kept, and those made again.  `peak_bytes` are the bytes a device
    holds at most at once.  Of several workers they are those of the first, which holds as much as
    the others.  Where the trace's mitigation is not known here both are empty, and `unknown` says
    so.
    """

    columns: dict[str, Ints]
    peak_bytes: list[float]
    unknown: str


def held(trace: Trace) -> Holding:
    """What a trace's stages hold as its rows start and end, and at most."""
    order = np.argsort(trace.device, kind="stable")
    rows = order[trace.device[order] < trace.shape.worker_devices]
    own = trace.first_worker()
    try:
        plan = plan_of(trace)
    except ConfigurationError as error:
        return Holding({}, [], str(error).splitlines()[0])
    changes = _changes(own, plan)
    columns = {}
    for kind in KINDS:
        for name, end in (("start", 0), ("end", 1)):
            column = np.zeros(len(trace), dtype=np.int64)
            column[rows] = _at(changes[kind], end, len(own))
            columns[f"{kind}_at_{name}"] = column
    return Holding(columns, device_peaks(own, memory(own, plan)), "")


def _changes(own: Trace, plan: VersionPlan) -> dict[str, Changes]:
    def copies(of: Callable[[int], Changes]) -> Changes:
        return Changes.together([of(copy) for copy in range(len(plan.program.copies))])

    everywhere = np.ones(len(own), dtype=bool)
    return {"sets": copies(lambda copy: version_changes(own, plan, copy)),
            "copies": copies(lambda copy: copy_changes(own, plan, copy)),
            "kept": activation_changes(own, everywhere),
            "again": recomputed_changes(own, everywhere)
            if own.header.sizes.recomputed_bytes else Changes(*np.zeros((3, 0)))}


def _at(changes: Changes, which: int, rows: int) -> Ints:
    """The changes at one end of every row, (rows,): 0 their starts, 1 their ends."""
    end = changes.end.astype(np.int64)
    mine = (end >= 0) & (end % 2 == which)
    total = np.bincount(end[mine] // 2, changes.by[mine], rows)
    return np.rint(total).astype(np.int64)

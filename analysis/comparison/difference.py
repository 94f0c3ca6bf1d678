"""Two traces beside each other: order, versions and times."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.metrics.report import report
from sim.op import Op
from sim.rows import plain
from sim.trace import Trace

COMPARED = ("makespan_s", "bubble_fraction", "comm_wait_fraction",
            "throughput_minibatches_per_s", "inconsistent_fraction", "final_loss", "accuracy")


MEASURED_SHARE = 0.01  # of a makespan: by so much times of a measured run differ anyway


def difference(a: Trace, b: Trace, tolerance_s: float | None = None) -> dict[str, Any]:
    """How two traces differ: whether order and versions are equal, and metrics side by side.

    `start_max_difference_s` (seconds) is given where the orders are equal; `first_difference` is
    the first place where the traces differ, see `first_place`.  Times that are at most
    `tolerance_s` seconds apart count as equal; None is 0, and where a run is measured a hundredth
    of the shorter makespan [choice].
    """
    if tolerance_s is None:
        tolerance_s = default_tolerance_s(a, b)
    ours, theirs = a.program(), b.program()
    same_order = ours == theirs
    found: dict[str, Any] = {"order_equal": same_order, "versions_equal": None,
                             "start_max_difference_s": None}
    if same_order:
        found["versions_equal"] = bool((a.version_read == b.version_read).all())
        found["start_max_difference_s"] = float(np.abs(a.start_s - b.start_s).max(initial=0.0))
    found["tolerance_s"] = tolerance_s
    found["first_difference"] = first_place(a, b, tolerance_s)
    first, second = report(a), report(b)
    found["metrics"] = {name: [first[name], second[name]] for name in COMPARED}
    return dict(plain(found))


def default_tolerance_s(a: Trace, b: Trace) -> float:
    """Seconds by which times of two runs may differ where nobody says: none of simulated ones."""
    if a.header.gpu is None and b.header.gpu is None:
        return 0.0
    return MEASURED_SHARE * min(float(each.end_s.max(initial=0.0)) for each in (a, b))


def first_place(a: Trace, b: Trace, tolerance_s: float = 0.0) -> dict[str, Any] | None:
    """The first place, by time, where two traces differ in their order, else in the versions that
    were read, else in their times by more than `tolerance_s` seconds; None where they do not.

    `of` says in which of these, `device` and `number` where in that device's stream (from 0), and
    `first` and `second` what stands there: the instruction, with its version or its start and end
    in seconds; without keys where a stream has ended.
    """
    places = []
    for device in range(max(a.shape.devices, b.shape.devices)):
        ours, theirs = (np.flatnonzero(each.device == device) for each in (a, b))
        length = min(len(ours), len(theirs))
        unlike = np.zeros(length, dtype=bool)
        for name in ("op", "stage", "index", "count"):
            unlike |= getattr(a, name)[ours[:length]] != getattr(b, name)[theirs[:length]]
        at = int(np.argmax(unlike)) if unlike.any() else length
        if at < max(len(ours), len(theirs)):
            rows = [int(each[at]) if at < len(each) else None for each in (ours, theirs)]
            moment = min(float(trace.start_s[row]) for trace, row in zip((a, b), rows, strict=True)
                         if row is not None)
            places.append((moment, device, at, rows))
    if places:
        _, device, at, rows = min(places, key=lambda place: place[:3])
        return {"of": "order", "device": device, "number": at,
                "first": _instruction(a, rows[0]), "second": _instruction(b, rows[1])}
    return (_in_columns(a, b, "versions", ("version_read",))
            or _in_columns(a, b, "times", ("start_s", "end_s"), tolerance_s))


def _in_columns(a: Trace, b: Trace, kind: str, columns: tuple[str, ...], tolerance: float = 0.0
                ) -> dict[str, Any] | None:
    """The first place where traces of one order differ in a column by more than `tolerance`; None
    where they do not."""
    unlike = np.zeros(len(a), dtype=bool)
    for name in columns:
        unlike |= np.abs(getattr(a, name) - getattr(b, name)) > tolerance
    if not unlike.any():
        return None
    rows = np.flatnonzero(unlike)
    row = int(rows[np.argmin(np.minimum(a.start_s[rows], b.start_s[rows]))])
    device = int(a.device[row])
    return {"of": kind, "device": device,
            "number": row - int(np.argmax(a.device == device)),
            **{side: _instruction(trace, row) | {name: getattr(trace, name)[row]
                                                 for name in columns}
               for side, trace in (("first", a), ("second", b))}}


def _instruction(trace: Trace, row: int | None) -> dict[str, Any]:
    """A row's instruction by name; no keys where there is none."""
    if row is None:
        return {}
    n, index = trace.shape.microbatches, int(trace.index[row])
    return {"op": Op(int(trace.op[row])).name, "stage": int(trace.stage[row]),
            "minibatch": trace.minibatch_of(row),
            "microbatch": index % n if int(trace.count[row]) < n else None}

"""How many bytes a device holds at its peak: what its program keeps, and what each pass needs.

The level of a device is what it holds between instructions.  It follows from the order alone: live
buffer and optimizer, weight sets, micro-batches in flight, messages (`ledger`).  While it runs, an
instruction needs more for a moment: that rise was measured of one instruction at a time
(`rise_bytes` of the profile), so the profile of one program predicts another's peak.  Devices on
the same hardware share its memory: their levels and rises are added up over the predicted time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from analysis.metrics.staleness import plan_of
from analysis.validation.ledger import Keeps, Ledger, Parcel
from sim.arrays import Floats
from sim.times.profile import Profile
from sim.trace import Trace


def memory_entries(predicted: Trace, profile: Profile, measured: Sequence[Mapping[str, Any]]
                   ) -> list[dict[str, Any]]:
    """Measured and predicted peak bytes of every device, with the relative error.

    `measured` has by device its stages and bytes; devices that share hardware are one entry.
    Predicted is None where the profile does not know what instructions need.
    """
    sizes = predicted_peaks(predicted, profile, [entry["stages"] for entry in measured])
    return [{**entry, "predicted_bytes": size,
             "rel_error": None if size is None else abs(size / entry["measured_bytes"] - 1)}
            for entry, size in zip(measured, sizes, strict=True)]


def predicted_peaks(trace: Trace, profile: Profile, groups: Sequence[Sequence[int]]
                    ) -> list[float | None]:
    """The most bytes that each group of stages, which share a memory, ever holds together.

    A device on a CPU that shares with no other is taken as it is measured: stepped alone, its
    messages arriving as it asks for them.
    """
    again = trace.header.experiment["pipeline"]["backward"] == "recompute"
    keeps = [Keeps.of(profile, k, again) for k in range(trace.shape.stages)]
    known = [each for each in keeps if each is not None]
    if len(known) < len(keeps):
        return [None] * len(groups)
    cuda = (profile.placement or ("cpu",))[0].startswith("cuda")
    plan = plan_of(trace)
    home = dict(zip(trace.stage.tolist(), trace.device.tolist(), strict=True))
    ledgers = {device: Ledger.of(trace, device, plan, known) for device in set(home.values())}
    peaks: list[float | None] = []
    for group in groups:
        devices = sorted({home[k] for k in group})
        alone = len(devices) == 1 and not cuda
        times = _in_order(trace) if alone else _Times.of(trace)
        changes = [change for device in devices
                   for change in _changes(ledgers[device], times, _way(alone, cuda))]
        slots = sum(ledgers[device].slots(k) for device in devices for k in
                    ledgers[device].sets)
        peaks.append(slots + _peak(changes))
    return peaks


class _Change(NamedTuple):
    """More or fewer bytes at a moment; of several at once those of lower `rank` come first."""

    at: float
    rank: int
    size: float


ENDS, INSTANT, STARTS = range(3)


def _peak(changes: Sequence[_Change]) -> float:
    """The most that is reached, from nothing at the start."""
    at, rank, size = (np.array(column, float) for column in zip(*changes, strict=True))
    return float(np.cumsum(size[np.lexsort((rank, at))]).max())


class _Times(NamedTuple):
    """When each row of a trace takes and gives back memory (s), shape (rows,) each.

    Where a host asks for work ahead of its device, memory is handed out as it is asked for;
    `over` is when the work itself is done.
    """

    start: Floats
    end: Floats
    over: Floats

    @classmethod
    def of(cls, trace: Trace) -> _Times:
        asked, issued = trace.asked_s, trace.issued_s
        if asked is None or issued is None:
            return cls(trace.start_s, trace.end_s, trace.end_s)
        return cls(np.where(np.isnan(asked), trace.start_s, asked),
                   np.where(np.isnan(issued), trace.end_s, issued), trace.end_s)


def _in_order(trace: Trace) -> _Times:
    """The rows of every device one after another, each a unit of time."""
    place = np.zeros(len(trace))
    for device in range(trace.shape.devices):
        own = trace.device == device
        place[own] = np.arange(int(own.sum()))
    return _Times(place, place + 1, place + 1)


class _Way(NamedTuple):
    """How messages travel: whether the receiver has memory of its own from when they are sent, and
    whether tensors that cross streams are kept until that is noticed to be over."""

    copied: bool
    kept: bool
    as_taken: bool


def _way(alone: bool, cuda: bool) -> _Way:
    return _Way(copied=alone or cuda, kept=cuda, as_taken=alone)


def _changes(ledger: Ledger, times: _Times, way: _Way) -> Iterator[_Change]:
    """All changes of one device's memory, from what it holds before its first row."""
    before = ledger.work[0].before
    yield _Change(-np.inf, ENDS, before)
    for work in ledger.work:
        start, end = times.start[work.row], times.end[work.row]
        instant = end <= start
        rise = work.most - work.before
        yield _Change(start, INSTANT if instant else STARTS, rise)
        yield _Change(end, INSTANT if instant else ENDS, work.after - work.before - rise)
    notices = _notices(ledger, times)
    for parcel in ledger.parcels:
        if parcel.arrives and not (parcel.shared and not way.copied):
            born = times.start[parcel.taken] if way.as_taken else times.end[parcel.made]
            yield from _stay(parcel, born, times, way, notices)
        elif not parcel.arrives and way.kept:
            yield from _stay(parcel, times.end[parcel.made], times, way, notices)


def _stay(parcel: Parcel, born: float, times: _Times, way: _Way, notices: Floats
          ) -> Iterator[_Change]:
    yield _Change(born, INSTANT, parcel.size)
    if parcel.freed < 0:
        return
    gone = times.end[parcel.freed]
    if way.kept:
        later = int(np.searchsorted(notices, max(gone, times.over[parcel.freed]), side="right"))
        if later == len(notices):
            return
        gone = notices[later]
    yield _Change(gone, ENDS, -parcel.size)


def _notices(ledger: Ledger, times: _Times) -> Floats:
    """When (s) a device looks which tensors that crossed streams it need not keep any longer."""
    rows = {parcel.freed if parcel.arrives else parcel.made for parcel in ledger.parcels}
    return np.sort([times.end[row] for row in rows if row >= 0])

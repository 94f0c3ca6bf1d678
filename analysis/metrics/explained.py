"""Where idle time went, as plain objects with instructions by name: what `--json` prints."""

from __future__ import annotations

from typing import Any

from analysis.metrics.idle import KINDS, Alike, Idle, Meanwhile, idle
from analysis.metrics.report import report
from sim.rows import plain
from sim.trace import Trace

MOST_NAMED = 16  # passes that ran while a device stood idle, those before its end


def whole_report(trace: Trace) -> dict[str, Any]:
    """Every metric of a run by name, and under `idle` what its devices waited for."""
    return report(trace) | {"idle": explained(trace)}


def explained(trace: Trace, found: Idle | None = None) -> dict[str, Any]:
    """Where a run's idle time went, and what the largest stretches of it waited for.

    `by_device` has seconds by kind; of `stretches` those alike on a device are one entry, with how
    often they came, their seconds together, and what the longest waited for and what ran meanwhile:
    see `analysis.metrics.idle`.  `found` is the run's, where it has been worked out already.
    """
    found = found or idle(trace)
    return dict(plain({
        "by_device": {f"{kind}_s": found.by_device[:, number].tolist()
                      for number, kind in enumerate(KINDS)},
        "stretches": [_entry(trace, each) for each in found.largest]}))


def _entry(trace: Trace, alike: Alike) -> dict[str, Any]:
    each = alike.longest
    return {"device": each.device, "kind": each.kind, "instruction": _name(trace, each.row),
            "times": alike.times, "seconds": alike.seconds, "from_s": each.from_s,
            "to_s": each.to_s, "waited_for": _name(trace, each.sender),
            "of_device": None if each.sender is None else int(trace.device[each.sender]),
            "sent_s": each.sent_s, "arrived_s": each.arrived_s,
            "meanwhile": None if each.meanwhile is None else _meanwhile(trace, each.meanwhile)}


def _meanwhile(trace: Trace, ran: Meanwhile) -> dict[str, Any]:
    return {"passes": [{"instruction": _name(trace, row), "device": int(trace.device[row])}
                       for row in ran.rows[-MOST_NAMED:].tolist()],
            "earlier_passes": max(0, len(ran.rows) - MOST_NAMED), "passes_s": ran.passes_s,
            "message_s": ran.message_s, "queued_s": ran.queued_s,
            "exchange_s": ran.exchange_s, "other_s": ran.other_s}


def _name(trace: Trace, row: int | None) -> str | None:
    return None if row is None else str(trace.instruction(row))

"""What devices waited for while they stood idle, for the explorer's panel: rows to go to."""

from __future__ import annotations

from typing import Any

from analysis.metrics.chain import Chains
from analysis.metrics.explained import MOST_NAMED
from analysis.metrics.idle import Alike, idle
from sim.rows import plain
from sim.trace import Trace


def stretches(trace: Trace, chains: Chains) -> list[Any]:
    """The largest idle stretches of a trace as plain JSON, those alike together; rows are the
    trace's, times in seconds.

    As `analysis.metrics.explained` has them, with rows in place of names: `row` began at the end of
    the longest, `sender` is what it waited for, `passes` ran meanwhile.
    """
    return list(plain([_entry(each) for each in idle(trace, chains).largest]))


def _entry(alike: Alike) -> dict[str, Any]:
    each, ran = alike.longest, alike.longest.meanwhile
    entry = {"device": each.device, "kind": each.kind, "times": alike.times,
             "seconds": alike.seconds, "from_s": each.from_s, "to_s": each.to_s, "row": each.row,
             "sender": each.sender, "passes": [], "earlier": 0}
    if ran is not None:
        entry |= {"passes": ran.rows[-MOST_NAMED:].tolist(),
                  "earlier": max(0, len(ran.rows) - MOST_NAMED), "passes_s": ran.passes_s,
                  "message_s": ran.message_s, "queued_s": ran.queued_s,
                  "exchange_s": ran.exchange_s, "other_s": ran.other_s}
    return entry

"""Two traces beside each other: order, versions and times."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.metrics.report import report
from sim.rows import plain
from sim.trace import Trace

COMPARED = ("makespan_s", "bubble_fraction", "comm_wait_fraction",
            "throughput_minibatches_per_s", "inconsistent_fraction", "final_loss", "accuracy")


def difference(a: Trace, b: Trace) -> dict[str, Any]:
    """How two traces differ: whether order and versions are equal, and metrics side by side.

    `start_max_difference_s` (seconds) is given where the orders are equal.
    """
    ours, theirs = a.program(), b.program()
    same_order = ours == theirs
    found: dict[str, Any] = {"order_equal": same_order, "versions_equal": None,
                             "start_max_difference_s": None}
    if same_order:
        found["versions_equal"] = bool((a.version_read == b.version_read).all())
        found["start_max_difference_s"] = float(np.abs(a.start_s - b.start_s).max(initial=0.0))
    first, second = report(a), report(b)
    found["metrics"] = {name: [first[name], second[name]] for name in COMPARED}
    return dict(plain(found))

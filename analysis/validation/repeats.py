"""How far a machine is from itself: the repeats of one run beside their median one.

A prediction is one number, a machine never gives the same one twice.  What the repeats differ by
is what no model could have predicted, so errors are read beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.validation.errors import statistical
from analysis.validation.split import PARTS, Split
from sim.trace import Trace

ENOUGH = 3  # repeats, for a mean or a deviation to be given
SPREAD = {"step_time_rel": "step_time_rel_error",
          "event_duration_p95_rel": "event_duration_p95_rel",
          "event_start_p95_rel": "event_start_p95_rel"}


def spread(measured: Trace, traces: Sequence[Trace]) -> dict[str, Any]:
    """How far the repeats of a run are from the one with the median makespan, `measured`.

    As errors of a prediction are given: of the step, and the 95th percentiles of durations and
    starts, each against `measured`.  The mean over the other repeats stands under an error's name
    (None under three repeats), each one's own value under `each`.
    """
    others = [statistical(trace, measured) for trace in traces if trace is not measured]
    each = {name: [other[error] for other in others] for name, error in SPREAD.items()}
    means = {name: float(np.mean(values)) if len(traces) >= ENOUGH and values else None
             for name, values in each.items()}
    return {"repeats": len(traces), **means, "each": each}


def deviations(splits: Sequence[Split]) -> dict[str, float | None]:
    """The standard deviation of every part over the repeats of a run, in seconds by name.

    None under three repeats.
    """
    if len(splits) < ENOUGH:
        return dict.fromkeys(PARTS)
    values = [list(each.mean().values()) for each in splits]
    return dict(zip(PARTS, np.std(values, axis=0, ddof=1).tolist(), strict=True))

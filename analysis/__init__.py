"""Metrics, differences and exports of traces; theory and advice.  Reads files; needs no torch.

    >>> import analysis, sim
    >>> analysis.report(sim.run(schedule="gpipe", microbatches=4))["versions_held"]
    [1, 1, 1]

Names are imported when they are first used.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import sim

if TYPE_CHECKING:
    from analysis.library import (
        advise,
        drift,
        idle,
        order,
        partition,
        profiled,
        report,
        steady,
    )

__all__ = ["advise", "drift", "idle", "order", "partition", "profiled", "report", "steady"]

_HOME = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
if getattr(sim, "HOME", None) != _HOME:
    raise ImportError(f"{__file__} needs the sim of pipestale beside it, which another hides: "
                      f"{sim.__file__}; take that off the path")

from sim.neighbours import found_when_used  # noqa: E402 - of the right sim, as is known now

__getattr__, __dir__ = found_when_used(__name__, dict.fromkeys(__all__, "analysis.library"))

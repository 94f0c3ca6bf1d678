"""Pictures of traces: data first, drawing second.

    >>> import figures, sim
    >>> axes = figures.timeline(sim.run(minibatches=8), minibatch=4)
    >>> axes.figure.savefig("timeline.png")

Each function draws one trace on axes of the caller's own, or on new ones: `timeline`,
`staleness`, `memory`, `prediction`, `learning`.  The gallery's pictures, which make their own
runs, are `python -m figures NAME`.  Names are imported when they are first used.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import sim

if TYPE_CHECKING:
    from figures.traces.learning import learning
    from figures.traces.memory import memory
    from figures.traces.prediction import prediction
    from figures.traces.staleness import staleness
    from figures.traces.timeline import timeline
    from figures.traces.validated.library import validation

__all__ = ["learning", "memory", "prediction", "staleness", "timeline", "validation"]

_MODULES = {"learning": "figures.traces.learning", "memory": "figures.traces.memory",
            "prediction": "figures.traces.prediction",
            "staleness": "figures.traces.staleness", "timeline": "figures.traces.timeline",
            "validation": "figures.traces.validated.library"}

_HOME = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
if getattr(sim, "HOME", None) != _HOME:
    raise ImportError(f"{__file__} needs the sim of pipestale beside it, which another hides: "
                      f"{sim.__file__}; take that off the path")

from sim.neighbours import found_when_used  # noqa: E402 - of the right sim, as is known now

__getattr__, __dir__ = found_when_used(__name__, _MODULES)

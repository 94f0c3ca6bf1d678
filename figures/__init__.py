"""Pictures of traces: data first, drawing second.

    >>> import figures, sim
    >>> axes = figures.timeline(sim.run(minibatches=8), minibatch=4)
    >>> axes.figure.savefig("timeline.png")

Each function draws traces on axes of the caller's own, or on new ones, and changes no setting of
matplotlib: `timeline`, `staleness`, `memory`, `learning`; `prediction` and `jitter` of experiments,
`validation` of the folder that `gpu validate` wrote, `sweep` of the table of a sweep.  Inside
`with Look(width_in=3.33).worn():` they are drawn for paper.  With their files and options they are
`python -m figures NAME …`, as are the gallery's pictures, which make their own runs; `read_origin`
says what made a picture's file.  Names are imported when they are first used.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import sim

if TYPE_CHECKING:
    from figures.drawing.look import Look
    from figures.origin import read_origin
    from figures.sweeps.drawing import sweep
    from figures.traces.jitter import jitter
    from figures.traces.learning import learning
    from figures.traces.memory import memory
    from figures.traces.prediction import prediction
    from figures.traces.staleness import staleness
    from figures.traces.timeline import timeline
    from figures.traces.validated.library import validation

__all__ = ["Look", "jitter", "learning", "memory", "prediction", "read_origin", "staleness",
           "sweep", "timeline", "validation"]

_MODULES = {name: f"figures.traces.{name}" for name in __all__} | {
    "Look": "figures.drawing.look", "read_origin": "figures.origin",
    "sweep": "figures.sweeps.drawing", "validation": "figures.traces.validated.library"}

_HOME = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
if getattr(sim, "HOME", None) != _HOME:
    raise ImportError(f"{__file__} needs the sim of pipestale beside it, which another hides: "
                      f"{sim.__file__}; take that off the path")

from sim.neighbours import found_when_used  # noqa: E402 - of the right sim, as is known now

__getattr__, __dir__ = found_when_used(__name__, _MODULES)

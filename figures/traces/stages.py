"""What the stages of one trace read and held: staleness, and bytes over time."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from analysis.metrics.memory import memory as held_by
from analysis.metrics.staleness import PASSES, mean_staleness, plan_of
from figures.drawing.colours import COLOURS
from figures.traces.canvas import axes_or_new
from sim.trace import Trace

WIDTH = 0.4  # of a bar, where stages are 1 apart


def staleness(trace: Trace, ax: Axes | None = None) -> Axes:
    """Draw by how many updates the weights of each stage's passes were behind, on average over
    the steady state: a bar for forwards and one for backwards."""
    ax = axes_or_new(ax)
    stages = np.arange(trace.shape.stages)
    for place, (name, colour) in enumerate(zip(PASSES, ("sky", "orange"), strict=True)):
        ax.bar(stages + (place - 0.5) * WIDTH, mean_staleness(trace, name), WIDTH,
               color=COLOURS[colour], label=name)
    ax.set_xticks(stages)
    ax.set_xlabel("stage")
    ax.set_ylabel("updates behind")
    ax.legend(frameon=False)
    return ax


def memory(trace: Trace, ax: Axes | None = None) -> Axes:
    """Draw the bytes each stage of the first worker holds over time (seconds): weights, the
    versions stashed beside them, copies made for one pass, and activations."""
    ax = axes_or_new(ax)
    first = trace.first_worker()
    end_s = float(first.end_s.max(initial=0.0))
    for stage, held in enumerate(held_by(first, plan_of(first))):
        total = held.total_bytes
        ax.step([*total.time_s, end_s], [*total.value, total.value[-1]], where="post",
                label=f"stage {stage}")
    ax.set_xlabel("time (s)")
    ax.set_ylabel("bytes held")
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False)
    return ax

"""Which of a run's stages are shown."""

from __future__ import annotations

from collections.abc import Sequence

from figures.traces.wanted import Run, Wanted
from sim.errors import ConfigurationError


def chosen_stages(runs: Sequence[Run], wanted: Wanted) -> list[list[int]]:
    """The stages shown of each run: those wanted that it has, of all runs without a wish all.

    Raises ConfigurationError naming those that no run has, and where there is no run.
    """
    if not runs:
        raise ConfigurationError(["traces: at least one is drawn, got none"])
    most = max(run.trace.shape.stages for run in runs)
    absent = [k for k in wanted.stages or () if not 0 <= k < most]
    if absent:
        raise ConfigurationError([
            f"stages: {'they are' if len(runs) == 1 else 'of the longest pipeline they are'} 0 to "
            f"{most - 1}, got {', '.join(map(str, absent))}"])
    return [[k for k in range(run.trace.shape.stages)
             if wanted.stages is None or k in wanted.stages] for run in runs]


"""The traces that a caller hands to a picture, each under a name to tell them apart by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from figures.traces.wanted import Run
from sim.trace import Trace

Given = Trace | Iterable[Trace] | Mapping[str, Trace]


def named(traces: Given) -> list[Run]:
    """One trace, several, or several under names of the caller's own, as runs to draw.

    Without names a run is called by its mitigation and schedule, whether it was measured, and a
    number where that is not enough.
    """
    if isinstance(traces, Mapping):
        return [Run(str(name), trace) for name, trace in traces.items()]
    several = [traces] if isinstance(traces, Trace) else list(traces)
    names = [_called(trace) for trace in several]
    times, seen = Counter(names), Counter[str]()
    runs = []
    for name, trace in zip(names, several, strict=True):
        seen[name] += 1
        runs.append(Run(f"{name} ({seen[name]})" if times[name] > 1 else name, trace))
    return runs


def _called(trace: Trace) -> str:
    header = trace.header
    how = ", measured" if header.gpu is not None else ""
    return f"{header.mitigation}@{header.pipeline['schedule']}{how}"

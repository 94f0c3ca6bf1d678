"""How curves of one's own runs are drawn: a method as everywhere, another run as nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from figures.drawing.colours import COLOURS
from figures.methods import NAMED, Method

Stroke = tuple[str, str, str]  # colour as matplotlib takes it, line, mark
FREE = (("blue", "-", "o"), ("vermilion", "--", "s"), ("green", "-.", "^"), ("purple", ":", "D"),
        ("sky", "-", "v"), ("orange", "--", "P"), ("indigo", "-.", "X"), ("wine", ":", "h"),
        ("brown", "-", "<"), ("black", "--", ">"))


def strokes(runs: Sequence[Mapping[str, Any]]) -> list[Stroke]:
    """The stroke of each run, from its `mitigation`, `schedule` and `microbatches`.

    The first run of a method the gallery knows looks as it does there; any other has a stroke that
    none of the runs has, as long as there are some.
    """
    known = [_method(run) for run in runs]
    found: list[Stroke] = []
    taken = {method.colour for method in known if method is not None}
    free = [each for each in FREE if each[0] not in taken] or list(FREE)
    seen: set[str] = set()
    for method in known:
        if method is None or method.label in seen:
            colour, line, mark = free[0]
            free = [*free[1:], free[0]]
        else:
            seen.add(method.label)
            colour, line, mark = method.colour, method.line, method.mark
        found.append((COLOURS[colour], line, mark))
    return found


def _method(run: Mapping[str, Any]) -> Method | None:
    """The method of the gallery that a run is of; whatever the micro-batches of one on nF1B."""
    mitigation = str(run["mitigation"]).partition(" ")[0].partition("(")[0]
    schedule = str(run["schedule"])
    if schedule == "round-robin":
        wanted = mitigation
    elif schedule == "gpipe" and mitigation == "none":
        return NAMED["GPipe 7 (flushed)"]
    else:
        wanted = f"{mitigation}@{schedule}"
    return next((method for method in NAMED.values()
                 if method.contender == wanted or method.contender.startswith(f"{wanted}/")), None)

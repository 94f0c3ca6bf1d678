"""`python -m tests.bench.explorer`: the explorer on a 16×4000 trace, in headless Chromium.

Limits of the issue: opened in under 3 s after parse, a hover answered in under 50 ms, a file of at
most 12 MB.  The trace is trained and jittered, so that no column is regular.
"""

from __future__ import annotations

import random
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from figures.explorer.page import page
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.trace import Trace
from tests.figures.chromium import Page, chromium, missing

LIMITS = {"file_bytes": 12e6, "open_s": 3.0, "hover_s": 0.05}
HOVERS, OPENINGS, PANS = 40, 5, 20


def row() -> dict[str, Any]:
    """Spans, file size, medians of opening and hovering, worst hover, and a pan's drawing time."""
    trace = run(resolve({"pipeline": {"stages": 16, "minibatches": 4000},
                         "costs": {"jitter": {"sigma": 0.1}}}))
    if reason := missing():
        return {"name": "explorer, 16 stages × 4000", "skipped": reason}
    with TemporaryDirectory() as folder, chromium() as driver:
        path = Path(folder, "large.html")
        path.write_text(page([trace], ["large.npz"]), encoding="utf-8")
        opened = [float(Page(driver, path).data("openMs")) for _ in range(OPENINGS)]
        found = Page(driver, path)
        hovered, panned = _hovers(found, trace), _pans(found)
        return {"name": "explorer, 16 stages × 4000", "spans": int(found.data("spans")),
                "file_bytes": path.stat().st_size, "open_s": statistics.median(opened) / 1e3,
                "hover_s": statistics.median(hovered) / 1e3, "hover_worst_s": max(hovered) / 1e3,
                "pan_s": statistics.median(panned) / 1e3, "limits": LIMITS}


def _hovers(found: Page, trace: Trace) -> list[float]:
    """Milliseconds from the mouse's event to the frame that shows its tip, with a round trip
    selected; half of them zoomed out, half near."""
    chosen = random.Random(1).sample(range(len(trace)), HOVERS)
    found.js("window.pipestale.select(2000)")
    answers = []
    for number, at in enumerate(chosen):
        if number >= HOVERS // 2:
            found.js("window.pipestale.look(arguments[0] - 30, arguments[0] + 30)",
                     float(trace.start_s[at]))
        found.settle()
        found.js("delete document.documentElement.dataset.hoverMs")
        found.mouse("mouseMoved", *found.middle(at))
        found.wait("document.documentElement.dataset.hoverMs")
        answers.append(float(found.data("hoverMs")))
    return answers


def _pans(found: Page) -> list[float]:
    """Milliseconds of drawing a step of a pan, everything in sight."""
    found.js("window.pipestale.fit()")
    drawn = []
    for step in range(PANS):
        found.js("window.pipestale.look(arguments[0], arguments[0] + 8000)", 10 * step)
        found.settle()
        drawn.append(float(found.data("paintMs")))
    return drawn


if __name__ == "__main__":
    import json

    print(json.dumps(row(), indent=2))

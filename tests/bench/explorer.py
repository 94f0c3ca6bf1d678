"""`python -m tests.bench.explorer`: the explorer on large traces, in headless Chromium.

Two traces of 16 stages, trained and jittered so that no column is regular: 4000 mini-batches
(192,000 spans) and 21,000 (1,008,000).  Aims: the first a file of at most 12 MB; both opened in
2 s after parse, a hover answered in 30 ms (medians, in the page's own measure).
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from figures.explorer.page import explore
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.trace import Trace
from tests.figures.chromium import Page, chromium, missing

LIMITS = {"open_s": 2.0, "hover_s": 0.03}
SIZES = (4000, 21_000)
HOVERS, OPENINGS, PANS = 40, 5, 20


def row(minibatches: int = SIZES[0]) -> dict[str, Any]:
    """Spans, file size, seconds to write the page, medians of opening and hovering, worst hover,
    and a pan's drawing time."""
    name = f"explorer, 16 stages × {minibatches}"
    if reason := missing():
        return {"name": name, "skipped": reason}
    trace = run(resolve({"pipeline": {"stages": 16, "minibatches": minibatches},
                         "costs": {"jitter": {"sigma": 0.1}}}))
    with TemporaryDirectory() as folder, chromium() as driver:
        path, source = Path(folder, "large.html"), Path(folder, "large.npz")
        trace.save(source)
        begun = time.perf_counter()
        path.write_text(explore([source]), encoding="utf-8")
        wrote = time.perf_counter() - begun
        opened = [float(Page(driver, path).data("openMs")) for _ in range(OPENINGS)]
        found = Page(driver, path)
        whole = found.js("performance.now()") / 1e3
        hovered, panned = _hovers(found, trace), _pans(found, float(trace.end_s.max()))
        counted = _counters(found)
        return {"name": name, "spans": int(found.data("spans")), "written_s": wrote,
                "file_bytes": path.stat().st_size, "open_s": statistics.median(opened) / 1e3,
                "since_navigation_s": whole, "hover_s": statistics.median(hovered) / 1e3,
                "hover_worst_s": max(hovered) / 1e3, "pan_s": statistics.median(panned) / 1e3,
                "counters_s": counted, "limits": LIMITS}


def _hovers(found: Page, trace: Trace) -> list[float]:
    """Milliseconds from the mouse's event to the frame that shows its card, with a round trip
    selected and the critical path marked; half of them zoomed out, half near."""
    chosen = random.Random(1).sample(range(len(trace)), HOVERS)
    found.js("window.pipestale.select(2000)")
    found.keys("c")  # the critical path marked as well
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


def _pans(found: Page, end_s: float) -> list[float]:
    """Milliseconds of drawing a step of a pan, all but everything in sight."""
    found.js("window.pipestale.fit()")
    drawn = []
    for step in range(PANS):
        found.js("window.pipestale.look(arguments[0], arguments[0] + arguments[1])",
                 10 * step, 0.9 * end_s)
        found.settle()
        drawn.append(float(found.data("paintMs")))
    return drawn


def _counters(found: Page) -> float:
    """Seconds to add up and draw all counters for the first time."""
    found.js("window.pipestale.unfold('memory', 'versions', 'flight')")
    found.settle()
    return float(found.data("paintMs")) / 1e3


if __name__ == "__main__":
    import json

    for size in map(int, sys.argv[1:] or SIZES):
        print(json.dumps(row(size), indent=2))

"""The explorer's page: template, style, scripts and traces put into one HTML text.

The drawing is a small canvas renderer of our own (`web/`).  The libraries that could be put into a
file either draw an element per span (vis-timeline, D3 as commonly used: too slow at 10⁵) or bring
megabytes of charts without the picture wanted here: a pixel that is the mean of everything
under it, weight versions beside passes, arrows through a round trip.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from analysis.metrics.chain import Chains
from analysis.metrics.critical import critical_path
from figures.drawing.colours import HELD, PASS_NAMES, PASSES
from figures.explorer.about import about
from figures.explorer.columns import encode
from figures.explorer.held import held
from figures.explorer.idle import stretches
from figures.explorer.summary import summary
from sim.errors import ConfigurationError, TraceError
from sim.trace import Trace
from sim.wording import readable

MOST_ROWS = 4_000_000  # of all traces: a page of some 80 MB, and ten times that once it is open
Step = Callable[[], None]
STEPS = 4  # of each file: reading it, what it waited for, what its stages hold, packing it
WEB = files("figures.explorer").joinpath("web")
SCRIPTS = (
    *(f"data/{name}" for name in ("inflate", "decode", "words", "lanes")),
    *(f"picture/{name}" for name in ("colours", "sums", "legend", "view", "axis", "trip", "labels",
                                     "paint", "overlay", "range", "overview")),
    *(f"panel/{name}" for name in ("card", "tables", "range", "idle", "story")),
    *(f"hands/{name}" for name in ("find", "actions", "pointer", "strip", "keys", "search")),
    *(f"know/{name}" for name in ("holding", "counters", "marks", "summary", "arrangement",
                                  "address", "pen", "export", "join")),
    "main")


def explore(paths: Sequence[Path], step: Step = lambda: None) -> str:
    """The HTML page of these trace files, stacked in their order.

    `step` is called `STEPS` times a file as the work goes on.

    Raises ConfigurationError with a line per file that cannot be drawn.
    """
    traces, problems = [], []
    for path in paths:
        try:
            traces.append(Trace.load(path))
        except TraceError as error:
            problems.append(str(error))
        step()
    rows = sum(map(len, traces))
    if rows > MOST_ROWS:
        problems.append(f"{', '.join(map(str, paths))}: {rows:,} instructions make a page that no "
                        f"browser holds, at most {MOST_ROWS:,} do; simulate fewer mini-batches")
    if problems:
        raise ConfigurationError(problems)
    return page(traces, _names(paths), step)


def page(traces: Sequence[Trace], names: Sequence[str], step: Step = lambda: None) -> str:
    """The HTML page of these traces under these names, which may hold anything.

    `step` is called `STEPS − 1` times a trace as the work goes on.
    """
    script = f"(() => {{\n'use strict';\n{_text(*(f'{name}.js' for name in SCRIPTS))}\n}})();"
    style = _text("style.css")
    data = {"colours": PASSES, "names": PASS_NAMES, "held": HELD,
            "traces": [_packed(trace, name, step)
                       for trace, name in zip(traces, names, strict=True)]}
    parts = {"title": html.escape(", ".join(names)), "style": style, "script": script,
             "data": _inside_script(data), "style_hash": _hash(style),
             "script_hash": _hash(script)}
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _text("page.html"))


def _packed(trace: Trace, name: str, step: Step) -> dict[str, Any]:
    """All that the page is told of a trace."""
    chains = Chains(trace)
    path, idle = critical_path(trace, chains), stretches(trace, chains)
    step()
    holding = held(trace)
    step()
    on_path = np.zeros(len(trace), dtype=np.int8)
    on_path[path.rows] = 1
    packed = {**about(trace, name), "heldUnknown": holding.unknown,
              "summary": summary(trace, path) | {"peak_bytes": holding.peak_bytes}, "idle": idle,
              **encode(trace, holding.columns | {"critical": on_path})}
    step()
    return packed


def _names(paths: Sequence[Path]) -> list[str]:
    """File names, or whole paths where two files have one name."""
    plain = [path.name for path in paths]
    names = plain if len(set(plain)) == len(plain) else [str(path) for path in paths]
    return list(map(readable, names))


def _text(*names: str) -> str:
    return "\n".join(WEB.joinpath(name).read_text(encoding="utf-8") for name in names)


def _inside_script(value: Any) -> str:
    """JSON in which nothing can end the script element around it."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")


def _hash(text: str) -> str:
    """What the content security policy allows: this very script or style, and nothing else."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

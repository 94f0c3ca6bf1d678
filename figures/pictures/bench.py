"""The benchmark as a picture: how many times a rival's speed, beside what was aimed at."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from figures.drawing.colours import COLOURS
from figures.drawing.style import PAGE_IN, headline, new_figure
from figures.pieces import Piece
from sim.errors import ConfigurationError, InputError
from sim.files.reading import text_of
from sim.rows import Rows

SOURCE = Path("bench.json")


def configuration() -> dict[str, Any]:
    """What to write into the picture: where its rows come from."""
    return {"rows": SOURCE.name, "made_by": "make bench"}


def pieces(seeds: Iterable[int] = ()) -> list[Piece]:
    """The rows of a bench that was run here; nothing is timed again."""
    return [Piece({}, data)]


def message(rows: Rows) -> str:
    """The headline: how many aims were reached, and the largest ratio."""
    reached = sum(row["ratio"] >= row["target"] for row in rows)
    return f"{reached} of {len(rows)} aims of speed are met; the largest ratio is " + (
        f"{_short(rows[-1]['ratio'])} ({_said(rows[-1]['name'])})" if rows else "none")


def data(path: Path = SOURCE) -> list[dict[str, Any]]:
    """A row per ratio of speeds, slowest first.  Raises ConfigurationError."""
    try:
        document = json.loads(text_of(path))
        measured = {name: each for name, each in document.items()
                    if name != "machine" and each.get("bound") == "at least"}
        rows = [{"name": name, "ratio": each["ratio"], "target": each["target"],
                 "ours": each["ours"], "theirs": each["theirs"], "unit": each["unit"],
                 "repeats": each["repeats"], "cpu": document["machine"]["cpu"]}
                for name, each in measured.items()]
    except InputError as error:
        raise ConfigurationError([f"{error}; make bench writes it"]) from None
    except (RecursionError, AttributeError, KeyError, TypeError, ValueError):
        raise ConfigurationError([f"{path}: not what make bench writes"]) from None
    return sorted(rows, key=lambda row: float(row["ratio"]))


def draw(rows: Rows) -> Figure:
    """Ratios on a log axis, a bar each from 1, with a tick at its aim."""
    figure = new_figure(PAGE_IN, 1.2 + 0.3 * len(rows))
    headline(figure, message(rows), f"Ours over its rival, tasks a second ({rows[0]['cpu']}); the "
             "tick is the aim, orange misses it" if rows else "")
    axis = figure.subplots()
    for place, row in enumerate(rows):
        meets = row["ratio"] >= row["target"]
        colour = COLOURS["blue" if meets else "orange"]
        axis.barh(place, row["ratio"] - 1, left=1, height=0.6, color=colour)
        axis.plot([row["target"]] * 2, [place - 0.42, place + 0.42], color=COLOURS["black"],
                  linewidth=1.4)
        beyond = max(row["ratio"], row["target"])
        axis.text(beyond * 1.12, place, f"{_short(row['ratio'])}×", va="center", fontsize=8)
    axis.set_yticks(range(len(rows)), [_said(row["name"]) for row in rows])
    axis.set_xscale("log")
    top = max((max(row["ratio"], row["target"]) for row in rows), default=1.0)
    axis.set_xlim(1, 4 * top)  # room for the last number
    axis.set_ylim(-0.7, len(rows) - 0.3)
    axis.grid(axis="x", color=COLOURS["pale"], linewidth=0.6)
    axis.set_xlabel("times as many tasks a second (logarithmic)")
    return figure


def _short(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


def _said(name: str) -> str:
    return name.replace("_over_", " over ").replace("_", " ")

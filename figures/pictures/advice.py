"""What an advisor found: throughput against peak memory, staleness as colour."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from analysis.advice.advise import advise
from analysis.advice.question import Question
from analysis.advice.ranking import name
from analysis.terminal.advice_tables import like
from figures.drawing.colours import COLOURS
from figures.drawing.labels import label
from figures.drawing.style import PAGE_IN, headline, legend_below, new_figure, points
from figures.pieces import Piece
from sim.arrays import Floats
from sim.rows import Row, Rows

PROFILE = Path(__file__).parents[1] / "experiments" / "layers.json"
LIMIT_BYTES, DEVICES = 2e9, 4  # as the README of analysis asks; the rest as it is by default
COLUMNS = ("schedule", "microbatches", "laid_out", "mitigation", "backward", "status", "same_as",
           "period_s", "peak_bytes", "staleness_mean", "staleness_max", "inconsistent_fraction",
           "bubble_fraction", "refused")
ALLOWED = ("front", "dominated")
BEYOND = 1.25  # times the limit: what needs more is counted, not drawn
ROOM = 1.08  # times what the points need: for names above the highest
CLOSE = np.array([0.012, 0.015])  # of the axes' sizes: points so near share a label
NAMED = {False: "schedule/micro-batches, mitigation if any",
         True: "schedule/micro-batches and, below, devices of a pipeline x pipelines x tensor ways"}
MARKS = {"graph": "o", "recompute": "s"}
PALETTE = "cividis"  # made for colour blindness; bent, so that a little stale is not fresh


def configuration() -> dict[str, Any]:
    """What to write into the picture: the question put to the advisor."""
    return {"profile": f"figures/experiments/{PROFILE.name}", "memory_limit_bytes": LIMIT_BYTES,
            "devices": DEVICES}


def pieces(seeds: Iterable[int] = ()) -> list[Piece]:
    """One question to the advisor; nothing in it is random."""
    return [Piece({}, data)]


def data(done: Callable[[], None] = lambda: None) -> Rows:
    """The advice on the layers that come with the project, a row per candidate that ran; as long
    as it takes."""
    question = Question(PROFILE, LIMIT_BYTES, DEVICES, within_s=1e6)
    return flat(advise(question, lambda *_: done()))


def flat(advice: dict[str, Any]) -> Rows:
    """An advice without nesting, a row per candidate: `throughput` in `unit`, bytes, updates.

    `also` names what costs as much as a point of the front.
    """
    rate = advice["criteria"]["throughput"]
    unit = rate.removesuffix("_per_s").replace("microbatches", "micro-batches")
    return [{"name": name(row), **{key: row.get(key) for key in COLUMNS},
             "throughput": row.get(rate), "unit": f"{unit} per second",
             "memory_limit_bytes": advice["memory_limit_bytes"],
             "also": ", ".join(like(advice, row)) if row["status"] == "front" else ""}
            for row in advice["rows"]]


def message(rows: Rows) -> str:
    """The headline: the fastest pipeline that fits, and the fastest that is never stale."""
    front = [row for row in rows if row["status"] == "front"]
    if not front:
        return "No pipeline fits into the memory allowed"
    best = max(front, key=lambda row: row["throughput"])
    fastest_of_all = (f"In {best['memory_limit_bytes'] / 1e9:.3g} GB a device, at most "
            f"{best['throughput']:.3g} {best['unit']}")
    if not best["staleness_mean"]:
        return f"{fastest_of_all}, by {best['schedule']}, and no weight is stale"
    fresh = [row for row in front if row["staleness_mean"] == 0]
    if not fresh:
        return f"{fastest_of_all}, {best['staleness_mean']:.2g} updates late on average"
    fastest = max(fresh, key=lambda row: row["throughput"])
    return (f"{fastest_of_all}, {best['staleness_mean']:.2g} updates late on average; "
            f"{fastest['throughput']:.3g} where no weight may be stale")


def draw(rows: Rows) -> Figure:
    """Every candidate that runs; the front connected, its points named beside them."""
    known = [row for row in rows if row["status"] != "refused"]
    front = [r for r in known if r["status"] == "front" and r["same_as"] is None]
    figure = new_figure(PAGE_IN, 4.8)
    planned = any(row.get("laid_out") for row in rows)
    headline(figure, message(rows), "Throughput against peak memory of the fullest device, "
             "staleness as colour; named is what no other candidate beats in all three: "
             f"{NAMED[planned]}; +n: so many more cost just the same")
    axis = figure.subplots()
    _marks(figure, axis, known, front)
    lines = _staircases(axis, front)
    _frame(axis, known)
    if not front:
        axis.text(0.5, 0.5, "nothing fits", transform=axis.transAxes, ha="center")
    others = [r for r in known if r not in front]
    named = _named(axis, rows, front[::-1])  # the lowest are placed first: below them is room
    label(axis, np.array([place for place, _ in named]).reshape(-1, 2),
          [name for _, name in named], np.concatenate([_places(others), lines]),
          points("font.size") - planned / 2)
    return figure


def _named(axis: Axes, rows: Rows, front: Rows) -> list[tuple[Floats, str]]:
    """Where a label belongs, and what it says: names of points that are as good as one."""
    (left, right), (low, high) = axis.get_xlim(), axis.get_ylim()
    near = CLOSE * [right - left, high - low]
    groups: list[tuple[Floats, Rows]] = []
    for place, row in zip(_places(front), front, strict=True):
        known = next((alike for first, alike in groups
                      if (np.abs(place - first) < near).all()), None)
        if known is None:
            groups.append((place, [row]))
        else:
            known.append(row)
    return [(place, "\n".join(_lines(rows, alike))) for place, alike in groups]


def _lines(rows: Rows, alike: Rows) -> list[str]:
    """The names of points that share a label, and below how they are laid out, once if alike."""
    names = [_called(rows, row) for row in alike]
    places = [row.get("laid_out") or "" for row in alike]
    if len(set(places)) == 1:
        return [*names, *filter(None, places[:1])]
    return [f"{name} {place}" for name, place in zip(names, places, strict=True)]


def _called(rows: Rows, row: Row) -> str:
    """A point of the front in words, and how many other candidates cost as much."""
    same = sum(each["same_as"] == row["name"] for each in rows)
    name = f"{row['schedule']}/{row['microbatches']}"
    if row["mitigation"] != "none":
        name += f", {row['mitigation']}"
    return f"{name} (+{same})" if same else name


def _places(rows: Rows) -> Any:
    return np.array([(r["peak_bytes"] / 1e9, r["throughput"]) for r in rows]).reshape(-1, 2)


def _marks(figure: Figure, axis: Axes, known: Rows, front: Rows) -> None:
    """Small where beaten, pale crosses where not allowed, large with an edge on the front."""
    most = max((r["staleness_mean"] for r in known if r["status"] in ALLOWED), default=0.0)
    colours = ScalarMappable(PowerNorm(0.4, 0, most or 1.0), PALETTE)
    ruled_out = _places([r for r in known if r["status"] not in ALLOWED
                         and r["peak_bytes"] <= _end_bytes(known)])
    if len(ruled_out):
        axis.scatter(ruled_out[:, 0], ruled_out[:, 1], marker="x", s=12,
                     color=COLOURS["grey"], linewidths=0.7, label="ruled out")
    for backward, mark in MARKS.items():
        for rows, size, edge in (([r for r in known if r["status"] == "dominated"], 14, 0.0),
                                 (front, 75, 1.0)):
            mine = [r for r in rows if r["backward"] == backward]
            x, y = _places(mine).T
            colour = colours.to_rgba(np.array([r["staleness_mean"] for r in mine]))
            axis.scatter(x, y, s=size, c=colour, marker=mark, linewidths=edge,
                         edgecolors="black", zorder=4 if rows is front else 2,
                         label=f"front, {backward}" if rows is front and mine else None)
    figure.colorbar(colours, ax=axis, pad=0.02, aspect=25,
                    label="mean staleness (updates)")


def _staircases(axis: Axes, front: Rows) -> Floats:
    """The best throughput at each memory: of the whole front, and of what is never stale.

    Gives places all along them, shape (places, 2).
    """
    fresh = [r for r in front if r["staleness_mean"] == 0]
    along = [np.empty((0, 2))]
    for rows, line, said in ((front, "-", "best at each memory"), (fresh, "--", "never stale")):
        if rows:
            x, y = _places(sorted(rows, key=lambda r: (r["peak_bytes"], -r["throughput"]))).T
            best = np.maximum.accumulate(y)
            end = rows[0]["memory_limit_bytes"] / 1e9
            x, best = np.append(x, end), np.append(best, best[-1])
            axis.step(x, best, where="post", linestyle=line, linewidth=1.1,
                      color=COLOURS["black" if line == "-" else "vermilion"], label=said)
            corners = np.column_stack((np.repeat(x, 2)[1:], np.repeat(best, 2)[:-1]))
            along += [np.linspace(one, other, 30) for one, other in pairwise(corners)]
    return np.concatenate(along)


def _frame(axis: Axes, known: Rows) -> None:
    if known:
        limit = known[0]["memory_limit_bytes"] / 1e9
        axis.axvline(limit, color=COLOURS["black"], linewidth=0.9, linestyle=":",
                     label="memory limit")
        axis.set_ylabel(known[0]["unit"])
        _cut(axis, known)
    axis.set_xlabel("peak memory of the fullest device (GB)")
    axis.set_ylim(0, ROOM * axis.get_ylim()[1])
    axis.grid(color=COLOURS["pale"], linewidth=0.6)
    if axis.get_legend_handles_labels()[0]:
        legend_below(axis.figure.figure, axis.get_legend_handles_labels(), columns=6)


def _end_bytes(known: Rows) -> float:
    """Where the axis ends: a little beyond the limit, if anything is within it."""
    within = any(row["status"] in ALLOWED for row in known)
    return BEYOND * known[0]["memory_limit_bytes"] if within else float("inf")


def _cut(axis: Axes, known: Rows) -> None:
    """End the axis there where something lies beyond, and say how much."""
    x, end = _places(known)[:, 0], _end_bytes(known) / 1e9
    beyond = int((x > end).sum())
    axis.margins(0.07)
    if beyond:
        axis.set_xlim(min(x.min(), end) - 0.07 * end, end)
        axis.text(1, 1.01, f"{beyond} more need up to {x.max():.3g} GB →", ha="right",
                  transform=axis.transAxes, fontsize=7, color=COLOURS["grey"])

"""What an advisor found: throughput against peak memory, staleness as colour."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from analysis.advice.advise import Question, advise, name
from analysis.terminal.advice_tables import like
from figures.drawing.colours import COLOURS
from figures.drawing.labels import label
from figures.drawing.style import PAGE_IN, headline, legend_below, new_figure
from figures.pieces import Piece
from sim.rows import Rows

PROFILE = Path(__file__).parents[1] / "experiments" / "profile.json"
LIMIT_BYTES, DEVICES, MICROBATCHES = 2e9, 4, (1, 2, 3, 4)
COLUMNS = ("schedule", "microbatches", "mitigation", "backward", "status", "same_as", "period_s",
           "peak_bytes", "staleness_mean", "staleness_max", "inconsistent_fraction",
           "bubble_fraction", "refused")
ALLOWED = ("front", "dominated")
BEYOND = 1.25  # times the limit: what needs more is counted, not drawn
MARKS = {"graph": "o", "recompute": "s"}
PALETTE = "cividis"  # made for colour blindness; bent, so that a little stale is not fresh
KEY_COLUMNS, KEY_WIDTH, KEY_LINE_IN = 2, 54, 0.132  # columns, characters, inches a line


def configuration() -> dict[str, Any]:
    """What to write into the picture: the question put to the advisor."""
    return {"profile": f"figures/experiments/{PROFILE.name}", "memory_limit_bytes": LIMIT_BYTES,
            "devices": DEVICES, "microbatches": list(MICROBATCHES)}


def pieces(seeds: Iterable[int] = ()) -> list[Piece]:
    """One question to the advisor; nothing in it is random."""
    return [Piece({}, data)]


def data(done: Callable[[], None] = lambda: None) -> Rows:
    """The advice on the profile that comes with the project, a row per candidate."""
    return flat(advise(Question(PROFILE, LIMIT_BYTES, DEVICES, microbatches=MICROBATCHES), done))


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
    fresh = [row for row in front if row["staleness_mean"] == 0]
    if not fresh or not best["staleness_mean"]:
        return f"{fastest_of_all}, {best['staleness_mean']:.2g} updates late on average"
    fastest = max(fresh, key=lambda row: row["throughput"])
    return (f"{fastest_of_all}, {best['staleness_mean']:.2g} updates late on average; "
            f"{fastest['throughput']:.3g} where no weight may be stale")


def draw(rows: Rows) -> Figure:
    """Every candidate that runs; the front numbered, connected, and named below the plot."""
    known = [row for row in rows if row["status"] != "refused"]
    front = [r for r in known if r["status"] == "front" and r["same_as"] is None]
    columns = _columns(_key(front))
    key_in = KEY_LINE_IN * (1 + max(column.count("\n") for column in columns))
    figure = new_figure(PAGE_IN, 4.0 + key_in)
    headline(figure, message(rows), "Throughput against peak memory of the fullest device, "
             "staleness as colour; numbered: what no other candidate beats in all three")
    axes: Any = figure.subplots(2, 1, height_ratios=(3.1, key_in))
    axis, beneath = axes
    _marks(figure, axis, known, front)
    _staircases(axis, front)
    _frame(axis, known)
    beneath.axis("off")
    for number, column in enumerate(columns):
        beneath.text(number / KEY_COLUMNS, 1, column, va="top", fontsize=7, linespacing=1.3)
    others = [r for r in known if r not in front]
    label(axis, _places(front), [str(i + 1) for i in range(len(front))], _places(others))
    return figure


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


def _staircases(axis: Axes, front: Rows) -> None:
    """The best throughput at each memory: of the whole front, and of what is never stale."""
    fresh = [r for r in front if r["staleness_mean"] == 0]
    for rows, line, said in ((front, "-", "best at each memory"), (fresh, "--", "never stale")):
        if rows:
            x, y = _places(sorted(rows, key=lambda r: (r["peak_bytes"], -r["throughput"]))).T
            best = np.maximum.accumulate(y)
            end = rows[0]["memory_limit_bytes"] / 1e9
            axis.step([*x, end], [*best, best[-1]], where="post", linestyle=line, linewidth=1.1,
                      color=COLOURS["black" if line == "-" else "vermilion"], label=said)


def _frame(axis: Axes, known: Rows) -> None:
    if known:
        limit = known[0]["memory_limit_bytes"] / 1e9
        axis.axvline(limit, color=COLOURS["black"], linewidth=0.9, linestyle=":",
                     label="memory limit")
        axis.set_ylabel(known[0]["unit"])
        _cut(axis, known)
    axis.set_xlabel("peak memory of the fullest device (GB)")
    axis.set_ylim(bottom=0)
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


def _key(front: Rows) -> list[str]:
    """Number, name and costs of each point of the front, and what costs the same."""
    entries = []
    for i, row in enumerate(front, 1):
        said = f"{row['schedule']}/{row['microbatches']}, {row['mitigation']}, {row['backward']}"
        costs = (f"{row['throughput']:.4g}/s, {row['peak_bytes'] / 1e9:.3g} GB, "
                 f"staleness {row['staleness_mean']:.2g} (max {row['staleness_max']:.2g})")
        also = textwrap.wrap(f"or {row['also']}", KEY_WIDTH) if row["also"] else []
        entries.append("\n".join([f"{i}  {said}", *(f"     {line}" for line in (costs, *also))]))
    return entries or ["nothing fits"]


def _columns(entries: list[str]) -> list[str]:
    """The entries in columns of about the same length, in their order."""
    lines = [entry.count("\n") + 2 for entry in entries]
    before = np.cumsum(lines) - lines
    place = np.minimum(KEY_COLUMNS * before // sum(lines), KEY_COLUMNS - 1)
    return ["\n\n".join(e for e, p in zip(entries, place, strict=True) if p == column)
            for column in range(KEY_COLUMNS)]

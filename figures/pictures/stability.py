"""Where delayed training must diverge: edges over delay and momentum, theory and simulation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from analysis.theory.stability import DELAYS, MOMENTA, grid, theory
from figures.drawing.colours import COLOURS
from figures.drawing.style import PAGE_IN, headline, new_figure
from figures.pieces import Piece
from sim.arrays import Floats
from sim.rows import Rows

CONVENTION = "ema"
STEPS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
METHODS = (("stash", "stash, and none\n(graph)", "vermilion", "o"),
           ("spectrain", "spectrain, s = delay\n(graph)", "blue", "s"),
           ("nwpt", "nwpt, s = momentum\n(graph)", "green", "^"),
           ("i-timeprest", "i-timeprest, decay 1\n(recompute)", "purple", "D"))
NAMES = tuple(name for name, *_ in METHODS)
LUMINANCE = (0.299, 0.587, 0.114)  # of red, green, blue, to write white on dark alone


def configuration() -> dict[str, Any]:
    """What to write into the picture: mitigations, delays (updates) and momenta."""
    return {"mitigations": list(NAMES), "delays": list(DELAYS), "convention": CONVENTION,
            "momenta_simulated": list(MOMENTA), "momenta": list(STEPS)}


def pieces(seeds: Iterable[int] = ()) -> list[Piece]:
    """A mitigation and momentum each, simulated where the grid of theory and simulation has it."""
    return [Piece({"mitigation": name, "momentum": momentum}, rows_of, (name, momentum))
            for name in NAMES for momentum in STEPS]


def rows_of(name: str, momentum: float) -> Rows:
    """A row per delay: the edge ηλ by roots, and as simulated where it is."""
    if momentum in MOMENTA:
        return list(grid((name,), (momentum,), DELAYS, (CONVENTION,)))
    return theory((name,), DELAYS, (momentum,), CONVENTION)


def message(rows: Rows) -> str:
    """The headline: where prediction moves the edge, without and with momentum, one update late."""
    def edge(name: str, momentum: float) -> float:
        return float(next(r["edge_roots"] for r in rows if (
            r["mitigation"], r["momentum"], r["delay"]) == (name, momentum, 1)))

    moves = [f"from {edge('stash', g):.2g} to {edge('spectrain', g):.2g} at momentum {g:g}"
            for g in MOMENTA]
    worst = max(abs(r["relative_difference"]) for r in rows
                if r["relative_difference"] is not None)
    return ("One update late, prediction moves the largest stable ηλ " + " and ".join(moves)
            + f"; theory and simulation differ by at most {100 * worst:.1g} %")


def draw(rows: Rows) -> Figure:
    """A map per mitigation, prediction over stash, and theory beside measurement."""
    figure = new_figure(PAGE_IN, 7.6)
    headline(figure, message(rows), "Largest stable ηλ (no unit) on the quadratic, EMA momentum "
             "(heavy ball: times 1 − momentum); maps by the roots of the recurrence; in brackets "
             "the reading of the backward")
    maps, lines, beside = _axes(figure)
    tables = {name: _table(rows, name) for name in NAMES}
    every = np.concatenate([table.ravel() for table in tables.values()])
    edges = {"cmap": "viridis_r", "norm": LogNorm(every.min(), every.max())}
    for axis, (name, label, *_) in zip(maps, METHODS, strict=False):
        _map(axis, tables[name], label, edges)
    ratio = tables["spectrain"] / tables["stash"]
    _map(maps[-1], ratio, "spectrain's edge\nover stash's (ratio)", {
        "cmap": "RdBu", "norm": TwoSlopeNorm(1.0, min(0.4, ratio.min()), max(2, ratio.max()))})
    for axis, momentum in zip(lines, MOMENTA, strict=True):
        _lines(axis, rows, momentum)
    beside.axis("off")
    beside.legend(*lines[0].get_legend_handles_labels(), loc="center", labelspacing=1.2)
    return figure


def _axes(figure: Figure) -> tuple[list[Axes], list[Axes], Axes]:
    """Five maps and an empty place in two rows, below them the two plots of lines."""
    grid_of = figure.add_gridspec(3, 6)
    cells = [figure.add_subplot(grid_of[place // 3, 2 * (place % 3) : 2 * (place % 3) + 2])
             for place in range(6)]
    lines = [figure.add_subplot(grid_of[2, 3 * half : 3 * half + 3]) for half in range(2)]
    return cells[:5], lines, cells[5]


def _table(rows: Rows, name: str) -> Floats:
    """Edges by roots, shape (momenta, delays)."""
    found = {(r["momentum"], r["delay"]): r["edge_roots"] for r in rows if r["mitigation"] == name}
    return np.array([[found[momentum, delay] for delay in DELAYS] for momentum in STEPS])


def _map(axis: Axes, table: Floats, title: str, colours: dict[str, Any]) -> None:
    """Momentum upwards, delay across, the number written in each cell."""
    image = axis.imshow(table, origin="lower", aspect="auto", **colours)
    for (m, d), value in np.ndenumerate(table):
        dark = np.dot(image.to_rgba(np.asarray(value))[:3], LUMINANCE) < 0.5
        axis.text(d, m, f"{value:.2g}" if value < 10 else f"{value:.0f}", ha="center",
                  va="center", fontsize=7, color="white" if dark else "black")
    axis.set_title(title)
    axis.set_ylabel("momentum")
    axis.set_xticks(range(len(DELAYS)), [str(delay) for delay in DELAYS])
    axis.set_yticks(range(len(STEPS)), [f"{momentum:g}" for momentum in STEPS])
    axis.set_xlabel("delay (updates)")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def _lines(axis: Axes, rows: Rows, momentum: float) -> None:
    """Edge by delay: lines from the roots, marks as simulated."""
    for name, label, colour, mark in METHODS:
        mine = [r for r in rows if (r["mitigation"], r["momentum"]) == (name, momentum)]
        at = [r["delay"] for r in mine]
        axis.plot(at, [r["edge_roots"] for r in mine], color=COLOURS[colour], linewidth=1.2,
                  linestyle="--" if mark == "^" else "-")
        measured = [np.nan if r["edge_measured"] is None else r["edge_measured"] for r in mine]
        axis.plot(at, measured, mark, color=COLOURS[colour], markersize=4, mfc="none",
                  label=label)
    axis.set_yscale("log")
    for formatted in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
        formatted(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "125" else ""))
    axis.set_title(f"momentum {momentum:g}: lines by roots, marks simulated")
    axis.set_xlabel("delay (updates)")
    axis.set_ylabel("largest stable ηλ")
    axis.grid()

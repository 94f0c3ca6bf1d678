"""Where delayed training must diverge: edges over delay and momentum, theory and simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from analysis.stability import DELAYS, MOMENTA, grid, theory
from figures.style import COLOURS, new_figure
from sim.costs import Floats

CONVENTION = "ema"
STEPS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
METHODS = (("stash", "stash, and none\n(graph)", "vermilion", "o"),
           ("spectrain", "spectrain, s = delay\n(graph)", "blue", "s"),
           ("nwpt", "nwpt, s = momentum\n(graph)", "green", "^"),
           ("i-timeprest", "i-timeprest, decay 1\n(recompute)", "purple", "D"))
NAMES = tuple(name for name, *_ in METHODS)
LUMINANCE = (0.299, 0.587, 0.114)  # of red, green, blue, to write white on dark alone
Rows = list[dict[str, Any]]


def runs() -> int:
    """How many measurements the figure takes."""
    return len(NAMES) * len(MOMENTA)


def data(done: Callable[[], None] = lambda: None) -> Rows:
    """A row per mitigation, delay and momentum; measured at the momenta of the grid."""
    measured = list(grid(NAMES, MOMENTA, DELAYS, (CONVENTION,), done))
    rest = theory(NAMES, DELAYS, [g for g in STEPS if g not in MOMENTA], CONVENTION)
    return sorted([*measured, *rest], key=lambda row: (
        NAMES.index(row["mitigation"]), row["delay"], row["momentum"]))


def draw(rows: Rows) -> Figure:
    """A map per mitigation; below, prediction over stash, and theory beside measurement."""
    figure = new_figure(11.5, 7.6)
    halves: Any = figure.subfigures(2, 1, height_ratios=(1, 1.05))
    above, below = halves
    tables = {name: _table(rows, name) for name in NAMES}
    every = np.concatenate([table.ravel() for table in tables.values()])
    edges = {"cmap": "viridis_r", "norm": LogNorm(every.min(), every.max())}
    for axis, (name, label, *_) in zip(above.subplots(1, 4, sharey=True), METHODS, strict=True):
        _map(axis, tables[name], label, edges)
    above.axes[0].set_ylabel("momentum")
    axes = below.subplots(1, 3, width_ratios=(1.15, 1, 1))
    ratio = tables["spectrain"] / tables["stash"]
    _map(axes[0], ratio, "spectrain's edge over stash's", {
        "cmap": "RdBu", "norm": TwoSlopeNorm(1.0, min(0.4, ratio.min()), max(2, ratio.max()))})
    axes[0].set_ylabel("momentum")
    for axis, momentum in zip(axes[1:], MOMENTA, strict=True):
        _lines(axis, rows, momentum)
    below.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle("Largest stable ηλ on the quadratic (EMA momentum; heavy ball: times "
                    "1 − momentum): roots of the recurrence, and the simulator", x=0.01,
                    ha="left")
    return figure


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
                  va="center", fontsize=6.5, color="white" if dark else "black")
    axis.set_title(title, fontsize=9)
    axis.set_xticks(range(len(DELAYS)), [str(delay) for delay in DELAYS])
    axis.set_yticks(range(len(STEPS)), [f"{momentum:g}" for momentum in STEPS])
    axis.set_xlabel("delay (updates)")
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _lines(axis: Axes, rows: Rows, momentum: float) -> None:
    """Edge by delay: lines from the roots, marks as simulated."""
    for name, label, colour, mark in METHODS:
        mine = [r for r in rows if (r["mitigation"], r["momentum"]) == (name, momentum)]
        at = [r["delay"] for r in mine]
        axis.plot(at, [r["edge_roots"] for r in mine], color=COLOURS[colour], linewidth=1.2,
                  linestyle="--" if mark == "^" else "-")
        measured = [np.nan if r["edge_measured"] is None else r["edge_measured"] for r in mine]
        axis.plot(at, measured, mark, color=COLOURS[colour], markersize=5, mfc="none",
                  label=label.replace("\n", " "))
    axis.set_yscale("log")
    for formatted in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
        formatted(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "125" else ""))
    axis.set_title(f"momentum {momentum:g}: lines roots, marks simulated", fontsize=9)
    axis.set_xlabel("delay (updates)")
    axis.set_ylabel("largest stable ηλ")
    axis.grid(color=COLOURS["pale"], linewidth=0.6)

"""Where delayed training must diverge: edges over delay and momentum, theory and simulation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, TwoSlopeNorm
from matplotlib.figure import Figure

from analysis.theory.stability import DELAYS, MOMENTA, grid, theory
from figures.drawing.maps import number_map
from figures.drawing.scales import log_numbers
from figures.drawing.style import PAGE_IN, headline, new_figure
from figures.methods import NAMED
from figures.pieces import Piece
from sim.arrays import Floats
from sim.rows import Rows

CONVENTION = "ema"
STEPS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
METHODS = (("stash", "stash, and none (graph)"),
           ("spectrain", "spectrain, s = delay (graph)"),
           ("nwpt", "nwpt, s = momentum (graph)"),
           ("i-timeprest", "i-timeprest, decay 1 (recompute)"))
NAMES = tuple(name for name, *_ in METHODS)


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
    """Maps of the edge by the roots, one a mitigation, and of spectrain's over stash's; below,
    lines of theory with marks of simulation."""
    figure = new_figure(PAGE_IN, 9.0)
    headline(figure, message(rows), "Largest stable ηλ (no unit) on the quadratic, EMA momentum "
             "(heavy ball: times 1 − momentum); maps by the roots of the recurrence; in brackets "
             "the reading of the backward")
    maps, lines, beside = _axes(figure)
    tables = {name: _table(rows, name) for name in NAMES}
    every = np.concatenate([table.ravel() for table in tables.values()])
    edges = {"cmap": "viridis_r", "norm": LogNorm(every.min(), every.max())}
    for axis, (name, label) in zip(maps, METHODS, strict=False):
        _map(axis, tables[name], label, edges)
    ratio = tables["spectrain"] / tables["stash"]
    _map(maps[-1], ratio, "spectrain's edge over stash's (ratio)", {
        "cmap": "RdBu", "norm": TwoSlopeNorm(1.0, min(0.4, ratio.min()), max(2, ratio.max()))})
    for axis, momentum in zip(lines, MOMENTA, strict=True):
        _lines(axis, rows, momentum)
    beside.axis("off")
    beside.legend(*lines[0].get_legend_handles_labels(), loc="center", labelspacing=1.2)
    return figure


def _axes(figure: Figure) -> tuple[list[Axes], list[Axes], Axes]:
    """Five maps and an empty place in three rows, below them the two plots of lines."""
    cells = np.ravel(figure.subplots(4, 2, height_ratios=(1, 1, 1, 1.05)))
    return list(cells[:5]), list(cells[6:]), cells[5]


def _table(rows: Rows, name: str) -> Floats:
    """Edges by roots, shape (momenta, delays), the largest momentum first."""
    found = {(r["momentum"], r["delay"]): r["edge_roots"] for r in rows if r["mitigation"] == name}
    return np.array([[found[momentum, delay] for delay in DELAYS] for momentum in STEPS[::-1]])


def _map(axis: Axes, table: Floats, title: str, colours: dict[str, Any]) -> None:
    """Momentum upwards, delay across, the number written in each cell."""
    number_map(axis, table, [[_short(value) for value in line] for line in table], colours)
    axis.set_title(title)
    axis.set_ylabel("momentum")
    axis.set_xticks(range(len(DELAYS)), [str(delay) for delay in DELAYS])
    axis.set_yticks(range(len(STEPS)), [f"{momentum:g}" for momentum in STEPS[::-1]])
    axis.set_xlabel("delay (updates)")


def _short(value: float) -> str:
    """A number with two significant digits, zeros and all: 0.20, 1.0, 38."""
    power = int(f"{value:.1e}".partition("e")[2])  # of ten, once it is rounded
    return f"{value:.{max(0, 1 - power)}f}"


def _lines(axis: Axes, rows: Rows, momentum: float) -> None:
    """Edge by delay: lines from the roots, marks as simulated."""
    for name, label in METHODS:
        mine = [r for r in rows if (r["mitigation"], r["momentum"]) == (name, momentum)]
        at, method = [r["delay"] for r in mine], NAMED[name]
        axis.plot(at, [r["edge_roots"] for r in mine], color=method.hex, linewidth=1.2,
                  linestyle=(0, (4, 3)) if name == "nwpt" else method.line)
        measured = [np.nan if r["edge_measured"] is None else r["edge_measured"] for r in mine]
        axis.plot(at, measured, method.mark, color=method.hex, markersize=5, mfc="none",
                  label=label)
    log_numbers(axis)
    axis.set_title(f"momentum {momentum:g}: lines by roots, marks simulated")
    axis.set_xlabel("delay (updates)")
    axis.set_ylabel("largest stable ηλ")
    axis.grid()

"""Bars of lag and distance by stage, and how often each lag occurred, on given axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from figures.drawing.colours import PASSES
from figures.drawing.style import points
from figures.drawing.tables import GLYPH_EM, SHADES, label_stages, width_pt, written
from sim.arrays import Floats
from sim.rows import Rows

LAG, DISTANCE = "version lag", "distance from fresh"
UNITS = {LAG: "lag (updates)", DISTANCE: "distance (%)"}
TITLES = {LAG: "version lag (updates)", DISTANCE: "distance from fresh (%)"}
COLOUR = {"forward": PASSES["F"], "backward": PASSES["B"]}
WIDTH = 0.4  # of a bar, where stages are 1 apart
NARROWEST_PT = 1.5  # a bar; of narrower ones lines are drawn
MOST_BINS = 40  # of lags


def fits(room_pt: float, stages: int) -> bool:
    """Whether bars of so many stages can be told apart on axes of a width in points."""
    return room_pt * WIDTH / max(stages, 1) >= NARROWEST_PT


def bars(axis: Axes, rows: Rows, quantity: str, stages: Sequence[int]) -> None:
    """A bar for forwards and one for backwards of each stage, their means; a line from least to
    most where the lag varies.

    `rows` are those of one run, as `figures.traces.staleness.rows` makes them.  Numbers stand over
    bars where they have room, and of too many stages only outlines are drawn.
    """
    places, width = np.arange(len(stages)), width_pt(axis)
    means = {name: _spread(rows, quantity, name, stages) for name in COLOUR}
    form = written(np.concatenate([each[0] for each in means.values()]))
    for side, (name, (mean, low, high)) in enumerate(means.items()):
        if not np.isfinite(mean).any():
            continue
        if not fits(width, len(stages)):
            axis.stairs(np.nan_to_num(mean), np.arange(len(stages) + 1) - 0.5, label=name,
                        color="black", linestyle=("-", (0, (1, 1)))[side], linewidth=1.2,
                        baseline=None)
            continue
        at = places + (side - 0.5) * WIDTH
        made = axis.bar(at, mean, WIDTH, color=COLOUR[name], label=name, edgecolor="black",
                        linewidth=0.5)
        if (high > low).any():
            axis.vlines(at, low, high, color="black", linewidth=0.8)
        elif _wide_enough([form(value) for value in mean], width * WIDTH / len(stages)):
            axis.bar_label(made, [form(value) for value in mean], padding=2,
                           fontsize=points("ytick.labelsize"))
            axis.margins(y=0.14)
    axis.set_ylim(bottom=0)
    axis.set_ylabel(TITLES[quantity])
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=quantity == LAG))
    axis.set_xlim(-0.6, len(stages) - 0.4)
    label_stages(axis, stages)


def _wide_enough(texts: Sequence[str], room_pt: float) -> bool:
    return max(map(len, texts)) * GLYPH_EM * points("ytick.labelsize") <= room_pt


def _spread(rows: Rows, quantity: str, name: str, stages: Sequence[int]
            ) -> tuple[Floats, Floats, Floats]:
    """Mean, least and most by stage, (stages,) each; distances in %."""
    by: dict[int, list[tuple[float, float]]] = {}
    for row in rows:
        if (row["quantity"], row["pass"]) == (quantity, name):
            value = np.nan if row["value"] is None else row["value"]
            by.setdefault(row["stage"], []).append((value, row["share"]))
    factor = 100 if quantity == DISTANCE else 1
    none = [(np.nan, 1.0)]
    return (factor * np.array([sum(v * s for v, s in by.get(k, none)) for k in stages]),
            factor * np.array([min(v for v, _ in by.get(k, none)) for k in stages]),
            factor * np.array([max(v for v, _ in by.get(k, none)) for k in stages]))


def shaded_shares(figure: Figure, axes: Mapping[str, Axes], rows: Rows, stages: Sequence[int]
                  ) -> None:
    """How often each lag occurred on each stage, a panel for each kind of pass, on one scale.

    `rows` are those of one run.  Lags that are many or no whole numbers are put together in bins.
    """
    lags = [row for row in rows if row["quantity"] == LAG]
    edges = _edges(np.array([row["value"] for row in lags]))
    scale = Normalize(0, 100)
    for name, axis in axes.items():
        share = np.zeros((len(edges) - 1, len(stages)))
        for row in lags:
            if row["pass"] == name:
                place = int(np.searchsorted(edges, row["value"], side="right")) - 1
                share[min(place, len(share) - 1), stages.index(row["stage"])] += 100 * row["share"]
        few = max(share.shape) <= MOST_BINS  # cells large enough for a line between them
        axis.pcolormesh(np.arange(len(stages) + 1) - 0.5, edges,
                        np.ma.masked_equal(share, 0), cmap=SHADES, norm=scale,
                        linewidth=0.3 if few else 0.0, edgecolors="white" if few else "none")
        axis.set_title(name)
        axis.set_ylabel("lag (updates)")
        axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        label_stages(axis, stages)
    figure.colorbar(ScalarMappable(scale, SHADES), ax=list(axes.values()), fraction=0.06,
                    pad=0.02, label="share of passes (%)")


def _edges(lags: Floats) -> Floats:
    most = float(lags.max(initial=0.0))
    if (lags == np.round(lags)).all() and most < MOST_BINS:
        return np.arange(most + 2) - 0.5
    return np.linspace(0, most * (1 + 1e-9) or 1.0, MOST_BINS + 1)

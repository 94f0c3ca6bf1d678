"""Stale beside predicted weights over a training, a panel for each horizon."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import COLOURS, Row, new_figure

LINES = (("stale", "vermilion", "stale $W_t$"),
         ("predicted", "blue", r"predicted $W_t - s\,\eta\,v_t$"))


def draw(rows: Sequence[Row], title: str) -> Figure:
    """RMSE to the weights really reached by update: mean over seeds, shaded from least to most.

    Rows as of `gpu.prediction.Probe.rows` with method and seed; methods down, horizons across.
    """
    methods = list(dict.fromkeys(row["method"] for row in rows))
    horizons = sorted({row["horizon"] for row in rows})
    figure = new_figure(10.5, 1.2 + 2.5 * len(methods))
    axes = figure.subplots(len(methods), len(horizons), sharex=True, sharey=True, squeeze=False)
    for line, method in zip(axes, methods, strict=True):
        for axis, steps in zip(line, horizons, strict=True):
            mine = [r for r in rows if (r["method"], r["horizon"]) == (method, steps)]
            _panel(axis, mine)
            axis.set_title(f"s = {steps}, training: {method}", loc="left")
        line[0].set_ylabel("RMSE to $W_{t+s}$")
    for axis in axes[-1]:
        axis.set_xlabel("update $t+s$")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2,
                  frameon=False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return figure


def _panel(axis: Axes, rows: Sequence[Row]) -> None:
    updates = sorted({row["update"] for row in rows})
    for name, colour, label in LINES:
        by: dict[int, list[float]] = {update: [] for update in updates}
        for row in rows:
            by[row["update"]].append(row[f"{name}_rmse"])
        columns = [by[update] for update in updates]
        axis.fill_between(updates, [min(c) for c in columns], [max(c) for c in columns],
                          color=COLOURS[colour], alpha=0.2, linewidth=0)
        axis.plot(updates, [float(np.mean(c)) for c in columns], color=COLOURS[colour],
                  linewidth=1.4, label=label)
    axis.set_yscale("log")
    axis.grid(color=COLOURS["pale"], linewidth=0.6)

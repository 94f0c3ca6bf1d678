"""A real network under every mitigation: weights used by stage, and training curves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from figures.drawing.colours import COLOURS
from figures.drawing.style import PAGE_IN, headline, legend_below, new_figure, shaded_table
from figures.methods import METHODS
from sim.rows import Row

TABLES = (("lag", "version lag (updates)"), ("relative", "distance (% of weights)"))
CURVES = (("training_loss", "training loss"), ("validation_loss", "validation loss"),
          ("training_accuracy", "training accuracy"),
          ("validation_accuracy", "validation accuracy"))
STROKES = {re.sub(r" \d+$", "", m.label): (m.colour, m.line) for m in METHODS}
OTHERS = tuple((colour, ":") for colour in ("black", "blue", "orange", "green", "grey"))


def draw_distances(rows: Sequence[Row], title: str) -> Figure:
    """Tables of version lag and distance by stage and pass, methods down; means over seeds.

    `rows` have method, pass, stage, seed, `lag` in updates and `relative` distance.
    """
    methods = list(dict.fromkeys(row["method"] for row in rows))
    stages = 1 + max(row["stage"] for row in rows)
    figure = new_figure(PAGE_IN, 2 * (0.6 + 0.17 * len(methods)))
    headline(figure, "How late and how far from fresh the weights of every pass were", title)
    axes = figure.subplots(2, 2, sharey=True).flat
    panels = [(q, label, p) for q, label in TABLES for p in ("forward", "backward")]
    means = _means(rows, ("method", "pass", "stage"), [name for name, _ in TABLES])
    for axis, (quantity, label, name) in zip(axes, panels, strict=True):
        values = np.array([[means[m, name, k][quantity] for k in range(stages)] for m in methods])
        _table(axis, values * (100 if quantity == "relative" else 1), methods)
        axis.set_title(f"{name}: {label}")
    return figure


def _means(rows: Iterable[Row], keys: Sequence[str], names: Sequence[str]
           ) -> Mapping[tuple[Any, ...], Mapping[str, float]]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return {key: {name: float(np.mean([row[name] for row in group])) for name in names}
            for key, group in groups.items()}


def _table(axis: Axes, values: Any, methods: Sequence[str]) -> None:
    """Methods down, stages across."""
    finite = values[np.isfinite(values)]
    top = max(float(np.quantile(finite, 0.95)), 1e-9) if finite.size else 1.0
    shaded_table(axis, values, methods, top, lambda value: (
        "–" if not np.isfinite(value) else "0" if value == 0 else f"{value:.2g}"))
    axis.set_xlabel("stage")


def draw_curves(rows: Sequence[Row], title: str, target: float | None = None,
                along: str = "minibatch", label: str = "mini-batch",
                strokes: Mapping[str, tuple[str, Any]] = STROKES) -> Figure:
    """Loss above, accuracy below, training left, validation right; means over seeds.

    `rows` have method, seed, quantity, value and the place `along` the axis, which is called
    `label`; `target` is an accuracy; `strokes` gives colour and line by method, its number of
    micro-batches left out.
    """
    figure = new_figure(PAGE_IN, 5.4)
    headline(figure, f"Loss and accuracy by {label}, a line per method", title)
    axes = figure.subplots(2, 2, sharex=True, sharey="row")
    for axis, (quantity, name) in zip(axes.flat, CURVES, strict=True):
        mine = [row for row in rows if row["quantity"] == quantity and row["value"] is not None]
        for (method, xs, ys), other in zip(_lines(mine, along), cycle(OTHERS)):
            colour, line = strokes.get(re.sub(r" \d+$", "", method), other)
            axis.plot(xs, ys, color=COLOURS[colour], linestyle=line, label=method, linewidth=1.2,
                      marker="." if len(xs) < 12 else None)
        axis.set_ylabel(name)
        axis.grid()
        if quantity.endswith("loss"):
            axis.set_yscale("log")
        elif target is not None:
            axis.axhline(target, color=COLOURS["grey"], linewidth=0.8, linestyle=(0, (2, 2)))
    for axis in axes[1]:
        axis.set_xlabel(label)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(figure, axes[0, 0].get_legend_handles_labels(), columns=4)
    return figure


def _lines(rows: Sequence[Row], along: str) -> Iterator[tuple[str, list[Any], list[float]]]:
    """Method, places, and means over seeds there."""
    means = _means(rows, ("method", along), ["value"])
    for method in dict.fromkeys(method for method, _ in means):
        places = sorted(place for name, place in means if name == method)
        yield method, places, [means[method, place]["value"] for place in places]

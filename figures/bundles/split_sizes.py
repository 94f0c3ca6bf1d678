"""Split sizes as the PyTorch tutorial and the NWPT paper draw them, and NWPT's total times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.bundles.network import Stroke, draw_curves_of, end_message, texts
from figures.drawing.colours import COLOURS
from figures.drawing.style import PAGE_IN, headline, new_figure
from figures.methods import bounds, spread
from sim.rows import Row
from sim.spread import ENOUGH

# a way to run has one colour in all of the study's pictures, with NWPT another of its kind
STROKES = {"model parallel": Stroke("orange", "-", "o"),
           "model parallel, NWPT": Stroke("brown", "--", "s"),
           "asynchronous pipeline": Stroke("blue", "-", "^"),
           "asynchronous pipeline, NWPT": Stroke("sky", "--", "D")}
SINGLE = "grey"


def draw(rows: Sequence[Row], shown: int, title: str) -> Figure:
    """Bars of the three ways to run, and time over split size, by mean and every repeat.

    From three repeats on with bars as `figures.methods.bounds` has them.  `rows` have mode, split
    (images), repeat and seconds; `shown` is the split size among the bars.
    """
    figure = new_figure(PAGE_IN, 3.2)
    said = [f"{text} s" for text in texts([spread(values) for values in (
        _of(rows, "pipelined", shown), _of(rows, "model parallel"), _of(rows, "single"))])]
    headline(figure, f"Pipelined in splits of {shown} a run takes {said[0]}, model parallel "
             f"{said[1]}, a single device {said[2]}", title)
    bars, sweep = figure.subplots(1, 2, sharey=True, width_ratios=[1, 1.6])
    named = [("single\ndevice", SINGLE, _of(rows, "single")),
             ("model\nparallel", "orange", _of(rows, "model parallel")),
             (f"pipelined,\nsplit {shown}", "blue", _of(rows, "pipelined", shown))]
    _bars(bars, named)
    bars.set_ylabel("seconds for the mini-batches of a run")
    splits = sorted({row["split"] for row in rows if row["split"] is not None})
    columns = [_of(rows, "pipelined", split) for split in splits]
    sweep.errorbar(splits, [np.mean(c) for c in columns], _bars_of(columns), marker="o",
                   color=COLOURS["blue"], capsize=3, linewidth=1.4, markersize=4,
                   label="pipelined")
    for label, colour, values in named[:2]:
        sweep.axhline(float(np.mean(values)), color=COLOURS[colour], linewidth=1.4,
                      linestyle="--", label=label.replace("\n", " "))
    bars.set_ylim(0, 1.05 * max(row["seconds"] for row in rows))
    sweep.set_xscale("log")
    sweep.set_xticks(splits, [str(split) for split in splits])
    sweep.minorticks_off()
    sweep.set_xlabel("split size (images per micro-batch)")
    sweep.grid()
    sweep.legend(loc="upper right")
    return figure


def _of(rows: Sequence[Row], mode: str, split: int | None = None) -> list[float]:
    return [row["seconds"] for row in rows if (row["mode"], row["split"]) == (mode, split)]


def _bars_of(columns: Sequence[Sequence[float]]) -> Any:
    """How far bars reach below and above the means; None of too few values."""
    if any(len(column) < ENOUGH for column in columns):
        return None
    found = [spread(column) for column in columns]
    means = np.array([each.mean for each in found])
    return np.abs(np.array([bounds(each) for each in found]).T - means)


def _bars(axis: Axes, named: Sequence[tuple[str, str, Sequence[float]]]) -> None:
    """A bar a column: mean, the interval of three values and more, every value as a dot."""
    for place, (_, colour, values) in enumerate(named):
        axis.bar(place, float(np.mean(values)), 0.6, yerr=_bars_of([values]), capsize=4,
                 color=COLOURS[colour])
        axis.plot([place + 0.2] * len(values), values, ".", color="black", markersize=3)
    axis.set_xticks(range(len(named)), [label for label, *_ in named])
    axis.tick_params(axis="x", length=0)


def draw_look_ahead(rows: Sequence[Row], title: str) -> Figure:
    """Losses and accuracies by epoch, means over seeds, with and without NWPT.

    `rows` have method, seed, epoch, quantity and value.  Rings without a line are the mean loss of
    an epoch's mini-batches as they were trained on (`epoch_loss`), where rows have it: evaluations
    go by BatchNorm's running statistics, which take some epochs to settle.
    """
    trained = [row for row in rows if row["quantity"] == "epoch_loss"]
    figure = draw_curves_of([row for row in rows if row["quantity"] != "epoch_loss"],
                            f"{title}; rings: the mini-batches' own loss" if trained else title,
                            end_message(rows, "epoch", "epoch"), along="epoch", label="epoch",
                            strokes=STROKES)
    for method, (colour, *_) in STROKES.items():
        mine = [row for row in trained if row["method"] == method]
        epochs = sorted({row["epoch"] for row in mine})
        means = [np.mean([row["value"] for row in mine if row["epoch"] == epoch])
                 for epoch in epochs]
        figure.axes[0].plot(epochs, means, linestyle="none", marker="o", markersize=4,
                            markerfacecolor="none", color=COLOURS[colour])
    return figure


def draw_totals(rows: Sequence[Row], title: str) -> Figure:
    """Total seconds of each training: mean over seeds, interval of three and more, every seed as a
    dot.

    `rows` have method, seed and `total_s`.
    """
    methods = list(dict.fromkeys(row["method"] for row in rows))
    seconds = [[row["total_s"] for row in rows if row["method"] == method] for method in methods]
    said = zip(texts([spread(each) for each in seconds]), methods, strict=True)
    figure = new_figure(PAGE_IN, 3.0)
    headline(figure, "A whole training takes "
             + ", ".join(f"{text} s ({method})" for text, method in said),
             f"{title}; mean over seeds, and every seed as a dot")
    axis = figure.subplots()
    named = zip(methods, seconds, strict=True)
    _bars(axis, [(method.replace(", ", ",\n").replace(" pipeline", "\npipeline"),
                  STROKES[method].colour if method in STROKES else SINGLE, values)
                 for method, values in named])
    axis.set_ylabel("seconds in all")
    return figure

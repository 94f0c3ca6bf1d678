"""Staleness by stage under every mitigation: version lag, and distance from fresh weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.metrics.report import report
from figures import methods
from figures.drawing.style import PAGE_IN, headline, new_figure, shaded_table
from figures.methods import METHODS, RATES, spread
from figures.pieces import Piece
from sim.rows import Rows
from sim.wording import plural

LAG, DISTANCE = "version lag (updates)", "relative weight distance"
PASSES = ("forward", "backward")


def configuration(stages: int) -> dict[str, Any]:
    """What to write into the picture: the pipeline of so many stages, and the methods."""
    return methods.configuration(methods.document(stages, RATES[stages]), METHODS)


def pieces(stages: int, seeds: Iterable[int]) -> list[Piece]:
    """One run a method and seed."""
    base = methods.document(stages, RATES[stages])
    return [Piece({"stages": stages, "method": m.label, "seed": seed}, rows_of,
                  (base, m.contender, seed)) for seed in seeds for m in METHODS]


def rows_of(base: dict[str, Any], contender: str, seed: int) -> Rows:
    """A row per quantity, pass and stage of one run: lag in updates, distance relative."""
    found = report(methods.trained(base, contender, seed))
    return [{"quantity": quantity, "pass": name, "stage": stage, "value": value}
            for quantity, source in ((LAG, found["staleness"]),
                                     (DISTANCE, found["weight_distance"]))
            for name in PASSES for stage, value in enumerate(source[name])]


def message(rows: Rows) -> str:
    """The headline: how late the first stage is, and how much nearer a prediction brings it."""
    none, predicted = (_mean(rows, method, DISTANCE, "forward", 0)
                       for method in ("none", "spectrain"))
    return (f"Unflushed, the first of {rows[0]['stages']} stages runs "
            f"{_mean(rows, 'none', LAG, 'forward', 0):.2g} updates late: its forward's weights are "
            f"{100 * none:.2g} % from fresh ones, under SpecTrain's prediction "
            f"{100 * predicted:.2g} %")


def draw(rows: Rows) -> Figure:
    """Tables of lag above and of distance below, forwards left and backwards right."""
    stages, seeds = rows[0]["stages"], {row["seed"] for row in rows}
    figure = new_figure(PAGE_IN, 5.4)
    headline(figure, message(rows), f"{stages} stages, digits, batch {methods.BATCH}, learning "
             f"rate {RATES[stages]}, mean of {plural(len(seeds), 'seed')} (each in the CSV); "
             "fresh: the weights just before its own update")
    axes = np.atleast_2d(figure.subplots(2, 2, sharey=True, sharex=True))
    for line, quantity in zip(axes, (LAG, DISTANCE), strict=True):
        for axis, name in zip(line, PASSES, strict=True):
            values = np.array([[_mean(rows, m.label, quantity, name, k) for k in range(stages)]
                               for m in METHODS])
            shown = "distance from fresh (% of weights)" if quantity == DISTANCE else quantity
            _table(axis, values * (100 if quantity == DISTANCE else 1), quantity == DISTANCE)
            axis.set_title(f"{name}: {shown}")
    for axis in axes[1]:
        axis.set_xlabel("stage")
    return figure


def _table(axis: Axes, values: Any, percent: bool) -> None:
    """Methods down, stages across."""
    finite = values[np.isfinite(values)]
    top = 1e-9
    if finite.size:
        top = max(float(np.quantile(finite, 0.95) if percent else finite.max()), top)
    shaded_table(axis, values, [m.label for m in METHODS], top,
                 lambda value: _short(value, percent))


def _short(value: float, percent: bool) -> str:
    if not np.isfinite(value):
        return "–"
    if not percent or value == 0:
        return f"{value:.2g}"
    if value < 0.005:
        return "<.01"
    return f"{value:.1f}" if value >= 0.1 else f"{value:.2f}"


def _mean(rows: Rows, method: str, quantity: str, name: str, stage: int) -> float:
    return spread([row["value"] for row in rows
                   if (row["method"], row["quantity"], row["pass"], row["stage"])
                   == (method, quantity, name, stage)]).mean

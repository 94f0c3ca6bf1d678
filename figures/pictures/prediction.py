"""Stale beside predicted weights over a training, a panel for each horizon."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import methods
from figures.drawing.colours import COLOURS
from figures.drawing.style import PAGE_IN, headline, legend_below, new_figure
from figures.horizons import HORIZONS, Probe
from figures.methods import NAMED, RATES, short_text, spread
from figures.pieces import Piece
from sim.experiment.run import run
from sim.rows import Row, Rows
from sim.spread import Spread
from sim.wording import plural

LINES = (("stale", "vermilion", "stale $W_t$"),
         ("predicted", "blue", r"predicted $W_t-s\,\eta\,v_t$"))
STAGES = 8
METHODS = (NAMED["sequential"], NAMED["spectrain"])
UPDATES_A_ROW = 20  # updates averaged into one row


def configuration() -> dict[str, Any]:
    """What to write into the picture: the pipeline, the methods and the horizons."""
    return methods.configuration(methods.document(STAGES, RATES[STAGES]), METHODS,
                                 horizons=list(HORIZONS), updates_averaged=UPDATES_A_ROW)


def pieces(seeds: Iterable[int]) -> list[Piece]:
    """One run a method and seed."""
    base = methods.document(STAGES, RATES[STAGES])
    return [Piece({"method": m.label, "seed": seed}, rows_of, (base, m.contender, seed))
            for m in METHODS for seed in seeds]


def rows_of(base: dict[str, Any], contender: str, seed: int) -> Rows:
    """A row per horizon and block of updates: RMSE of stale and predicted weights to true ones."""
    probe = Probe(STAGES)
    run(methods.experiment(base, contender, seed), watch=probe)
    return probe.rows(UPDATES_A_ROW)


def nearer(rows: Sequence[Row], method: str, horizon: int) -> Spread:
    """How many times nearer the prediction is: the spread over seeds of a ratio.

    The ratio is that of the stale and the predicted weights' mean RMSE.
    """
    by_seed: dict[int, Rows] = {}
    for row in rows:
        if (row["method"], row["horizon"]) == (method, horizon):
            by_seed.setdefault(row["seed"], []).append(dict(row))
    return spread([float(np.mean([r["stale_rmse"] for r in some])
                         / np.mean([r["predicted_rmse"] for r in some]))
                   for some in by_seed.values()])


def message(rows: Sequence[Row]) -> str:
    """The headline: how many times nearer, by horizon, in the training shown last."""
    method, horizons = rows[-1]["method"], sorted({row["horizon"] for row in rows})
    found = [nearer(rows, method, s) for s in horizons]
    ratios = ", ".join(short_text(each, ".2f") for each in found)
    return (f"Predicted weights are {ratios} times nearer than stale ones to the weights "
            f"{', '.join(map(str, horizons))} updates on (training: {method})")


def draw_digits(rows: Rows) -> Figure:
    """The simulator's own picture: two trainings, three horizons."""
    seeds = {row["seed"] for row in rows}
    return draw(rows, f"{STAGES} stages, digits, batch {methods.BATCH}, learning "
                f"rate {RATES[STAGES]}, all stages' weights together, means of {UPDATES_A_ROW} "
                f"updates, {plural(len(seeds), 'seed')} (band: least to most)")


def draw(rows: Sequence[Row], note: str) -> Figure:
    """RMSE to the weights really reached, by update: mean over seeds, shaded from least to most.

    Methods down, horizons across.  `rows` have method, seed, horizon, update and both RMSE, as a
    `gpu` study's `Probe.rows` gives them.
    """
    methods_shown = list(dict.fromkeys(row["method"] for row in rows))
    horizons = sorted({row["horizon"] for row in rows})
    figure = new_figure(PAGE_IN, 1.0 + 1.75 * len(methods_shown))
    headline(figure, message(rows), note)
    axes = figure.subplots(len(methods_shown), len(horizons), sharex=True, sharey=True,
                           squeeze=False)
    for line, method in zip(axes, methods_shown, strict=True):
        for axis, steps in zip(line, horizons, strict=True):
            mine = [r for r in rows if (r["method"], r["horizon"]) == (method, steps)]
            _panel(axis, mine)
            axis.set_title(f"training: {method}, s = {steps}", loc="left")
        line[0].set_ylabel("RMSE to $W_{t+s}$")
    for axis in axes[-1]:
        axis.set_xlabel("update $t+s$")
    legend_below(figure, axes[0, 0].get_legend_handles_labels(), columns=2)
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
                  linewidth=1.2, label=label)
    axis.set_yscale("log")
    axis.grid()

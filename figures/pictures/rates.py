"""Loss and accuracy over learning rates, eight stages: where a mitigation helps, and where not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.metrics.convergence import fluctuation
from figures import methods
from figures.drawing.colours import COLOURS
from figures.drawing.style import PAGE_IN, headline, legend_below, new_figure
from figures.methods import BARS, Method, bounds, loss_text, spread
from figures.methods import METHODS as SHOWN
from figures.pieces import Piece
from sim.rows import Rows
from sim.spread import POSITIVE, SAID, SHARE, Spread
from sim.wording import markdown_table, plural

STAGES, EVERY = 8, 20
IN_HEADLINE = ("sequential", "v-timeprest, nF1B 7", "spectrain", "nwpt", "stash", "none",
               "vertical-sync")
RATES = (0.01, 0.02, 0.03, 0.05, 0.07)
METHODS = (*SHOWN[:5],
           Method("spectrain, horizon update", "spectrain:horizon=update", "blue", ":"),
           *SHOWN[5:])


def configuration() -> dict[str, Any]:
    """What to write into the picture: the pipeline, the methods and the learning rates."""
    return methods.configuration(base(RATES[0]), METHODS, learning_rates=list(RATES))


def base(rate: float) -> dict[str, Any]:
    """The configuration all methods start from at one learning rate."""
    document = methods.document(STAGES, rate)
    document["training"] |= {"evaluate_every": EVERY, "distances": False}
    return document


def pieces(seeds: Iterable[int]) -> list[Piece]:
    """One run a rate, method and seed."""
    return [Piece({"rate": rate, "method": m.label, "seed": seed}, rows_of,
                  (base(rate), m.contender, seed))
            for rate in RATES for m in METHODS for seed in seeds]


def rows_of(document: dict[str, Any], contender: str, seed: int) -> Rows:
    """How one run ended: losses, accuracy and its fluctuation, None where it diverged."""
    trace = methods.trained(document, contender, seed)
    found = methods.ended(trace)
    diverged = found["final_loss"] is None
    return [{"final_loss": found["final_loss"], "accuracy": found["accuracy"],
             "diverged": diverged, "validation_loss": found["validation_loss"],
             "fluctuation": None if diverged else fluctuation(trace)}]


def over_seeds(rows: Rows, method: str, rate: float, quantity: str) -> Spread:
    """The spread of a method's quantity at one rate; of NaN where a seed diverged."""
    return spread([row[quantity] for row in rows
                   if (row["method"], row["rate"]) == (method, rate)],
                  SHARE if quantity == "accuracy" else POSITIVE)


def message(rows: Rows) -> str:
    """The headline: the best loss each of a few methods reaches at any rate."""
    best = {m.label: min(over_seeds(rows, m.label, rate, "final_loss").mean for rate in RATES)
            for m in METHODS}
    return ("Lowest mean loss at any of these learning rates: " + ", ".join(
        f"{loss:.2g} ({name})" for name, loss in sorted(best.items(), key=lambda item: item[1])
        if name in IN_HEADLINE))


def draw(rows: Rows) -> Figure:
    """Loss and accuracy by learning rate, a line per method, bars: the interval."""
    figure = new_figure(PAGE_IN, 4.2)
    seeds = {row["seed"] for row in rows}
    headline(figure, message(rows), f"{STAGES} stages, digits, batch {methods.BATCH}, "
             f"{methods.MINIBATCHES} mini-batches, mean of {plural(len(seeds), 'seed')}, bars: "
             f"{BARS}; methods side by side at each rate; accuracy cut at 0.86")
    left, right = figure.subplots(1, 2)
    _lines(left, rows, "final_loss", "loss over the training set at the end")
    left.set_yscale("log")
    _lines(right, rows, "accuracy", "validation accuracy at the end")
    right.set_ylim(0.86, 0.99)
    legend_below(figure, left.get_legend_handles_labels(), columns=4)
    return figure


def _lines(axis: Axes, rows: Rows, quantity: str, label: str) -> None:
    for number, method in enumerate(METHODS):
        shift = 1 + 0.012 * (number - len(METHODS) / 2)  # so that bars do not hide each other
        found = [over_seeds(rows, method.label, rate, quantity) for rate in RATES]
        values = np.array([each.mean for each in found])
        ends = np.array([bounds(each) for each in found]).T
        axis.errorbar(np.array(RATES) * shift, values, np.abs(ends - values),
                      color=COLOURS[method.colour], linestyle=method.line, label=method.label,
                      marker="o", markersize=2.2, linewidth=1.0, elinewidth=0.6)
    axis.set_xscale("log")
    axis.set_xticks(RATES, [f"{rate:g}" for rate in RATES])
    axis.minorticks_off()
    axis.set_xlabel("learning rate (logarithmic)")
    axis.set_ylabel(label)
    axis.grid()


def markdown(rows: Rows, command: str) -> str:
    """The results' table: final loss with its spread, (accuracy %), a column per rate."""
    cells = [[method.label, *(_cell([row for row in rows if (row["method"], row["rate"])
                                     == (method.label, rate)]) for rate in RATES)]
             for method in METHODS]
    said = f" Over seeds: {SAID}." if len({row["seed"] for row in rows}) > 1 else ""
    return (markdown_table(("method", *(f"η = {rate:g}" for rate in RATES)), cells)
            + f"\nMade by `{command}`.{said}\n")


def _cell(rows: Rows) -> str:
    diverged = sum(row["diverged"] for row in rows)
    if diverged:
        return f"diverged ({diverged} of {len(rows)})"
    accuracy = spread([row["accuracy"] for row in rows], SHARE).mean
    return f"{loss_text([row['final_loss'] for row in rows])} ({100 * accuracy:.1f} %)"

"""Loss and accuracy over learning rates, eight stages: where a mitigation helps, and where not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from analysis.metrics.convergence import fluctuation
from figures import methods
from figures.drawing.maps import frame_cell, number_map
from figures.drawing.style import PAGE_IN, headline, new_figure
from figures.methods import BARS, NAMED, Method, bounds, loss_text, spread
from figures.methods import METHODS as SHOWN
from figures.pieces import Piece
from sim.arrays import Floats
from sim.rows import Rows
from sim.spread import POSITIVE, SAID, SHARE, Spread
from sim.wording import markdown_table, plural

STAGES, EVERY = 8, 20
IN_HEADLINE = ("sequential", "v-timeprest, nF1B 7", "spectrain", "nwpt", "stash", "none",
               "vertical-sync")
RATES = (0.01, 0.02, 0.03, 0.05, 0.07)
METHODS = (*SHOWN[:5], NAMED["spectrain, horizon update"], *SHOWN[5:])


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
    """Loss and accuracy as a map each, methods by learning rates, the best methods at the top."""
    figure = new_figure(PAGE_IN, 5.1)
    seeds = {row["seed"] for row in rows}
    mean = f"in a cell the mean of {plural(len(seeds), 'seed')}, below it the {BARS}"
    headline(figure, message(rows), f"{STAGES} stages, digits, batch {methods.BATCH}, "
             f"{methods.MINIBATCHES} mini-batches; {mean}: of the loss by which factor that is "
             "above and below the mean; darker: worse (logarithmic); framed: a method's best rate")
    order = sorted(METHODS, key=lambda method: _best(rows, method)[1])
    left, right = figure.subplots(1, 2, sharey=True)
    for axis, quantity, label, text in (
            (left, "final_loss", "loss over the training set at the end (thousandths)", _loss),
            (right, "accuracy", "validation accuracy at the end (%)", _accuracy)):
        found = [[over_seeds(rows, method.label, rate, quantity) for rate in RATES]
                 for method in order]
        values = np.array([[each.mean for each in line] for line in found])
        worse = values if quantity == "final_loss" else 1 - values
        number_map(axis, worse, [[text(each) for each in line] for line in found],
                   {"cmap": "Blues", "norm": _shades(worse)})
        axis.set_xticks(range(len(RATES)), [f"{rate:g}" for rate in RATES])
        axis.set_xlabel("learning rate")
        axis.set_title(label)
        for row, method in enumerate(order):
            frame_cell(axis, row, RATES.index(_best(rows, method)[0]))
    left.set_yticks(range(len(order)), [method.label for method in order])
    return figure


def _best(rows: Rows, method: Method) -> tuple[float, float]:
    """The rate at which a method's mean loss is lowest, and that loss."""
    means = {rate: over_seeds(rows, method.label, rate, "final_loss").mean for rate in RATES}
    best = min(RATES, key=lambda rate: np.inf if np.isnan(means[rate]) else means[rate])
    return best, means[best]


def _shades(worse: Floats) -> LogNorm:
    """Colours by the logarithm, the darkest a little beyond the worst, so that text is read."""
    return LogNorm(0.7 * float(np.nanmin(worse)), 1.3 * float(np.nanmax(worse)))


def _loss(found: Spread) -> str:
    if not found.values:
        return "diverged"
    low, high = bounds(found)
    factor = max(high / found.mean, found.mean / low)
    return f"{1e3 * found.mean:.1f}" + (f"\n×÷ {factor:.1f}" if len(found.values) > 1 else "")


def _accuracy(found: Spread) -> str:
    if not found.values:
        return "diverged"
    low, high = (100 * bound for bound in bounds(found))
    return f"{100 * found.mean:.1f}" + (f"\n{low:.1f}–{high:.1f}" if len(found.values) > 1 else "")


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

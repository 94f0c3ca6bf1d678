"""Staleness by stage under every mitigation: version lag, and distance from fresh weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matplotlib.figure import Figure

from analysis.metrics.report import report
from analysis.metrics.staleness import PASSES
from figures import methods
from figures.drawing.look import Look
from figures.drawing.style import headline
from figures.methods import METHODS, RATES, spread
from figures.pieces import Piece
from figures.traces.stages import late
from figures.traces.staleness import FRESH, panels
from sim.rows import Rows
from sim.wording import plural

LAG, DISTANCE = "version lag (updates)", "relative weight distance"
SHOWN = {LAG: late.LAG, DISTANCE: late.DISTANCE}


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
    means = [{"run": m.label, "quantity": SHOWN[quantity], "pass": name, "stage": k, "share": 1.0,
              "value": _mean(rows, m.label, quantity, name, k)}
             for m in METHODS for quantity in SHOWN for name in PASSES for k in range(stages)]
    figure = panels(means, Look())
    headline(figure, message(rows), f"{stages} stages, digits, batch {methods.BATCH}, learning "
             f"rate {RATES[stages]}, mean of {plural(len(seeds), 'seed')} (each in the CSV); "
             f"{FRESH}")
    return figure


def _mean(rows: Rows, method: str, quantity: str, name: str, stage: int) -> float:
    return spread([row["value"] for row in rows
                   if (row["method"], row["quantity"], row["pass"], row["stage"])
                   == (method, quantity, name, stage)]).mean

"""Stale beside predicted weights over a training, a panel for each horizon."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.figure import Figure

from figures import methods
from figures.drawing.look import Look
from figures.drawing.style import headline
from figures.horizons import HORIZONS, Probe
from figures.methods import NAMED, RATES, short_text, spread
from figures.pieces import Piece
from figures.traces import prediction as own
from sim.experiment.run import run
from sim.rows import Row, Rows
from sim.spread import Spread
from sim.wording import plural

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
    return spread([own.nearer(some) for some in by_seed.values()])


def message(rows: Sequence[Row]) -> str:
    """The headline: how many times nearer, by horizon, in the training shown last."""
    method, horizons = rows[-1]["method"], own.horizons(rows)
    found = [nearer(rows, method, s) for s in horizons]
    ratios = ", ".join(short_text(each, ".2f") for each in found)
    return (f"Predicted weights are {ratios} times nearer than stale ones to the weights "
            f"{', '.join(map(str, horizons))} updates on (training: {method})")


def draw_digits(rows: Rows) -> Figure:
    """The simulator's own picture: two trainings, three horizons."""
    seeds = {row["seed"] for row in rows}
    return draw(rows, f"{STAGES} stages, digits, batch {methods.BATCH}, learning "
                f"rate {RATES[STAGES]}, all stages' weights together, means of {UPDATES_A_ROW} "
                f"updates, {plural(len(seeds), 'seed')} (band: least to most); {own.TIMES}")


def draw(rows: Sequence[Row], note: str) -> Figure:
    """RMSE to the weights really reached, by update: mean over seeds, shaded from least to most.

    Methods down, horizons across.  `rows` have method, seed, horizon, update and both RMSE, as a
    `gpu` study's `Probe.rows` gives them.
    """
    figure = own.panels([{"run": f"training: {row['method']}", **row} for row in rows], Look(),
                        lambda mine: short_text(nearer(mine, mine[0]["method"],
                                                       mine[0]["horizon"]), ".2f"))
    headline(figure, message(rows), note)
    return figure

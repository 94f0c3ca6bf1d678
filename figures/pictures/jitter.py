"""What jitter does to throughput and staleness, in a fixed order and under greedy dispatch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.metrics.report import report
from figures.drawing.colours import COLOURS
from figures.drawing.style import PAGE_IN, headline, legend_below, new_figure
from figures.methods import BACKWARD_S, DISPATCHES, FORWARD_S
from figures.pieces import Piece
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.rows import Rows
from sim.wording import plural

STAGES, MINIBATCHES = 8, 200
SIGMAS = (0.0, 0.1, 0.2, 0.4, 0.6)
DRAWS = 10  # runs for each seed asked for: nothing is trained


def document(dispatch: str, sigma: float, seed: int) -> dict[str, Any]:
    """The configuration of one run; `sigma` is that of the passes' lognormal durations."""
    return {"pipeline": {"stages": STAGES, "minibatches": MINIBATCHES, "dispatch": dispatch},
            "costs": {"forward_s": FORWARD_S, "backward_s": BACKWARD_S, "jitter": {"sigma": sigma}},
            "training": {"task": "none", "seed": seed}}


def configuration() -> dict[str, Any]:
    """What to write into the picture: the pipeline, and what is varied."""
    return {**document("static", SIGMAS[0], 0), "sigmas": list(SIGMAS), "runs_per_seed": DRAWS,
            "dispatches": [name for name in DISPATCHES]}


def pieces(seeds: Iterable[int]) -> list[Piece]:
    """Ten runs a dispatch, sigma and seed; without jitter one, since all are alike."""
    draws = [DRAWS * seed + number for seed in seeds for number in range(DRAWS)]
    return [Piece({"dispatch": name, "sigma": sigma, "seed": draw}, rows_of, (name, sigma, draw))
            for name in DISPATCHES for sigma in SIGMAS
            for draw in (draws if sigma else draws[:1])]


def rows_of(dispatch: str, sigma: float, draw: int) -> Rows:
    """One run: throughput over that without jitter, and staleness in updates.

    `first_stage_staleness` and the shares are those of the first stage's forwards.
    """
    found = report(run(resolve(document(dispatch, sigma, draw))))
    counts = found["staleness"]["distribution"]["forward"][0]
    passes = sum(counts.values())
    return [{"relative_throughput": (FORWARD_S + BACKWARD_S)
            * found["steady_throughput_minibatches_per_s"],
            "mean_staleness": float(np.mean(found["staleness"]["forward"])),
            "first_stage_staleness": found["staleness"]["forward"][0],
            **{f"share_{late}": counts.get(str(late), 0) / passes for late in range(STAGES)}}]


def column(rows: Rows, dispatch: str, sigma: float, name: str) -> list[float]:
    """One quantity of all runs with this dispatch and sigma."""
    return [row[name] for row in rows if (row["dispatch"], row["sigma"]) == (dispatch, sigma)]


def message(rows: Rows) -> str:
    """The headline: median throughput and mean staleness at the strongest jitter."""
    sigma = SIGMAS[-1]
    fast = {name: float(np.median(column(rows, name, sigma, "relative_throughput")))
            for name in DISPATCHES}
    late = {name: float(np.mean(column(rows, name, sigma, "first_stage_staleness")))
            for name in DISPATCHES}
    lost = fast["greedy"] < fast["static"]
    return (f"Jitter costs throughput, and greedy dispatch {'does not win it' if lost else 'wins'} "
            f"back{'' if lost else ' some'}: at σ = {sigma} the fixed order keeps "
            f"{100 * fast['static']:.0f} %, greedy {100 * fast['greedy']:.0f} %, its first stage "
            f"{late['greedy']:.2g} instead of {late['static']:.2g} updates late")


def draw(rows: Rows) -> Figure:
    """Throughput and staleness of the first stage by sigma; how often each staleness occurs."""
    runs = max(len(column(rows, "static", sigma, "seed")) for sigma in SIGMAS)
    figure = new_figure(PAGE_IN, 3.0)
    headline(figure, message(rows), f"{STAGES} stages, asynchronous 1F1B, {MINIBATCHES} "
             f"mini-batches, lognormal jitter of mean 1 on every pass, {plural(runs, 'run')} each; "
             "boxes: quartiles, whiskers: all runs; greedy: backward first, what is ready first")
    left, middle, right = figure.subplots(1, 3)
    for axis, name, title, label in (
            (left, "relative_throughput", "throughput", "over that without jitter"),
            (middle, "first_stage_staleness", "first stage's forwards (axis cut)",
             "mean staleness (updates)")):
        _boxes(axis, rows, name)
        axis.set_title(title)
        axis.set_ylabel(label)
        axis.set_xlabel("jitter σ (of log duration)")
    left.set_ylim(0, 1.05)
    _shares(right, rows)
    legend_below(figure, left.get_legend_handles_labels(), columns=2)
    return figure


def _boxes(axis: Axes, rows: Rows, name: str) -> None:
    for shift, (dispatch, stroke) in zip((-0.2, 0.2), DISPATCHES.items(), strict=True):
        found = axis.boxplot(
            [column(rows, dispatch, sigma, name) for sigma in SIGMAS],
            positions=[n + shift for n in range(len(SIGMAS))], widths=0.32, whis=(0, 100),
            patch_artist=True, manage_ticks=False,
            medianprops={"color": COLOURS["black"], "linewidth": 0.9})
        for part in ("whiskers", "caps"):
            for line in found[part]:
                line.set(color=COLOURS["black"], linewidth=0.8)
        for box in found["boxes"]:
            box.set(facecolor=COLOURS[stroke.colour], edgecolor=COLOURS["black"], linewidth=0.6,
                    hatch=stroke.hatch)
        found["boxes"][0].set_label(stroke.label)
    axis.set_xticks(range(len(SIGMAS)), [f"{sigma:g}" for sigma in SIGMAS])
    axis.grid(axis="y")


def _shares(axis: Axes, rows: Rows) -> None:
    """Of the strongest jitter, on the first stage: share of forwards by staleness."""
    for shift, (dispatch, stroke) in zip((-0.2, 0.2), DISPATCHES.items(), strict=True):
        means = [float(np.mean(column(rows, dispatch, SIGMAS[-1], f"share_{late}")))
                 for late in range(STAGES)]
        axis.bar(np.arange(STAGES) + shift, means, 0.38, color=COLOURS[stroke.colour],
                 hatch=stroke.hatch, edgecolor=COLOURS["black"], linewidth=0.6)
    axis.set_xticks(range(STAGES))
    axis.set_title(f"first stage's forwards, σ = {SIGMAS[-1]}")
    axis.set_xlabel("staleness (updates)")
    axis.set_ylabel("share of forwards")
    axis.set_ylim(0, 1.05)
    axis.grid(axis="y")

"""Losses and accuracy by mini-batch and by simulated second, a line per method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.metrics.convergence import late_deviation
from analysis.metrics.timing import finished_s
from figures import methods
from figures.drawing.curves import Curve, draw_curves, name_ends
from figures.drawing.style import PAGE_IN, SMALLEST_PT, headline, new_figure
from figures.methods import NAMED, RATES, Method, bounds, spread
from figures.pieces import Piece
from sim.rows import Rows
from sim.spread import POSITIVE, SHARE, Range, Spread
from sim.wording import plural

STAGES = 8
SHORT = tuple(NAMED[name] for name in (
    "sequential", "GPipe 7 (flushed)", "data parallel", "data parallel, scaled rate", "none",
    "stash", "vertical-sync", "spectrain", "nwpt", "i-timeprest", "timeprest, nF1B 7",
    "v-timeprest, nF1B 7"))
LONG = tuple(NAMED[name] for name in (
    "sequential", "data parallel", "data parallel, scaled rate", "none", "stash", "spectrain",
    "spectrain-stashed"))
METHODS = {800: SHORT, 5000: LONG}  # by mini-batches: SpecTrain's authors train for 5,000
EVERY = {800: 20, 5000: 50}  # mini-batches between evaluations
STRONG = ("sequential", "none", "spectrain")  # in colour, with their bands; the others grey
QUANTITIES: tuple[tuple[str, str, Range], ...] = (
    ("training_loss", "loss over the training set", POSITIVE),
    ("validation_loss", "loss over the validation set", POSITIVE),
    ("accuracy", "validation accuracy", SHARE))


def base(minibatches: int) -> dict[str, Any]:
    """The configuration all methods start from."""
    document = methods.document(STAGES, RATES[STAGES], minibatches=minibatches)
    document["training"] |= {"evaluate_every": EVERY[minibatches], "distances": False}
    return document


def configuration(minibatches: int) -> dict[str, Any]:
    """What to write into the picture: the pipeline and the methods."""
    return methods.configuration(base(minibatches), METHODS[minibatches])


def pieces(minibatches: int, seeds: Iterable[int]) -> list[Piece]:
    """One run a method and seed."""
    return [Piece({"method": m.label, "seed": seed}, rows_of,
                  (base(minibatches), m.contender, seed))
            for seed in seeds for m in METHODS[minibatches]]


def rows_of(document: dict[str, Any], contender: str, seed: int) -> Rows:
    """A row per evaluation: mini-batch, second it was done on every stage, losses and accuracy."""
    trace = methods.trained(document, contender, seed)
    at, done = trace.curves["evaluated_minibatch"], finished_s(trace)
    columns = (at, np.maximum.accumulate(done)[at - 1],
               *(trace.curves[name] for name, *_ in QUANTITIES))
    names = ("minibatch", "second", *(name for name, *_ in QUANTITIES))
    return [dict(zip(names, row, strict=True))
            for row in zip(*(c.tolist() for c in columns), strict=True)]


def at_the_end(rows: Rows, method: str, quantity: str) -> list[float]:
    """A method's quantity at the last evaluation, of every seed in order."""
    end = {row["seed"]: row[quantity] for row in rows if row["method"] == method}
    return [end[seed] for seed in sorted(end)]


def fluctuations(rows: Rows, method: str) -> list[float]:
    """Sample standard deviation of the accuracies over the last fifth, of every seed in order."""
    mine = [row for row in rows if row["method"] == method]
    last = max(row["minibatch"] for row in mine)
    found = []
    for seed in sorted({row["seed"] for row in mine}):
        at, accuracy = np.array([(row["minibatch"], row["accuracy"]) for row in mine
                                 if row["seed"] == seed]).T
        deviation = late_deviation(at, accuracy, last)
        assert deviation is not None  # evaluated every so often to the end
        found.append(deviation)
    return found


def loss_at(rows: Rows, method: str, second: float) -> float:
    """Mean loss over seeds at the last evaluation until a second; NaN before the first."""
    seconds, found = _line(rows, method, "second", "training_loss", POSITIVE)
    known = [each.mean for at, each in zip(seconds, found, strict=True) if at <= second]
    return known[-1] if known else float("nan")


def message(rows: Rows) -> str:
    """The headline: losses after all mini-batches, and when the unflushed pipeline is through; of
    a long training, losses on both sets."""
    last = max(row["minibatch"] for row in rows)
    if METHODS.get(last) is LONG:
        found = {m.label: [spread(at_the_end(rows, m.label, name)).mean for name in (
            "training_loss", "validation_loss")] for m in LONG}
        worst = max(found, key=lambda m: found[m][0])
        trained, validated = (", ".join(f"{found[m][k]:.2g} {m}" for m in dict.fromkeys(
            ("sequential", "spectrain", "none", "stash", worst))) for k in (0, 1))
        return (f"After {last} mini-batches all have learnt the training set: loss {trained}; on "
                f"the validation set {validated}")
    end = max(row["second"] for row in rows if row["method"] == "none")
    lost = [f"{loss_at(rows, m, float('inf')):.2g} {m}"
            for m in ("sequential", "spectrain", "none", "data parallel")]
    then = [f"{loss_at(rows, m, end):.2g} {m.removesuffix(' (flushed)')}"
            for m in ("spectrain", "GPipe 7 (flushed)", "none", "sequential")]
    return (f"Loss after {last} mini-batches: {', '.join(lost)}; after {end:.0f} s: "
            f"{', '.join(then)}")


def draw(rows: Rows) -> Figure:
    """Losses above, accuracy below; by mini-batch left, by simulated second right."""
    seeds, shown = {row["seed"] for row in rows}, _shown(rows)
    flushed = "; by mini-batch GPipe 7 lies on sequential" if len(shown) > len(LONG) else ""
    figure = new_figure(PAGE_IN, 7.8)
    headline(figure, message(rows), f"{STAGES} stages, digits, batch {methods.BATCH}, learning "
             f"rate {RATES[STAGES]}, mean of {plural(len(seeds), 'seed')}, bands of "
             f"{', '.join(STRONG)}: {methods.BARS}; a mini-batch takes a stage 1 s forward "
             "and 2 s backward, links are "
             f"free; data parallel on {STAGES} devices, an update of {STAGES} mini-batches"
             f"{flushed}; right, those that end together are grey as on the left")
    axes = np.atleast_2d(figure.subplots(3, 2, sharey="row", sharex="col"))
    curves = {}
    axes[0, 1].set_xscale("log")
    for line, (quantity, label, within) in zip(axes, QUANTITIES, strict=True):
        for axis, along in zip(line, ("minibatch", "second"), strict=True):
            curves[axis] = [_curve(rows, method, along, quantity, within) for method in shown]
            draw_curves(axis, curves[axis])
            axis.grid()
        line[0].set_ylabel(label)
        line[0].set_yscale("linear" if within == SHARE else "log")
    axes[2, 0].set_ylim(0, 1)
    axes[2, 0].set_xlabel("mini-batches")
    axes[2, 0].set_xlim(0, max(row["minibatch"] for row in rows))
    axes[2, 1].set_xlabel("simulated time (s, logarithmic)")
    _seconds(axes[2, 1], [row["second"] for row in rows])
    for axis in axes[:, 0]:
        name_ends(axis, curves[axis], SMALLEST_PT)
    name_ends(axes[0, 1], _later(curves[axes[0, 1]]), SMALLEST_PT, at_frame=False)
    return figure


def _later(curves: Sequence[Curve]) -> list[Curve]:
    """The grey curves that end apart from the others, where their names have room."""
    through = min(curve.x[-1] for curve in curves)
    return [curve for curve in curves if not curve.strong and curve.x[-1] > 1.2 * through]


def _shown(rows: Rows) -> Sequence[Method]:
    there = {row["method"] for row in rows}
    return [method for method in dict.fromkeys((*SHORT, *LONG)) if method.label in there]


def _seconds(axis: Axes, seconds: Sequence[float]) -> None:
    """Every power of ten, written out."""
    ticks = [10**e for e in range(7) if min(seconds) <= 10**e <= 1.2 * max(seconds)]
    axis.set_xticks(ticks, [f"{second}" for second in ticks])


def _curve(rows: Rows, method: Method, along: str, quantity: str, within: Range) -> Curve:
    xs, found = _line(rows, method.label, along, quantity, within)
    low, high = np.array([bounds(each) for each in found]).T
    return Curve(method.label.removesuffix(" (flushed)"), np.array(xs),
                 np.array([each.mean for each in found]), method.hex, method.line, method.mark,
                 method.label in STRONG, (low, high))


def _line(rows: Rows, method: str, along: str, quantity: str, within: Range
          ) -> tuple[list[float], list[Spread]]:
    """Places, and what the seeds have there."""
    at: dict[int, Rows] = {}
    for row in rows:
        if row["method"] == method:
            at.setdefault(row["minibatch"], []).append(row)
    return ([some[0][along] for some in at.values()],
            [spread([row[quantity] for row in some], within) for some in at.values()])

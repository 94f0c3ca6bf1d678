"""A real network under every mitigation: weights used by stage, and training curves."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from figures.drawing.colours import COLOURS
from figures.drawing.curves import Curve, draw_curves, name_ends
from figures.drawing.look import Look
from figures.drawing.style import PAGE_IN, headline, legend_below, new_figure, points
from figures.drawing.tables import written
from figures.methods import BARS, METHODS, bounds, short_text, spread
from figures.traces.stages.late import DISTANCE, LAG
from figures.traces.staleness import FRESH, panels
from sim.rows import Row
from sim.spread import POSITIVE, SHARE, Range, Spread
from sim.wording import plural

COLUMNS = {LAG: "lag", DISTANCE: "relative"}
CURVES = (("training_loss", "training loss", POSITIVE),
          ("validation_loss", "validation loss", POSITIVE),
          ("training_accuracy", "training accuracy", SHARE),
          ("validation_accuracy", "validation accuracy", SHARE))
STRONG = ("sequential", "none", "spectrain")  # where there are many: in colour, the others grey
MANY = 5


class Stroke(NamedTuple):
    """How a method is drawn: a colour's name, a line, a mark."""

    colour: str
    line: str
    mark: str


def base_name(method: str) -> str:
    """A method without its number of micro-batches."""
    return re.sub(r" \d+$", "", method)


STROKES = {base_name(m.label): Stroke(m.colour, m.line, m.mark) for m in METHODS}
OTHERS = tuple(Stroke(colour, ":", mark) for colour, mark in (
    ("black", "o"), ("blue", "s"), ("orange", "^"), ("green", "D"), ("grey", "v")))


def draw_distances(rows: Sequence[Row], title: str) -> Figure:
    """Tables of version lag and distance by stage and pass, methods down; means over seeds.

    `rows` have method, pass, stage, seed, `lag` in updates and `relative` distance.
    """
    means = _means(rows, ("method", "pass", "stage"), list(COLUMNS.values()))
    figure = panels([{"run": method, "quantity": quantity, "pass": name, "stage": stage,
                      "share": 1.0, "value": found[column]}
                     for (method, name, stage), found in means.items()
                     for quantity, column in COLUMNS.items()], Look())
    headline(figure, distances_message(rows), f"{title}, means over the seeds; {FRESH}")
    return figure


def distances_message(rows: Sequence[Row]) -> str:
    """The headline: how late the first stage's forward is, and whose weights are how far."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    first = {method: [row for row in rows if (row["method"], row["pass"], row["stage"])
                      == (method, "forward", 0)] for method in methods}
    stale = next((name for name in ("none", *methods)
                  if any(row["lag"] for row in first.get(name, ()))), methods[0])
    far = {method: 100 * spread([row["relative"] for row in mine]).mean
           for method, mine in first.items()}
    shown = [name for name in ("spectrain", "nwpt") if name in far and name != stale]
    late = float(np.mean([row["lag"] for row in first[stale]]))
    said = ", ".join(f"{far[name]:.2g} % ({name})" for name in (stale, *shown))
    return (f"The first stage's forward is {late:.2g} updates late ({stale}): its weights are "
            f"{said} from fresh ones")


def _means(rows: Iterable[Row], keys: Sequence[str], names: Sequence[str]
           ) -> Mapping[tuple[Any, ...], Mapping[str, float]]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return {key: {name: float(np.mean([math.nan if row[name] is None else row[name]
                                       for row in group])) for name in names}
            for key, group in groups.items()}


def draw_curves_of(rows: Sequence[Row], title: str, message: str, *, target: float | None = None,
                   along: str = "minibatch", label: str = "mini-batch",
                   strokes: Mapping[str, Stroke] = STROKES) -> Figure:
    """Loss above, accuracy below, training left, validation right; means over seeds.

    Of many methods three are in colour and have their spread, the others grey, named at the ends of
    their losses.  `rows` have method, seed, quantity, value and the place `along` the
    axis, which is called `label`; `message` is the headline, `target` an accuracy; `strokes` gives
    the stroke by method, its number of micro-batches left out.
    """
    methods = list(dict.fromkeys(row["method"] for row in rows))
    strong = [name for name in methods if base_name(name) in STRONG] or methods[:3]
    strong = methods if len(methods) <= MANY else strong
    figure = new_figure(PAGE_IN, 5.6)
    seeds = len({row["seed"] for row in rows})
    bands = "" if seeds < 2 else f"; bands{_whose(methods, strong)}: {BARS}"
    headline(figure, message, f"{title}{bands}")
    axes = figure.subplots(2, 2, sharex=True, sharey="row")
    others = iter(OTHERS * len(methods))
    stroke_of = {name: strokes.get(base_name(name)) or next(others) for name in methods}
    first, last = min(row[along] for row in rows), max(row[along] for row in rows)
    axes[0, 0].set_xlim(first - (first == last) / 2, last + (first == last) / 2)
    drawn = {}
    for axis, (quantity, name, within) in zip(axes.flat, CURVES, strict=True):
        mine = [row for row in rows if row["quantity"] == quantity]
        drawn[axis] = [_curve([row for row in mine if row["method"] == method], along, within,
                              stroke_of[method], method in strong) for method in methods]
        draw_curves(axis, drawn[axis])
        axis.set_ylabel(name)
        axis.grid()
        if within == POSITIVE:
            axis.set_yscale("log")
        elif target is not None:
            axis.axhline(target, color=COLOURS["grey"], linewidth=0.8, linestyle=(0, (2, 2)))
    for axis in axes[1]:
        axis.set_xlabel(label)
        axis.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    if len(strong) == len(methods):
        legend_below(figure, axes[0, 0].get_legend_handles_labels(), columns=len(methods))
    else:
        for axis in axes[0]:
            name_ends(axis, drawn[axis], points("legend.fontsize"))
    return figure


def _whose(methods: Sequence[str], strong: Sequence[str]) -> str:
    return "" if len(strong) == len(methods) else f" of {', '.join(strong)}"


def _curve(rows: Sequence[Row], along: str, within: Range, stroke: Stroke, strong: bool) -> Curve:
    """A method's curve of one quantity: mean over seeds, and what its bars reach."""
    at: dict[Any, list[float | None]] = {}
    for row in rows:
        at.setdefault(row[along], []).append(row["value"])
    places = sorted(at)
    found = [spread(at[place], within) for place in places]
    low, high = np.array([bounds(each) for each in found]).T
    return Curve(rows[0]["method"], np.array(places, dtype=float),
                 np.array([each.mean for each in found]), COLOURS[stroke.colour], stroke.line,
                 stroke.mark, strong, (low, high))


def draw_curves_by_minibatch(rows: Sequence[Row], title: str, target: float) -> Figure:
    """The curves of a staleness study, and after how many mini-batches accuracy was enough."""
    return draw_curves_of(rows, title, target_message(rows, target), target=target)


def target_message(rows: Sequence[Row], target: float) -> str:
    """The headline: mini-batches until the validation accuracy was `target` for the first time."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    shown = [name for name in methods if base_name(name) in STRONG] or methods[:3]
    reached = {name: [_first(rows, name, seed, target) for seed in
                      sorted({row["seed"] for row in rows})] for name in shown}
    ordered = sorted(shown, key=lambda name: _mean_or_never(reached[name]))
    said = ", ".join(f"{_after(reached[name])} ({name})" for name in ordered)
    return f"Mini-batches to {100 * target:g} % validation accuracy: {said}"


def _first(rows: Sequence[Row], method: str, seed: int, target: float) -> float | None:
    at = [row["minibatch"] for row in rows
          if (row["method"], row["seed"], row["quantity"]) == (method, seed, "validation_accuracy")
          and row["value"] is not None and row["value"] >= target]
    return float(min(at)) if at else None


def _mean_or_never(reached: Sequence[float | None]) -> float:
    return math.inf if None in reached else float(np.mean([each or 0.0 for each in reached]))


def _after(reached: Sequence[float | None]) -> str:
    missed = sum(each is None for each in reached)
    return (f"not reached in {missed} of {plural(len(reached), 'seed')}" if missed
            else short_text(spread(reached), ".0f"))


def end_message(rows: Sequence[Row], along: str, label: str) -> str:
    """The headline: the training loss of every method where its curve ends."""
    mine = [row for row in rows if row["quantity"] == "training_loss"]
    last = max(row[along] for row in mine)
    by: dict[str, list[float | None]] = {}
    for row in mine:
        if row[along] == last:
            by.setdefault(row["method"], []).append(row["value"])
    said = zip(texts([spread(values) for values in by.values()]), by, strict=True)
    return (f"Training loss after {plural(int(last), label)}: "
            + ", ".join(f"{text} ({name})" for text, name in said))


def texts(found: Sequence[Spread]) -> list[str]:
    """Spreads for a headline, all with one number of decimals."""
    form = written(np.array([value for each in found for value in each.values]))
    return [each._replace(ci95=None).text(form).replace(", ", "/") or "–" for each in found]

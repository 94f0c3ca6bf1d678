"""Staleness by stage under every mitigation: version lag, weight distance, loss and accuracy."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.compare import Contender
from analysis.report import report
from figures.style import COLOURS, Row, new_figure
from sim.batched import run_many
from sim.configuration import Experiment, resolve
from sim.trace import Trace

# label, contender, colour, line
METHODS: tuple[tuple[str, str, str, str], ...] = (
    ("sequential", "none@sequential", "black", "-"),
    ("none", "none", "vermilion", "-"),
    ("stash", "stash", "orange", "-"),
    ("vertical-sync", "vertical-sync", "grey", "-"),
    ("spectrain", "spectrain", "blue", "-"),
    ("spectrain-stashed", "spectrain-stashed", "sky", "-"),
    ("nwpt", "nwpt", "purple", "-"),
    ("i-timeprest", "i-timeprest", "green", "-"),
    ("timeprest, nF1B 7", "timeprest@nf1b/7", "purple", "--"),
    ("v-timeprest, nF1B 7", "v-timeprest@nf1b/7", "vermilion", "--"),
    ("i-timeprest, nF1B 7", "i-timeprest@nf1b/7", "green", "--"),
)

# per number of stages, high enough that staleness matters and sequential training is still well
RATES = {3: 0.6, 8: 0.05}


def experiment(stages: int) -> Experiment:
    """The pipeline of the figure; 7 micro-batches divide its batch of 28."""
    return resolve({"pipeline": {"stages": stages, "minibatches": 800},
                    "training": {"batch_size": 28, "learning_rate": RATES[stages],
                                 "evaluate_every": 40}})


def data(stages: int, seeds: Iterable[int],
         done: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
    """Long rows: method, seed, quantity, pass, stage or mini-batch, value."""
    base = experiment(stages)
    asked = [(seed, label, resolve(Contender.parse(item).document(base, seed)))
             for seed in seeds for label, item, _, _ in METHODS]
    rows: list[list[dict[str, Any]]] = [[] for _ in asked]
    for place, trace in run_many([each for *_, each in asked]):
        if not isinstance(trace, Trace):
            raise trace
        seed, label, _ = asked[place]
        rows[place] = [{"stages": stages, "method": label, "seed": seed, **row}
                       for row in (*_by_stage(trace), *_curves(trace))]
        done()
    return list(itertools.chain(*rows))


def _by_stage(trace: Trace) -> Iterable[dict[str, Any]]:
    found = report(trace)
    for quantity, source in (("version lag (updates)", found["staleness"]),
                             ("relative weight distance", found["weight_distance"])):
        for name in ("forward", "backward"):
            for stage, value in enumerate(source[name]):
                yield {"quantity": quantity, "pass": name, "stage": stage, "minibatch": None,
                       "value": value}


def _curves(trace: Trace) -> Iterable[dict[str, Any]]:
    for quantity in ("training_loss", "accuracy"):
        for minibatch, value in zip(trace.curves["evaluated_minibatch"].tolist(),
                                    trace.curves[quantity].tolist(), strict=True):
            yield {"quantity": quantity, "pass": None, "stage": None, "minibatch": minibatch,
                   "value": value}


def draw(rows: list[dict[str, Any]]) -> Figure:
    """Tables of lag and distance above, learning curves (mean over seeds) below."""
    stages = rows[0]["stages"]
    seeds = sorted({row["seed"] for row in rows})
    figure = new_figure(11.5, 8.2)
    above, below = np.asarray(figure.subfigures(2, 1), dtype=object)
    tables = above.subplots(1, 4, sharey=True)
    for axis, (quantity, name) in zip(tables, (
            (q, p) for q in ("version lag (updates)", "relative weight distance")
            for p in ("forward", "backward")), strict=True):
        _table(axis, rows, quantity, name, stages)
    curves = below.subplots(1, 2)
    _curve(curves[0], rows, "training_loss", "loss over the training set")
    curves[0].set_yscale("log")
    _curve(curves[1], rows, "accuracy", "validation accuracy")
    curves[1].set_ylim(0, 1)
    below.legend(*curves[0].get_legend_handles_labels(), loc="outside right center")
    plural = "s" * (len(seeds) > 1)
    figure.suptitle(f"Which weights each pass used: {stages} stages, digits, batch 28, learning "
                    f"rate {RATES[stages]}, mean of {len(seeds)} seed{plural}", x=0.01, ha="left")
    return figure


def _table(axis: Axes, rows: list[dict[str, Any]], quantity: str, name: str, stages: int) -> None:
    """Methods down, stages across; darker is staler, the number written in each cell."""
    percent = quantity.startswith("relative")
    values = np.array([[_mean(rows, method, quantity, name, k) for k in range(stages)]
                       for method, *_ in METHODS]) * (100 if percent else 1)
    finite = values[np.isfinite(values)]
    top = max(float(np.quantile(finite, 0.95)) if percent and finite.size else finite.max(), 1e-9)
    axis.imshow(values, cmap="Blues", vmin=0, vmax=1.4 * top, aspect="auto")
    for (m, k), value in np.ndenumerate(values):
        axis.text(k, m, _short(value, percent), ha="center", va="center",
                  fontsize=6.5 if stages > 4 else 8,
                  color="white" if value > 0.9 * top else "black")
    axis.set_title(f"{name}: " + ("distance (% of weights)" if percent else quantity), fontsize=9)
    axis.set_xticks(range(stages))
    axis.set_yticks(range(len(METHODS)), [method for method, *_ in METHODS])
    axis.set_xlabel("stage")
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _short(value: float, percent: bool) -> str:
    if not np.isfinite(value):
        return "–"
    if not percent or value == 0:
        return f"{value:.2g}"
    if value < 0.005:
        return "<.01"
    return f"{value:.1f}" if value >= 0.1 else f"{value:.2f}"


def _mean(rows: list[dict[str, Any]], method: str, quantity: str, name: str, stage: int) -> float:
    values = [row["value"] for row in rows
              if (row["method"], row["quantity"], row["pass"], row["stage"])
              == (method, quantity, name, stage)]
    return float(np.mean([np.nan if v is None else v for v in values]))


def _curve(axis: Axes, rows: list[dict[str, Any]], quantity: str, label: str) -> None:
    for method, _, colour, line in METHODS:
        mine: list[Row] = [r for r in rows if r["quantity"] == quantity and r["method"] == method]
        at = sorted({r["minibatch"] for r in mine})
        means = [np.mean([r["value"] for r in mine if r["minibatch"] == m]) for m in at]
        axis.plot(at, means, color=COLOURS[colour], linestyle=line, label=method,
                  linewidth=2.2 if method == "sequential" else 1.4)
    axis.set_xlabel("mini-batch")
    axis.set_ylabel(label)
    axis.grid(color=COLOURS["pale"], linewidth=0.6)

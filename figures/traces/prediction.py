"""Stale beside predicted weights over a training of one's own, a panel for each horizon."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from figures.drawing.colours import COLOURS
from figures.drawing.look import Look
from figures.drawing.style import headline, legend_below, points
from figures.drawing.tables import name_broken
from figures.horizons import HORIZONS, Probe
from figures.traces.canvas import axes_or_new
from figures.traces.wanted import OwnPicture, Run, Wanted
from sim.commands.bars import running
from sim.errors import ConfigurationError
from sim.experiment.options import Experiment
from sim.experiment.run import run as simulate
from sim.library.asking import Asked, experiment_of
from sim.order.program import Program
from sim.rows import Row, Rows
from sim.trace import Trace

# prediction below stale where it helps; told apart in grey by the line
LINES = (("stale", "vermilion", "--", "stale weights $W_t$"),
         ("predicted", "blue", "-", r"predicted weights $W_t-s\,\eta\,v_t$"))
MOST_NAMED = 3  # runs in a headline
POINTS = 40  # of a line: updates are averaged until so many are left
TALL_IN = 7.2  # of all panels, where they are many
EDGE_IN, PANEL_IN = 0.6, 0.85  # what stands left of panels, and the narrowest
AVERAGED = "means over neighbouring updates"
TIMES = "×: how many times nearer the prediction is"
AGAIN = ("a trace that was measured, or whose experiment is not whole, cannot be run again; give "
         "the experiment, a .toml")


def rows(runs: Sequence[Run], wanted: Wanted) -> Rows:
    """A row per horizon and block of updates of each run: RMSE of stale and of predicted weights
    to those that many updates on.

    The weights of a training are nowhere kept, so each run's experiment is trained again.  Raises
    ConfigurationError where one cannot be, or trains nothing.
    """
    return [row for run in runs for row in _of(run.name, _experiment(run), run.program)]


def _experiment(run: Run) -> Experiment:
    if run.experiment is None:
        raise ConfigurationError([f"{run.name}: {AGAIN}"])
    return run.experiment


def _of(name: str, experiment: Experiment, program: Program | None) -> Rows:
    if experiment.training.task == "none":
        raise ConfigurationError([f"{name}: training.task is none, so there are no weights to "
                                  "predict; set it, e.g. to digits-mlp"])
    if experiment.shape.workers > 1:
        raise ConfigurationError([f"{name}: workers.count is {experiment.shape.workers}; a "
                                  "prediction is looked at on one worker"])
    probe = Probe(experiment.pipeline.stages)
    with running(experiment, program) as bar:
        def watch(stage: int, version: int, weights: Any) -> None:
            probe(stage, version, weights)
            if bar is not None:
                bar(stage, version, weights)

        simulate(experiment, program, watch=watch)
    updates = experiment.pipeline.minibatches
    found = probe.rows(max(1, round(updates / POINTS)))
    if not found:
        raise ConfigurationError([f"{name}: pipeline.minibatches: at least {min(HORIZONS) + 2} "
                                  f"updates are needed to predict from, got {updates}"])
    return [{"run": name, **row} for row in found]


def message(rows: Rows) -> str:
    """The headline: how many times nearer the prediction is, by horizon."""
    names, ahead = list(dict.fromkeys(row["run"] for row in rows)), horizons(rows)
    times = [[nearer([row for row in rows if (row["run"], row["horizon"]) == (name, s)])
              for s in ahead] for name in names]
    on = ", ".join(map(str, ahead))
    if 1 < len(names) <= MOST_NAMED:
        return f"Predicted weights, times nearer than stale ones to those {on} updates on: " + (
            "; ".join(f"{', '.join(f'{each:.2f}' for each in mine)} ({name})"
                      for name, mine in zip(names, times, strict=True)))
    said = ", ".join(_from_to(column) for column in zip(*times, strict=True))
    return (f"Predicted weights are {said} times nearer than stale ones to the weights {on} "
            "updates on")


def _from_to(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def horizons(rows: Sequence[Row]) -> list[int]:
    """The horizons in the rows, ascending."""
    return sorted({row["horizon"] for row in rows})


def nearer(rows: Sequence[Row]) -> float:
    """How many times nearer predictions are: the ratio of the mean RMSE; NaN of no number."""
    stale, predicted = (float(np.mean([math.nan if row[f"{name}_rmse"] is None
                                       else row[f"{name}_rmse"] for row in rows]))
                        for name in ("stale", "predicted"))
    return stale / predicted if predicted else math.nan


def draw(rows: Rows, look: Look, wanted: Wanted) -> Figure:
    """RMSE by update, runs down and horizons across."""
    figure = panels(rows, look, lambda mine: f"{nearer(mine):.2f}")
    above = look.above(message(rows))
    if above:
        headline(figure, above, f"RMSE over all stages' weights together, {AVERAGED}; {TIMES}")
    return figure


def panels(rows: Sequence[Row], look: Look, times: Callable[[Sequence[Row]], str]) -> Figure:
    """The panels without what stands above them; a band is from the least to the most of several
    seeds, where the rows have those.

    `times` says how many times nearer the predictions of a panel's rows are.
    """
    names = list(dict.fromkeys(row["run"] for row in rows))
    steps = horizons(rows)
    beside = (look.width_in - EDGE_IN) / len(steps) >= PANEL_IN
    across, down = (len(steps), len(names)) if beside else (1, len(names) * len(steps))
    figure = look.figure(1.0 + max(1.0, min(1.6, TALL_IN / down)) * down)
    axes = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for axis, (name, horizon) in zip(axes.ravel(), [(n, s) for n in names for s in steps],
                                     strict=True):
        mine = [row for row in rows if (row["run"], row["horizon"]) == (name, horizon)]
        curves(axis, mine)
        axis.set_title(f"$s$ = {horizon}: {times(mine)}×")
        axis.xaxis.set_major_locator(MaxNLocator(4 if look.width_in > 5 else 2, integer=True))
    for number, line in enumerate(axes):
        line[0].set_ylabel("RMSE to $W_{t+s}$")
        if len(names) > 1:
            name = names[number * len(names) // down]
            line[-1].annotate(name_broken(name, 80, points("axes.titlesize")), (1.03, 0.5),
                              xycoords="axes fraction", rotation=-90, va="center", ha="left",
                              fontsize=points("axes.titlesize"))
    for axis in axes[-1]:
        axis.set_xlabel("update $t+s$")
    legend_below(figure, axes[0, 0].get_legend_handles_labels(),
                 columns=2 if look.width_in > 4.2 else 1)
    return figure


def curves(axis: Axes, rows: Sequence[Row]) -> None:
    """Mean RMSE of stale and of predicted weights by update, on a logarithmic scale."""
    updates = sorted({row["update"] for row in rows})
    for name, colour, line, label in LINES:
        by: dict[int, list[float]] = {update: [] for update in updates}
        for row in rows:
            value = row[f"{name}_rmse"]
            by[row["update"]].append(math.nan if value is None else value)
        columns = np.array([by[update] for update in updates])
        if columns.shape[1] > 1:
            axis.fill_between(updates, columns.min(axis=1), columns.max(axis=1),
                              color=COLOURS[colour], alpha=0.2, linewidth=0)
        axis.plot(updates, columns.mean(axis=1), color=COLOURS[colour], linestyle=line,
                  linewidth=1.2, label=label)
    axis.set_yscale("log")
    axis.grid()


def prediction(asked: Trace | Asked = None, ax: Axes | None = None, *, horizon: int = 1
               ) -> Axes:
    """Train an experiment and draw how far stale and predicted weights are from those `horizon`
    updates on (1 to 3), as RMSE over all stages.

    `asked` is an experiment as `sim.run` takes it, or a trace, whose experiment is run again.
    Raises ConfigurationError where that cannot be, or nothing is trained.
    """
    if horizon not in HORIZONS:
        raise ConfigurationError([f"horizon: choose from {', '.join(map(str, HORIZONS))}, got "
                                  f"{horizon}"])
    name = "run"
    if isinstance(asked, Trace):
        name = asked.header.mitigation
        if asked.header.gpu is not None or not asked.header.experiment.get("training"):
            raise ConfigurationError([f"{name}: {AGAIN}"])
        program = asked.program()
        asked = asked.header.experiment
        experiment = experiment_of(asked, {})
    else:
        program, experiment = None, experiment_of(asked, {})
    found = [row for row in _of(name, experiment, program) if row["horizon"] == horizon]
    ax = axes_or_new(ax)
    curves(ax, found)
    ax.set_xlabel("update $t+s$")
    ax.set_ylabel("RMSE to $W_{t+s}$")
    ax.set_title(f"$s$ = {horizon}")
    ax.legend(frameon=False)
    return ax


# its weights come from a training of its own, so the door need not train before
OWN = OwnPicture("prediction", rows, draw, message)

"""How late the weights were that each stage's passes used: version lag, and distance from fresh.

One run is told by bars, and by how often each lag occurred where it varies; several by tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.metrics.staleness import PASSES, mean_distance, steady_rows
from figures.drawing.look import Look
from figures.drawing.style import headline, legend_below
from figures.drawing.tables import Line, layout, table, tables
from figures.traces.canvas import axes_or_new
from figures.traces.given import Given, named
from figures.traces.stages.chosen import chosen_stages
from figures.traces.stages.late import DISTANCE, LAG, TITLES, UNITS, bars, fits, shaded_shares
from figures.traces.wanted import OwnPicture, Run, Wanted
from sim.arrays import Floats
from sim.errors import ConfigurationError
from sim.rows import Rows

NARROWEST_IN = 1.5  # of panels side by side
ABOVE_IN = 0.5  # for the message
MOST_NAMED = 4  # runs in a headline
FRESH = "fresh: the weights just before the mini-batch's own update"


def rows(runs: Sequence[Run], wanted: Wanted) -> Rows:
    """A row for each lag (updates) that occurred on a stage in one kind of pass, with its share of
    the stage's passes in the steady state; and for the mean distance (relative), whose share is 1.

    A run that measured no distances has no rows of them.  Raises ConfigurationError where a stage
    wanted is in no run.
    """
    found: Rows = []
    for run, stages in zip(runs, chosen_stages(runs, wanted), strict=True):
        for name in PASSES:
            found += _lags(run, name, stages) + _distances(run, name, stages)
    return found


def _lags(run: Run, name: str, stages: Sequence[int]) -> Rows:
    """Stages in order, their lags ascending."""
    mine = np.flatnonzero(steady_rows(run.trace, name))
    stage, lag = run.trace.stage[mine], run.trace.staleness[mine]
    order = np.lexsort((lag, stage))
    stage, lag = stage[order], lag[order]
    first = np.flatnonzero(np.concatenate(([True], (np.diff(stage) != 0) | (np.diff(lag) != 0))
                                          )[: len(stage)])
    times = np.diff(np.append(first, len(stage)))
    of_stage = np.bincount(stage, minlength=run.trace.shape.stages)
    return [{"run": run.name, "quantity": LAG, "pass": name, "stage": k, "value": value,
             "share": number / int(of_stage[k])}
            for k, value, number in zip(stage[first].tolist(), lag[first].tolist(),
                                        times.tolist(), strict=True) if k in set(stages)]


def _distances(run: Run, name: str, stages: Sequence[int]) -> Rows:
    if not np.isfinite(run.trace.weight_distance).any():
        return []
    found = mean_distance(run.trace, name, run.trace.weight_distance)
    return [{"run": run.name, "quantity": DISTANCE, "pass": name, "stage": k, "value": found[k],
             "share": 1.0} for k in stages]


def means(rows: Rows, run: str, quantity: str, name: str, stages: Sequence[int]) -> Floats:
    """Means by stage of one run, (stages,): lag in updates, distance in %; NaN where none is."""
    found = dict.fromkeys(stages, 0.0)
    seen = set()
    for row in rows:
        if (row["run"], row["quantity"], row["pass"]) == (run, quantity, name):
            value = float("nan") if row["value"] is None else row["value"]
            found[row["stage"]] += value * row["share"]
            seen.add(row["stage"])
    factor = 100 if quantity == DISTANCE else 1
    return factor * np.array([found[k] if k in seen else np.nan for k in stages])


def message(rows: Rows) -> str:
    """The headline: which stage's forward is latest, and how far its weights are from fresh."""
    runs, stages = names_of(rows), stages_of(rows)
    latest = {run: means(rows, run, LAG, "forward", stages) for run in runs}
    if len(runs) > MOST_NAMED:
        most = {run: float(np.nanmax(latest[run], initial=0)) for run in runs}
        first, *_, last = sorted(runs, key=lambda run: most[run])
        if most[first] == most[last]:
            return f"Latest forward: {_updates(most[first])} in every run"
        return (f"Latest forward: from {_updates(most[first])} ({first}) to "
                f"{_updates(most[last])} ({last})")
    if len(runs) > 1:
        return "Latest forward, in updates: " + ", ".join(
            f"{np.nanmax(each, initial=0):.3g} ({run})" for run, each in latest.items())
    (run, lags), = latest.items()
    if not np.nan_to_num(lags).any():
        return "Every forward used the newest weights that its own update would step from"
    place = int(np.nanargmax(lags))
    back = means(rows, run, LAG, "backward", stages)[place]
    far = means(rows, run, DISTANCE, "forward", stages)[place]
    return (f"Stage {stages[place]}'s forward is {_updates(lags[place])} late, its backward "
            f"{back:.3g}" + (f"; the forward's weights are {far:.2g} % from fresh ones"
                             if np.isfinite(far) else ""))


def _updates(number: float) -> str:
    return f"{number:.3g} update{'' if number == 1 else 's'}"


def names_of(rows: Rows) -> list[str]:
    """The runs in the rows, in order."""
    return list(dict.fromkeys(row["run"] for row in rows))


def stages_of(rows: Rows) -> list[int]:
    """The stages in the rows, ascending."""
    return sorted({row["stage"] for row in rows})


def draw(rows: Rows, look: Look, wanted: Wanted) -> Figure:
    """Bars by stage of one run, and where lags vary how often each occurred; of several runs a
    table for each quantity and pass, with one scale and one number of decimals a quantity."""
    return _one(rows, look) if len(names_of(rows)) == 1 else _several(rows, look)


def note(rows: Rows) -> str:
    """What the numbers are, below the headline; a picture without a title says it elsewhere."""
    distances = any(row["quantity"] == DISTANCE for row in rows)
    said = "means of the steady state, of a run without one of all; "
    return said + (f"distances of the whole run; {FRESH}" if distances else
                   "no distances were measured")


def _one(rows: Rows, look: Look) -> Figure:
    stages = stages_of(rows)
    quantities = [q for q in (LAG, DISTANCE) if any(row["quantity"] == q for row in rows)]
    varies = any(row["share"] < 1 for row in rows)
    panels = [*quantities, *(PASSES if varies else ())]
    across = 2 if len(panels) % 2 == 0 else 3 if look.width_in > 6 and len(panels) == 3 else 1
    if look.width_in < NARROWEST_IN * across or not fits(72 * look.width_in / across - 45,
                                                         len(stages)):
        across = 1
    down = -(-len(panels) // across)
    figure = look.figure(0.4 + ABOVE_IN + 1.7 * down)
    _above(figure, rows, look)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for axis, panel in zip(axes, panels, strict=True):
        if panel in quantities:
            bars(axis, rows, panel, stages)
    if varies:
        shaded_shares(figure, dict(zip(PASSES, axes[len(quantities):], strict=True)), rows, stages)
    for axis in axes:
        axis.set_xlabel("stage")
    legend_below(figure, axes[0].get_legend_handles_labels(), columns=2)
    return figure


def _above(figure: Figure, rows: Rows, look: Look) -> None:
    above = look.above(message(rows))
    if above:
        headline(figure, above, note(rows))


def _several(rows: Rows, look: Look) -> Figure:
    figure = panels(rows, look)
    _above(figure, rows, look)
    return figure


def panels(rows: Rows, look: Look) -> Figure:
    """A table for each quantity and pass, a line each for the runs, without what stands above."""
    runs, stages = names_of(rows), stages_of(rows)
    lines = [Line([f"{name}: {TITLES[quantity]}" for name in PASSES],
                  [np.array([means(rows, run, quantity, name, stages) for run in runs])
                   for name in PASSES], UNITS[quantity])
             for quantity in (LAG, DISTANCE) if any(row["quantity"] == quantity for row in rows)]
    found = layout(look.width_in, lines, runs, len(stages))
    figure = look.figure(ABOVE_IN + found.height_in)
    tables(figure, found, lines, stages)
    return figure


def staleness(traces: Given, ax: Axes | None = None, *,
              quantity: Literal["lag", "distance"] = "lag",
              of: Literal["forward", "backward"] = "forward",
              stages: Sequence[int] | None = None) -> Axes:
    """Draw by how many updates the weights of each stage's passes were behind, in the steady
    state, or with `quantity="distance"` how far they were from fresh (% of the weights).

    One trace: a bar for forwards and one for backwards, with a line from least to most where the
    lag varies.  Several: a table of one kind of pass (`of`), a line each.  `stages` (from 0) are
    those shown, None all.  Raises ConfigurationError where there is nothing to draw.
    """
    runs = named(traces)
    chosen = LAG if _known(quantity, ("lag", "distance"), "quantity") == "lag" else DISTANCE
    _known(of, tuple(PASSES), "of")
    found = [row for row in rows(runs, Wanted(stages=None if stages is None else tuple(stages)))
             if row["quantity"] == chosen]
    if not found:
        raise ConfigurationError(["quantity: no distances were measured; train with "
                                  "training.distances = true"])
    ax, numbers = axes_or_new(ax), stages_of(found)
    if len(runs) == 1:
        bars(ax, found, chosen, numbers)
        ax.legend(frameon=False)
    else:
        line = Line([of], [np.array([means(found, run.name, chosen, of, numbers)
                                     for run in runs])], UNITS[chosen])
        table(ax, line.values[0], [run.name for run in runs], numbers, line.scale, line.text)
        ax.set_title(f"{of}: {TITLES[chosen]}")
    ax.set_xlabel("stage")
    return ax


def _known(value: str, choices: tuple[str, ...], where: str) -> str:
    if value not in choices:
        raise ConfigurationError([f"{where}: choose from {', '.join(choices)}, got {value!r}"])
    return value


OWN = OwnPicture("staleness", rows, draw, message, takes=frozenset({"stages"}), trained=True)

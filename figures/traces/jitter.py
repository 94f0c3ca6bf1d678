"""What jitter does to one's own run: makespan, step time and bubble over many draws of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.drawing.colours import COLOURS
from figures.drawing.look import Look
from figures.drawing.style import headline
from figures.methods import DISPATCHES
from figures.traces.canvas import axes_or_new
from figures.traces.draws import DRAWS, draws_of
from figures.traces.wanted import OwnPicture, Run, Wanted
from sim.errors import ConfigurationError, unknown
from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment
from sim.rows import Rows
from sim.trace import Trace

# what each row has, its axis, and what it is times for that axis
QUANTITIES = {"makespan_s": ("makespan (s)", 1.0),
              "step_s": ("time per mini-batch,\nsteady state (s)", 1.0),
              "bubble": ("bubble (%)", 100.0)}
OVER = {"makespan_s": "makespan over that\nwithout jitter (ratio)",
        "step_s": "time per mini-batch, over\nthat without jitter (ratio)"}
WIDE_IN = 5.0  # from here on panels stand side by side
USUAL = (5, 95)  # percentiles where whiskers end
TOLD = 6  # boxes of which the headline speaks
BOX, DOT = 0.5, 1.6  # a box's height, where lines are 1 apart; a dot's size in points
Group = tuple[str, str]  # run and dispatch


def jitter(of: Experiment | Trace | Sequence[Experiment | Trace], ax: Axes | None = None, *,
           quantity: str = "makespan_s", draws: int = DRAWS, names: Sequence[str] | None = None
           ) -> Axes:
    """Draw how one quantity of experiments spreads over draws of their jitter, a box each.

    An experiment, or a trace whose experiment is simulated again, is drawn `draws` times (fewer
    where it is long), in its own dispatch and the other.  `quantity` is `makespan_s`, `step_s`
    (seconds a mini-batch takes in the steady state) or `bubble` (in percent).  `names` has what
    each is called.

    Raises ConfigurationError where one has no jitter.
    """
    if quantity not in QUANTITIES:
        raise ConfigurationError([unknown("quantity", quantity, list(QUANTITIES))])
    if draws < 1:
        raise ConfigurationError([f"draws: at least 1, got {draws}"])
    every = [of] if isinstance(of, Experiment | Trace) else list(of)
    called = list(names or ([""] if len(every) == 1 else
                            [f"run {number + 1}" for number in range(len(every))]))
    if len(called) != len(every):
        raise ConfigurationError([f"names: one for each of {len(every)}, got {len(called)}"])
    found = draws_of([_run(name, each) for name, each in zip(called, every, strict=True)], draws)
    if all(row[quantity] is None for row in found):
        raise ConfigurationError([f"quantity: there is no {quantity} of so few mini-batches"])
    ax = axes_or_new(ax)
    _panel(ax, found, quantity)
    _called(ax, found)
    return ax


def _run(name: str, of: Experiment | Trace) -> Run:
    if isinstance(of, Trace):
        experiment = None if of.header.gpu is not None else resolve(of.header.experiment)
        return Run(name, of, experiment)
    from sim.experiment.run import run  # its trace is only asked for where pictures show it

    return Run(name, run(of, training=False), of)


def rows(runs: Sequence[Run], wanted: Wanted) -> Rows:
    """A row per draw, see `draws_of`."""
    return draws_of(runs)


def groups(found: Rows) -> list[Group]:
    """Run and dispatch of each box, in their order."""
    return list(dict.fromkeys((row["run"], row["dispatch"]) for row in found))


def values(found: Rows, group: Group, name: str) -> tuple[list[float], float | None]:
    """A quantity over the draws of one box, and without jitter; unknown ones are left out."""
    mine = [row for row in found if (row["run"], row["dispatch"]) == group]
    still = next((row[name] for row in mine if row["seed"] is None), None)
    return [row[name] for row in mine if row["seed"] is not None and row[name] is not None], still


def message(found: Rows) -> str:
    """The headline: the median makespan of each box, of several runs over that without jitter."""
    said, several = [], _several(found)
    for group in groups(found):
        drawn, still = values(found, group, "makespan_s")
        middle, (low, high) = float(np.median(drawn)), np.percentile(drawn, USUAL)
        more = f"{100 * (middle / still - 1):+.0f} %" if still else "–"
        said.append(f"{more} ({_name(found, group)})" if several else
                    f"{middle:.4g} s with {_name(found, group)} ({more}; nine in ten {low:.4g} to "
                    f"{high:.4g})")
    if several:
        more = f" and {len(said) - TOLD} more" if len(said) > TOLD else ""
        return f"Jitter changes the median makespan by {', '.join(said[:TOLD])}{more}"
    return f"Under jitter the median makespan is {', '.join(said)}"


def _several(found: Rows) -> bool:
    return len({row["run"] for row in found}) > 1


def _name(found: Rows, group: Group) -> str:
    """What a box is called: its run where there are several, its dispatch where there are both."""
    parts = [str(group[0])] if _several(found) else []
    both = len({dispatch for run, dispatch in groups(found) if run == group[0]}) > 1
    parts += [DISPATCHES[group[1]].label] if both or not parts else []
    return ", ".join(part for part in parts if part)


def draw(found: Rows, look: Look, wanted: Wanted) -> Figure:
    """Makespan, step time and bubble: a box, its whiskers and every draw; a bar without jitter."""
    shown = [name for name in QUANTITIES if any(row[name] is not None for row in found)]
    count, size = len(groups(found)), float(mpl.rcParams["font.size"])
    wide = look.width_in >= WIDE_IN
    lines = 1.4 + ("," in "".join(_name(found, group) for group in groups(found)))
    one_in = (lines * size / 72 + 0.06) * count + 0.55
    figure = look.figure((one_in if wide else one_in * len(shown)) + 0.9)
    above = look.above(message(found))
    if above:
        headline(figure, above, f"{_draws(found)} draws, σ = {_sigmas(found)}; boxes: quartiles; "
                 "whiskers: nine draws in ten; black bars: without jitter")
    grid = (1, len(shown)) if wide else (len(shown), 1)
    axes = np.ravel(figure.subplots(*grid, sharey=True))
    for axis, name in zip(axes, shown, strict=True):
        _panel(axis, found, name)
    _called(axes[0], found)
    return figure


def _draws(found: Rows) -> str:
    """How many draws boxes have: one number, or the least and the most."""
    counts = {len(values(found, group, "makespan_s")[0]) for group in groups(found)}
    return " to ".join(map(str, sorted({min(counts), max(counts)})))


def _sigmas(found: Rows) -> str:
    """The deviations of the logarithm, each once."""
    return ", ".join(f"{sigma:g}" for sigma in dict.fromkeys(row["sigma"] for row in found))


def _panel(axis: Axes, found: Rows, name: str) -> None:
    """One quantity, a line for each group, the first at the top; of several runs over that without
    jitter, where that is a time."""
    label, scale = QUANTITIES[name]
    ratio = _several(found) and name in OVER
    for place, group in enumerate(groups(found)):
        drawn, still = values(found, group, name)
        if not drawn or (ratio and not still):
            continue
        one = 1 / still if ratio and still else scale
        _box(axis, place, one * np.array(drawn), group[1])
        if still is not None:
            axis.plot([one * still] * 2, [place - 0.42, place + 0.42], color=COLOURS["black"],
                      linewidth=1.8, zorder=5)
    axis.set_ylim(len(groups(found)) - 0.4, -0.6)
    axis.set_xlabel(OVER[name] if ratio else label)
    axis.margins(x=0.06)
    axis.grid(axis="x")


def _box(axis: Axes, place: int, drawn: Any, dispatch: str) -> None:
    """Every draw as a dot below its box, as many above each other as there is room for."""
    stroke = DISPATCHES[dispatch]
    up = place + 0.28 + 0.14 * ((np.arange(len(drawn)) * 0.618) % 1)  # even, never by chance
    axis.plot(drawn, up, "o", color=COLOURS["dim"], markersize=DOT, markeredgewidth=0, zorder=3)
    low, first, middle, third, high = np.percentile(drawn, (USUAL[0], 25, 50, 75, USUAL[1]))
    black: Any = {"color": COLOURS["black"], "linewidth": 0.8, "zorder": 4}
    for ends in ((low, first), (third, high)):
        axis.plot(ends, [place] * 2, **black)
    for end in (low, high):
        axis.plot([end] * 2, [place - BOX / 4, place + BOX / 4], **black)
    axis.barh(place, third - first, BOX * 0.8, first, color=COLOURS[stroke.colour],
              hatch=stroke.hatch, edgecolor=COLOURS["black"], linewidth=0.7, zorder=4)
    axis.plot([middle] * 2, [place - 0.4 * BOX, place + 0.4 * BOX], color=COLOURS["vermilion"],
              linewidth=1.4, zorder=4)


def _called(axis: Axes, found: Rows) -> None:
    every = groups(found)
    axis.set_yticks(range(len(every)), [_name(found, group).replace(", ", ",\n")
                                        for group in every])


OWN = OwnPicture("jitter", rows, draw, message)

"""How trainings went: losses and accuracy, a curve per run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.drawing.curves import Curve, draw_curves, name_ends
from figures.drawing.look import Look
from figures.drawing.scales import log_numbers
from figures.drawing.style import headline, legend_below
from figures.methods import BARS
from figures.traces.canvas import axes_or_new
from figures.traces.learning_rows import (
    FEW,
    OF_MINIBATCHES,
    QUANTITIES,
    averaged,
    last_of,
    message,
    rows,
    there_of,
)
from figures.traces.strokes import strokes
from figures.traces.wanted import OwnPicture, Run, Wanted
from sim.arrays import Floats
from sim.errors import ConfigurationError, unknown
from sim.rows import Rows
from sim.trace import Trace
from sim.wording import plural

ALONG = {"minibatch": "mini-batches", "second": "time (s)"}
LABEL_IN = 1.8  # height of a panel whose label has room in one line
WIDE_IN = 5.0  # from here on panels stand side by side
CUT = 100.0  # times the least first loss: what is beyond leaves the picture
RUNS = 16


def learning(trace: Trace | Sequence[Trace], ax: Axes | None = None, *,
             quantity: str | None = None, along: str = "minibatch",
             names: Sequence[str] | None = None, from_s: float | None = None,
             to_s: float | None = None) -> Axes:
    """Draw how one quantity of a training went, a curve per trace.

    `quantity` is `training_loss`, `validation_loss` or `accuracy`, as evaluated every so many
    mini-batches, or `minibatch_loss`, which every training has; None is the first where all traces
    were evaluated, else the last.  It is drawn along mini-batches, or `along="second"`.  `names`
    has what each trace is called (its mitigation, unless given), `from_s` and `to_s` the window in
    seconds.

    Raises ConfigurationError where a trace has no such curve.
    """
    _refuse_unknown(quantity, along)
    traces = [trace] if isinstance(trace, Trace) else list(trace)
    called = _called(traces, names)
    found = rows([Run(name, each) for name, each in zip(called, traces, strict=True)],
                 Wanted(from_s=from_s, to_s=to_s))
    found = averaged(found)
    there = there_of(found)
    chosen = quantity or there[0]
    if chosen not in there:
        raise ConfigurationError([_without(chosen)])
    ax = axes_or_new(ax)
    curves = _panel(ax, found, chosen, along)
    ax.set_xlabel(ALONG[along])
    if len(curves) > FEW:
        name_ends(ax, curves, mpl.rcParams["legend.fontsize"])
    else:
        ax.legend(frameon=False)
    return ax


def _refuse_unknown(quantity: str | None, along: str) -> None:
    wrong = [] if along in ALONG else [unknown("along", along, list(ALONG))]
    if quantity is not None and quantity not in QUANTITIES:
        wrong.append(unknown("quantity", quantity, list(QUANTITIES)))
    if wrong:
        raise ConfigurationError(wrong)


def _called(traces: Sequence[Trace], names: Sequence[str] | None) -> list[str]:
    """A name for each trace; that of its mitigation, with its number where it is not the first."""
    if names is not None:
        if len(names) != len(traces) or len(set(names)) != len(names):
            raise ConfigurationError([f"names: a different one for each of "
                                      f"{plural(len(traces), 'trace')}, got {list(names)}"])
        return list(names)
    called: list[str] = []
    for trace in traces:
        own = trace.header.mitigation
        same = sum(each.partition(" #")[0] == own for each in called)
        called.append(f"{own} #{same + 1}" if same else own)
    return called


def _without(quantity: str) -> str:
    if quantity == OF_MINIBATCHES:
        return "quantity: the mini-batches' losses are drawn where a run was not evaluated"
    return (f"training.evaluate_every: a run has no {QUANTITIES[quantity]} at different times; "
            "set it, e.g. to 10, and choose a task that has it")


def draw(found: Rows, look: Look, wanted: Wanted) -> Figure:
    """A panel per quantity, curves by mini-batch; by second where a window in seconds is asked
    for.  A single run has its seconds along the top."""
    said, note, found = message(found), _note(found), averaged(found)
    shown, names = there_of(found), list(last_of(found))
    along = "minibatch" if wanted.from_s is None and wanted.to_s is None else "second"
    size, many = float(mpl.rcParams["font.size"]), len(names) > FEW
    wide = look.width_in >= WIDE_IN and len(shown) > 1 and not many
    one_in = max(1.9 if wide or len(shown) == 1 else 1.35, (1.3 * size * len(names) / 72 + 0.3)
                 * many)
    tall = one_in if wide else one_in * len(shown)
    figure = look.figure(tall + 1.25)
    if look.above(said):
        headline(figure, look.above(said), note)
    grid = (1, len(shown)) if wide else (len(shown), 1)
    axes = np.ravel(figure.subplots(*grid, sharex=True))
    curves = [_panel(axis, found, name, along) for axis, name in zip(axes, shown, strict=True)]
    for axis in axes:
        if one_in < LABEL_IN:
            axis.set_ylabel(axis.get_ylabel().replace(" the ", " the\n").replace(" acc", "\nacc"))
    for axis in axes if wide else axes[-1:]:
        axis.set_xlabel(ALONG[along])
    if len(names) == 1 and along == "minibatch":
        for axis in axes if wide else axes[:1]:
            _seconds_above(axis, found)
    if many:
        for axis, some in zip(axes, curves, strict=True):
            name_ends(axis, some, size)
    elif len(names) > 1:
        legend_below(figure, axes[0].get_legend_handles_labels(),
                     max(1, min(len(names), int(look.width_in / 1.6))))
    return figure


def _note(found: Rows) -> str:
    said = []
    if OF_MINIBATCHES in there_of(found):
        said.append("a run was not evaluated on the way (training.evaluate_every), so these are "
                    "losses of the mini-batches it learnt from")
    if any(row["diverged_at"] is not None for row in found):
        said.append("crosses: numbers no longer finite")
    if len({row["run"] for row in found}) > len({row.get("curve", row["run"]) for row in found}):
        said.append(f"runs that differ in their seed: mean, and the {BARS}")
    return "; ".join(said)


def _panel(axis: Axes, found: Rows, name: str, along: str) -> list[Curve]:
    """The curves of one quantity on one axis, drawn; the same runs in colour on every panel."""
    runs: dict[str, Rows] = {}
    for row in found:
        runs.setdefault(row["run"], []).append(row)
    strong = _strong(runs, there_of(found)[0])
    numbers = [np.array([math.nan if row.get(name) is None else row[name] for row in mine])
               for mine in runs.values()]
    places = [np.array([float(row[along]) for row in mine]) for mine in runs.values()]
    top = _top(numbers)
    curves = [Curve(str(run), x, _leaving(y, top), *stroke, run in strong, _band(mine, name, top),
                    None if mine[0]["diverged_at"] is None else _last_finite(x, y, top))
              for (run, mine), x, y, stroke in zip(
                  runs.items(), places, numbers, strokes([some[0] for some in runs.values()]),
                  strict=True)]
    draw_curves(axis, curves)
    axis.set_ylabel(QUANTITIES[name])
    axis.set_xlim(_reach(curves))
    if name == "accuracy":
        axis.set_ylim(0, 1)
    else:
        _losses(axis, numbers, top)
    axis.grid()
    return curves


def _band(mine: Rows, name: str, top: float) -> tuple[Floats, Floats] | None:
    """The lower and the upper ends of a curve's spread over seeds; None of a single run."""
    ends = [row.get(f"{name} bounds") for row in mine]
    if all(each is None for each in ends):
        return None
    low, high = np.array([(math.nan, math.nan) if each is None else each for each in ends]).T
    return np.minimum(low, top), np.minimum(high, top)


def _strong(runs: dict[str, Rows], name: str) -> set[str]:
    """The runs in colour: all of a few; of many the first, the best and the worst that ended well.

    [choice] The first named is what the others are compared with.
    """
    if len(runs) <= FEW:
        return set(runs)
    sign = -1 if name == "accuracy" else 1
    ended = {run: sign * mine[-1][name] for run, mine in runs.items()
             if mine[-1].get(name) is not None and mine[0]["diverged_at"] is None}
    order = sorted(ended, key=lambda run: ended[run])
    return set(list(dict.fromkeys([next(iter(runs)), *order[:1], *order[-1:], *order[1:2]]))[:3])


def _top(numbers: Sequence[Floats]) -> float:
    """Where curves leave the picture: so many times what the best of the runs began with."""
    first = [abs(float(y[np.isfinite(y)][0])) for y in numbers if np.isfinite(y).any()]
    return CUT * min(first) if first and min(first) > 0 else math.inf


def _leaving(y: Floats, top: float) -> Floats:
    """A curve that stops where it goes beyond the top, and comes back where it does."""
    beyond = y > top
    gone = beyond & np.concatenate(([False], beyond[:-1]))
    return np.where(gone, math.nan, np.minimum(y, top))


def _last_finite(x: Floats, y: Floats, top: float) -> tuple[float, float] | None:
    """The last point of a curve with a finite number, no higher than the top."""
    known = np.flatnonzero(np.isfinite(y))
    return (float(x[known[-1]]), min(float(y[known[-1]]), top)) if len(known) else None


def _losses(axis: Axes, numbers: Sequence[Floats], top: float) -> None:
    """Losses on a log scale where they are positive; how far those go that leave the picture."""
    known = np.concatenate([y[np.isfinite(y)] for y in numbers])
    if not len(known):
        return
    positive = known.min() > 0
    axis.set_yscale("log" if positive else "linear")
    if known.max() > top:
        axis.set_ylim(top=top)
        axis.annotate(f"some up to {known.max():.0e}", (0, 1), (0, 5), xycoords="axes fraction",
                      textcoords="offset points", fontsize=mpl.rcParams["font.size"])
    if positive:
        log_numbers(axis)


def _reach(curves: Sequence[Curve]) -> tuple[float, float]:
    low = min(float(curve.x.min()) for curve in curves)
    high = max(float(curve.x.max()) for curve in curves)
    return (0.0 if low < 0.3 * high else low), high * (1.0 + 1e-9) if high > low else high + 1


def _seconds_above(axis: Axes, found: Rows) -> None:
    """The seconds at which mini-batches were done, along the top; between two, as on a line."""
    at = np.array([0.0, *(float(row["minibatch"]) for row in found)])
    done = np.maximum.accumulate([0.0, *(row["second"] for row in found)])
    whole = max(float(done[-1]), 1e-12)
    steady = done + 1e-9 * whole * np.arange(len(done))  # rises everywhere, to be turned round
    at, steady = (np.array([-each[-1], *each, 2 * each[-1]]) for each in (at, steady))
    above = axis.secondary_xaxis("top", functions=(
        lambda x: np.interp(np.asarray(x), at, steady),
        lambda s: np.interp(np.asarray(s), steady, at)))
    above.set_xlabel("time (s)")


OWN = OwnPicture("learning", rows, draw, message, frozenset({"from_s", "to_s"}), trained=True,
                 evaluated=True, runs=RUNS)

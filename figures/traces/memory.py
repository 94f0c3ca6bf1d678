"""What stages hold over time, in bytes by kind: weights, older versions, copies, activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.metrics.memory import over_time
from analysis.metrics.staleness import plan_of
from figures.drawing.colours import COLOURS
from figures.drawing.look import Look
from figures.drawing.style import headline, legend_below, points
from figures.drawing.tables import LETTER_EM, name_broken
from figures.traces.canvas import axes_or_new
from figures.traces.given import Given, named
from figures.traces.stages.chosen import chosen_stages
from figures.traces.stages.held import (
    COLUMNS,
    HEAD,
    LIMIT,
    NAMES,
    SECONDS,
    fullest,
    grouped,
    highest,
    legend,
    peaks_text,
    stacked,
    total,
    unit_of,
)
from figures.traces.wanted import OwnPicture, Run, Wanted
from sim.errors import ConfigurationError
from sim.rows import Rows
from sim.trace import Trace
from sim.weights.versions import VersionPlan

MOST_NAMED = 5  # runs in a headline
MOST_PLACES = 8  # one above the other; of more the fullest
MOST_MOMENTS, BINS = 1500, 600  # of a place; of more the highest moment in each bin of time
PANEL_IN, EDGE_IN = 0.9, 0.6  # the narrowest panel, and what stands left of them
ABOVE_IN = 0.35  # for the message
TICK_IN = 0.45  # between numbers of the time axis
STROKES = (("black", "-"), ("orange", "--"), ("sky", "-."), ("purple", ":"), ("green", "-"),
           ("blue", "--"), ("vermilion", "-."), ("grey", ":"))


def rows(runs: Sequence[Run], wanted: Wanted) -> Rows:
    """A row per place (a stage, or a device where one has several stages) and moment at which what
    it holds changes: bytes of each kind from then on, and the limit of activations (None: none).

    Of several workers it is the first.  `places` is how many places the run has: of many only the
    fullest have rows.  Raises ConfigurationError where a stage or the window is not there, or
    nothing has a size.
    """
    found: Rows = []
    for run, stages in zip(runs, chosen_stages(runs, wanted), strict=True):
        made = _of_run(run, stages, wanted)
        peaks = [max(map(total, each)) for each in made]
        shown = sorted(sorted(range(len(made)), key=lambda n: -peaks[n])[:MOST_PLACES])
        found += [row for place in shown for row in made[place]]
    if not any(map(total, found)):
        raise ConfigurationError(["memory: nothing in the run has a size; give a task, a profile "
                                  "or cluster.activation_bytes"])
    return found


def _of_run(run: Run, stages: Sequence[int], wanted: Wanted) -> list[Rows]:
    trace = run.trace.first_worker()
    end_s = float(trace.end_s.max(initial=0.0))
    first, last = wanted.from_s or 0.0, end_s if wanted.to_s is None else wanted.to_s
    if not first < last or first >= end_s:
        raise ConfigurationError([f"the window: the run {run.name} is from 0 to {end_s:g} s, got "
                                  f"{first:g} to {last:g}"])
    plan, limit = plan_of(trace), _limit(trace)
    places = _places(plan, stages, whole=wanted.stages is None)
    return [[{"run": run.name, "place": name, "places": len(places), **row,
              LIMIT: limit if name.startswith("device") or len(places) == trace.shape.devices
              else None}
             for row in _moments(*over_time(trace, plan, mine), first, last)]
            for name, mine in places.items()]


def _limit(trace: Trace) -> float | None:
    """The most bytes of activations a device has room for; None without a limit."""
    found: Any = trace.header.experiment.get("cluster", {}).get(LIMIT)
    return None if found is None else float(found)


def _places(plan: VersionPlan, stages: Sequence[int], *, whole: bool) -> dict[str, list[int]]:
    """The copies of stages at each place by its name: devices, where one has several stages and
    no stages were chosen, else stages, each on its devices."""
    copies = plan.program.copies
    held = [np.flatnonzero(copies.device == device).tolist()
            for device in range(plan.program.devices)]
    if whole and any(len(mine) > 1 for mine in held):
        return {f"device {device}": mine for device, mine in enumerate(held) if mine}
    return {f"stage {k}" + (f" on device {copies.device[copy]}" if copies.homes[k] > 1 else ""):
            [copy] for k in stages for copy in copies.of_stage(k)}


def _moments(times: Any, held: dict[str, Any], from_s: float, to_s: float) -> Rows:
    """The moments of a window as rows; of very many the highest and the last of each of `BINS`
    parts, the highest as its part begins."""
    start = max(int(np.searchsorted(times, from_s, side="right")) - 1, 0)
    chosen = np.arange(start, max(int(np.searchsorted(times, to_s, side="left")), start + 1))
    kinds = np.array([held[kind] for kind in COLUMNS])
    chosen = _seen(times, kinds, chosen)
    at = np.maximum(times[chosen], from_s)
    if len(chosen) > MOST_MOMENTS:
        whole = kinds.sum(axis=0)[chosen]
        bins = np.minimum(((at - from_s) / (to_s - from_s) * BINS).astype(int), BINS - 1)
        first = np.flatnonzero(np.diff(bins, prepend=-1))
        last = np.append(first[1:], len(bins)) - 1
        top = [begin + int(np.argmax(whole[begin:end + 1]))
               for begin, end in zip(first, last, strict=True)]
        chosen = chosen[np.column_stack((top, last)).ravel()]
        at = at[np.column_stack((first, last)).ravel()]
    at, chosen = np.append(at, to_s), np.append(chosen, chosen[-1])
    return [{"second": float(second), **{column: float(held[kind][n])
                                         for kind, column in COLUMNS.items()}}
            for second, n in zip(at, chosen, strict=True)]


def _seen(times: Any, kinds: Any, chosen: Any) -> Any:
    """Of the chosen moments those at which something changes: of several at one time the last, and
    before it the highest where nothing that lasts is as high."""
    whole = kinds.sum(axis=0)
    first = np.flatnonzero(np.diff(times[chosen], prepend=-np.inf))
    size = np.diff(np.append(first, len(chosen)))
    most = np.maximum.reduceat(whole[chosen], first)
    as_high = np.flatnonzero(whole[chosen] == np.repeat(most, size))
    group = np.repeat(np.arange(len(first)), size)[as_high]
    top = chosen[as_high[np.unique(group, return_index=True)[1]]]
    stays = chosen[first + size - 1]
    above = most > np.maximum(whole[stays], np.append(0.0, whole[stays[:-1]]))
    kept = np.sort(np.concatenate((top[above], stays)))
    changes = (np.diff(kinds[:, kept], axis=1) != 0).any(axis=0)
    return kept[np.concatenate(([True], changes))]


def message(rows: Rows) -> str:
    """The headline: the peak of the fullest place, and of one run what it is made of."""
    unit, size = unit_of(total(fullest(rows)))
    tops = {run: fullest(mine) for run, mine in grouped(rows, "run").items()}
    text = peaks_text(rows, size)
    if len(tops) > 1:
        kind = "device" if any(row["place"].startswith("device") for row in rows) else "stage"
        if len(tops) > MOST_NAMED:
            first, *_, last = sorted(tops, key=lambda run: total(tops[run]))
            low, high = (f"{text(total(tops[run]) / size)} {unit} ({run})"
                         for run in (first, last))
            return f"Peak of the fullest {kind}: from {low} to {high}"
        return f"Peak of the fullest {kind}: " + ", ".join(
            f"{text(total(top) / size)} {unit} ({run})" for run, top in tops.items())
    (top,) = tops.values()
    there = {kind: text(top[column] / size) for kind, column in COLUMNS.items() if top[column]}
    parts = ("of which " + ", ".join(f"{NAMES[kind]} {number}" for kind, number in there.items())
             if len(there) > 1 else f"all {NAMES[next(iter(there))]}")
    said = f"{top['place'].capitalize()} holds most: {text(total(top) / size)} {unit}, {parts}"
    if top[LIMIT]:
        most = max(row["activation_bytes"] for row in rows)
        said += f"; activations reach {100 * most / top[LIMIT]:.3g} % of their limit"
    return said


def draw(rows: Rows, look: Look, wanted: Wanted) -> Figure:
    """Runs across, places down; the kinds stacked over time, in one unit and on one scale."""
    figure = panels(rows, look)
    above = look.above(message(rows))
    if above:
        headline(figure, above, note(rows))
    return figure


def note(rows: Rows) -> str:
    """Which places are shown, below the headline."""
    shown = {row["place"] for row in rows}
    most = max(row["places"] for row in rows)
    kind = "devices" if any(name.startswith("device") for name in shown) else "stages"
    return (f"the {len(shown)} fullest of {most} {kind}" if len(shown) < most else
            f"what {kind} hold, by kind; dotted: the peak, with its number")


def panels(rows: Rows, look: Look) -> Figure:
    """The panels without what stands above them; where runs have no room side by side, they go on
    below."""
    by, (unit, size) = grouped(rows, "run"), unit_of(total(fullest(rows)))
    bands = -(-len(by) // max(1, int((look.width_in - EDGE_IN) / PANEL_IN)))
    across = -(-len(by) // bands)
    places, runs = _shown(rows, max(1, MOST_PLACES // bands)), list(by)
    handles, names = legend(rows)
    columns = _columns(look.width_in, names)
    tick, second = unit_of(max(row["second"] for row in rows), SECONDS)
    down = bands * len(places)
    figure = look.figure(0.75 + ABOVE_IN + 0.15 * -(-len(names) // columns)
                         + down * (1.6 if down == 1 else 0.95 if down < 6 else 0.8))
    axes = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    text = peaks_text(rows, size)
    for (line, column), axis in np.ndenumerate(axes):
        band, place = divmod(line, len(places))
        run = next(iter(runs[band * across + column:]), "")
        mine = [row for row in by.get(run, ()) if row["place"] == places[place]]
        if not mine:
            axis.set_axis_off()
            if line:
                axes[line - 1, column].tick_params(labelbottom=True)
                axes[line - 1, column].set_xlabel(f"time ({tick})")
            continue
        stacked(axis, mine, size, text, second)
        if place == 0 and len(runs) > 1:
            axis.set_title(name_broken(run, 72 * (look.width_in - EDGE_IN) / across,
                                       points("axes.titlesize")))
        if not any(each.axison for each in axes[line, :column]):
            name = places[place].replace(" on ", "\n")
            axis.set_ylabel(f"{name}\n({unit})")
            axis.tick_params(labelleft=True)
    for axis in axes[-1]:
        axis.set_xlabel(f"time ({tick})")
    axes[0, 0].set_xlim(min(row["second"] for row in rows) / second,
                        max(row["second"] for row in rows) / second)
    axes[0, 0].set_ylim(0, HEAD * highest(rows) / size)
    axes[0, 0].xaxis.set_major_locator(MaxNLocator(
        max(2, int((look.width_in - EDGE_IN) / across / TICK_IN))))
    legend_below(figure, (handles, names), columns=columns)
    return figure


def _columns(width_in: float, names: Sequence[str]) -> int:
    """How many columns a legend of these names has in a figure so wide."""
    entry = (LETTER_EM * max(map(len, names)) + 4.0) * points("legend.fontsize")
    return min(len(names), max(1, int(72 * width_in / entry)))


def _shown(rows: Rows, most: int) -> list[str]:
    """The places shown, in order: of more than there is room for the fullest of any run."""
    peaks = {place: total(fullest(mine)) for place, mine in grouped(rows, "place").items()}
    chosen = set(sorted(peaks, key=lambda place: -peaks[place])[:most])
    return sorted(chosen, key=lambda place: [int(word) for word in place.split()
                                             if word.isdigit()])


def memory(traces: Given, ax: Axes | None = None, *, stage: int | None = None,
           from_s: float | None = None, to_s: float | None = None) -> Axes:
    """Draw the bytes held over time (seconds) by one stage of the first worker, or by the fullest
    stage (or device, where one has several stages) without `stage` (from 0).

    One trace: weights, the versions kept beside them, copies made for one pass, and activations,
    one on the other.  Several: all of it together, a line each.  `from_s` and `to_s` bound the
    window.  Raises ConfigurationError where the stage or the window is not there.
    """
    runs = named(traces)
    found = rows(runs, Wanted(from_s=from_s, to_s=to_s,
                              stages=None if stage is None else (stage,)))
    ax = axes_or_new(ax)
    unit, size = unit_of(total(fullest(found)))
    tick, second = unit_of(max(row["second"] for row in found), SECONDS)
    for (run, mine), (colour, line) in zip(grouped(found, "run").items(), STROKES * len(runs),
                                           strict=False):
        place = fullest(mine)["place"]
        shown = [row for row in mine if row["place"] == place]
        if len(runs) == 1:
            stacked(ax, shown, size, peaks_text(shown, size), second)
            ax.set_ylabel(f"{place} ({unit})")
            ax.legend(*legend(shown), loc="upper left")  # the peak's number is on the right
        else:
            ax.step([row["second"] / second for row in shown],
                    [total(row) / size for row in shown], where="post", label=f"{run}, {place}",
                    color=COLOURS[colour], linestyle=line)
    if len(runs) > 1:
        ax.set_ylabel(f"held ({unit})")
        ax.legend()
    ax.set_xlabel(f"time ({tick})")
    ax.set_ylim(0, HEAD * highest(found) / size)
    return ax


OWN = OwnPicture("memory", rows, draw, message, takes=frozenset({"stages", "from_s", "to_s"}))

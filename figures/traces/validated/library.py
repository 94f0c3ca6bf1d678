"""One panel of a validation's pictures, on axes of the caller's own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from analysis.validation.errors import event_rows
from figures.traces.canvas import axes_or_new
from figures.traces.passes.legend import explained
from figures.traces.passes.window import unit_of
from figures.traces.validated import event_errors, pairs, scatter
from figures.traces.validated.folders import Written, joined, read
from figures.traces.validated.settings import markers
from sim.errors import ConfigurationError, unknown
from sim.op import Op
from sim.rows import Rows
from sim.trace import Trace

SHOW = ("timeline", "step", "memory", "durations")
SUMMED = dict(zip(("step", "memory"), scatter.QUANTITIES, strict=True))
Folder = str | os.PathLike[str]


def validation(source: Folder | Sequence[Folder] | tuple[Trace, Trace], ax: Axes | None = None, *,
               show: str = "timeline", run: str | None = None, op: str = "F", legend: bool = True
               ) -> Axes:
    """Draw predicted beside measured: what `gpu validate` wrote into one folder or several.

    `show` says what of it: `timeline`, a pair of lanes per device over a few mini-batches of one
    `run` (by its label or how that begins, `none@gpipe/4`; None: the first); `step` or `memory`,
    predicted against measured, a mark for each run; `durations`, a histogram of how far those of
    one operation, `op` (F, B, I, W, U), are off, in percent of its events.  A pair of traces, the
    predicted and the measured one of the same program, gives the timeline and the durations.
    `legend` says what colours mean.

    Raises ConfigurationError where a folder holds no validation, and where what is asked for is
    not there.
    """
    if show not in SHOW:
        raise ConfigurationError([unknown("show", show, SHOW)])
    if op not in (ops := [each.name for each in Op if each <= Op.U]):
        raise ConfigurationError([unknown("op", op, ops)])
    found = _found(source)
    if show in SUMMED:
        return _summed(found, axes_or_new(ax, 3.5, 3.0), show, legend)
    if show == "durations":
        return _durations(found, axes_or_new(ax, 3.5, 2.2), op)
    return _timeline(joined(found), ax, run, legend)


def _found(source: Folder | Sequence[Folder] | tuple[Trace, Trace]) -> list[Written]:
    if isinstance(source, str | os.PathLike):
        return [read(Path(source))]
    given = list(source)
    traces = [each for each in given if isinstance(each, Trace)]
    if not traces:
        return [read(Path(each)) for each in given if not isinstance(each, Trace)]
    if len(traces) != 2 or len(given) != 2:
        raise ConfigurationError([f"traces: the predicted and the measured one of a program, got "
                                  f"{len(given)}"])
    predicted, measured = traces
    if str(predicted.program()) != str(measured.program()):
        raise ConfigurationError(["traces: the predicted and the measured one are of one program, "
                                  "got two"])
    shape, pipeline = measured.shape, measured.header.pipeline
    labels = {"run": measured.header.mitigation, "model": "", "schedule": pipeline["schedule"],
              "microbatches": shape.microbatches}
    return [Written({"model": "", "runs": []}, event_rows(labels, predicted, measured))]


def _summed(found: Sequence[Written], ax: Axes, show: str, legend: bool) -> Axes:
    rows = scatter.chosen(each.report for each in found)
    if not rows:
        raise ConfigurationError([f"show: a pair of traces has no {show} to show; {SHOW[0]} and "
                                  f"{SHOW[-1]} are"])
    quantity = SUMMED[show]
    known = [row for row in rows if scatter.off(row, quantity) is not None]
    scatter.identity(ax, known, quantity, markers(rows))
    ax.set_xlabel(f"measured {quantity.label}")
    if legend:
        handles, names = scatter.entries(rows, markers(rows))
        explained(ax, handles, names)
    return ax


def _durations(found: Sequence[Written], ax: Axes, op: str) -> Axes:
    rows = [row for row in event_errors.chosen(
        [{**each.report, "model": ""} for each in found],
        [[{**row, "model": ""} for row in each.rows] for each in found]) if row["op"] == op]
    if not rows:
        raise ConfigurationError([f"op: there are no events of {op}"])
    event_errors.panel(ax, rows, Op[op])
    ax.set_xlabel("predicted too long (%)")
    ax.set_ylabel("% of events")
    return ax


def _timeline(rows: Rows, ax: Axes | None, run: str | None, legend: bool) -> Axes:
    labels = list(dict.fromkeys(str(row["run"]) for row in rows))
    named = [label for label in labels if label.startswith(run or "")]
    if not named:
        plain = list(dict.fromkeys(label.partition(", ")[0] for label in labels))
        raise ConfigurationError([unknown("run", str(run), plain)])
    shown = list(pairs.steady([row for row in rows if row["run"] == named[0]]))
    devices = len({row["device"] for row in shown})
    ax = axes_or_new(ax, height_in=1.1 + 0.5 * devices)
    unit, scale = unit_of(pairs.longest_s(shown))
    entries = pairs.panel(ax, shown, scale)
    ax.set_ylim(top=-0.5)  # no heading stands above
    ax.set_xlabel(f"time ({unit})")
    if legend:
        explained(ax, list(entries.values()), list(entries))
    return ax

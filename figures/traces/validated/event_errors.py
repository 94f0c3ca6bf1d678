"""How far the duration of every single event was predicted off, by operation: histograms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from figures.drawing.colours import COLOURS, PASS_NAMES, PASSES
from figures.drawing.look import Look
from figures.drawing.style import headline
from figures.traces.validated.settings import network
from sim.op import Op
from sim.rows import Row, Rows

AIM = 0.05  # of 95 % of the events
EDGES = np.round(np.arange(-0.5, 0.501, 0.025), 3)  # shares; beyond them the outermost bins
NARROWEST_IN = 2.2  # of a panel, so that its two lines of text fit
CHANGE = 0.001  # a bin's edge is compared at this precision


def chosen(reports: Iterable[Mapping[str, Any]], rows: Sequence[Sequence[Row]]) -> Rows:
    """How many events each bin of errors has, by network and operation.

    `rows` are the raw events of each of the `reports`.  An error is (predicted − measured) /
    measured of a duration; what lies beyond the bins is counted in the outermost.  The share
    within the aim and the 95th percentile, of the absolute errors, stand in every row of a group.
    """
    groups: dict[tuple[str, str], list[tuple[float, bool]]] = {}
    for report, events in zip(reports, rows, strict=True):
        for row in events:
            predicted, measured = (float(row[f"{side}_end_s"]) - float(row[f"{side}_start_s"])
                                   for side in ("predicted", "measured"))
            if measured > 0:
                found = predicted / measured - 1, int(row["minibatch"]) == 1
                model = row.get("model", report["model"])
                groups.setdefault((model, row["op"]), []).append(found)
    return [binned for (model, op), found in groups.items()
            for binned in _bins(model, op, np.array(found))]


def _bins(model: str, op: str, found: Any) -> Rows:
    """The bins of one group that hold any event; `found` are errors and whether they are of a
    first mini-batch, shape (events, 2)."""
    off, first = found[:, 0], found[:, 1] > 0
    kept = np.clip(off, EDGES[0], EDGES[-1] - CHANGE)
    every, early = (np.histogram(kept[which], EDGES)[0] for which in (slice(None), first))
    group = {"model": model, "op": op, "all": len(off),
             "within_aim": float(np.mean(np.abs(off) <= AIM)),
             "p95_rel": float(np.percentile(np.abs(off), 95))}
    return [{**group, "from": float(EDGES[n]), "to": float(EDGES[n + 1]), "events": int(count),
             "of_first_minibatch": int(early[n])} for n, count in enumerate(every) if count]


def message(rows: Sequence[Row]) -> str:
    """The headline: how many events were predicted within the aim, by operation."""
    shares = []
    for op in _ops(rows):
        groups = {row["model"]: row for row in rows if row["op"] == op.name}.values()
        within = sum(row["within_aim"] * row["all"] for row in groups)
        every = sum(row["all"] for row in groups)
        shares.append(f"{100 * within / every:.0f} % of {op.name}")
    said = " and ".join([*([", ".join(shares[:-1])] if shares[1:] else []), *shares[-1:]])
    return f"Predicted within 5 % of their duration: {said} events"


def draw(rows: Sequence[Row], look: Look | None = None) -> Figure:
    """A panel for each operation and network: the share of its events by their error."""
    look = look or Look()
    panels = [(op, model) for op in _ops(rows) for model in _models(rows)]
    columns = len(_models(rows)) if look.width_in / len(_models(rows)) >= NARROWEST_IN else 1
    lines = -(-len(panels) // columns)
    figure = look.figure(1.25 + 1.25 * lines)
    said = look.above(message(rows))
    if said:
        headline(figure, said, "" if look.title else "Share of events by error of their duration; "
                 "beyond ±50 % in the outermost bars")
    axes = figure.subplots(lines, columns, sharex=True, sharey="row" if columns > 1 else False,
                           squeeze=False)
    for number, (axis, (op, model)) in enumerate(zip(axes.ravel(), panels, strict=True)):
        group = [row for row in rows if (row["op"], row["model"]) == (op.name, model)]
        panel(axis, group, op)
        head = number < columns or columns == 1 < len(_models(rows))
        axis.set_title("\n".join([*([network(model)] if head else []), *_told(group)]), loc="left",
                       fontsize=mpl.rcParams["xtick.labelsize"])
        if number % columns == 0:
            axis.set_ylabel(f"{PASS_NAMES[op.name]}\n(% of events)".replace(", for", ",\nfor"))
        if number >= len(panels) - columns:
            axis.set_xlabel("predicted too long (%)")
    _legend(figure, rows, 1 if look.width_in < 5 else 2)
    return figure


def _told(rows: Sequence[Row]) -> list[str]:
    """How well a group of events was predicted, in two lines."""
    return [f"{rows[0]['all']} events: {100 * rows[0]['within_aim']:.0f} % within 5 %,",
            f"95 % within {100 * rows[0]['p95_rel']:.3g} %"] if rows else []


def _legend(figure: Figure, rows: Sequence[Row], columns: int) -> None:
    handles: list[Any] = [Patch(facecolor=COLOURS["pale"], edgecolor="none")]
    labels = ["the aim: 95 % of events within 5 %"]
    if any(row["of_first_minibatch"] for row in rows):
        handles.append(Patch(facecolor="white", edgecolor=COLOURS["black"], hatch="////",
                             linewidth=0.5))
        labels.append("of a run's first mini-batch")
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def _ops(rows: Sequence[Row]) -> list[Op]:
    return [op for op in Op if op <= Op.U and any(row["op"] == op.name for row in rows)]


def _models(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["model"] for row in rows))


def panel(axis: Axes, rows: Sequence[Row], op: Op) -> None:
    """Draw the histogram of one operation's events on axes, in percent of them."""
    axis.axvspan(-100 * AIM, 100 * AIM, color=COLOURS["pale"], linewidth=0)
    axis.axvline(0, color=COLOURS["grey"], linewidth=0.6)
    axis.set_xlim(100 * EDGES[0], 100 * EDGES[-1])
    for row in rows:
        left, width = 100 * row["from"], 100 * (row["to"] - row["from"])
        early = 100 * row["of_first_minibatch"] / row["all"]
        late = 100 * row["events"] / row["all"] - early
        shape = {"width": width, "align": "edge", "facecolor": PASSES[op.name],
                 "edgecolor": COLOURS["black"], "linewidth": 0.4}
        axis.bar(left, late, **shape)
        axis.bar(left, early, bottom=late, hatch="////", **shape)
    axis.autoscale(axis="y")
    axis.set_ylim(bottom=0)

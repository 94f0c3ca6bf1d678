"""How far the duration of every single event was predicted off, by operation: histograms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from figures.drawing.colours import COLOURS
from figures.drawing.style import PAGE_IN, SMALLEST_PT, headline, new_figure
from figures.pictures.validation.settings import network
from figures.traces.timeline import FILL, MEANING
from sim.op import Op
from sim.rows import Row, Rows

AIM = 0.05  # of 95 % of the events
EDGES = np.round(np.arange(-0.5, 0.501, 0.025), 3)  # shares; beyond them the outermost bins
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


def draw(rows: Sequence[Row]) -> Figure:
    """A panel for each operation and network: the share of its events by their error."""
    ops, models = _ops(rows), list(dict.fromkeys(row["model"] for row in rows))
    figure = new_figure(PAGE_IN, 1.2 + 1.15 * len(ops))
    headline(figure, message(rows), "Share of events by error of their duration; beyond ±50 % in "
             "the outermost bars. Band: the aim, ±5 % for 95 % of the events. Hatched: events of a "
             "run's first mini-batch")
    axes = figure.subplots(len(ops), len(models), sharex=True, sharey="row", squeeze=False)
    for line, op in zip(axes, ops, strict=True):
        for axis, model in zip(line, models, strict=True):
            _panel(axis, [row for row in rows if (row["op"], row["model"]) == (op.name, model)], op)
        line[0].set_ylabel(f"{MEANING[op]}\n(% of events)".replace(", for", ",\nfor"))
    for axis, model in zip(axes[0], models, strict=True):
        axis.set_title(f"{network(model)}\n{axis.get_title(loc='left')}", loc="left",
                       fontsize=SMALLEST_PT)
    for axis in axes[-1]:
        axis.set_xlabel("predicted too long (%)")
    early = Patch(facecolor="white", edgecolor=COLOURS["black"], hatch="////", linewidth=0.5)
    figure.legend([early], ["of a run's first mini-batch"], loc="outside lower center")
    return figure


def _ops(rows: Sequence[Row]) -> list[Op]:
    return [op for op in FILL if any(row["op"] == op.name for row in rows)]


def _panel(axis: Axes, rows: Sequence[Row], op: Op) -> None:
    axis.axvspan(-100 * AIM, 100 * AIM, color=COLOURS["pale"], linewidth=0)
    axis.axvline(0, color=COLOURS["grey"], linewidth=0.6)
    axis.set_xlim(100 * EDGES[0], 100 * EDGES[-1])
    for row in rows:
        left, width = 100 * row["from"], 100 * (row["to"] - row["from"])
        early = 100 * row["of_first_minibatch"] / row["all"]
        late = 100 * row["events"] / row["all"] - early
        shape = {"width": width, "align": "edge", "facecolor": COLOURS[FILL[op]],
                 "edgecolor": COLOURS["black"], "linewidth": 0.4}
        axis.bar(left, late, **shape)
        axis.bar(left, early, bottom=late, hatch="////", **shape)
    axis.autoscale(axis="y")
    axis.set_ylim(bottom=0)
    if rows:
        axis.set_title(f"{rows[0]['all']} events: {100 * rows[0]['within_aim']:.0f} % within 5 %, "
                       f"95 % within {100 * rows[0]['p95_rel']:.3g} %", loc="left",
                       fontsize=SMALLEST_PT)

"""What every stage holds over time, in bytes: weights, stash and activations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from analysis.metrics.memory import Held, memory
from analysis.metrics.staleness import plan_of
from figures import methods
from figures.drawing.colours import COLOURS
from figures.drawing.style import PAGE_IN, headline, legend_below, new_figure
from figures.methods import NAMED, Method
from figures.pieces import Piece
from sim.experiment.run import run
from sim.rows import Rows

STAGES, UNTIL_S = 4, 42.0
METHODS = (Method("GPipe 7", "none@gpipe/7", "black"), Method("1F1B 7", "none@1f1b/7", "black"),
           NAMED["none"], NAMED["stash"], NAMED["vertical-sync"],
           Method("v-timeprest,\nnF1B 7", "v-timeprest@nf1b/7", "vermilion"))
PARTS = (("weight_bytes", "newest weights", "blue"), ("stash_bytes", "older versions", "orange"),
         ("activation_bytes", "activations", "sky"))


def configuration() -> dict[str, Any]:
    """What to write into the picture: the pipeline and the methods."""
    return methods.configuration(base(), METHODS)


def base() -> dict[str, Any]:
    """The configuration all methods start from: four stages, 30 mini-batches."""
    document = methods.document(STAGES, 0.05)
    document["pipeline"]["minibatches"] = 30
    return document


def pieces(seeds: Iterable[int] = ()) -> list[Piece]:
    """A run without training for each method; nothing here is random."""
    return [Piece({"method": m.label.replace("\n", " ")}, rows_of, (base(), m.contender))
            for m in METHODS]


def rows_of(document: dict[str, Any], contender: str) -> Rows:
    """A row per stage and moment at which anything changes: bytes held from then on."""
    trace = run(methods.experiment(document, contender, 0), training=False)
    held = memory(trace, plan_of(trace))
    return [{"stage": k, "second": time, "weight_bytes": each.weight_bytes,
             "stash_bytes": at(each.stash_bytes, time),
             "activation_bytes": at(each.activation_bytes, time)}
            for k, each in enumerate(held) for time in moments(each.total_bytes)]


def moments(held: Held) -> Iterator[float]:
    """Seconds at which what is held changes, up to the end of the picture, and that end."""
    yield from (time for time in np.unique(held.time_s).tolist() if time < UNTIL_S)
    yield UNTIL_S


def at(held: Held, time: float) -> float:
    """What is held from second `time` on; 0 before anything is."""
    place = int(np.searchsorted(held.time_s, time, side="right")) - 1
    return float(held.value[place]) if place >= 0 else 0.0


def peak(rows: Rows, method: str, stage: int | None = None) -> float:
    """The most bytes of one stage, or of the stage that needs most, under one method."""
    return max(float(sum(row[name] for name, *_ in PARTS)) for row in rows
               if row["method"] == method and stage in (None, row["stage"]))


def message(rows: Rows) -> str:
    """The headline: peaks of the fullest stage."""
    peaks = {name: peak(rows, name) / 1e3 for name in dict.fromkeys(r["method"] for r in rows)}
    return ("What a pipeline holds is decided by its order and its stash: peak of the fullest "
            "stage " + ", ".join(f"{value:.0f} kB ({name})" for name, value in peaks.items()))


def draw(rows: Rows) -> Figure:
    """Methods across, stages down; the three parts stacked over time."""
    names = list(dict.fromkeys(row["method"] for row in rows))
    stages = sorted({row["stage"] for row in rows})
    figure = new_figure(PAGE_IN, 4.7)
    headline(figure, message(rows), f"{len(stages)} stages, digits, batch {methods.BATCH}, float64;"
             " a mini-batch takes a stage 1 s forward and 2 s backward, links are free; a number "
             "after a schedule is its micro-batches; first seconds of the run")
    axes = figure.subplots(len(stages), len(names), sharex=True, sharey=True, squeeze=False)
    for line, stage in zip(axes, stages, strict=True):
        for axis, name in zip(line, names, strict=True):
            _stack(axis, [r for r in rows if (r["method"], r["stage"]) == (name, stage)])
        line[0].set_ylabel(f"stage {stage}\n(kB)")
    for axis, method in zip(axes[0], METHODS, strict=False):
        axis.set_title(method.label)
    for axis in axes[-1]:
        axis.set_xlabel("time (s)")
        axis.set_xlim(0, UNTIL_S)
        axis.set_xticks([0, 20, 40])
        axis.set_ylim(0, 1.05e-3 * max(peak(rows, name) for name in names))
    handles = [Patch(color=COLOURS[colour], label=label) for _, label, colour in PARTS]
    legend_below(figure, (handles, [label for _, label, _ in PARTS]), columns=3)
    return figure


def _stack(axis: Axes, rows: Rows) -> None:
    times = [row["second"] for row in rows]
    heights = np.cumsum([[row[name] / 1e3 for row in rows] for name, *_ in PARTS], axis=0)
    below = np.zeros(len(times))
    for height, (_, _, colour) in zip(heights, PARTS, strict=True):
        axis.fill_between(times, below, height, step="post", color=COLOURS[colour], linewidth=0)
        below = height
    axis.axhline(float(below.max()), color=COLOURS["black"], linewidth=0.6, linestyle=":")

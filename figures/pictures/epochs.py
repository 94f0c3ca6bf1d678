"""Memory against epochs to a target accuracy, with a sweep of i-timeprest's decay λ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.metrics.memory import memory
from analysis.metrics.staleness import plan_of
from analysis.metrics.timing import finished_s
from figures import methods
from figures.drawing.ends import End, label_ends
from figures.drawing.style import PAGE_IN, SMALLEST_PT, headline, legend_below, new_figure
from figures.methods import BARS, NAMED, RATES, Method, bounds, short_text, spread
from figures.pieces import Piece
from sim.rows import Rows
from sim.spread import Spread
from sim.wording import plural

STAGES, TARGET, EVERY = 8, 0.9, 5
DECAYS = ("0.0", "0.1", "0.3", "1.0", "3.0", "inf")
ORDERS = (("round-robin", ""), ("nF1B 7", "@nf1b/7"))
PLAIN = (NAMED["sequential"], NAMED["GPipe 7 (flushed)"]._replace(label="GPipe 7"), NAMED["none"],
         NAMED["stash"], NAMED["spectrain"], NAMED["timeprest, nF1B 7"],
         NAMED["v-timeprest, nF1B 7"])
DECAY_METHODS = tuple(
    Method(f"i-timeprest λ={decay}, {order}", f"i-timeprest:decay={decay}{where}", "green")
    for order, where in ORDERS for decay in DECAYS)
SWEPT = {"round-robin": NAMED["i-timeprest"], "nF1B 7": NAMED["i-timeprest, nF1B 7"]}
BESIDE = {"round-robin": ("none", "stash"),
          "nF1B 7": ("timeprest, nF1B 7", "v-timeprest, nF1B 7")}


def base() -> dict[str, Any]:
    """The configuration all methods start from."""
    document = methods.document(STAGES, RATES[STAGES])
    document["training"] |= {"evaluate_every": EVERY, "distances": False}
    return document


def configuration() -> dict[str, Any]:
    """What to write into the picture: the pipeline, the methods and the target accuracy."""
    return methods.configuration(base(), (*PLAIN, *DECAY_METHODS), target_accuracy=TARGET)


def pieces(seeds: Iterable[int]) -> list[Piece]:
    """One run a method and seed."""
    return [Piece({"method": m.label, "seed": seed}, rows_of, (base(), m.contender, seed))
            for m in (*PLAIN, *DECAY_METHODS) for seed in seeds]


def rows_of(document: dict[str, Any], contender: str, seed: int) -> Rows:
    """One run's epochs and simulated seconds to the target (None: not reached), and peak bytes.

    `peak_bytes` adds up every stage's own peak of weights, stash, copies and activations.
    """
    trace = methods.trained(document, contender, seed)
    good = np.flatnonzero(trace.curves["accuracy"] >= TARGET)
    at = int(trace.curves["evaluated_minibatch"][good[0]]) if len(good) else None
    held = memory(trace, plan_of(trace))
    return [{"minibatches": at, "epochs": at and at * methods.BATCH / methods.EPOCH,
             "seconds": at and float(finished_s(trace)[at - 1]),
             "peak_bytes": sum(stage.total_bytes.peak for stage in held),
             "stash_bytes": sum(stage.stash_bytes.peak for stage in held)}]


def over_seeds(rows: Rows, method: str, quantity: str) -> Spread:
    """The spread of a method's quantity; of NaN where a seed missed the target."""
    return spread([row[quantity] for row in rows if row["method"] == method])


def sweep(rows: Rows, order: str, quantity: str = "epochs") -> list[Spread]:
    """The spread of a quantity by decay, of one order."""
    return [over_seeds(rows, f"i-timeprest λ={decay}, {order}", quantity) for decay in DECAYS]


def message(rows: Rows) -> str:
    """The headline: what λ changes, and where the memory goes."""
    epochs = [each.mean for each in sweep(rows, "nF1B 7")]
    held = {each.mean for each in sweep(rows, "nF1B 7", "peak_bytes")}
    kept = []
    for name in ("timeprest", "v-timeprest", "i-timeprest λ=1.0"):
        found = over_seeds(rows, f"{name}, nF1B 7", "epochs")
        peak = over_seeds(rows, f"{name}, nF1B 7", "peak_bytes").mean
        kept.append(f"{name.split()[0]} {short_text(found, '.1f')} at {peak / 1e3:.0f} kB")
    return (f"λ changes {'no byte' if len(held) == 1 else 'the bytes'} held; epochs under nF1B: "
            f"{min(epochs):.1f} to {max(epochs):.1f} over λ, {', '.join(kept)}")


def draw(rows: Rows) -> Figure:
    """Memory over epochs and over seconds above; epochs over λ below, an order each."""
    seeds = {row["seed"] for row in rows}
    figure = new_figure(PAGE_IN, 5.6)
    headline(figure, message(rows), f"To {100 * TARGET:.0f} % validation accuracy (looked at every "
             f"{EVERY} mini-batches); {STAGES} stages, digits, batch {methods.BATCH}, learning "
             f"rate {RATES[STAGES]}, {plural(len(seeds), 'seed')}, bars: {BARS}; "
             "λ = 0 is stash, λ = ∞ the latest weights alone; "
             "1 s forward and 2 s backward a mini-batch and stage, links are free")
    above, below = np.asarray(figure.subplots(2, 2), dtype=object)
    for axis, quantity, label in zip(above, ("epochs", "seconds"), (
            "epochs to the target", "simulated time to the target (s)"), strict=True):
        _against_memory(axis, rows, quantity)
        axis.set_xlabel(label)
        axis.set_ylabel("peak of all stages (kB)")
        axis.set_xlim(left=0)
    ends = [_by_decay(axis, rows, order) for axis, (order, _) in zip(below, ORDERS, strict=True)]
    top = 1.25 * max(axis.get_ylim()[1] for axis in below)
    for axis in below:
        axis.set_ylim(0, top)
    for axis, some in zip(below, ends, strict=True):
        label_ends(axis, some, SMALLEST_PT)
    legend_below(figure, above[0].get_legend_handles_labels(), columns=5)
    return figure


def _against_memory(axis: Axes, rows: Rows, quantity: str) -> None:
    for method in PLAIN:
        found = over_seeds(rows, method.label, quantity)
        y = over_seeds(rows, method.label, "peak_bytes").mean
        axis.errorbar(found.mean, y / 1e3, xerr=_bars([found]), marker=method.mark,
                      markersize=5, elinewidth=0.8, linestyle="", color=method.hex,
                      label=method.label)
    for order, _ in ORDERS:
        swept = sweep(rows, order, quantity)
        heights = [each.mean / 1e3 for each in sweep(rows, order, "peak_bytes")]
        axis.errorbar([each.mean for each in swept], heights, xerr=_bars(swept),
                      marker=SWEPT[order].mark, markersize=5, elinewidth=0.5, linestyle="",
                      mfc="none", color=SWEPT[order].hex,
                      label=f"i-timeprest, {order}, every λ")
    axis.set_ylim(bottom=0)
    axis.grid()


def _bars(found: Sequence[Spread]) -> Any:
    """What matplotlib takes: how far the bars reach below and above the means."""
    means = np.array([each.mean for each in found])
    return np.abs(np.array([bounds(each) for each in found]).T - means)


def _by_decay(axis: Axes, rows: Rows, order: str) -> list[End]:
    """Epochs over λ, and lines of what it goes between; the ends of those, to be named."""
    found = sweep(rows, order)
    axis.errorbar(range(len(DECAYS)), [each.mean for each in found], _bars(found),
                  marker=SWEPT[order].mark, linestyle=SWEPT[order].line, color=SWEPT[order].hex,
                  mfc="none", markersize=5, elinewidth=0.8)
    ends = []
    for name in BESIDE[order]:
        beside, colour = over_seeds(rows, name, "epochs"), NAMED[name].hex
        axis.axhline(beside.mean, color=colour, linestyle=NAMED[name].line)
        ends.append(End(len(DECAYS) - 0.5, beside.mean, name.partition(",")[0], colour))
        axis.axhspan(*bounds(beside), color=colour, alpha=0.13, linewidth=0)
    axis.set_xticks(range(len(DECAYS)), ["∞" if d == "inf" else f"{float(d):g}" for d in DECAYS])
    axis.set_xlabel(f"λ of i-timeprest, {order} (no unit)")
    axis.set_ylabel("epochs to the target")
    axis.set_xlim(-0.5, len(DECAYS) - 0.5)
    return ends

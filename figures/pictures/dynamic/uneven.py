"""Staleness that is not the same all the time: how it is spread, and what that does to training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.metrics.convergence import LATE, fluctuation
from figures import methods
from figures.drawing.colours import COLOURS
from figures.drawing.scales import log_numbers
from figures.drawing.style import PAGE_IN, SMALLEST_PT, headline, new_figure
from figures.methods import paired_losses
from figures.pictures.dynamic.cases import (
    CASES,
    DRAIN,
    EVENED,
    MINIBATCHES,
    SIGMA,
    SLOW,
    STAGES,
    WINDOW_S,
    table,
)
from figures.pictures.dynamic.edges import edges_of
from figures.pictures.dynamic.written import delays, ordered
from figures.pieces import Piece
from sim.arrays import Floats
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.rows import Rows
from sim.spread import Paired, p_text, paired
from sim.trace import Trace
from sim.wording import markdown_table, plural

EVERY, RATE = 10, 0.05
DRAWS = 3  # runs for each seed asked for
SURE = 0.05  # a p below it is a finding, as far as one of so many comparisons is
LIMITS = (0.15, 8.0)  # of the ratios shown


RULES = ("stash", "delay-adaptive")  # whose stable rates are told
REPLICAS = "replicas 2-1-1"
METHODS: dict[str, Any] = {
    "none": "none", "stash": "stash", "vertical-sync": "vertical-sync", "spectrain": "spectrain",
    "spectrain-stashed": "spectrain-stashed", "nwpt": "nwpt", "i-timeprest": "i-timeprest",
    "delay-adaptive": "delay-adaptive",
    "delay-adaptive, dropping": {"name": "delay-adaptive", "smoothness": float("inf")},
}


def document(mitigation: Any, seed: int) -> dict[str, Any]:
    """The configuration of one training, through an order that is given."""
    found = methods.document(STAGES, RATE, minibatches=MINIBATCHES, schedule="file",
                             mitigation=mitigation)
    found["training"] |= {"evaluate_every": EVERY, "distances": False, "seed": seed}
    return found


def configuration() -> dict[str, Any]:
    """What to write into the picture: the pipeline, the orders and the methods."""
    return {**document("none", 0), "methods": list(METHODS), "orders": list(CASES),
            "runs_per_seed": DRAWS, "jitter_sigma": SIGMA, "straggler_factor": SLOW,
            "straggler_window_s": WINDOW_S, "drained_every": DRAIN}


def pieces(seeds: Iterable[int]) -> list[Piece]:
    """How the delays of every order are spread, then a training an order, draw and method, then
    stable rates.

    Delays are those of the first draw; stable rates those of all draws where these differ.
    """
    draws = [DRAWS * seed + number for seed in seeds for number in range(DRAWS)]
    orders = [name + twin for name in CASES for twin in ("", EVENED)]
    return [*(Piece({"part": "delays", "order": name, "seed": draws[0], "method": None},
                    delays_of, (name, draws[0])) for name in (*orders, REPLICAS)),
            *(Piece({"part": "training", "order": name, "seed": draw, "method": method},
                    trained, (name, draw, method))
              for name in orders for draw in draws for method in METHODS),
            *(Piece({"part": "edge", "order": name, "seed": draw, "method": rule},
                    edges_of, (name, draw, rule))
              for name in orders for draw in (draws if "jitter" in name else draws[:1])
              for rule in RULES)]


def delays_of(order: str, draw: int) -> Rows:
    """How often updates of a stage are late by so many: a row for each stage and delay."""
    if order == REPLICAS:
        trace = run(resolve({"pipeline": {"schedule": "hybrid", "stages": 3,
                                          "replicas": [2, 1, 1], "minibatches": MINIBATCHES},
                             "training": {"task": "none"}}))
        late = [trace.staleness[(trace.op == 0) & (trace.stage == k)] for k in range(3)]
    else:
        late = list(delays(table(order, draw)))
    return [{"stage": stage, "delay": int(value), "updates": int(count)}
            for stage, own in enumerate(late)
            for value, count in zip(*np.unique(own, return_counts=True), strict=True)]


def trained(order: str, draw: int, method: str) -> Rows:
    """How one training went: its losses, its accuracy, and how much that fluctuated.

    `late_loss` is the geometric mean of the training losses evaluated in the last fifth of the run;
    all are None where it diverged.
    """
    mitigation = METHODS[method]
    trace = run(resolve(document(mitigation, draw)), ordered(table(order, draw)))
    ended = methods.ended(trace)
    good = ended["final_loss"] is not None
    return [{**ended, "late_loss": late_loss(trace) if good else None,
             "fluctuation": fluctuation(trace) if good else None}]


def late_loss(trace: Trace) -> float:
    """Geometric mean of the training losses evaluated in the last fifth of a run."""
    late = trace.curves["evaluated_minibatch"] > LATE * trace.shape.minibatches
    return float(np.exp(np.mean(np.log(trace.curves["training_loss"][late]))))


def column(rows: Rows, order: str, method: str, quantity: str) -> list[float | None]:
    """A quantity of all trainings of one method through one order, draw by draw."""
    return [row[quantity] for row in rows if row["part"] == "training"
            and (row["order"], row["method"]) == (order, method)]


def effect(rows: Rows, case: str, method: str, quantity: str = "late_loss") -> Paired | None:
    """What unevenness does to a method: its losses over those through the evened twin, by draw.

    None where a training diverged.
    """
    return paired_losses(column(rows, case, method, quantity),
                         column(rows, case + EVENED, method, quantity))


def gain(rows: Rows, order: str, method: str, baseline: str = "stash") -> Paired | None:
    """Losses of a method over those of another through the same order, draw by draw."""
    return paired_losses(column(rows, order, method, "late_loss"),
                         column(rows, order, baseline, "late_loss"))


def unrest(rows: Rows, case: str, method: str) -> Paired | None:
    """What unevenness does to the fluctuation of a method's accuracy, in points, draw by draw."""
    ours, theirs = ([None if each is None else 100 * each
                     for each in column(rows, order, method, "fluctuation")]
                    for order in (case, case + EVENED))
    if None in ours or None in theirs:
        return None
    return paired(ours, theirs)  # type: ignore[arg-type]


def sure(pair: Paired | None) -> bool:
    """Whether a difference is unlikely to be chance, as far as one of many comparisons can be."""
    return pair is not None and pair.p is not None and pair.p < SURE


def in_time() -> list[str]:
    """The orders that are uneven in time, and evened in it."""
    return [name for name, case in CASES.items() if case.twin == "in time"]


def edge(rows: Rows, order: str, rule: str = "stash") -> Floats:
    """The largest stable ηλ of each stage under a rule, (stages,): geometric mean over draws."""
    mine = [row for row in rows if row["part"] == "edge"
            and (row["order"], row["method"]) == (order, rule)]
    return np.array([np.exp(np.mean([np.log(row["edge"]) for row in mine if row["stage"] == k]))
                     for k in range(STAGES)])


def message(rows: Rows) -> str:
    """The headline: which methods notice that staleness is uneven, and what dropping gains."""
    pairs = {(case, method): effect(rows, case, method) for case in CASES for method in METHODS}
    found = {key: pair for key, pair in pairs.items() if pair is not None}
    time = {key: pair for key, pair in found.items() if key[0] in in_time()}
    stages = [pair for (case, _), pair in found.items() if case not in in_time()]
    (case, method), surest = min(time.items(), key=lambda item: item[1].p or 1.0)
    dropped = gain(rows, "jitter", "delay-adaptive, dropping")
    gained = "diverge" if dropped is None else f"×{dropped.mean:.2g} ({p_text(dropped.p or 1.0)})"
    return (f"At one mean delay, staleness uneven in time changes the late loss in "
            f"{sum(map(sure, time.values()))} of {len(time)} pairs of method and order (p < "
            f"{SURE:g}; by chance {SURE * len(time):.2g}), most surely of {method} under {case} "
            f"(×{surest.mean:.2g}); uneven over stages in {sum(map(sure, stages))} of "
            f"{len(stages)}; dropping late updates makes stash's {gained} under jitter")


def markdown(rows: Rows, command: str) -> str:
    """The results' table: a method's loss and fluctuation, uneven against even, by order."""
    cells = [[method, *(f"{_told(effect(rows, case, method), '×')}; "
                        f"{_told(unrest(rows, case, method), '')}" for case in CASES)]
             for method in METHODS]
    heads = (f"{case.title}, {case.twin}" for case in CASES.values())
    return (markdown_table(("method", *heads), cells)
            + f"\nMade by `{command}`. Late loss uneven over even (geometric mean of the training "
            "loss over the last fifth), then the accuracy's fluctuation uneven less even (points): "
            "mean [95 % interval] p, draw by draw.\n")


def _told(pair: Paired | None, sign: str) -> str:
    if pair is None:
        return "some diverged"
    return sign + pair.text(lambda value: f"{value:.2g}".replace("-", "−"))


def draw(rows: Rows) -> Figure:
    """Above how late updates are, by stage; below what that does to each method's loss."""
    figure = new_figure(PAGE_IN, 6.1)
    runs = len(column(rows, "jitter", "none", "late_loss"))
    headline(figure, message(rows), f"{STAGES} stages, digits, batch {methods.BATCH}, learning "
             f"rate {RATE}, {MINIBATCHES} mini-batches, {plural(runs, 'run')} each (dots; bar: "
             "95 % interval of the geometric mean, red where p < 0.05); above: share of a stage's "
             "updates by how late they are, circles: their mean, line: what delay-adaptive rates "
             "let pass; the even twin has the same mean delay on each stage (of 1F1B: on all "
             "stages) all the while; loss: geometric mean over the last fifth of the run; at the "
             "bottom: a quadratic through the same orders")
    axes = figure.subplots(3, len(CASES) + 1, height_ratios=[1, 1.35, 0.9])
    for axis, name in zip(axes[0], (*CASES, REPLICAS), strict=True):
        _shares(axis, rows, name)
        axis.set_title(CASES[name].title if name in CASES else REPLICAS)
        if axis in (axes[0][0], axes[0][-1]):
            axis.set_ylabel("stage")
        else:
            axis.set_yticklabels([])
    for axis, name in zip(axes[1], CASES, strict=False):
        _ratios(axis, [effect(rows, name, method) for method in METHODS])
        axis.set_xlabel(f"uneven {CASES[name].twin}\nover even (×)")
        axis.set_yticks(range(len(METHODS)), METHODS if axis is axes[1][0] else [])
    late = [(name, method) for name in ("jitter", "stragglers", "by stage" + EVENED)
            for method in ("delay-adaptive", "delay-adaptive, dropping")]
    _ratios(axes[1][-1], [gain(rows, *each) for each in late])
    axes[1][-1].yaxis.tick_right()
    names = [name.replace("by stage" + EVENED, "1F1B even") for name, _ in late]
    axes[1][-1].set_yticks(range(len(late)), [
        f"{name},\n{'drop' if 'drop' in method else 'slow'}"
        for name, (_, method) in zip(names, late, strict=True)])
    axes[1][-1].set_xlabel("delay-adaptive\nover stash (×)")
    for axis, name in zip(axes[2], CASES, strict=False):
        _edges(axis, rows, name)
        axis.set_xlabel("stage")
        axis.tick_params(labelleft=axis is axes[2][0])
    axes[2][0].set_ylabel("largest stable ηλ")
    axes[2][-1].axis("off")
    axes[2][-1].legend(*axes[2][0].get_legend_handles_labels(), loc="center left")
    return figure


def _edges(axis: Axes, rows: Rows, name: str) -> None:
    """The largest stable ηλ by stage: through an order, evened, and with delay-adaptive rates."""
    for label, order, rule, colour, line in (
            ("uneven, stash", name, "stash", "vermilion", "-"),
            ("even, stash", name + EVENED, "stash", "black", "--"),
            ("uneven,\ndelay-adaptive", name, "delay-adaptive", "blue", ":")):
        axis.plot(range(STAGES - 1), edge(rows, order, rule)[:-1], line, color=COLOURS[colour],
                  label=label)
    axis.set_xticks(range(STAGES - 1))
    axis.set_ylim(0.12, 1.6)
    log_numbers(axis)
    axis.grid(axis="y")


def _shares(axis: Axes, rows: Rows, name: str) -> None:
    """How late a stage's updates are, in shades of its updates' share; their mean as a circle."""
    mine = [row for row in rows if row["part"] == "delays" and row["order"] == name]
    stages, most = 1 + max(row["stage"] for row in mine), STAGES
    shares = np.zeros((stages, most))
    for row in mine:
        shares[row["stage"], row["delay"]] = row["updates"]
    shares /= shares.sum(axis=1, keepdims=True)
    axis.imshow(np.ma.masked_equal(shares, 0), aspect="auto", cmap="Blues", vmin=0, vmax=1)
    axis.plot(shares @ np.arange(most), range(stages), "o", color=COLOURS["orange"], markersize=3.2,
              markeredgecolor=COLOURS["black"], markeredgewidth=0.5, linestyle="none")
    axis.step(stages - np.arange(stages + 1) + 0.5, np.arange(stages + 1) - 0.5, where="pre",
              color=COLOURS["black"], linewidth=0.8)
    axis.set_xlim(-0.5, most - 0.5)
    axis.set_yticks(range(stages))
    axis.set_xticks(range(0, most, 2))
    axis.set_xlabel("delay (updates)")


def _ratios(axis: Axes, found: Sequence[Paired | None]) -> None:
    """A line for each of some pairs: every draw's ratio, their mean and its interval."""
    for place, pair in enumerate(found):
        if pair is None:
            axis.text(1, place, "some diverged", ha="center", va="center", color=COLOURS["dim"],
                      fontsize=SMALLEST_PT)
            continue
        spot = place + np.linspace(-0.22, 0.22, len(pair.values))
        axis.plot(pair.values, spot, ".", color=COLOURS["faint"], markersize=2.2)
        colour = COLOURS["vermilion" if sure(pair) else "blue"]
        if pair.ci95 is not None:
            axis.plot(pair.ci95, [place] * 2, color=colour, linewidth=1.6)
        axis.plot(pair.mean, place, "D" if sure(pair) else "o", color=colour, markersize=3.6)
    axis.set_ylim(len(found) - 0.5, -0.5)
    axis.set_xlim(*LIMITS)
    axis.axvline(1, color=COLOURS["black"], linewidth=0.7, zorder=0)
    log_numbers(axis, "x")
    axis.grid(axis="x")

"""Loss and accuracy over learning rates, eight stages: where a mitigation helps, and where not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.compare import Contender
from analysis.compare import rows as compare
from figures.staleness import METHODS as SHOWN
from figures.staleness import experiment
from figures.style import COLOURS, new_figure

STAGES = 8
RATES = (0.01, 0.02, 0.03, 0.05, 0.07)
METHODS = (*SHOWN[:5], ("spectrain, horizon update", "spectrain:horizon=update", "blue", ":"),
           *SHOWN[5:])


def runs(seeds: int) -> int:
    """How many trainings the figure takes."""
    return seeds * len(RATES) * len(METHODS)


def data(seeds: Iterable[int], done: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
    """A row per method and rate: mean and spread over seeds of final loss and accuracy.

    `excess_loss` is the mean loss above sequential training's at the same rate; a diverged seed
    leaves the means empty.
    """
    rows = []
    chosen = tuple(seeds)
    for rate in RATES:
        base = experiment(STAGES).model_dump(exclude_unset=True)
        base["training"]["learning_rate"] = rate
        rows += _at_rate(base, rate, chosen, done)
    return rows


def _at_rate(base: dict[str, Any], rate: float, seeds: tuple[int, ...],
             done: Callable[[], None]) -> list[dict[str, Any]]:
    from sim.configuration import resolve

    rows: list[dict[str, Any]] = []
    contenders = [Contender.parse(item) for _, item, _, _ in METHODS]
    compared = compare(resolve(base), contenders, seeds, done)
    for (label, *_), found in zip(METHODS, compared, strict=True):
        loss, reference = found["final_loss"], compared[0]["final_loss"]
        rows.append({
            "rate": rate, "method": label, "seeds": len(seeds), "final_loss": loss,
            "final_loss_sd": found["final_loss_sd"], **_bounds("final_loss", found),
            "accuracy": found["accuracy"], "accuracy_sd": found["accuracy_sd"],
            **_bounds("accuracy", found), "diverged": len(found["diverged_seeds"]),
            "excess_loss": None if loss is None or reference is None else loss - reference})
    return rows


def _bounds(name: str, found: dict[str, Any]) -> dict[str, float | None]:
    """The 95 % interval of a mean as two columns, empty for one seed."""
    low, high = found[f"{name}_ci95"] or (None, None)
    return {f"{name}_ci95_low": low, f"{name}_ci95_high": high}


def draw(rows: list[dict[str, Any]]) -> Figure:
    """Excess loss and accuracy by learning rate, a line per method, bars of one deviation."""
    figure = new_figure(10, 4.2)
    left, right = figure.subplots(1, 2)
    _lines(left, rows, "final_loss", "loss over the training set after 800 mini-batches")
    left.set_yscale("log")
    _lines(right, rows, "accuracy", "validation accuracy (cut at 0.86)")
    right.set_ylim(0.86, 0.99)
    figure.legend(*left.get_legend_handles_labels(), loc="outside right center")
    figure.suptitle(f"{STAGES} stages, digits, batch 28, {rows[0]['seeds']} seeds (mean, bars: "
                    "one standard deviation)", x=0.01, ha="left")
    return figure


def _lines(axis: Axes, rows: list[dict[str, Any]], quantity: str, label: str) -> None:
    for number, (method, _, colour, line) in enumerate(METHODS):
        mine = [r for r in rows if r["method"] == method]
        shift = 1 + 0.012 * (number - len(METHODS) / 2)  # so that bars do not hide each other
        values = np.array([np.nan if r[quantity] is None else r[quantity] for r in mine])
        spread = np.array([r[f"{quantity}_sd"] or 0.0 for r in mine])
        if quantity == "final_loss":  # a bar below zero has no place on a logarithm
            spread = np.array([np.minimum(spread, 0.9 * values), spread])
        axis.errorbar([r["rate"] * shift for r in mine], values, spread, color=COLOURS[colour],
                      linestyle=line, label=method, marker="o", markersize=3, linewidth=1.2,
                      elinewidth=0.7)
    axis.set_xscale("log")
    axis.set_xticks(RATES, [f"{rate:g}" for rate in RATES])
    axis.minorticks_off()
    axis.set_xlabel("learning rate")
    axis.set_ylabel(label)
    axis.grid(color=COLOURS["pale"], linewidth=0.6)


def markdown(rows: list[dict[str, Any]], command: str) -> str:
    """The README's table: final loss ± sd, [95 % interval], (accuracy %), a column per rate."""
    lines = ["| method | " + " | ".join(f"η = {r:g}" for r in RATES) + " |",
             "|---|" + "---|" * len(RATES)]
    for method, *_ in METHODS:
        mine = {r["rate"]: r for r in rows if r["method"] == method}
        lines.append(f"| {method} | " + " | ".join(_cell(mine[rate]) for rate in RATES) + " |")
    bounds = "" if rows[0]["seeds"] == 1 else (
        " Mean ± standard deviation, [95 % interval of the mean, Student's t].")
    return "\n".join([*lines, "", f"Made by `{command}`.{bounds}"]) + "\n"


def _cell(found: dict[str, Any]) -> str:
    if found["final_loss"] is None:
        return f"diverged ({found['diverged']} of {found['seeds']})"
    low, high = found["final_loss_ci95_low"], found["final_loss_ci95_high"]
    spread = "" if low is None else f" ± {found['final_loss_sd']:.1g} [{low:.2g}, {high:.2g}]"
    return f"{found['final_loss']:.2g}{spread} ({100 * found['accuracy']:.1f} %)"

"""What to do about costs that drift: dispatch, a new order or a new cut, over the static plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.drifting.planning import Planner
from analysis.drifting.policies import POLICIES, Policy, run_policy
from analysis.drifting.problem import DriftProblem
from analysis.drifting.study import report
from figures.drawing.colours import COLOURS
from figures.drawing.scales import log_numbers
from figures.drawing.style import PAGE_IN, headline, new_figure
from figures.methods import BACKWARD_S, FORWARD_S
from figures.pieces import Piece
from sim.experiment.configuration import resolve
from sim.rows import Rows
from sim.spread import POSITIVE, Paired, paired
from sim.wording import plural

STAGES, LAYERS, MINIBATCHES, EVERY = 4, 12, 300, 10
ROUNDS = 300  # moves of a search for an order, at every change
DOUBT = 3.0  # standard errors
SMALL_NOISE, NOISE = {"sigma": 0.05}, {"sigma": 0.5}
SCENARIOS: dict[str, dict[str, Any]] = {
    "window": {"jitter": SMALL_NOISE, "stragglers": [
        {"stage": 1, "from_s": 300.0, "to_s": 600.0, "factor": 3.0}]},
    "trend": {"jitter": SMALL_NOISE, "trends": [
        {"stage": 1, "from_s": 200.0, "to_s": 800.0, "factor": 2.0}]},
    "noise": {"jitter": NOISE}}
SAID = {"window": "window: 3 times as slow\nbetween 300 s and 600 s",
        "trend": "trend: up to twice as slow\nbetween 200 s and 800 s",
        "noise": "noise alone, σ = 0.5"}
ORDERS = {"flushed": ("1f1b", 8), "asynchronous": ("round-robin", 1)}
OTHERS = {"greedy": ("orange", "s"), "replan": ("blue", "D"), "recut": ("vermilion", "o"),
          "doubting": ("purple", "^")}
RATE, LOSS = "throughput_minibatches_per_s", "final_loss"
PANELS = (("flushed", RATE), ("asynchronous", RATE), ("asynchronous", LOSS))


def document(scenario: str, order: str) -> dict[str, Any]:
    """The configuration of a run: a mini-batch takes a stage the same time in either order, and a
    device has room for what 1F1B keeps; a layer and its velocity take a link 1.7 s."""
    schedule, n = ORDERS[order]
    return {"pipeline": {"schedule": schedule, "stages": STAGES, "microbatches": n,
                         "minibatches": MINIBATCHES},
            "costs": {"forward_s": FORWARD_S / n, "backward_s": BACKWARD_S / n,
                      **SCENARIOS[scenario]},
            "cluster": {"bandwidth_bytes_per_s": 1e4, "boundary_bytes": 0.0,
                        "activation_bytes": 1.0, "activation_limit_bytes": float(STAGES)},
            "training": {"layers": LAYERS, "width": 32, "learning_rate": 0.05,
                         "distances": False}}


def configuration() -> dict[str, Any]:
    """What to write into the picture: a run, and what is varied."""
    return {**document("window", "flushed"), "scenarios": SCENARIOS, "every": EVERY,
            "rounds": ROUNDS, "doubt": DOUBT, "policies": [*POLICIES, "doubting"],
            "orders": {name: list(kind) for name, kind in ORDERS.items()}}


def pieces(seeds: Iterable[int]) -> list[Piece]:
    """All policies under one scenario, order and seed: they share a start."""
    return [Piece({"scenario": scenario, "order": order, "seed": seed}, rows_of,
                  (scenario, order, seed))
            for scenario in SCENARIOS for order in ORDERS for seed in seeds]


def rows_of(scenario: str, order: str, seed: int) -> Rows:
    """A row for each policy: rate, bubble, staleness of the first stage's forwards, what changed,
    and how the training ended."""
    asked = resolve(document(scenario, order)).changed({"training.seed": seed})
    planner = Planner(DriftProblem(asked, EVERY, rounds=ROUNDS))
    return [_row(name, planner, policy) for name, policy in POLICIES.items()] + [
        doubting(planner)]


def doubting(planner: Planner) -> dict[str, Any]:
    """The row of cuts by a planner that doubts what it measures."""
    problem = replace(planner.problem, doubt=DOUBT)
    return _row("doubting", Planner(problem), POLICIES["recut"])


def _row(name: str, planner: Planner, policy: Policy) -> dict[str, Any]:
    values = report(planner.problem, run_policy(planner, policy))
    late, last = values["staleness"], values["course"][-1]
    return {"policy": name, **{key: values[key] for key in (
        RATE, "bubble_fraction", "changes", "move_s", "moved_bytes", LOSS, "accuracy")},
        "mean_staleness": late["forward"][0], "most_staleness": late["max"],
        "last_order": last["order"], "last_layers": "-".join(map(str, last["layers"]))}


def against(rows: Rows, scenario: str, order: str, policy: str, quantity: str) -> Paired:
    """A quantity of a policy over that of the static one, seed by seed."""
    ours, theirs = ([float(row[quantity]) for row in rows if (
        row["scenario"], row["order"], row["policy"]) == (scenario, order, name)]
        for name in (policy, "static"))
    return paired(ours, theirs, POSITIVE)


def message(rows: Rows) -> str:
    """The headline: what a new cut is worth, and what it costs to believe noise."""
    def mean(scenario: str, order: str, policy: str) -> str:
        return f"{against(rows, scenario, order, policy, RATE).mean:.3g}"

    trend, window = (" and ".join(mean(scenario, order, "recut") for order in ORDERS)
                     for scenario in ("trend", "window"))
    return (f"A new cut every {EVERY} mini-batches multiplies the rate by {trend} under a trend "
            f"(flushed and asynchronous) and {window} under a window; under noise alone, "
            f"asynchronous, by {mean('noise', 'asynchronous', 'recut')}, and by "
            f"{mean('noise', 'asynchronous', 'doubting')} where the planner doubts what it "
            "measures")


def draw(rows: Rows) -> Figure:
    """Rates and losses over the static plan's: a column a scenario, a dot a seed."""
    seeds = {row["seed"] for row in rows}
    figure = new_figure(PAGE_IN, 5.4)
    headline(figure, message(rows), f"{STAGES} stages of {LAYERS} layers, digits, {MINIBATCHES} "
             "mini-batches; all start from the best cut and order of the costs as given; "
             f"{plural(len(seeds), 'seed')} (dots), geometric mean (bar); greedy: each device "
             "takes what is ready; replan, recut: planned anew from the pace seen so far (orders: "
             "named, listed and searched for), a layer that moves takes a link 1.7 s and waits for "
             f"a drained pipeline; doubting: recut where a pace is {DOUBT:g} standard errors away "
             "from what was believed")
    grid = figure.subplots(len(PANELS), len(SCENARIOS), sharex=True, sharey="row", squeeze=False)
    for line, (order, quantity) in zip(grid, PANELS, strict=True):
        for axis, scenario in zip(line, SCENARIOS, strict=True):
            _panel(axis, [against(rows, scenario, order, policy, quantity) for policy in OTHERS],
                   logarithmic=quantity == LOSS)
        what = "rate" if quantity == RATE else "final loss"
        line[0].set_ylabel(f"{order}:\n{what} over static's (×)")
    for axis, scenario in zip(grid[0], SCENARIOS, strict=True):
        axis.set_title(SAID[scenario])
    return figure


def _panel(axis: Axes, found: Sequence[Paired], *, logarithmic: bool) -> None:
    axis.axhline(1, color=COLOURS["grey"], linewidth=0.7)
    for place, (pair, (colour, mark)) in enumerate(zip(found, OTHERS.values(), strict=True)):
        offsets = np.linspace(-0.15, 0.15, len(pair.values)) if len(pair.values) > 1 else [0.0]
        axis.plot(place + np.array(offsets), pair.values, mark, color=COLOURS[colour],
                  markersize=3.5)
        axis.plot([place - 0.28, place + 0.28], [pair.mean] * 2, color=COLOURS["black"])
    if logarithmic:
        axis.set_yscale("log")
        log_numbers(axis)
    axis.set_xlim(-0.6, len(OTHERS) - 0.4)
    axis.set_xticks(range(len(OTHERS)), list(OTHERS))
    axis.grid(axis="y")

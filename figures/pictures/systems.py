"""Every system on one network: what each costs, and what it buys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.metrics.convergence import convergence
from analysis.metrics.report import report
from analysis.theory.system_edge import stable_rate
from figures.methods import mean_sd, plural
from figures.pieces import Piece
from figures.style import COLOURS, PAGE_IN, Rows, headline, legend_below, new_figure
from sim.experiment.compared.entrant import Entrant, entrants
from sim.experiment.configuration import read_experiment, resolve
from sim.experiment.run import run
from sim.interval import mean_of

EXPERIMENT = Path(__file__).parents[1] / "experiments" / "systems.toml"
TARGET = 0.94
SWEPT = tuple(f"i-timeprest:decay={decay}" for decay in (0, 0.3, 3, "inf"))
PANELS = (("throughput", "steady throughput\n(mini-batches/s)"),
          ("peak_kB", "peak memory of\na device (kB)"), ("final_loss", "final loss"),
          ("seconds_to_target", f"simulated time to\n{100 * TARGET:g} % accuracy (s)"))


def names() -> list[str]:
    """Every system, and I-TiMePReSt at other decays."""
    return [*(each.name for each in entrants("all")), *SWEPT]


def configuration() -> dict[str, Any]:
    return {**read_experiment(EXPERIMENT).model_dump(mode="json", exclude_unset=True),
            "systems": names(), "target_accuracy": TARGET}


def pieces(seeds: Iterable[int]) -> list[Piece]:
    """One run a system and seed, and one search for its stable rate (without a seed)."""
    return [Piece({"system": name, "seed": seed}, rows_of if seed is not None else edge_of,
                  (name, seed)) for name in names() for seed in (*seeds, None)]


def _entrant(name: str) -> Entrant:
    return entrants(name)[0]


def rows_of(name: str, seed: int) -> Rows:
    """What one run costs and buys.  Raises ConfigurationError where the system refuses."""
    entrant = _entrant(name)
    document = entrant.document(read_experiment(EXPERIMENT))
    document["training"]["seed"] = seed
    trace = run(resolve(document))
    found, memory = report(trace), report(trace)["memory"]
    met = convergence(trace, TARGET)
    return [{
        "choice": bool(entrant.system.reading), "devices": found["devices"],
        "throughput": found["steady_throughput_minibatches_per_s"],
        "bubble": found["bubble_fraction"], "late_forward": _ends(found["staleness"]["forward"]),
        "late_backward": _ends(found["staleness"]["backward"]),
        "latest": max(*found["staleness"]["forward"], *found["staleness"]["backward"]),
        "versions": _ends(found["versions_held"]),
        "peak_kB": max(memory["peak_device_bytes"]) / 1e3,
        "link_kB": memory["link_bytes_per_minibatch"] / 1e3,
        "diverged": found["diverged"], "final_loss": found["final_loss"],
        "accuracy": found["accuracy"], "epochs_to_target": met["epochs_to_target"],
        "seconds_to_target": met["seconds_to_target"],
        "fluctuation": met["accuracy_fluctuation"]}]


def _ends(values: Sequence[float]) -> str:
    """What the first and the last stage have, never to be taken for a number."""
    return f"{values[0]:.2g}…{values[-1]:.2g}"


def _once(ends: str) -> str:
    """One number where both ends agree."""
    first, _, last = ends.partition("…")
    return first if first == last else ends


def edge_of(name: str, _: None) -> Rows:
    """The largest stable ηλ on the quadratic, through the system's own order."""
    return [{"stable_rate": stable_rate(_entrant(name), read_experiment(EXPERIMENT))}]


def of_system(rows: Rows, name: str) -> tuple[Rows, float | None]:
    """The runs of a system, and its stable rate."""
    mine = [row for row in rows if row["system"] == name]
    return ([row for row in mine if row["seed"] is not None],
            next((row["stable_rate"] for row in mine if row["seed"] is None), None))


def shown(rows: Rows) -> list[str]:
    """Systems from the slowest to the fastest."""
    speed = {name: of_system(rows, name)[0][0]["throughput"]
             for name in dict.fromkeys(row["system"] for row in rows)}
    return sorted(speed, key=lambda name: speed[name])


def message(rows: Rows) -> str:
    """Who is first at the target with as many devices as stages, and how far behind the flush."""
    fair = {name: mean_sd([r["seconds_to_target"] for r in of_system(rows, name)[0]])
            for name in shown(rows) if of_system(rows, name)[0][0]["devices"] <= 4}
    first = [name for name in sorted(fair, key=lambda n: fair[n][0])
             if np.isfinite(fair[name][0])][:3]
    return (f"First to {100 * TARGET:g} % accuracy on at most four devices: " + ", ".join(
        f"{name} ({fair[name][0]:.0f} ± {fair[name][1]:.0f} s)" for name in first)
        + f"; a single device takes {fair['single-gpu'][0]:.0f} s")


def draw(rows: Rows) -> Figure:
    """Four panels of one axis of systems, fastest at the top, bars of one deviation."""
    order, seeds = shown(rows), {r["seed"] for r in rows if r["seed"] is not None}
    figure = new_figure(PAGE_IN, 0.19 * len(order) + 1.6)
    headline(figure, message(rows), "digits, eight layers in four stages, batch 28, 800 "
             f"mini-batches, {plural(len(seeds), 'seed')}, bars: one standard deviation; devices "
             "in brackets; no mark: a seed did not reach the target; links of 100 kB/s")
    axes = figure.subplots(1, len(PANELS), sharey=True)
    for axis, (quantity, label) in zip(axes, PANELS, strict=True):
        _panel(axis, rows, order, quantity, label)
    axes[0].set_yticks(range(len(order)), [
        f"{name} ({of_system(rows, name)[0][0]['devices']})" for name in order])
    marks = [Line2D([], [], color=COLOURS[colour], marker="o", markersize=4, linestyle="")
             for colour in ("black", "vermilion")]
    legend_below(figure, (marks, ["fresh weights only", "stale weights within a worker"]), 2)
    return figure


def _panel(axis: Axes, rows: Rows, order: Sequence[str], quantity: str, label: str) -> None:
    for place, name in enumerate(order):
        runs, _ = of_system(rows, name)
        value, spread = mean_sd([row[quantity] for row in runs])
        if not np.isfinite(value):
            continue
        colour = COLOURS["vermilion" if runs[0]["latest"] else "black"]
        axis.errorbar(value, place, xerr=np.array([[min(spread, 0.9 * value)], [spread]]),
                      color=colour, marker="o", markersize=3.5, linewidth=1)
    if quantity == "final_loss":
        axis.set_xscale("log")
    else:
        axis.set_xlim(left=0)
    axis.set_xlabel(label)
    axis.grid()


def markdown(rows: Rows, command: str) -> str:
    """The README's systems table, in alphabetical order, the sweep of λ last."""
    head = ("system", "devices", "mini-batches/s", "late, fwd / bwd", "versions", "peak kB",
            "link kB", "final loss", "accuracy", f"epochs to {100 * TARGET:g} %",
            f"seconds to {100 * TARGET:g} %", "stable ηλ")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name in dict.fromkeys(row["system"] for row in rows):
        runs, rate = of_system(rows, name)
        called = name + (" [choice]" if runs[0]["choice"] else "")
        lines.append(f"| {' | '.join([called, *_cells(runs, rate)])} |")
    return "\n".join([*lines, "", f"Made by `{command}`. Mean ± standard deviation, [95 % interval "
                      "of the mean, Student's t]."]) + "\n"


def _cells(runs: Rows, rate: float | None) -> list[str]:
    one, missed = runs[0], [row for row in runs if row["seconds_to_target"] is None]
    met = f"{len(runs) - len(missed)} of {len(runs)} seeds"
    accuracy = mean_sd([row["accuracy"] for row in runs])[0]
    return [
        str(one["devices"]), f"{one['throughput']:.3f}",
        f"{_once(one['late_forward'])} / {_once(one['late_backward'])}", _once(one["versions"]),
        f"{one['peak_kB']:.0f}", f"{one['link_kB']:.0f}", _loss(runs),
        "–" if np.isnan(accuracy) else f"{100 * accuracy:.1f} %",
        met if missed else _spread([row["epochs_to_target"] for row in runs], ".1f"),
        met if missed else _spread([row["seconds_to_target"] for row in runs], ".0f"),
        "–" if rate is None else f"{rate:.3g}"]


def _loss(runs: Rows) -> str:
    diverged = sum(row["diverged"] for row in runs)
    if diverged:
        return f"diverged ({diverged} of {len(runs)})"
    found = mean_of([row["final_loss"] for row in runs])
    bounds = "" if found.ci95 is None else f" [{found.ci95[0]:.2g}, {found.ci95[1]:.2g}]"
    return f"{found.mean:.2g} ± {found.sd:.1g}{bounds}"


def _spread(values: Sequence[float], form: str) -> str:
    found = mean_of(values)
    bounds = "" if found.ci95 is None else (
        f" [{found.ci95[0]:{form}}, {found.ci95[1]:{form}}]")
    return f"{found.mean:{form}} ± {found.sd:{form}}{bounds}"

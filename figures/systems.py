"""Every system on one network: what each costs, and what it buys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.system_tables import cost_cells
from analysis.systems import entrants, system_row
from figures.style import COLOURS, new_figure
from sim.configuration import read_experiment

EXPERIMENT = Path(__file__).parent / "experiments" / "systems.toml"
TARGET = 0.94
SWEPT = tuple(f"i-timeprest:decay={decay}" for decay in (0, 0.3, 3, "inf"))
SYNCHRONOUS = {"single-gpu", "model-parallel", "pipeline-split", "gpipe", "megatron-1f1b",
               "megatron-interleaved"}
PANELS = (("throughput", "mini-batches/s"), ("peak_kB", "peak memory\nof a device (kB)"),
          ("final_loss", "final loss"), ("seconds_to_target", "simulated s to 94 %"))


def names() -> str:
    """Every system, and I-TiMePReSt at other decays."""
    return ",".join([*(each.name for each in entrants("all")), *SWEPT])


def runs(seeds: int) -> int:
    """How many trainings the figure takes."""
    return seeds * len(entrants(names()))


def data(seeds: Iterable[int], done: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
    """A row per system: time, staleness, memory, and what training gave over seeds.

    What a system refuses is in `refused`; a target not met by every seed leaves its cells empty.
    """
    experiment, chosen = read_experiment(EXPERIMENT), tuple(seeds)
    return [_row(system_row(experiment, each, chosen, TARGET, done), len(chosen))
            for each in entrants(names())]


def _row(found: dict[str, Any], seeds: int) -> dict[str, Any]:
    if found["refused"]:
        return {"system": found["system"], "seeds": seeds, "refused": found["refused"]}
    _, devices, _, _, forward, backward, _, held, _, _ = cost_cells(found)
    memory = found["memory"]
    kept = ("final_loss", "accuracy", "minibatches_to_target", "epochs_to_target",
            "seconds_to_target", "accuracy_fluctuation")
    distance = [d for d in found["weight_distance"]["forward"] if d is not None]
    return {
        "system": found["system"], "choice": bool(found["reading"]), "devices": int(devices),
        "seeds": seeds, "throughput": found["steady_throughput_minibatches_per_s"],
        "bubble": found["bubble_fraction"], "late_forward": forward, "late_backward": backward,
        "inconsistent": found["inconsistent_fraction"], "versions": held,
        "distance": max(distance, default=None),
        "peak_kB": max(memory["peak_device_bytes"]) / 1e3,
        "link_kB": memory["link_bytes_per_minibatch"] / 1e3,
        **{key: found[key] for name in kept for key in (name, f"{name}_sd")},
        "reached": found["reached_target"], "diverged": len(found["diverged_seeds"]),
        "stable_rate": found["largest_stable_rate"], "refused": None}


def draw(rows: list[dict[str, Any]]) -> Figure:
    """Four panels of one axis of systems, fastest at the top, bars of one deviation."""
    shown = sorted((r for r in rows if not r["refused"]), key=lambda r: r["throughput"])
    figure = new_figure(7.2, 0.24 * len(shown) + 1.1)
    axes = figure.subplots(1, len(PANELS), sharey=True)
    for axis, (quantity, label) in zip(axes, PANELS, strict=True):
        _panel(axis, shown, quantity, label)
    axes[0].set_yticks(range(len(shown)), [f"{r['system']} ({r['devices']})" for r in shown])
    figure.suptitle("Pipelines without flush are fastest; prediction gives back what their "
                    f"staleness costs\n({shown[0]['seeds']} seeds; bars: one standard deviation; "
                    "no mark: not met by every seed)", x=0.01, ha="left", fontsize=9)
    return figure


def _panel(axis: Axes, rows: list[dict[str, Any]], quantity: str, label: str) -> None:
    for place, row in enumerate(rows):
        value = row[quantity]
        if value is None:
            continue
        colour = "black" if row["system"] in SYNCHRONOUS else "vermilion"
        spread = row.get(f"{quantity}_sd") or 0.0
        below = min(spread, 0.9 * value)
        axis.errorbar(value, place, xerr=np.array([[below], [spread]]), color=COLOURS[colour],
                      marker="o", markersize=4, linewidth=1)
    if quantity == "final_loss":
        axis.set_xscale("log")
    else:
        axis.set_xlim(left=0)
    axis.set_xlabel(label)
    axis.grid(color=COLOURS["pale"], linewidth=0.6)


def markdown(rows: list[dict[str, Any]], command: str) -> str:
    """The README's systems table."""
    head = ("system", "devices", "mini-batches/s", "late, fwd / bwd", "versions", "peak kB",
            "link kB", "final loss", "accuracy", "epochs to 94 %", "seconds to 94 %", "stable ηλ")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows:
        name = row["system"] + (" [choice]" if row.get("choice") else "")
        cells = [f"refused: {row['refused']}"] if row["refused"] else _cells(row)
        lines.append(f"| {' | '.join([name, *cells])} |")
    return "\n".join([*lines, "", f"Made by `{command}`."]) + "\n"


def _cells(row: dict[str, Any]) -> list[str]:
    rate = row["stable_rate"]
    return [
        str(row["devices"]), f"{row['throughput']:.3f}",
        f"{row['late_forward']} / {row['late_backward']}", row["versions"],
        f"{row['peak_kB']:.0f}", f"{row['link_kB']:.0f}", _loss(row),
        "–" if row["accuracy"] is None else f"{100 * row['accuracy']:.1f} %",
        _reached(row, "epochs_to_target", 1), _reached(row, "seconds_to_target", 0),
        "–" if rate is None else f"{rate:.3g}"]


def _loss(row: dict[str, Any]) -> str:
    if row["final_loss"] is None:
        return f"diverged ({row['diverged']} of {row['seeds']})"
    return f"{row['final_loss']:.2g} ± {row['final_loss_sd']:.1g}"


def _reached(row: dict[str, Any], name: str, digits: int) -> str:
    if row[name] is None:
        return f"{row['reached']} of {row['seeds']} seeds"
    return f"{row[name]:.{digits}f} ± {row[f'{name}_sd']:.{digits}f}"

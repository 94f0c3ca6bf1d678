"""Every system on one network: what each costs, and what it buys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.comparison.systems import stable_rates, system_run
from figures.drawing.colours import COLOURS
from figures.drawing.style import PAGE_IN, headline, new_figure
from figures.methods import BARS, NAMED, SYSTEM, Method, bounds, loss_text, short_text, spread
from figures.pieces import Piece
from sim.experiment.compared.entrant import Entrant, entrants
from sim.experiment.configuration import read_experiment
from sim.rows import Rows
from sim.spread import POSITIVE, SAID, SHARE, paired
from sim.wording import markdown_table, plural

EXPERIMENT = Path(__file__).parents[1] / "experiments" / "systems.toml"
TARGET = 0.94
DECAYS = tuple(f"i-timeprest:decay={decay}" for decay in (0, 0.3, 3, "inf"))
# systems whose method other pictures show too; of the others some have stale weights or workers
AS = {"vanilla-async": "none", "pipedream": "stash", "pipedream-vsync": "vertical-sync",
      "spectrain": "spectrain", "spectrain-stashed": "spectrain-stashed", "nwpt": "nwpt",
      "timeprest": "timeprest, nF1B 7", "v-timeprest": "v-timeprest, nF1B 7",
      "i-timeprest": "i-timeprest, nF1B 7", "gpipe": "GPipe 7 (flushed)",
      "data-parallel": "data parallel", "data-parallel-scaled": "data parallel, scaled rate",
      "single-gpu": "sequential"}
OTHERS = ("hetpipe", "pipedream-2bw", "bmuf", "data-parallel-strong")
PANELS = (("throughput", "steady throughput\n(mini-batches/s)"),
          ("peak_kB", "peak memory of\na device (kB)"), ("final_loss", "final loss"),
          ("seconds_to_target", f"simulated time to\n{100 * TARGET:g} % accuracy (s)"))


def names() -> list[str]:
    """Names of every system, and of I-TiMePReSt at other decays."""
    return [*(each.name for each in entrants("all")), *DECAYS]


def configuration() -> dict[str, Any]:
    """What to write into the picture: the experiment, the systems and the target accuracy."""
    return {**read_experiment(EXPERIMENT).document(),
            "systems": names(), "target_accuracy": TARGET}


def pieces(seeds: Iterable[int]) -> list[Piece]:
    """One run a system and seed, and one search for its stable rate (without a seed)."""
    return [Piece({"system": name, "seed": seed}, rows_of if seed is not None else edge_of,
                  (name, seed)) for name in names() for seed in (*seeds, None)]


def _entrant(name: str) -> Entrant:
    return entrants(name)[0]


def rows_of(name: str, seed: int) -> Rows:
    """What one run costs and buys.  Raises ConfigurationError where the system refuses.

    Throughput is in mini-batches a second, memory and links in kB, lateness in updates.
    """
    entrant = _entrant(name)
    found = system_run(read_experiment(EXPERIMENT), entrant, seed, TARGET)
    memory = found["memory"]
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
        "validation_loss": found["validation_loss"], "accuracy": found["accuracy"],
        "epochs_to_target": found["epochs_to_target"],
        "seconds_to_target": found["seconds_to_target"],
        "fluctuation": found["accuracy_fluctuation"]}]


def _ends(values: Sequence[float]) -> str:
    """What the first and the last stage have, never to be taken for a number."""
    return f"{values[0]:.2g}…{values[-1]:.2g}"


def _once(ends: str) -> str:
    """One number where both ends agree."""
    first, _, last = ends.partition("…")
    return first if first == last else ends


def edge_of(name: str, _: None) -> Rows:
    """The largest stable ηλ on the quadratic, through the system's own order.

    As the system reads a backward under other weights than its forward's, and under `recompute`.
    """
    return [{NAMED_EDGES[key]: rate for key, rate in
             stable_rates(read_experiment(EXPERIMENT), _entrant(name)).items()}]


NAMED_EDGES = {"largest_stable_rate": "stable_rate",
               "largest_stable_rate_recompute": "stable_rate_recompute"}


def of_system(rows: Rows, name: str) -> tuple[Rows, dict[str, Any]]:
    """The rows of a system's runs, and the row of its stable rates."""
    mine = [row for row in rows if row["system"] == name]
    return ([row for row in mine if row["seed"] is not None],
            next((row for row in mine if row["seed"] is None), {}))


def shown(rows: Rows) -> list[str]:
    """The systems to draw, from the slowest to the fastest."""
    speed = {name: of_system(rows, name)[0][0]["throughput"]
             for name in dict.fromkeys(row["system"] for row in rows)}
    return sorted(speed, key=lambda name: speed[name])


def message(rows: Rows) -> str:
    """The headline: who reaches the target first on the mean, and whether seeds bear it out."""
    fair = {name: spread([r["seconds_to_target"] for r in of_system(rows, name)[0]])
            for name in shown(rows) if of_system(rows, name)[0][0]["devices"] <= 4}
    first = [name for name in sorted(fair, key=lambda n: fair[n].mean) if fair[name].values][:3]
    apart = [paired(fair[name].values, fair[first[0]].values).p for name in first[1:]]
    known = [p for p in apart if p is not None]
    said = ", ".join(f"{name} ({short_text(fair[name], '.0f')} s)" for name in first)
    return (f"Lowest mean time to {100 * TARGET:g} % accuracy on at most four devices: {said}"
            + (f", against the first by seed p ≥ {min(known):.2g}" if known else "")
            + f"; a single device takes {short_text(fair['single-gpu'], '.0f')} s")


def draw(rows: Rows) -> Figure:
    """Four panels on one axis of systems, those that are stale above those that are flushed, in
    each group the fastest at the top; bars: the interval."""
    grouped = _groups(rows)
    seeds = {r["seed"] for r in rows if r["seed"] is not None}
    figure = new_figure(PAGE_IN, 0.185 * (sum(map(len, grouped.values())) + len(grouped)) + 1.4)
    headline(figure, message(rows), "digits, eight layers in four stages, batch 28, 800 "
             f"mini-batches, {plural(len(seeds), 'seed')}, bars: {BARS}; devices "
             "in brackets; no mark: a seed did not reach the target; links of 100 kB/s; "
             "colours and marks: as of the same method elsewhere")
    axes = figure.subplots(1, len(PANELS), sharey=True)
    names = list(chain.from_iterable((group, *systems) for group, systems in grouped.items()))
    for axis, (quantity, label) in zip(axes, PANELS, strict=True):
        _panel(axis, rows, names, quantity, label)
    ticks = axes[0].set_yticks(range(len(names)), [
        name if name in grouped else f"{name} ({of_system(rows, name)[0][0]['devices']})"
        for name in names])
    for tick, name in zip(ticks, names, strict=True):
        if name in grouped:
            tick.label1.set_fontweight("bold")
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    return figure


def _groups(rows: Rows) -> dict[str, list[str]]:
    """The systems by whether a worker's passes read stale weights, the fastest first."""
    fastest = shown(rows)[::-1]
    stale = {name for name in fastest if of_system(rows, name)[0][0]["latest"]}
    return {"not flushed: stale weights": [name for name in fastest if name in stale],
            "flushed: fresh weights": [name for name in fastest if name not in stale]}


def _panel(axis: Axes, rows: Rows, names: Sequence[str], quantity: str, label: str) -> None:
    """One quantity of every system; where a name is a group's, its line."""
    for place, name in enumerate(names):
        runs, _ = of_system(rows, name)
        if not runs:
            axis.axhspan(place - 0.5, place + 0.5, color=COLOURS["pale"], linewidth=0, zorder=0)
            continue
        found, method = spread([row[quantity] for row in runs]), _method(name)
        if not found.values:
            continue
        ends = np.array(bounds(found)).reshape(2, 1)
        axis.errorbar(found.mean, place, xerr=np.abs(ends - found.mean), color=method.hex,
                      marker=method.mark, markersize=4.5, linewidth=1)
    if quantity == "final_loss":
        axis.set_xscale("log")
    else:
        axis.set_xlim(left=0)
    axis.set_xlabel(label)
    axis.grid(axis="x")


def _method(name: str) -> Method:
    """How a system is drawn: as its method is elsewhere, whatever its parameters."""
    system = name.partition(":")[0]
    if system in AS:
        return NAMED[AS[system]]
    return Method(system, f"{SYSTEM}{system}", "dim" if system in OTHERS else "black")


def markdown(rows: Rows, command: str) -> str:
    """The results' table, in the order of the registry, the sweep of λ last."""
    head = ("system", "devices", "mini-batches/s", "late, fwd / bwd", "versions", "peak kB",
            "link kB", "final loss", "validation loss", "accuracy", "fluctuation",
            f"epochs to {100 * TARGET:g} %", f"seconds to {100 * TARGET:g} %", "stable ηλ",
            "under recompute")
    cells = []
    for name in dict.fromkeys(row["system"] for row in rows):
        runs, edges = of_system(rows, name)
        called = name + (" [choice]" if runs[0]["choice"] else "")
        cells.append([called, *_cells(runs, edges)])
    return (markdown_table(head, cells) + f"\nMade by `{command}`. Over seeds: {SAID}; validation "
            "loss, accuracy and its fluctuation (standard deviation over the last fifth, points) "
            "are means.\n")


def _cells(runs: Rows, edges: dict[str, Any]) -> list[str]:
    one, missed = runs[0], [row for row in runs if row["seconds_to_target"] is None]
    count = f"{len(runs) - len(missed)} of {len(runs)} seeds"
    return [
        str(one["devices"]), f"{one['throughput']:.3f}",
        f"{_once(one['late_forward'])} / {_once(one['late_backward'])}", _once(one["versions"]),
        f"{one['peak_kB']:.0f}", f"{one['link_kB']:.0f}", _loss(runs),
        _mean(runs, "validation_loss", 1, ".2g"), _mean(runs, "accuracy", 100, ".1f", " %"),
        _mean(runs, "fluctuation", 100, ".2f"),
        count if missed else _spread(runs, "epochs_to_target", ".1f"),
        count if missed else _spread(runs, "seconds_to_target", ".0f"),
        *("–" if rate is None else f"{rate:.3g}"
          for rate in (edges.get(name) for name in NAMED_EDGES.values()))]


def _loss(runs: Rows) -> str:
    diverged = sum(row["diverged"] for row in runs)
    if diverged:
        return f"diverged ({diverged} of {len(runs)})"
    return loss_text([row["final_loss"] for row in runs])


def _mean(runs: Rows, name: str, scale: float, form: str, unit: str = "") -> str:
    """A mean in short; `–` where a seed has none."""
    found = spread([row[name] for row in runs], SHARE if name == "accuracy" else POSITIVE)
    return f"{scale * found.mean:{form}}{unit}" if found.values else "–"


def _spread(runs: Rows, name: str, form: str) -> str:
    return spread([row[name] for row in runs]).text(lambda value: f"{value:{form}}")

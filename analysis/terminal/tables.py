"""Tables for the terminal, made from reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from analysis.comparison.compare import spread_in
from analysis.metrics.timeline import Pass
from sim.commands.door import number
from sim.spread import ENOUGH, FEWEST, Spread
from sim.trace import Trace


def report_tables(values: dict[str, Any]) -> list[Table]:
    """A run's report for a screen: the whole, then by stage."""
    return [_whole(values), _by_stage(values)]


def _whole(values: dict[str, Any]) -> Table:
    table = new_table(f"{values['schedule']} · {values['mitigation']} · seed {values['seed']}",
                   "<", "<")
    table.show_header = False
    workers = values["workers"]
    if workers:
        table.add_row("workers", f"{workers['count']}, {workers['combine']}, ahead of what they "
                      f"have seen of each other by {number(workers['behind_mean'])} mini-batches "
                      f"of their own, at most {workers['behind_max']}")
    for label, text in (
        ("makespan", f"{number(values['makespan_s'], 6)} s"),
        ("bubble", f"{number(values['bubble_fraction'])} of device time, communication wait "
                   f"{number(values['comm_wait_fraction'])}"),
        ("throughput", f"{number(values['throughput_minibatches_per_s'])} mini-batches/s, steady "
                       f"{number(values['steady_throughput_minibatches_per_s'])}"),
        ("inconsistent", f"{number(values['inconsistent_fraction'])} of passes on a stage, "
                         f"{number(values['vertical_inconsistent_fraction'])} across stages"),
        ("steady state", _steady(values)),
        ("training", _training(values)),
    ):
        table.add_row(label, text)
    return table


def _steady(values: dict[str, Any]) -> str:
    """Which mini-batches are steady, and why there is no steady rate where there is none."""
    steady, reason = values["steady_minibatches"], values["steady_throughput_reason"]
    said = ("none: means are of the whole run" if steady is None else
            f"mini-batches {steady[0]} to {steady[1]} of {values['minibatches']}")
    return f"{said}; {reason}" if reason else said


def _training(values: dict[str, Any]) -> str:
    if values["diverged"] is None:
        return "none"
    if values["diverged"]:
        return f"diverged at mini-batch {values['diverged_at']}"
    text = f"final loss {number(values['final_loss'])}"
    if values["accuracy"] is not None:
        text += f", validation accuracy {100 * values['accuracy']:.2f} %"
    return text


def _by_stage(values: dict[str, Any]) -> Table:
    table = new_table("by stage (staleness in updates, steady state; distance relative)", "stage",
                   "staleness\nforward", "staleness\nbackward", "weight distance\nforward",
                   "weight distance\nbackward", "versions\nheld", "peak stash\nbytes",
                   "peak activation\nbytes")
    late, far, memory = values["staleness"], values["weight_distance"], values["memory"]
    cells = [[number(v, 3) for v in column] for column in (
        list(range(values["stages"])), late["forward"], late["backward"], far["forward"],
        far["backward"], values["versions_held"])]
    cells += [[f"{v:,.0f}" for v in memory[key]]
              for key in ("peak_stash_bytes", "peak_activation_bytes")]
    for line in zip(*cells, strict=True):
        table.add_row(*line)
    return table


def over_seeds(count: int) -> str:
    """What a table's title says of the seeds, and of how their spread is written."""
    if count == 1:
        return "one seed"
    said = ("each seed's value", "mean ± sd", "mean ± sd, [95 % interval of the mean]")
    return f"{count} seeds ({said[(count >= ENOUGH) + (count >= FEWEST)]})"


def new_table(title: str, *names: str) -> Table:
    """An empty table with right-aligned columns; a name after `<` is aligned to the left."""
    table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD,
                  pad_edge=False, collapse_padding=True)
    for name in names:
        left = name[0] == "<"
        table.add_column(name.removeprefix("<"), justify="left" if left else "right",
                         no_wrap=left)
    return table


def loss(values: dict[str, Any]) -> str:
    """A cell of the final loss over seeds, or of how many it diverged."""
    if values["diverged"]:
        seeds = values["diverged_seeds"]
        return f"diverged ({len(seeds)} of {len(values['seeds'])})"
    return spread_cell(spread_in(values, "final_loss"), 3)


def spread_cell(found: Spread | None, digits: int) -> str:
    """A cell of a number over seeds, its interval in a line of its own; `–` where one has none."""
    if found is None:
        return "–"
    return found.text(lambda value: short(value, digits), lambda sd: short(sd, 1),
                      lambda bound: short(bound, 2), between="\n")


def short(value: float, digits: int) -> str:
    """A number in so many significant digits, whole where it has more before the point."""
    return f"{value:.0f}" if abs(value) >= 10**digits else number(float(value), digits)


def accuracy(values: dict[str, Any]) -> str:
    """A cell of the validation accuracy over seeds, in percent."""
    found = spread_in(values, "accuracy")
    if found is None:
        return "–"
    return found.text(lambda value: f"{100 * value:.2f}",
                      bound=lambda value: f"{100 * value:.1f}", between="\n")


def span(values: Sequence[float | None]) -> str:
    """What the stages have, from first to last: one number where all agree, else `2…0`."""
    texts = [number(v, 2) for v in values]
    return texts[0] if len(set(texts)) == 1 else f"{texts[0]}…{texts[-1]}"


def round_trip_table(passes: Sequence[Pass], minibatch: int | None, trace: Trace) -> Table:
    """One mini-batch's passes for a screen, in time order, under both labellings."""
    table = new_table(f"mini-batch {minibatch} of {trace.shape.minibatches}, mitigation "
                   f"{trace.header.mitigation}", "stage", "pass", "start (s)", "time unit",
                   "version\n(time unit)", "SpecTrain\nhorizon s", "version\n(updates)",
                   "staleness\n(updates)")
    for each in map(asdict, passes):
        micro = "" if each["microbatch"] is None else str(each["microbatch"])
        label = each["version_time_unit"]
        table.add_row(str(each["stage"]), each["op"] + micro, number(each["start_s"], 6),
                      number(each["time_unit"]), "–" if label is None else f"W{label}",
                      number(each["horizon"]), str(each["version_updates"]),
                      number(each["staleness_updates"]))
    return table


def distribution_table(values: dict[str, Any]) -> list[Table]:
    """How often each staleness occurred, where a stage saw more than one; else no table.

    A column for each staleness in updates, a row for each stage and kind of pass.
    """
    found = values["staleness"]["distribution"]
    if not any(len(stage) > 1 for stages in found.values() for stage in stages):
        return []
    seen = sorted({float(v) for stages in found.values() for stage in stages for v in stage})
    table = new_table("staleness distribution (share of steady passes, by staleness in updates)",
                   "stage", "<pass", *(f"{value:g}" for value in seen))
    for name, stages in found.items():
        for k, counts in enumerate(stages):
            whole = sum(counts.values()) or 1
            shares = [counts.get(f"{value:g}", 0) / whole for value in seen]
            table.add_row(str(k), name, *(f"{s:.3f}" if s else "·" for s in shares))
    return [table]


def difference_table(values: dict[str, Any], first: str, second: str) -> Table:
    """Two traces' metrics side by side, under what differs in their order and versions."""
    shift = values["start_max_difference_s"]
    said = (f"order {'equal' if values['order_equal'] else 'different'}"
            + (f", versions {'equal' if values['versions_equal'] else 'different'}, starts at "
               f"most {number(shift)} s apart" if values["order_equal"] else ""))
    table = new_table(said, "<metric", escape(first), escape(second))
    for name, pair in values["metrics"].items():
        table.add_row(name, *(number(v, 6) for v in pair))
    return table

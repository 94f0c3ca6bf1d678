"""A validation for a screen: what to beware of, the aims, the runs, their steps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.table import FittedTable, names
from analysis.validation.findings import NAMES, machines_own, percent, step_made_up, three, warnings
from analysis.validation.split import PARTS
from analysis.validation.text import between, is_exact, milliseconds, yes

STEP = "step_time_rel_error"
ERRORS = {"step": STEP, "durations p95": "event_duration_p95_rel",
          "starts p95": "event_start_p95_rel", "memory": "memory_rel_error"}


def terminal(report: Mapping[str, Any]) -> Iterator[FittedTable | Text]:
    """A validation report for a screen: tables and lines of text, to be printed in turn.

    Warnings come first.  Why other aims than that of the step are missed
    stands on the page alone (`analysis.validation.text`).
    """
    yield from (Text.assemble(("Warning: ", "bold"), each) for each in warnings(report))
    exact = report["exact"]
    yield Text(f"{report['device']} as {report['devices']}, {report['model']}: exact part "
                 f"{'passed' if exact['passed'] else 'FAILED'}, {len(report['runs'])} runs; "
                 f"largest difference of weights {exact['weights_max_rel']:.2g} "
                 f"(limit {exact['weights_limit_rel']:g})\n")
    yield _aims(report)
    yield _errors(report["runs"])
    yield _steps(report["runs"])
    yield from (Text(f"step of {run['label']}: {step_made_up(run)}")
                for run in report["runs"] if run["statistical"][STEP] > report["targets"][STEP])
    yield from (Text(f"not captured: {run['label']}: {run['graphs_why']}")
                for run in report["runs"] if run.get("graphs_why"))
    yield from (Text(f"left out: {reason}") for reason in report["refused"])


def _aims(report: Mapping[str, Any]) -> FittedTable:
    tau = report["statistical"]["kendall_tau"]
    said = "" if tau is None else f"; order of the runs: Kendall's tau {tau:.2f}"
    table = FittedTable(f"aims{said}", [
        names("error of"), Column("aim"), Column("worst run"), Column("median run"),
        Column("between repeats"), Column("met")])
    for name, aim in report["targets"].items():
        table.add_row(NAMES[name].removesuffix(" (of the makespan)"), percent(aim),
                      percent(report["statistical"].get(name)),
                      percent(report["statistical_median"].get(name)),
                      percent(machines_own(report["runs"], name)),
                      yes(report["targets_met"][name]))
    return table


def _errors(runs: Sequence[Mapping[str, Any]]) -> FittedTable:
    table = FittedTable(
        "step predicted above measured; errors, below each how far repeats of the run are apart",
        [names("run", lines=True), Column("step", "ms", lines=True),
         *(Column(head, lines=True) for head in ERRORS), Column("critical path"), Column("exact")])
    for run in runs:
        found, apart = run["statistical"], run["spread"]
        own = [between(apart, name) for name in ("step_time_rel", "event_duration_p95_rel",
                                                 "event_start_p95_rel")]
        cells = [percent(found[name]) for name in ERRORS.values()]
        below = [f"{cell}\n{value}" for cell, value in zip(cells, [*own, ""], strict=True)]
        table.add_row(_name(run), f"{three(1e3 * found['step_time_predicted_s'])}\n"
                      f"{three(1e3 * found['step_time_measured_s'])}", *below,
                      f"{run['critical_path_ratio']:.3f}", yes(is_exact(run["exact"])))
    return table


def _steps(runs: Sequence[Mapping[str, Any]]) -> FittedTable:
    table = FittedTable(
        "where a step goes, ms, means over the devices (bold: predicted worst)",
        [names("run", lines=True), names("", lines=True),
         *(Column(part, lines=True) for part in PARTS)])
    for run in runs:
        split = run["split"]
        sides = {side: split[side] for side in ("predicted", "measured")}
        if split["spread"]["compute"] is not None:
            sides["± sd"] = split["spread"]
        cells = []
        for part in PARTS:
            text = "\n".join(milliseconds(side[part]) for side in sides.values())
            cells.append(Text(text, "bold" if part == split["largest"] else ""))
        table.add_row(_name(run), "\n".join(sides), *cells)
    return table


def _name(run: Mapping[str, Any]) -> Text:
    """A run's label on some lines: mitigation, schedule, sizes, the network where it is named."""
    return Text(re.sub(r", (?!\d+ px)", "\n", run["label"].replace("@", "\n@", 1)))

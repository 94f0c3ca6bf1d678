"""A validation for a screen: what to beware of, the aims, the runs, where their steps go."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.table import FittedTable, names
from analysis.validation.findings import NAMES, machines_own, step_made_up, warnings
from analysis.validation.split import PARTS
from analysis.validation.text import is_exact, milliseconds, yes

STEP = "step_time_rel_error"
ERRORS = {"step": STEP, "durations p95": "event_duration_p95_rel",
          "starts p95": "event_start_p95_rel", "memory": "memory_rel_error"}
SPREADS = {"step": "step_time_rel", "durations p95": "event_duration_p95_rel",
           "starts p95": "event_start_p95_rel"}
STEPS = "where a step goes, ms, means over the devices (bold: predicted worst)"
WIDE = 132  # columns from which a run is one line


def terminal(report: Mapping[str, Any], width: int = 80) -> Iterator[FittedTable | Text]:
    """A validation report for a screen: tables and lines of text, to be printed in turn.

    Warnings come first; the tables fit 80 columns, and use more of a `width` (in columns) that has
    them.  Why other aims than that of the step are missed stands on the page alone
    (`analysis.validation.text`).
    """
    yield from (Text.assemble(("Warning: ", "bold"), each) for each in warnings(report))
    exact = report["exact"]
    yield Text(f"{report['device']} as {report['devices']}, {report['model']}: exact part "
                 f"{'passed' if exact['passed'] else 'FAILED'}, {len(report['runs'])} runs; "
                 f"largest difference of weights {exact['weights_max_rel']:.2g} "
                 f"(limit {exact['weights_limit_rel']:g})\n")
    yield _aims(report)
    wide = width >= WIDE
    yield _errors_wide(report["runs"]) if wide else _errors(report["runs"])
    yield _steps_wide(report["runs"]) if wide else _steps(report["runs"])
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
        table.add_row(NAMES[name].removesuffix(" (of the makespan)"), _percent(aim),
                      _percent(report["statistical"].get(name)),
                      _percent(report["statistical_median"].get(name)),
                      _percent(machines_own(report["runs"], name)),
                      yes(report["targets_met"][name]))
    return table


def _errors(runs: Sequence[Mapping[str, Any]]) -> FittedTable:
    table = FittedTable(
        "step predicted above measured; errors, below each how far repeats of the run are apart",
        [names("run", lines=True), Column("step", "ms", lines=True),
         *(Column(head, lines=True) for head in ERRORS), Column("critical path"), Column("exact")])
    for run, step_ms in zip(runs, _steps_ms(runs), strict=True):
        found = run["statistical"]
        own = [_apart(run["spread"], name) for name in SPREADS.values()]
        cells = [_percent(found[name]) for name in ERRORS.values()]
        below = [f"{cell}\n{value}" for cell, value in zip(cells, [*own, ""], strict=True)]
        table.add_row(_name(run), "\n".join(step_ms), *below,
                      f"{run['critical_path_ratio']:.3f}", yes(is_exact(run["exact"])))
    return table


def _errors_wide(runs: Sequence[Mapping[str, Any]]) -> FittedTable:
    heads = [head for name in ERRORS
             for head in ((name, "of repeats") if name in SPREADS else (name,))]
    table = FittedTable(
        "errors of the prediction, and behind each how far repeats of the run are apart",
        [names("run"), Column("step predicted", "ms"), Column("measured", "ms"),
         *map(Column, heads), Column("critical path"), Column("exact")])
    for run, step_ms in zip(runs, _steps_ms(runs), strict=True):
        found = run["statistical"]
        cells = [cell for head, name in ERRORS.items() for cell in (
            _percent(found[name]),
            *([_apart(run["spread"], SPREADS[head])] if head in SPREADS else []))]
        table.add_row(Text(run["label"]), *step_ms, *cells,
                      f"{run['critical_path_ratio']:.3f}", yes(is_exact(run["exact"])))
    return table


def _steps(runs: Sequence[Mapping[str, Any]]) -> FittedTable:
    table = FittedTable(STEPS, [names("run", lines=True), names("", lines=True),
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


def _steps_wide(runs: Sequence[Mapping[str, Any]]) -> FittedTable:
    heads = [head for part in PARTS for head in (f"{part} predicted", "measured")]
    table = FittedTable(STEPS, [names("run"), *map(Column, heads)])
    for run in runs:
        split, cells = run["split"], []
        for part in PARTS:
            style = "bold" if part == split["largest"] else ""
            sd = split["spread"][part]
            more = "" if sd is None else f" ± {milliseconds(sd)}"
            cells += [Text(milliseconds(split["predicted"][part]), style),
                      Text(milliseconds(split["measured"][part]) + more, style)]
        table.add_row(Text(run["label"]), *cells)
    return table


def _steps_ms(runs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Each run's step predicted and measured in milliseconds, all with as many digits."""
    values = [[1e3 * run["statistical"][f"step_time_{side}_s"]
               for side in ("predicted", "measured")] for run in runs]
    largest = max(value for pair in values for value in pair)
    digits = 2 if largest < 100 else 1 if largest < 1000 else 0
    return [[f"{value:.{digits}f}" for value in pair] for pair in values]


def _percent(share: float | None) -> str:
    """A share in percent with one digit behind the point (none from 1000 on), `–` for none."""
    if share is None:
        return "–"
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.1f} %" if share < 9.9995 else f"{100 * share:.0f} %"


def _apart(spread: Mapping[str, Any], name: str) -> str:
    """How far repeats are apart; under three repeats each one's own, `–` for one alone."""
    if spread[name] is not None:
        return _percent(spread[name])
    return ", ".join(_percent(value) for value in spread["each"][name]) or "–"


def _name(run: Mapping[str, Any]) -> Text:
    """A run's label on some lines: mitigation, schedule, sizes, the network where it is named."""
    return Text(re.sub(r", (?!\d+ px)", "\n", run["label"].replace("@", "\n@", 1)))

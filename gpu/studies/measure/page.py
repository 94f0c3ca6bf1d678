"""The README of a measurement's folder: what ran, what was cut, and which aims were met."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gpu.studies.measure.execute import Outcome, ending
from gpu.studies.measure.steps import Step
from sim.wording import markdown_table, plural

AIMS = {"step_time_rel_error": "step", "event_duration_p95_rel": "events p95",
        "event_start_p95_rel": "starts p95", "memory_rel_error": "memory"}
NO_TIME = "no time left"


def page(outcomes: Sequence[Outcome], todo: Sequence[Step], out: Path, command: str) -> str:
    """The page, as Markdown, of the steps that have ended; those still to come are named too."""
    rows = [[f"[{o.step.name}]({o.step.name})", o.step.about, ending(o), f"{o.seconds:.0f}",
             f"{o.cap_s:.0f}"] for o in outcomes]
    rows += [[step.name, step.about, "not begun", "–", f"{step.cap_s:.0f}"]
             for step in todo[len(outcomes):]]
    reports = {o.step.name: _read(out / o.step.name / "report.json") for o in outcomes}
    found = {name: report for name, report in reports.items() if report}
    return "\n".join([
        f"# {out.name}\n", f"Measured by `{command}`.{_machine(found)}\n",
        markdown_table(("step", "what it is for", "ended", "seconds", "cap"), rows),
        *_validations(found), *_tutorial(_read(out / "tutorial" / "tutorial.json"))])


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # a step that was cut writes no report
        return None
    return found


def _machine(found: dict[str, dict[str, Any]]) -> str:
    head = next(iter(found.values()), None)
    if head is None:
        return ""
    known = ", ".join(f"{name} {version}" for name, version in head["libraries"].items())
    return f" {head['device']} as `{head['devices']}`, {head['date']}, {known}."


def _validations(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    """A table of the runs in each validation: how many met each aim, how many were not begun."""
    if not found:
        return
    limits = next(iter(found.values()))["targets"]
    rows = [[name, str(len(report["runs"])), _not_begun(report), _exact(report),
             *(_met(report, aim, limits[aim]) for aim in AIMS), _step(report)]
            for name, report in found.items()]
    said = [f"{title} ≤ {100 * limits[aim]:g} %" for aim, title in AIMS.items()]
    yield ("How many runs met each aim; what was not begun had no time left, and each report lists "
           "its runs.\n")
    yield markdown_table(("step", "runs", "not begun", "exact", *said, "step predicted / measured"),
                         rows)


def _not_begun(report: dict[str, Any]) -> str:
    """How many runs there was no time for; a line of the report stands for one, or says how
    many."""
    lines = [line for line in report["refused"] if line.endswith(NO_TIME)]
    count = sum(int(line.split()[0]) if line.split()[0].isdecimal() else 1 for line in lines)
    return str(count)


def _exact(report: dict[str, Any]) -> str:
    return "passed" if report["exact"]["passed"] else "**FAILED**"


def _met(report: dict[str, Any], aim: str, limit: float) -> str:
    values = [run["statistical"][aim] for run in report["runs"]]
    known = [value for value in values if value is not None]
    return f"{sum(value <= limit for value in known)} of {len(known)}"


def _step(report: dict[str, Any]) -> str:
    """The seconds of a step where there is only one run to speak of."""
    if len(report["runs"]) != 1:
        return "–"
    found = report["runs"][0]["statistical"]
    sides = [found[f"step_time_{side}_s"] for side in ("predicted", "measured")]
    return "–" if None in sides else " / ".join(f"{1e3 * side:.3g}" for side in sides) + " ms"


def _tutorial(report: dict[str, Any] | None) -> Iterator[str]:
    if report is None:
        return
    setting, course = report["setting"], report["look_ahead"]["setting"]
    best = report["ratios_of_medians"]["best_split"]
    ratio = report["ratios_of_medians"]["pipelined_over_single"][str(best)]
    yield (f"Tutorial ({'reduced' if report['reduced'] else 'full'} setting): "
           f"{report['repeats_done']} of {plural(setting['repeats'], 'repeat')}, "
           f"{len(course['seeds_done'])} of {plural(len(course['seeds']), 'seed')} done; at its "
           f"best split of {plural(best, 'image')} the pipeline takes {ratio:.2f} of the single "
           f"device's time.\n")

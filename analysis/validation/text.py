"""The validation report as a page: what is exact, what is off and by how much, misses included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analysis.validation.findings import (
    NAMES,
    OWN,
    machines_own,
    misses,
    ms,
    percent,
    step_difference,
    three,
    warnings,
)
from analysis.validation.split import PARTS

COLUMNS = {"step": "step_time_rel_error", "duration p95": "event_duration_p95_rel",
           "start p95": "event_start_p95_rel", "bubble": "bubble_abs_error",
           "comm wait": "comm_wait_abs_error", "memory": "memory_rel_error"}
SIDES = ("predicted", "measured")


def markdown(report: Mapping[str, Any]) -> str:
    """A validation report as a page of Markdown."""
    return "\n".join([
        "# The simulator against the machine", "",
        *(line for each in warnings(report) for line in (f"> **Warning.** {each}", "")),
        f"{report['device']} as `{report['devices']}`, {report['model']}, {report['date']}, by "
        f"`{report['command']}`.", "", *_exact(report["exact"], len(report["runs"])), "",
        *_targets(report), "", *_runs(report), "", *_misses(report), *_split(report["runs"]),
        *_spread(report["runs"]), *_footnotes(report)]) + "\n"


def _exact(exact: Mapping[str, Any], runs: int) -> list[str]:
    order = yes(exact["order_equal"])
    return [f"## Exact part: {'passed' if exact['passed'] else 'FAILED'}", "",
            f"- every instruction in the predicted order, {runs} runs: {order}",
            f"- every pass read the predicted version: {yes(exact['versions_equal'])}",
            f"- weights after ten updates against the simulator's trainer: largest relative "
            f"difference {exact['weights_max_rel']:.2g} (limit {exact['weights_limit_rel']:g}; two "
            f"identical runs differ by {exact['weights_noise_floor_rel']:.2g})"]


def _targets(report: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, limit in report["targets"].items():
        worst, median = (report[part].get(name) for part in ("statistical", "statistical_median"))
        own = machines_own(report["runs"], name)
        rows.append([NAMES[name], percent(limit), percent(worst), percent(median), percent(own),
                     yes(report["targets_met"][name])])
    tau = report["statistical"]["kendall_tau"]
    said = "–" if tau is None else f"{tau:.2f}"
    head = ("error of", "aim", "worst run", "median run", "between repeats", "aim met")
    return ["## Statistical part", "", *_table(head, rows), "",
            f"Order of all runs by throughput: Kendall's tau {said}."]


def _runs(report: Mapping[str, Any]) -> list[str]:
    rows = []
    for run in report["runs"]:
        found = run["statistical"]
        steps = [ms(found[f"step_time_{side}_s"]) for side in SIDES]
        rows.append([run["label"], *steps, *(percent(found[name]) for name in COLUMNS.values()),
                     yes(is_exact(run["exact"]))])
    return _table(("run", "step predicted", "measured", *COLUMNS, "exact"), rows)


def is_exact(exact: Mapping[str, Any]) -> bool:
    """Whether one run's order, versions and weights are the simulator's."""
    return bool(exact["order_equal"] and exact["versions_equal"]
                and exact["weights_max_rel"] <= exact["weights_limit_rel"])


def _misses(report: Mapping[str, Any]) -> list[str]:
    said = [f"- {run['label']}: {each}" for run in report["runs"]
            for each in misses(run, report["targets"])]
    return ["Where an aim is missed:", "", *said, ""] if said else []


def _split(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [[run["label"], *(_cell(run["split"], part) for part in PARTS)] for run in runs]
    return ["## Where a step goes", "",
            "Milliseconds of a mini-batch in steady state, means over the devices, predicted / "
            "measured (± standard deviation over three repeats or more, else every repeat). "
            "Compute is what the passes take alone; contention what they took beyond that beside "
            "neighbours; launch waits for the host to ask for work; transfer for a message on its "
            "way; waiting is the rest. The parts add up to the step; compute differs only where "
            "the steady state begins or ends within a pass.", "",
            *_table(("run", *PARTS), rows), "",
            *(f"- {run['label']}: {step_difference(run)}." for run in runs), ""]


def _cell(split: Mapping[str, Any], part: str) -> str:
    predicted, measured = (milliseconds(split[side][part]) for side in SIDES)
    sd = split["spread"][part]
    if sd is not None:
        return f"{predicted} / {measured} ± {milliseconds(sd)}"
    return f"{predicted} / {', '.join(map(milliseconds, split['repeats'][part]))}"


def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds for a table: two digits behind the point, `0` for nothing."""
    return f"{1e3 * seconds:.2f}" if seconds else "0"


def _spread(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = []
    for run in runs:
        cells = [f"{percent(run['statistical'][error])} / {between(run['spread'], own)}"
                 for error, own in OWN.items()]
        rows.append([run["label"], *cells, f"{run['critical_path_ratio']:.3f}",
                     yes(run["graphs"]), host(run["host_s"])])
    head = ("run", "step", "duration p95", "start p95", "critical path", "graphs", "host, ms")
    return ["## Beside the machine's own spread", "",
            "Error of the prediction / how far repeats of the same run are from the median one "
            "(their mean; under three repeats each one's own). An error below the second number "
            "cannot be told from what the machine itself differs by. Critical path: the measured "
            "makespan over the longest path of the run's own durations and messages; what is "
            "above 1 the runtime added. Host: median time to ask for one instruction.", "",
            *_table(head, rows), ""]


def between(spread: Mapping[str, Any], name: str) -> str:
    """How far repeats are apart, as text; under three repeats their values, `–` for one alone."""
    if spread[name] is not None:
        return percent(spread[name])
    return ", ".join(percent(value) for value in spread["each"][name]) or "–"


def host(host_s: Mapping[str, float]) -> str:
    """The host's seconds by operation as milliseconds for a table, `–` for none."""
    return ", ".join(f"{op} {three(1e3 * seconds)}" for op, seconds in host_s.items()) or "–"


def _footnotes(report: Mapping[str, Any]) -> list[str]:
    bound = [b for run in report["runs"] for b in run["launch_bound_fraction"] if b is not None]
    residual = max(run["clock_residual_s"] for run in report["runs"])
    shares = f"{percent(min(bound))} to {percent(max(bound))}" if bound else "not defined on a CPU"
    load = report["load_before"]
    busy = [] if load is None else [f"- The machine's load before was {load:.1f} on "
                                    f"{report['cores']} cores."]
    eager = [f"- Not captured: {run['label']}: {run['graphs_why']}" for run in report["runs"]
             if run.get("graphs_why")]
    refused = [f"- Left out: {reason}" for reason in report["refused"]]
    return ["- Duration: |predicted − measured| / measured of one instruction; start: the same "
            "difference over the measured makespan; bubble and comm wait: difference of the two "
            "fractions.", "- The measured run is the one with the median makespan of "
            f"{report['repeats']}, after one that warmed up; it measures no weights.",
            f"- Clocks are aligned within {1e6 * residual:.3g} µs; share of instructions that "
            f"waited for their launch: {shares}.", *busy, *eager, *refused]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(head) + " |", "|---" * len(head) + "|",
            *("| " + " | ".join(cells) + " |" for cells in rows)]


def yes(value: bool) -> str:
    """Yes or no, as text."""
    return "yes" if value else "no"

"""The validation report as a page: what is exact, what is off and by how much, misses included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COLUMNS = {"step": "step_time_rel_error", "duration p95": "event_duration_p95_rel",
           "start p95": "event_start_p95_rel", "bubble": "bubble_abs_error",
           "comm wait": "comm_wait_abs_error", "memory": "memory_rel_error"}
NAMES = {"step_time_rel_error": "step time", "event_duration_p95_rel": "event durations, p95",
         "event_start_p95_rel": "event starts, p95 (of the makespan)",
         "memory_rel_error": "peak memory"}


def markdown(report: Mapping[str, Any]) -> str:
    """A validation report as a page of Markdown."""
    return "\n".join([
        "# The simulator against the machine", "",
        f"{report['device']} as `{report['devices']}`, {report['model']}, {report['date']}, by "
        f"`{report['command']}`.", "", *_exact(report["exact"], len(report["runs"])), "",
        *_targets(report), "", *_runs(report), "", *_footnotes(report)]) + "\n"


def _exact(exact: Mapping[str, Any], runs: int) -> list[str]:
    order = _yes(exact["order_equal"])
    return [f"## Exact part: {'passed' if exact['passed'] else 'FAILED'}", "",
            f"- every instruction in the predicted order, {runs} runs: {order}",
            f"- every pass read the predicted version: {_yes(exact['versions_equal'])}",
            f"- weights after ten updates against the simulator's trainer: largest relative "
            f"difference {exact['weights_max_rel']:.2g} (limit {exact['weights_limit_rel']:g}; two "
            f"identical runs differ by {exact['weights_noise_floor_rel']:.2g})"]


def _targets(report: Mapping[str, Any]) -> list[str]:
    lines = ["## Statistical part", "", "| error of | aim | worst run | median run | aim met |",
             "|---|---|---|---|---|"]
    for name, limit in report["targets"].items():
        worst, median = (report[part].get(name) for part in ("statistical", "statistical_median"))
        lines.append(f"| {NAMES[name]} | {percent(limit)} | {percent(worst)} | {percent(median)} "
                     f"| {_yes(report['targets_met'][name])} |")
    tau = report["statistical"]["kendall_tau"]
    said = "–" if tau is None else f"{tau:.2f}"
    return [*lines, "", f"Order of all runs by throughput: Kendall's tau {said}."]


def _runs(report: Mapping[str, Any]) -> list[str]:
    lines = ["| run | step predicted | measured | " + " | ".join(COLUMNS) + " | exact |",
             "|---" * (len(COLUMNS) + 4) + "|"]
    for run in report["runs"]:
        found = run["statistical"]
        cells = [percent(found[name]) for name in COLUMNS.values()]
        steps = [f"{1e3 * found[f'step_time_{side}_s']:.3g} ms" for side in ("predicted",
                                                                             "measured")]
        exact = run["exact"]
        same = (exact["order_equal"] and exact["versions_equal"]
                and exact["weights_max_rel"] <= exact["weights_limit_rel"])
        lines.append("| " + " | ".join([run["label"], *steps, *cells, _yes(same)]) + " |")
    return lines


def _footnotes(report: Mapping[str, Any]) -> list[str]:
    bound = [b for run in report["runs"] for b in run["launch_bound_fraction"] if b is not None]
    residual = max(run["clock_residual_s"] for run in report["runs"])
    shares = f"{percent(min(bound))} to {percent(max(bound))}" if bound else "not defined on a CPU"
    load = report["load_before"]
    busy = [] if load is None else [f"- The machine's load before was {load:.1f} on "
                                    f"{report['cores']} cores."]
    refused = [f"- Left out: {reason}" for reason in report["refused"]]
    return ["- Duration: |predicted − measured| / measured of one instruction; start: the same "
            "difference over the measured makespan; bubble and comm wait: difference of the two "
            "fractions.", "- The measured run is the one with the median makespan of "
            f"{report['repeats']}, after one that warmed up; it measures no weights.",
            f"- Clocks are aligned within {1e6 * residual:.3g} µs; share of instructions that "
            f"waited for their launch: {shares}.", *busy, *refused]


def percent(value: float | None) -> str:
    """A share as text in percent, `–` for None."""
    return "–" if value is None else f"{100 * value:.3g} %"


def _yes(value: bool) -> str:
    return "yes" if value else "no"

"""One experiment under several mitigations and seeds: a row each, refusals included."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.comparison.paired import OF_TRAINING, against_first
from analysis.metrics.report import report
from sim.errors import ConfigurationError
from sim.experiment.batched import run_many
from sim.experiment.compared.contender import Contender
from sim.experiment.options import Experiment
from sim.order.program import Program
from sim.rows import plain
from sim.spread import POSITIVE, SHARE, Range, Spread, spread_of
from sim.trace import Trace

LEARNT = ("final_loss", "validation_loss", "accuracy", "accuracy_fluctuation")
TIMED = ("makespan_s", "bubble_fraction", "comm_wait_fraction", "throughput_minibatches_per_s",
         "steady_throughput_minibatches_per_s")
SHARES = ("accuracy", "bubble_fraction", "comm_wait_fraction")  # the others have no upper end
DISTANCES = ("weight_distance", "weight_rmse", "weight_gap")


def rows(experiment: Experiment, contenders: Sequence[Contender], seeds: Sequence[int],
         done: Callable[[], None] = lambda: None, program: Program | None = None
         ) -> list[dict[str, Any]]:
    """The report of each contender over seeds: means with their deviation and interval and the
    paired difference from the first row, or the reason why it is refused.

    Runs that share a program train together; `done` is called after each run.  A `program` stands
    in for the experiment's schedule, and contenders name none then.
    """
    found = reports(experiment, [each.changes(experiment, seed)
                                 for each in contenders for seed in seeds], done, program)
    rows = []
    for place, each in enumerate(contenders):
        mine = found[place * len(seeds) : (place + 1) * len(seeds)]
        refused = [outcome for outcome in mine if isinstance(outcome, str)]
        rows.append(_refusal(experiment, each, refused[0]) if refused else
                    merge([outcome for outcome in mine if not isinstance(outcome, str)], seeds))
    return against_first(rows, named, OF_TRAINING)


def named(row: Mapping[str, Any]) -> str:
    """How a row is called beside others: `stash@round-robin`, `timeprest@nf1b/7`."""
    many = f"/{row['microbatches']}" if row["microbatches"] > 1 else ""
    return f"{row['mitigation']}@{row['schedule']}{many}"


def reports(experiment: Experiment, changes: Sequence[dict[str, Any]],
            done: Callable[[], None] = lambda: None, program: Program | None = None
            ) -> list[dict[str, Any] | str]:
    """The report of the experiment under each of the changes, or the reason why it is refused.

    `done` is called after each run; a `program` stands in for the experiment's schedule.
    """
    found: list[dict[str, Any] | str] = [""] * len(changes)
    accepted: dict[int, Experiment] = {}
    for place, change in enumerate(changes):
        try:
            accepted[place] = experiment.changed(change)
        except ConfigurationError as error:
            found[place] = str(error)
            done()
    places = list(accepted)
    for number, outcome in run_many(list(accepted.values()), program=program):
        found[places[number]] = report(outcome) if isinstance(outcome, Trace) else str(outcome)
        done()
    return found


def _refusal(experiment: Experiment, contender: Contender, reason: str) -> dict[str, Any]:
    return {"mitigation": contender.mitigation["name"],
            "refused": reason.removeprefix("pipeline.mitigation: "),
            "schedule": contender.schedule or experiment.pipeline.schedule}


def merge(reports: Sequence[dict[str, Any]], seeds: Sequence[int]) -> dict[str, Any]:
    """One report from those of several seeds: means, with `…_sd`, `…_ci95` [low, high] and the
    `…_values` of the seeds beside.

    What training gave and times (which jitter moves) are averaged; a mean is empty as soon as one
    seed has no value (diverged), a deviation of fewer than three seeds, an interval of fewer than
    four.
    """
    merged = dict(reports[0]) | {"seeds": list(seeds), "refused": None}
    for name in (*LEARNT, *TIMED):
        merged |= averaged(name, [each[name] for each in reports])
    for name in DISTANCES:
        merged |= _by_stage(name, [each[name] for each in reports])
    diverged = [seed for seed, each in zip(seeds, reports, strict=True) if each["diverged"]]
    if reports[0]["diverged"] is not None:
        merged |= {"diverged": bool(diverged), "diverged_seeds": diverged}
    return dict(plain(merged))


def averaged(name: str, values: Sequence[float | None]) -> dict[str, Any]:
    """Mean, deviation, 95 % interval and values of one number, under its `name`, `…_sd`, `…_ci95`
    and `…_values`.

    All are None where a value is missing.
    """
    found = _spread(values, SHARE if name in SHARES else POSITIVE)
    return {name: found and found.mean, f"{name}_sd": found and found.sd,
            f"{name}_ci95": found and found.ci95, f"{name}_values": found and found.values}


def _by_stage(name: str, reports: Sequence[dict[str, list[float | None]]]) -> dict[str, Any]:
    """The same of a number that every pass has on every stage, without the values."""
    found = {p: [_spread(column, POSITIVE)
                 for column in zip(*(each[p] for each in reports), strict=True)]
             for p in reports[0]}
    return {f"{name}{suffix}": {p: [each and getattr(each, field) for each in stages]
                                for p, stages in found.items()}
            for suffix, field in (("", "mean"), ("_sd", "sd"), ("_ci95", "ci95"))}


def _spread(values: Sequence[float | None], within: Range) -> Spread | None:
    """None as soon as one value is missing, or not finite."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return spread_of(known, within) if known and len(known) == len(values) else None


def spread_in(row: Mapping[str, Any], name: str) -> Spread | None:
    """What a row says of one averaged number, None where a seed has no value."""
    values, bounds = row[f"{name}_values"], row[f"{name}_ci95"]
    return values and Spread(tuple(values), row[name], row[f"{name}_sd"],
                             bounds and (bounds[0], bounds[1]))

"""One experiment under several mitigations and seeds: a row each, refusals included."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from analysis.metrics.report import report
from sim.errors import ConfigurationError
from sim.experiment.batched import run_many
from sim.experiment.compared.contender import Contender
from sim.experiment.options import Experiment
from sim.interval import Mean, mean_of
from sim.rows import plain
from sim.trace import Trace

LEARNT = ("final_loss", "validation_loss", "accuracy", "accuracy_fluctuation")
TIMED = ("makespan_s", "bubble_fraction", "comm_wait_fraction", "throughput_minibatches_per_s",
         "steady_throughput_minibatches_per_s")
DISTANCES = ("weight_distance", "weight_rmse", "weight_gap")


def rows(experiment: Experiment, contenders: Sequence[Contender], seeds: Sequence[int],
         done: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
    """The report of each contender over seeds: means with their deviation and interval, or the
    reason why it is refused.

    Runs that share a program train together; `done` is called after each run.
    """
    found = reports(experiment, [each.changes(experiment, seed)
                                 for each in contenders for seed in seeds], done)
    rows = []
    for place, each in enumerate(contenders):
        mine = found[place * len(seeds) : (place + 1) * len(seeds)]
        refused = [outcome for outcome in mine if isinstance(outcome, str)]
        rows.append(_refusal(experiment, each, refused[0]) if refused else
                    merge([outcome for outcome in mine if not isinstance(outcome, str)], seeds))
    return rows


def reports(experiment: Experiment, changes: Sequence[dict[str, Any]],
            done: Callable[[], None] = lambda: None) -> list[dict[str, Any] | str]:
    """The report of the experiment under each of the changes, or the reason why it is refused.

    `done` is called after each run.
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
    for number, outcome in run_many(list(accepted.values())):
        found[places[number]] = report(outcome) if isinstance(outcome, Trace) else str(outcome)
        done()
    return found


def _refusal(experiment: Experiment, contender: Contender, reason: str) -> dict[str, Any]:
    return {"mitigation": contender.mitigation["name"],
            "refused": reason.removeprefix("pipeline.mitigation: "),
            "schedule": contender.schedule or experiment.pipeline.schedule}


def merge(reports: Sequence[dict[str, Any]], seeds: Sequence[int]) -> dict[str, Any]:
    """One report from those of several seeds: means, with `…_sd` and `…_ci95` [low, high] beside.

    What training gave and times (which jitter moves) are averaged; a mean is empty as soon as one
    seed has no value (diverged), an interval where there is one seed.
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
    """Mean, deviation and 95 % interval of one number, under its `name`, `…_sd` and `…_ci95`.

    All are None where a value is missing.
    """
    found = _mean(values)
    return {name: found and found.mean, f"{name}_sd": found and found.sd,
            f"{name}_ci95": found and found.ci95}


def _by_stage(name: str, reports: Sequence[dict[str, list[float | None]]]) -> dict[str, Any]:
    """The same of a number that every pass has on every stage."""
    found = {p: [_mean(column) for column in zip(*(each[p] for each in reports), strict=True)]
             for p in reports[0]}
    return {f"{name}{suffix}": {p: [each and getattr(each, field) for each in stages]
                                for p, stages in found.items()}
            for suffix, field in (("", "mean"), ("_sd", "sd"), ("_ci95", "ci95"))}


def _mean(values: Sequence[float | None]) -> Mean | None:
    """None as soon as one value is missing."""
    known = [value for value in values if value is not None]
    return mean_of(known) if known and len(known) == len(values) else None

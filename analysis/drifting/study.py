"""Policies beside each other, seed by seed: what each run was like, and a row for each policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from analysis.comparison.compare import averaged
from analysis.comparison.paired import against_first
from analysis.drifting.planning import Planner
from analysis.drifting.policies import Policy, PolicyRun, run_policy
from analysis.drifting.problem import DriftProblem
from analysis.drifting.training import learn
from analysis.metrics.staleness import PASSES, distribution, max_staleness, mean_staleness
from analysis.metrics.timing import timing
from sim.errors import ConfigurationError
from sim.experiment.recording import record
from sim.rows import plain
from sim.spread import POSITIVE, SHARE

AVERAGED = ("makespan_s", "throughput_minibatches_per_s", "bubble_fraction", "move_s",
            "moved_bytes", "changes", "final_loss", "accuracy")
COMPARED = {"throughput_minibatches_per_s": POSITIVE, "final_loss": POSITIVE, "accuracy": SHARE}
Report = dict[str, Any]


def rows(problem: DriftProblem, policies: Sequence[Policy], seeds: Sequence[int],
         done: Callable[[], None] = lambda: None) -> list[Report]:
    """A row for each policy: the means over seeds with their spread, and the paired difference from
    the first row; or the reason why it is refused.  `done` is called after each run.

    Raises ConfigurationError where no policy can run the problem.
    """
    planners = [Planner(replace(problem, experiment=problem.experiment.changed(
        {"training.seed": seed}))) for seed in seeds]
    _ = planners[0].start  # what no policy can run is wrong with the problem
    found: list[Report] = []
    for policy in policies:
        try:
            found.append(_merged(policy, _reports(planners, policy, done), seeds))
        except ConfigurationError as error:
            found.append({"policy": policy.name, "rule": policy.rule, "refused": str(error)})
    return against_first(found, lambda row: str(row["policy"]), COMPARED)


def _reports(planners: Sequence[Planner], policy: Policy, done: Callable[[], None]
             ) -> list[Report]:
    found = []
    for planner in planners:
        found.append(report(planner.problem, run_policy(planner, policy)))
        done()
    return found


def report(problem: DriftProblem, run: PolicyRun) -> Report:
    """What a run under a policy was like, as JSON has it.

    Its bubble counts the seconds in which layers move, too.  `course` has its legs: the first
    mini-batch (from 1), the order, the layers of each stage (empty where they stay), and what moved
    before it.  Staleness is in updates, by stage.
    """
    trace, learnt = record(run.timed), learn(problem, run)
    times, legs = timing(trace), run.course.legs
    values: Report = {
        "policy": run.policy.name, "rule": run.policy.rule, "refused": None,
        "seed": problem.experiment.training.seed,
        "makespan_s": times.makespan_s, "bubble_fraction": times.bubble_fraction,
        "throughput_minibatches_per_s": times.throughput_minibatches_per_s,
        "changes": float(len(legs) - 1), "move_s": sum(leg.move_s for leg in legs),
        "moved_bytes": sum(leg.moved_bytes for leg in legs),
        "staleness": {**{name: mean_staleness(trace, name) for name in PASSES},
                      "max": max_staleness(trace),
                      "distribution": {name: distribution(trace, name) for name in PASSES}},
        "course": [{"minibatch": leg.first + 1, "order": leg.order.name, "layers": list(leg.cut),
                    "move_s": leg.move_s, "moved_bytes": leg.moved_bytes} for leg in legs],
        "final_loss": learnt and learnt.final.final_loss,
        "accuracy": learnt and learnt.final.accuracy,
        "diverged": None if learnt is None else learnt.diverged_at is not None}
    return dict(plain(values))


def _merged(policy: Policy, reports: Sequence[Report], seeds: Sequence[int]) -> Report:
    """One row from the reports of several seeds; distributions of staleness are added up."""
    diverged = [seed for seed, each in zip(seeds, reports, strict=True) if each["diverged"]]
    merged = dict(reports[0]) | {"seeds": list(seeds)}
    if reports[0]["diverged"] is not None:
        merged |= {"diverged": bool(diverged), "diverged_seeds": diverged}
    del merged["seed"], merged["course"]
    for name in AVERAGED:
        merged |= averaged(name, [each[name] for each in reports])
    merged["staleness"] = _staleness([each["staleness"] for each in reports])
    merged["courses"] = [each["course"] for each in reports]
    return dict(plain(merged))


def _staleness(reports: Sequence[Report]) -> Report:
    """Means of means, the largest of the largest, and the counts of all seeds together."""
    together: Report = {"max": max(each["max"] for each in reports), "distribution": {}}
    for name in PASSES:
        columns = zip(*(each[name] for each in reports), strict=True)
        together[name] = [sum(column) / len(column) for column in columns]
        together["distribution"][name] = [
            _added(stages) for stages in zip(*(each["distribution"][name] for each in reports),
                                             strict=True)]
    return together


def _added(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in counts:
        for value, times in each.items():
            found[value] = found.get(value, 0) + times
    return dict(sorted(found.items(), key=lambda pair: float(pair[0])))

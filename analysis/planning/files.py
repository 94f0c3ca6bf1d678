"""The files of a plan: its stages as a profile, the experiment that runs them, and what it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from analysis.cuts.problem import Plan, PlannedStage, Problem
from analysis.cuts.simulated import profile_of
from analysis.planning.judged import Order, document
from sim.experiment.keys.listing import as_toml
from sim.rows import Row

STAGES = "stages.json"


def plan_files(found: dict[str, Any], problems: Mapping[int, Problem]) -> dict[str, str]:
    """The files of the candidate that is best as simulated, their content by name; none where none
    fits.  `problems` are those that were asked, by how many devices share a stage.

    `partition.json` is the plan in the form of `--json`, `stages.json` its stages as measured, and
    `experiment.toml` runs them under the order that was best.
    """
    if found["best"] is None:
        return {}
    row = found["candidates"][found["best"]]
    plan, problem = plan_of(row), problems[row["ways"]]
    best = row["simulated"][row["order"]]
    tables = document(problem, plan, Order(best["schedule"], best["warmup"]))
    tables["costs"] = {"profile": STAGES}
    kept = {key: found[key] for key in ("file", "objective", "microbatches")}
    profile = profile_of(problem, plan).model_copy(update={"notes": {"cut of": found["file"]}})
    return {
        "partition.json": json.dumps(row | kept, indent=2, allow_nan=False) + "\n",
        STAGES: profile.model_dump_json(indent=1, exclude_defaults=True) + "\n",
        "experiment.toml": _comment(problem, plan, row) + _tables(tables)}


def plan_of(row: Row) -> Plan:
    """The plan that a row of an answer, or a file written of one, tells of."""
    return Plan(tuple(PlannedStage(first, last, stage["replicas"], stage["seconds"])
                      for stage in row["stages"] for first, last in [stage["layers"]]),
                row["bottleneck_s"], row["objective_s"])


def _comment(problem: Problem, plan: Plan, row: Row) -> str:
    best = row["simulated"][row["order"]]
    what = ("s a mini-batch" if problem.objective == "flush" else "s a micro-batch, endless")
    ways = row["ways"]
    lines = [f"Planned: {best['seconds']:.9g} {what}, as simulated; {plan.objective_s:.9g} by its "
             "formula.",
             "Run it where stages.json lies, which costs.profile names."]
    if problem.objective == "flush" and plan.devices > len(plan.stages):
        lines.append("Each device stands for "
                     + ", ".join(str(stage.replicas) for stage in plan.stages)
                     + " that share its stage's micro-batches.")
    if ways > 1:
        lines.append(f"Each device stands for {ways} that share its layers.")
    return "".join(f"# {line}\n" for line in lines)


def _tables(tables: dict[str, dict[str, Any]]) -> str:
    """Tables as TOML, without those that are empty."""
    return "\n".join(f"[{table}]\n" + "".join(f"{key} = {as_toml(value)}\n"
                                              for key, value in keys.items())
                     for table, keys in tables.items() if keys)

"""Which rows of an advice nothing beats, and the order in which all of them are told.

Criteria: throughput (samples per second, else micro-batches per second) up; the worst device's
peak bytes down; staleness down, the mean over stages, forwards and backwards of the effective
updates behind.  Mini-batches per second would not do: of n micro-batches each is n times larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.advice.pareto import pareto_front
from analysis.advice.question import Question
from sim.rows import Row

ORDER = ("front", "dominated", "feasible", "over limit", "inconsistent", "refused")


def ranked(rows: Sequence[Row], rate: str, question: Question) -> list[Row]:
    """The rows with what becomes of each as its `status`: the front first, then by speed.

    `rate` is the key of the throughput.
    """
    for row in rows:
        row["status"] = status(row, question)
    mark(rows, rate)
    return sorted(rows, key=lambda row: place(row, rate))


def mark(rows: Sequence[Row], rate: str) -> None:
    """Give every feasible row `front` or `dominated` as its status, and `same_as`.

    That is the first row (the most consistent, then `none`, then by name) of equal costs, None
    for itself; `rate` is the key of the throughput.
    """
    feasible = [row for row in rows if row["status"] == "feasible"]
    if not feasible:
        return
    costs = np.array([costs_of(row, rate) for row in feasible])
    first: dict[tuple[float, ...], str] = {}
    for row, best in zip(feasible, pareto_front(costs).tolist(), strict=True):
        row["status"] = "front" if best else "dominated"
    for row in sorted(feasible, key=lambda row: place(row, rate)):
        mine = name(row)
        known = first.setdefault(costs_of(row, rate), mine)
        row["same_as"] = None if known == mine else known


def name(row: Row) -> str:
    """The name of a candidate's row, unique and fit for a file: `round-robin-4-stash-graph`, and
    of a cut how it is laid out besides, `zb-h1-8-none-graph-4x2x1`: pipelines of 4 devices, two of
    them, one tensor way."""
    own = f"{row['schedule']}-{row['microbatches']}-{row['mitigation']}-{row['backward']}"
    return f"{own}-{row['laid_out']}" if "laid_out" in row else own


def costs_of(row: Row, rate: str) -> tuple[float, ...]:
    """What is to be small: throughput with its sign turned, peak bytes, mean staleness."""
    return -row[rate], row["peak_bytes"], row["staleness_mean"]


def status(row: Row, question: Question) -> str:
    """Whether a row that runs is `feasible`, else what keeps it from being advised."""
    if row["refused"] is not None:
        return "refused"
    if row["peak_bytes"] > question.memory_limit_bytes:
        return "over limit"
    inconsistent = question.consistent and row["inconsistent_fraction"] > 0
    return "inconsistent" if inconsistent else "feasible"


def place(row: Row, rate: str) -> tuple[Any, ...]:
    """Where a row stands in an advice: by its status, then the fastest first.

    What costs the same stands by inconsistency, then the simplest first.
    """
    plain = (row.get("devices_used", 0), row.get("ways", 1), row.get("workers", 1),
             row.get("chunks", 1), row["schedule"], row["microbatches"], row["backward"],
             row["mitigation"] != "none", row["mitigation"], row.get("laid_out", ""))
    known = () if row["refused"] else (*costs_of(row, rate), row["inconsistent_fraction"])
    return ORDER.index(row["status"]), known, plain

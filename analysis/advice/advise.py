"""The advisor: which pipelines to consider for a measured profile and a memory limit.

Criteria: throughput (samples per second, else micro-batches per second) up; the worst device's
peak bytes down; staleness down, the mean over stages, forwards and backwards of the effective
updates behind.  Mini-batches per second would not do: of n micro-batches each is n times larger.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.advice.candidates import Candidate, Measured, candidates, evaluate
from analysis.advice.footprint import COUNTED
from analysis.advice.pareto import pareto_front
from sim.errors import ConfigurationError
from sim.experiment.configuration import resolve
from sim.experiment.setup import VirtualSetup
from sim.numerics.stage import Backward
from sim.rows import Row
from sim.times.profile import Profile, read_profile

NEEDED = ("weight_bytes", "activation_bytes")
BACKWARDS: tuple[Backward, ...] = ("graph", "recompute")
MICROBATCHES = (1, 2, 4, 8)
MOST_COPIES = 1e4  # of the weights; beyond this a mistyped number would only overflow


@dataclass(frozen=True)
class Question:
    """What an advisor is asked: pipelines for the profile in `path`, on so many devices.

    `memory_limit_bytes` are the bytes each device has; `microbatches` or `batch_sizes` (samples),
    and `backwards`, are what to consider; `state_copies` arrays as large as the weights are held
    beside them; `consistent` asks for passes that read one version.  Raises ConfigurationError
    with every problem.
    """

    path: Path
    memory_limit_bytes: float
    devices: int
    microbatches: Sequence[int] = ()
    batch_sizes: Sequence[int] = ()
    backwards: Sequence[Backward] = BACKWARDS
    state_copies: float = 2.0
    consistent: bool = False

    def __post_init__(self) -> None:
        problems = []
        if not 0 < self.memory_limit_bytes < math.inf:
            problems.append("--memory-limit: bytes, more than 0 and finite, got "
                            f"{self.memory_limit_bytes:g}")
        if not 0 <= self.state_copies <= MOST_COPIES:
            problems.append(f"--state-copies: from 0 to {MOST_COPIES:g}, got "
                            f"{self.state_copies:g}")
        if self.microbatches and self.batch_sizes:
            problems.append("--batch-size: give it or --microbatches, not both")
        for name, values in (("microbatches", self.microbatches),
                             ("batch-size", self.batch_sizes)):
            if any(value < 1 for value in values):
                problems.append(f"--{name}: at least 1, got {min(values)}")
        if problems:
            raise ConfigurationError(problems)


def advise(question: Question, done: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """The answer: a row for every candidate, those on the Pareto front first, and what counts.

    `done` is called after each candidate.  Raises ConfigurationError or ProfileError.
    """
    profile = read_profile(question.path)
    _refuse_unfit(question, profile)
    chosen = choices(question, profile)
    measured = Measured(question.path.resolve(), profile, question.state_copies)
    rate = "microbatches_per_s" if profile.microbatch_size is None else "samples_per_s"
    rows = list(evaluate(chosen, measured, done))
    for row in rows:
        row["status"] = _status(row, question)
    mark(rows, rate)
    return {"profile": str(question.path), "device": profile.device,
            "devices": question.devices, "microbatch_size": profile.microbatch_size,
            "memory_limit_bytes": question.memory_limit_bytes,
            "consistent": question.consistent, "state_copies": question.state_copies,
            "criteria": {"throughput": rate, "memory": "peak_bytes",
                         "staleness": "staleness_mean"},
            "counted": COUNTED, "rows": sorted(rows, key=lambda row: _place(row, rate))}


def choices(question: Question, profile: Profile) -> list[Candidate]:
    """The candidates a question asks for.

    Raises ConfigurationError where batch sizes do not fit the profile's micro-batch.
    """
    size, problems = profile.microbatch_size, []
    counts = question.microbatches or MICROBATCHES
    if question.batch_sizes and size is None:
        problems.append("--batch-size: the profile has no microbatch_size; give --microbatches")
    elif question.batch_sizes and size is not None:
        problems = [f"--batch-size: a multiple of the profile's microbatch_size {size}, got {b}"
                    for b in question.batch_sizes if b % size]
        counts = [b // size for b in question.batch_sizes]
    if problems:
        raise ConfigurationError(problems)
    return candidates(sorted(set(counts)), list(dict.fromkeys(question.backwards)))


def mark(rows: Sequence[Row], rate: str) -> None:
    """Give every feasible row `front` or `dominated` as its status, and `same_as`.

    That is the first row (the most consistent, then `none`, then by name) of equal costs, None
    for itself; `rate` is the key of the throughput.
    """
    feasible = [row for row in rows if row["status"] == "feasible"]
    if not feasible:
        return
    costs = np.array([_costs(row, rate) for row in feasible])
    first: dict[tuple[float, ...], str] = {}
    for row, best in zip(feasible, pareto_front(costs).tolist(), strict=True):
        row["status"] = "front" if best else "dominated"
    for row in sorted(feasible, key=lambda row: _place(row, rate)):
        mine = name(row)
        known = first.setdefault(_costs(row, rate), mine)
        row["same_as"] = None if known == mine else known


def name(row: Row) -> str:
    """The name of a candidate's row, `round-robin-4-stash-graph`: unique, fit for a file."""
    return f"{row['schedule']}-{row['microbatches']}-{row['mitigation']}-{row['backward']}"


def _costs(row: Row, rate: str) -> tuple[float, ...]:
    return -row[rate], row["peak_bytes"], row["staleness_mean"]


def _status(row: Row, question: Question) -> str:
    if row["refused"] is not None:
        return "refused"
    if row["peak_bytes"] > question.memory_limit_bytes:
        return "over limit"
    inconsistent = question.consistent and row["inconsistent_fraction"] > 0
    return "inconsistent" if inconsistent else "feasible"


ORDER = ("front", "dominated", "feasible", "over limit", "inconsistent", "refused")


def _place(row: Row, rate: str) -> tuple[Any, ...]:
    """Fastest first; what costs the same by inconsistency, then simplest first."""
    plain = (row["schedule"], row["microbatches"], row["backward"], row["mitigation"] != "none",
             row["mitigation"])
    known = () if row["refused"] else (*_costs(row, rate), row["inconsistent_fraction"])
    return ORDER.index(row["status"]), known, plain


def _refuse_unfit(question: Question, profile: Profile) -> None:
    """Raises ConfigurationError where the profile cannot answer the question."""
    stages, where = len(profile.stages), question.path
    if question.devices != stages:
        raise ConfigurationError([f"--devices: one stage a device: {where} has {stages} stages, "
                                  f"got {question.devices} devices"])
    problems = [f"{where}: stages.{k}.{key}: needed to count memory, but missing"
                for k, stage in enumerate(profile.stages) for key in NEEDED
                if getattr(stage, key) is None]
    if problems:
        raise ConfigurationError(problems)
    VirtualSetup.of(resolve(Candidate("gpipe", 1, "graph", "none").document(where, stages)))

"""The advisor: which pipelines to consider for a measured profile and a memory limit.

Of a profile of stages, as many as there are devices, it weighs up orders, micro-batches, backwards
and mitigations; of a profile of layers besides where to cut it, on how many devices to put each
stage, and how many ways to split what a stage does (`analysis.advice.planned`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from analysis.advice.candidates import Candidate, Measured, candidates, evaluate
from analysis.advice.footprint import COUNTED
from analysis.advice.planned.advise import advise_on_layers
from analysis.advice.planned.layers import cuts_layers
from analysis.advice.question import NEEDED, Question
from analysis.advice.ranking import ranked
from sim.errors import ConfigurationError
from sim.experiment.configuration import resolve
from sim.experiment.setup import VirtualSetup
from sim.times.profile import Profile, read_profile

MICROBATCHES = (1, 2, 4, 8)
Watch = Callable[[int, int], None]  # takes the candidates that are done, and how many there are


def unwatched(done: int, total: int) -> None:
    """A watch that looks away."""


def advise(question: Question, watch: Watch = unwatched) -> dict[str, Any]:
    """The answer: a row for every candidate, those on the Pareto front first, and what counts.

    `watch` is called after each candidate.  Raises ConfigurationError or ProfileError.
    """
    if cuts_layers(question):
        return advise_on_layers(question, watch)
    profile = read_profile(question.path)
    _refuse_unfit(question, profile)
    chosen = choices(question, profile)
    measured = Measured(question.path.resolve(), profile, question.state_copies)
    rate = "microbatches_per_s" if profile.microbatch_size is None else "samples_per_s"
    rows = []
    for row in evaluate(chosen, measured):
        rows.append(row)
        watch(len(rows), len(chosen))
    return {"profile": str(question.path), "device": profile.device,
            "devices": question.devices, "microbatch_size": profile.microbatch_size,
            "memory_limit_bytes": question.memory_limit_bytes,
            "consistent": question.consistent, "state_copies": question.state_copies,
            "criteria": {"throughput": rate, "memory": "peak_bytes",
                         "staleness": "staleness_mean"},
            "counted": COUNTED, "rows": ranked(rows, rate, question)}


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
    every = candidates(sorted(set(counts)), list(dict.fromkeys(question.backwards)))
    return [each for each in every if each.schedule in (question.schedules or [each.schedule])
            and each.mitigation in (question.mitigations or [each.mitigation])]


def _refuse_unfit(question: Question, profile: Profile) -> None:
    """Raises ConfigurationError where the profile cannot answer the question."""
    stages, where = len(profile.stages), question.path
    if question.devices != stages:
        raise ConfigurationError([f"--devices: one stage a device under --stages: {where} has "
                                  f"{stages} stages, got {question.devices} devices"])
    problems = [f"{where}: stages.{k}.{key}: needed to count memory, but missing"
                for k, stage in enumerate(profile.stages) for key in NEEDED
                if getattr(stage, key) is None]
    if problems:
        raise ConfigurationError(problems)
    VirtualSetup.of(resolve(Candidate("gpipe", 1, "graph", "none").document(where, stages)))

"""The advice on layers that are to be cut: what is worth a try, and what was not looked at."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from analysis.advice.footprint import COUNTED
from analysis.advice.planned.candidates import Refused, candidates
from analysis.advice.planned.layers import Layers, read_layers
from analysis.advice.planned.left_out import left_out
from analysis.advice.planned.weighing import Weighed, weigh
from analysis.advice.question import Question
from analysis.advice.ranking import ranked
from sim.errors import ConfigurationError


def advise_on_layers(question: Question, watch: Callable[[int, int], None]) -> dict[str, Any]:
    """The answer: a row for every candidate that was run, those on the Pareto front first, how
    many were not and why, and what was left out.

    `watch` takes how many are done, and of how many: first of orders that are made, then of
    candidates that are weighed.  Raises ConfigurationError or ProfileError.
    """
    begun_s = perf_counter()
    layers = read_layers(question)
    _refuse_sizes(question, layers)
    refused = Refused()
    chosen, unmade = candidates(question, layers, refused, watch,
                                begun_s + question.within_s / 2)
    found = weigh(chosen, question, layers.size, refused, watch, begun_s)
    rate = "microbatches_per_s" if layers.size is None else "samples_per_s"
    return {"profile": str(question.path), "device": layers.profile.device,
            "devices": question.devices, "microbatch_size": layers.size,
            "memory_limit_bytes": question.memory_limit_bytes,
            "consistent": question.consistent, "state_copies": question.state_copies,
            "criteria": {"throughput": rate, "memory": "peak_bytes",
                         "staleness": "staleness_mean"},
            "counted": COUNTED, "layers": len(layers.profile.stages), "given": layers.given,
            "ring": layers.ring,
            "looked_at": _counts(found, len(chosen), refused, unmade),
            "least_peak_bytes": found.least_peak_bytes, "refusals": refused.rows,
            "left_out": left_out(question),
            "rows": ranked(found.rows, rate, question)}


def _counts(found: Weighed, candidates: int, refused: Refused, unmade: int) -> dict[str, int]:
    """How many candidates came to what end, and how many orders none were made of in time."""
    return {"candidates": candidates, "refused": sum(refused.count.values()),
            "over_limit": found.over_limit, "inconsistent": found.inconsistent,
            "beaten": found.beaten, "not_reached": found.not_reached, "run": len(found.rows),
            "orders_not_made": unmade}


def _refuse_sizes(question: Question, layers: Layers) -> None:
    """Raises ConfigurationError where batch sizes do not fit the layers' micro-batch."""
    if not question.batch_sizes:
        return
    if layers.size is None:
        raise ConfigurationError([
            "--batch-size: the profile has no microbatch_size; give --microbatches"])
    problems = [f"--batch-size: a multiple of the profile's microbatch_size {layers.size}, got "
                f"{batch}" for batch in question.batch_sizes if batch % layers.size]
    if problems:
        raise ConfigurationError(problems)

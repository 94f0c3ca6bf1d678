"""The advice on layers that are to be cut: what is worth a try, and what was not looked at."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from analysis.advice.footprint import COUNTED
from analysis.advice.planned.candidates import Made, Refused, asked_for
from analysis.advice.planned.layers import Layers, read_layers
from analysis.advice.planned.left_out import left_out
from analysis.advice.planned.searched import add_searched
from analysis.advice.planned.weighing import weigh
from analysis.advice.question import Question
from analysis.advice.ranking import ranked
from sim.errors import ConfigurationError


def advise_on_layers(question: Question, watch: Callable[[int, int], None]) -> dict[str, Any]:
    """The answer: a row for every candidate that was run, those on the Pareto front first, how
    many were not and why, and what was left out.

    `watch` takes how many orders are done, and of how many.

    Raises ConfigurationError or ProfileError.
    """
    begun_s = perf_counter()
    layers = read_layers(question)
    _refuse_sizes(question, layers)
    made = Made(question, Refused())
    found = weigh(asked_for(question, layers), made, layers.size, watch,
                  begun_s + question.within_s)
    unsearched = add_searched(found, question, layers.size, watch) if question.search_s else None
    rate = "microbatches_per_s" if layers.size is None else "samples_per_s"
    return {"profile": str(question.path), "device": layers.profile.device,
            "devices": question.devices, "microbatch_size": layers.size,
            "memory_limit_bytes": question.memory_limit_bytes,
            "consistent": question.consistent, "state_copies": question.state_copies,
            "criteria": {"throughput": rate, "memory": "peak_bytes",
                         "staleness": "staleness_mean"},
            "counted": COUNTED, "layers": len(layers.profile.stages), "given": layers.given,
            "looked_at": found.counts,
            "least_peak_bytes": found.least_peak_bytes, "refusals": made.refused.rows,
            "left_out": left_out(question, unsearched),
            "rows": ranked(found.rows, rate, question)}


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

"""The validation report: an entry per schedule and mitigation, and all of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.validation.errors import statistical, summary
from analysis.validation.memory import memory_entries
from sim.experiment.compared.validated import Validated


def build(found: Sequence[Validated], head: Mapping[str, Any], refused: Sequence[str]
          ) -> dict[str, Any]:
    """The whole report of a validation, below what `head` says of the machine."""
    runs = [entry(each) for each in found]
    return {**head, "model": found[0].model, **summary(runs), "runs": runs,
            "refused": list(refused)}


def entry(found: Validated) -> dict[str, Any]:
    """The report's entry of one run: what it was, its exact and its statistical part, and what
    they rest on."""
    gpu = found.measured.header.measured()
    memory = memory_entries(found.predicted, found.profile, found.memory)
    errors = [each["rel_error"] for each in memory]
    return {**_names(found), "exact": found.exact,
            "statistical": {**statistical(found.predicted, found.measured),
                            "memory_rel_error": None if None in errors else max(errors)},
            "memory": memory, "makespans_s": found.makespans_s,
            "contention_factor": [s.contention_factor for s in found.profile.stages],
            "launch_bound_fraction": gpu.launch_bound_fraction,
            "clock_residual_s": gpu.clock_residual_s}


def _names(found: Validated) -> dict[str, Any]:
    pipeline, training = found.experiment.pipeline, found.experiment.training
    kind, size = found.predicted.header.mitigation, found.profile.notes["image_size"]
    sizes = f"batch {training.batch_size}, {size} px"
    micro = f"/{pipeline.microbatches}" if pipeline.microbatches > 1 else ""
    return {"label": f"{kind}@{pipeline.schedule}{micro}, {sizes}", "group": f"{kind}, {sizes}",
            "schedule": pipeline.schedule, "mitigation": kind, "stages": pipeline.stages,
            "microbatches": pipeline.microbatches, "minibatches": pipeline.minibatches,
            "batch_size": training.batch_size, "image_size": size}

"""The validation report: an entry per schedule and mitigation, and all of them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.validation.errors import events, statistical, summary
from analysis.validation.memory import memory_entries
from analysis.validation.path import critical_path_ratio
from analysis.validation.repeats import deviations, spread
from analysis.validation.split import PARTS, Split, largest_difference, split
from sim.experiment.compared.validated import Validated
from sim.experiment.machine import cost_model
from sim.op import Op
from sim.trace import Trace


def build(found: Sequence[Validated], head: Mapping[str, Any], refused: Sequence[str]
          ) -> dict[str, Any]:
    """The whole report of a validation, below what `head` says of the machine.

    No two runs in it have the same label.
    """
    networks = list(dict.fromkeys(each.model for each in found))
    runs = [entry(each, len(networks) > 1) for each in found]
    seen: Counter[str] = Counter()
    for run in runs:
        seen[run["label"]] += 1
        if seen[run["label"]] > 1:
            run["label"] += f", {seen[run['label']]}"
    return {**head, "model": ", ".join(networks), **summary(runs), "runs": runs,
            "refused": list(refused)}


def entry(found: Validated, named: bool = False) -> dict[str, Any]:
    """The report's entry of one run: what it was, its exact and its statistical part, and what
    they rest on; its label names the network where it has to be `named`."""
    gpu = found.measured.header.measured()
    memory = memory_entries(found.predicted, found.profile, found.memory)
    errors = [each["rel_error"] for each in memory]
    return {**_names(found, named), "exact": found.exact,
            "statistical": {**statistical(found.predicted, found.measured),
                            "memory_rel_error": None if None in errors else max(errors)},
            "events": events(found.predicted, found.measured),
            "memory": memory, "makespans_s": found.makespans_s,
            "contention_factor": [s.contention_factor for s in found.profile.stages],
            "graphs": bool(getattr(gpu, "graphs", False)),
            "graphs_why": getattr(gpu, "graphs_why", None),
            "host_s": host_s(found.measured),
            "critical_path_ratio": critical_path_ratio(found.measured),
            "split": split_entry(found), "spread": spread(found.measured, _repeats(found)),
            "launch_bound_fraction": gpu.launch_bound_fraction,
            "clock_residual_s": gpu.clock_residual_s}


def split_entry(found: Validated) -> dict[str, Any]:
    """Where a step goes, predicted beside measured, in seconds of a mini-batch.

    `predicted` and `measured` are means over the devices, `devices` has each one's own, `repeats`
    the means of every timed run and `spread` their standard deviation (None under three);
    `largest` names the part whose means differ most.
    """
    predicted, measured = (_split(found, trace) for trace in (found.predicted, found.measured))
    repeats = [_split(found, trace) for trace in _repeats(found)]
    means = [each.mean() for each in repeats]
    return {"predicted": predicted.mean(), "measured": measured.mean(),
            "spread": deviations(repeats), "largest": largest_difference(predicted, measured),
            "repeats": {name: [each[name] for each in means] for name in PARTS},
            "devices": {"predicted": predicted.by_device(), "measured": measured.by_device()}}


def host_s(trace: Trace) -> dict[str, float]:
    """The median seconds that a host took to ask for an instruction, by operation.

    Nothing where hosts are not told apart from their devices.
    """
    asked, issued = (getattr(trace, name, None) for name in ("asked_s", "issued_s"))
    if asked is None or issued is None:
        return {}
    seconds = issued - asked
    rows = {op: seconds[(trace.op == op) & np.isfinite(seconds)] for op in Op if op <= Op.U}
    return {op.name: float(np.median(values)) for op, values in rows.items() if len(values)}


def _split(found: Validated, trace: Trace) -> Split:
    """One of a validation's traces, split by its profile's seconds alone."""
    costs = cost_model(found.experiment, found.profile)
    return split(trace, costs.nominal(trace.op, trace.stage, trace.count))


def _repeats(found: Validated) -> list[Trace]:
    return found.traces or [found.measured]


def _names(found: Validated, named: bool) -> dict[str, Any]:
    pipeline, training = found.experiment.pipeline, found.experiment.training
    kind, size = found.predicted.header.mitigation, found.profile.notes["image_size"]
    network = f"{found.model}, " if named else ""
    sizes = f"{network}batch {training.batch_size}, {size} px"
    micro = f"/{pipeline.microbatches}" if pipeline.microbatches > 1 else ""
    return {"label": f"{kind}@{pipeline.schedule}{micro}, {sizes}", "group": f"{kind}, {sizes}",
            "model": found.model, "schedule": pipeline.schedule, "mitigation": kind,
            "stages": pipeline.stages, "microbatches": pipeline.microbatches,
            "minibatches": pipeline.minibatches, "batch_size": training.batch_size,
            "image_size": size}

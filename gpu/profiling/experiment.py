"""Profiling an experiment's stages: seconds alone and beside busy neighbours, bytes, links.

A profile belongs to one experiment: its mitigation, micro-batch and image size decide what a pass
costs.  Every time is taken in the runtime's own worker (`gpu.profiling.solo`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpu.lanes.devices import DeviceSpec
from gpu.lanes.streams import Lane
from gpu.model.sizes import StageSizes
from gpu.profiling.link_times import LinkTimes, link_times, quartiles
from gpu.profiling.machine import device_name, libraries
from gpu.profiling.rises import StageBytes, stage_bytes
from gpu.profiling.solo import Solo
from gpu.profiling.stage_times import Times, alone_and_beside, quiet, recompute_s
from gpu.runtime.assembly import Assembly, RunSettings, assemble
from sim.arrays import Floats
from sim.experiment.options import Experiment
from sim.op import Op
from sim.times.profile import Profile, Spread, StageProfile

ROUNDS = 12  # mini-batches of one pass through a stage's stream
MEMORY_ROUNDS = 4  # mini-batches of the stream that is stepped to see what it holds
WORKSPACE = ("the most an instruction needs above what is held before it: on a CPU the tensors "
             "torch makes (not a kernel's scratch memory), on CUDA what its allocator gave out")

@dataclass(frozen=True)
class Effort:
    """How long to measure: passes through each stream, mini-batches of a pass, trips on the link.

    One more pass warms up and is not counted.
    """

    passes: int = 3
    rounds: int = ROUNDS
    trips: int = 40


def profile(experiment: Experiment, settings: RunSettings, specs: Sequence[DeviceSpec],
            lanes: Sequence[Lane], effort: Effort = Effort(), link: LinkTimes | None = None
            ) -> Profile:
    """Measure every stage of the experiment where it will run; a `link` already measured is kept.

    Device d of the program runs on `specs[d]` and `lanes[d]`.  Raises ConfigurationError, or
    StageError where a stage fails.
    """
    places = [spec.device for spec in specs]
    rounds = min(effort.rounds, experiment.pipeline.minibatches)
    solo = Solo(assemble(shortened(experiment, rounds), settings, places), lanes)
    few = min(MEMORY_ROUNDS, experiment.pipeline.minibatches)
    held = stage_bytes(Solo(assemble(shortened(experiment, few), settings, places), lanes))
    with quiet():
        alone, beside = alone_and_beside(solo, effort.passes)
        again = {k: recompute_s(solo, k) for k in range(experiment.pipeline.stages)}
    sizes = solo.assembly.task.stage_sizes()
    stages = [_stage(k, experiment, alone, beside, again[k], each, held[k])
              for k, each in enumerate(sizes)]
    if link is None and len(lanes) > 1:
        with quiet():
            link = link_times(lanes, effort.trips)
    pipeline, training = experiment.pipeline, experiment.training
    home = [specs[solo.home[k]] for k in range(len(sizes))]
    return Profile(
        format="pipestale-profile", version=1, stages=tuple(stages), device=device_name(specs[0]),
        microbatch_size=training.batch_size // pipeline.microbatches,
        boundary_bytes=tuple(float(s.input_bytes) for s in sizes[1:]),
        latency_s=link.latency_s if link else 0.0,
        bandwidth_bytes_per_s=link.bandwidth_bytes_per_s if link else None,
        placement=tuple(str(spec.device) for spec in home),
        contention_factor=_ratio(beside, alone, range(len(sizes)), pipeline.microbatches),
        link=link.samples if link else (), notes=_notes(solo.assembly, specs))


def shortened(experiment: Experiment, minibatches: int) -> Experiment:
    """An experiment cut to so many mini-batches, its weights not measured; passes cost the same."""
    return experiment.changed(minibatches=minibatches, distances=False)


def _stage(k: int, experiment: Experiment, alone: Times, beside: Times, again: Floats,
           sizes: StageSizes, held: StageBytes) -> StageProfile:
    forward, backward, update = (quartiles(np.array(alone[k, op])) for op in (Op.F, Op.B, Op.U))
    extra = quartiles(again)
    recomputes = experiment.pipeline.backward == "recompute"
    slowed: dict[str, Spread] = {
        f"{name}_beside": quartiles(np.array(beside[k, op]))
        for name, op in (("forward_s", Op.F), ("backward_s", Op.B), ("update_s", Op.U))}
    return StageProfile(
        forward_s=forward.median, recompute_s=extra.median, update_s=update.median,
        backward_s=max(0.0, backward.median - (extra.median if recomputes else 0.0)),
        weight_bytes=float(sizes.weight_bytes), activation_bytes=float(sizes.graph_bytes),
        input_bytes=float(sizes.input_bytes), **held.keys,
        contention_factor=_ratio(beside, alone, [k], experiment.pipeline.microbatches),
        spread={"forward_s": forward, "backward_s": backward, "update_s": update,
                "recompute_s": extra, **slowed})


def _ratio(beside: Times, alone: Times, stages: Sequence[int], microbatches: int) -> float:
    """How many times as long a mini-batch of these stages takes beside busy neighbours.

    [choice] Of lower quartiles: what the hardware shares slows every pass, what the operating
    system takes away for other programs only some.
    """
    def whole(times: Times) -> float:
        return sum(float(np.percentile(times[k, op], 25)) * (1 if op is Op.U else microbatches)
                   for k in stages for op in (Op.F, Op.B, Op.U))

    return whole(beside) / whole(alone)


def _notes(assembly: Assembly, specs: Sequence[DeviceSpec]) -> dict[str, Any]:
    pipeline, settings = assembly.experiment.pipeline, assembly.settings
    return {"model": settings.model, "image_size": int(assembly.task.inputs(0).shape[-1]),
            "devices": [str(spec) for spec in specs], "libraries": libraries(),
            "schedule": pipeline.schedule, "mitigation": assembly.plan.mitigation.name,
            "microbatches": pipeline.microbatches, "backward": pipeline.backward,
            "times": "medians of a stage's own stream with nobody beside it",
            "workspace_bytes": WORKSPACE,
            "link": "a round trip's half; on a CPU the waking of a thread, since tensors are "
                    "handed over by reference"}

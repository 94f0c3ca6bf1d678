"""Profiling an experiment's stages: seconds alone and beside busy neighbours, bytes, links.

A profile belongs to one experiment: its mitigation, micro-batch and image size decide what a pass
costs.  Every time is taken in the runtime's own worker (`gpu.profiling.solo`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gpu.lanes.devices import DeviceSpec
from gpu.lanes.streams import Lane
from gpu.model.sizes import StageSizes
from gpu.profiling.link_times import LinkTimes, link_times, quartiles
from gpu.profiling.machine import device_name, libraries
from gpu.profiling.pairs import factors, lock_share
from gpu.profiling.rises import StageBytes, stage_bytes
from gpu.profiling.solo import Solo
from gpu.profiling.stage_times import Kind, StageTimes, measure, quiet, recompute_s
from gpu.runtime.assembly import Assembly, assemble
from gpu.runtime.settings import RunSettings
from sim.arrays import Floats
from sim.experiment.options import Experiment
from sim.experiment.program_file import first_minibatches
from sim.op import Op
from sim.order.program import Program
from sim.times.profile import Profile, StageProfile

NAMES = {Op.F: "forward_s", Op.B: "backward_s", Op.I: "input_backward_s",
         Op.W: "weight_backward_s", Op.U: "update_s"}
ROUNDS = 12  # mini-batches of one pass through a stage's stream
MEMORY_ROUNDS = 4  # mini-batches of the stream that is stepped to see what it holds
WORKSPACE = ("the most an instruction needs above what is held before it: on a CPU the tensors "
             "torch makes (not a kernel's scratch memory), on CUDA what its allocator gave out")
Make = Callable[..., Assembly]


@dataclass(frozen=True)
class Effort:
    """How long to measure: passes through each stream, mini-batches of a pass, trips on the link.

    One more pass warms up and is not counted.
    """

    passes: int = 3
    rounds: int = ROUNDS
    trips: int = 40


def profile(experiment: Experiment, settings: RunSettings, specs: Sequence[DeviceSpec],
            lanes: Sequence[Lane], effort: Effort = Effort(), link: LinkTimes | None = None, *,
            program: Program | None = None, make: Make = assemble) -> Profile:
    """Measure every stage of the experiment where it will run; a `link` already measured is kept.

    Device d of the program, which is the experiment's own unless given, runs on `specs[d]` and
    `lanes[d]`.  `make` assembles stages, as `assemble` does.  Raises ConfigurationError, or
    StageError where a stage fails.
    """
    places = [spec.device for spec in specs]
    rounds = min(effort.rounds, experiment.pipeline.minibatches)
    solo, few = (Solo(make(shortened(experiment, number), settings, places,
                           program=program and first_minibatches(program, number)), lanes)
                 for number in (rounds, min(MEMORY_ROUNDS, rounds)))
    held = stage_bytes(few)
    with quiet():
        times = measure(solo, effort.passes)
        device_times = _of_the_device(times, solo, settings, effort)
        again = {k: recompute_s(solo, k) for k in range(experiment.pipeline.stages)}
    sizes = solo.assembly.task.stage_sizes()
    stages = [stage_profile(k, experiment, device_times, times, again[k], each, held[k])
              for k, each in enumerate(sizes)]
    if link is None and len(lanes) > 1:
        with quiet():
            link = link_times(lanes, effort.trips)
    pipeline, training = experiment.pipeline, experiment.training
    placement = tuple(str(specs[home].device) for home in solo.home)
    return Profile(
        format="pipestale-profile", version=1, stages=tuple(stages), device=device_name(specs[0]),
        microbatch_size=training.batch_size // pipeline.microbatches,
        boundary_bytes=tuple(float(s.input_bytes) for s in sizes[1:]),
        latency_s=link.latency_s if link else 0.0,
        bandwidth_bytes_per_s=link.bandwidth_bytes_per_s if link else None,
        placement=placement, beside=factors(device_times, placement),
        contention_factor=_ratio(device_times, range(len(sizes)), pipeline.microbatches),
        **_host(times, len(sizes)), transfers=link.over(solo.home) if link else (),
        link=link.samples if link else (), notes=_notes(solo, specs))


def _of_the_device(times: StageTimes, solo: Solo, settings: RunSettings, effort: Effort
                   ) -> StageTimes:
    """Times that show the device alone: of captured stages where those of the run are eager.

    Eager stages beside each other are slowed by the host as well, which the simulator knows of by
    itself: captured ones are not.  Where none can be captured the eager times are taken.
    """
    if solo.graphs.used or solo.lanes[0].recorder() is None:
        return times
    given = solo.assembly
    captured = Solo(assemble(given.experiment, replace(settings, graphs="on"),
                             [lane.device for lane in solo.lanes], program=given.program),
                    solo.lanes)
    if not captured.graphs.used:
        return times
    found = measure(captured, effort.passes)
    found.alone = times.alone  # these are of the device alone already: its host was ahead
    return found


def _host(times: StageTimes, stages: int) -> dict[str, Any]:
    """Who asks for the stages' work, where that is not who does it."""
    if not times.told_apart:
        return {}
    return {"interpreter": ("one process",) * stages, "lock_share": lock_share(times)}


def shortened(experiment: Experiment, minibatches: int) -> Experiment:
    """An experiment cut to so many mini-batches, its weights not measured; passes cost the same."""
    return experiment.changed(minibatches=minibatches, distances=False)


def stage_profile(k: int, experiment: Experiment, device: StageTimes, asked: StageTimes,
                  again: Floats, sizes: StageSizes, held: StageBytes) -> StageProfile:
    """Stage `k` as a profile has it, from the times of its device and of asking it, the seconds of
    running its forward `again`, (repeats,), its sizes and what it held."""
    alone = {op: quartiles(np.array(device.alone[k, op])) for op in NAMES
             if (k, op) in device.alone}
    beside, extra = device.slowed(), quartiles(again)
    spread = {name: alone[op] for op, name in NAMES.items() if op in alone} | {
        f"{name}_beside": quartiles(np.array(beside[k, op])) for op, name in NAMES.items()
        if (k, op) in beside}
    # a backward in halves is what runs it again
    recomputes = extra.median if experiment.pipeline.backward == "recompute" else 0.0
    halves = [alone[op].median for op in (Op.I, Op.W) if op in alone]
    backward = alone[Op.B].median if Op.B in alone else sum(halves)
    return StageProfile(
        forward_s=alone[Op.F].median, recompute_s=extra.median, update_s=alone[Op.U].median,
        backward_s=max(0.0, backward - recomputes),
        input_backward_s=max(0.0, halves[0] - recomputes) if halves else None,
        weight_backward_s=halves[1] if halves else None,
        weight_bytes=float(sizes.weight_bytes), activation_bytes=float(sizes.graph_bytes),
        input_bytes=float(sizes.input_bytes), **held.keys,
        issue_s=_issue_s(k, asked),
        contention_factor=_ratio(device, [k], experiment.pipeline.microbatches),
        spread=spread | {"recompute_s": extra})


def _issue_s(k: int, asked: StageTimes) -> dict[str, float]:
    """Host seconds to ask for each operation; empty where the host does the work itself."""
    return {op.name: float(np.median(seconds)) for (stage, op), seconds in asked.issue.items()
            if stage == k and asked.told_apart}


def _ratio(times: StageTimes, stages: Sequence[int], microbatches: int) -> float | None:
    """How many times as long a mini-batch of these stages takes beside busy neighbours.

    [choice] Of lower quartiles: what the hardware shares slows every pass, what the operating
    system takes away for other programs only some.
    """
    def whole(found: Mapping[Kind, Sequence[float]]) -> float:
        return sum(float(np.percentile(seconds, 25)) * (1 if op is Op.U else microbatches)
                   for (stage, op), seconds in found.items() if stage in stages)

    beside = whole(times.slowed())
    return beside / whole(times.alone) if beside else None


def _notes(solo: Solo, specs: Sequence[DeviceSpec]) -> dict[str, Any]:
    assembly = solo.assembly
    pipeline, settings = assembly.experiment.pipeline, assembly.settings
    return {"model": settings.model, "image_size": int(assembly.task.inputs(0).shape[-1]),
            "devices": [str(spec) for spec in specs], "libraries": libraries(),
            "schedule": pipeline.schedule, "mitigation": assembly.plan.mitigation.name,
            "microbatches": pipeline.microbatches, "backward": pipeline.backward,
            "graphs": solo.graphs.used, "graphs_why": solo.graphs.why,
            "times": "medians of a stage's own stream with nobody beside it",
            "workspace_bytes": WORKSPACE,
            "link": "a round trip's half; on a CPU the waking of a thread, since tensors are "
                    "handed over by reference"}

"""Profiling a network layer by layer: what each unit costs, for whoever is to cut it into stages.

Every unit is a stage of its own here, and all are on one device, one after another: so a layer is
timed in the runtime's own worker, next to the layers it will have beside it in a stage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gpu.images.datasets import class_count
from gpu.lanes.devices import DeviceSpec
from gpu.lanes.streams import Lane
from gpu.model.networks import layer_names
from gpu.model.stage_model import TorchStage
from gpu.profiling.experiment import MEMORY_ROUNDS, Effort, shortened, stage_profile
from gpu.profiling.link_times import link_times
from gpu.profiling.machine import Machine, device_name, libraries
from gpu.profiling.rises import StageBytes, stage_bytes
from gpu.profiling.solo import Solo
from gpu.profiling.stage_times import StageTimes, quiet, recompute_s, take_turn
from gpu.runtime.assembly import Assembly, assemble
from gpu.runtime.settings import RunSettings
from sim.experiment.options import Experiment
from sim.experiment.program_file import reshaped
from sim.op import Op
from sim.order.instruction import Instruction
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.times.profile import Profile, StageProfile

EFFORT = Effort(passes=3, rounds=6)
PARTS = ("forward_s", "backward_s", "update_s")  # of which the sum stands beside the whole


@dataclass(frozen=True)
class Layers:
    """A network as measured: a profile with a stage for every layer, and the whole of it as one
    stage, measured in turn with them."""

    profile: Profile
    whole: StageProfile

    @property
    def sum_over_whole(self) -> dict[str, float]:
        """How many times as long the layers take together as the stage they make, by key.

        What is above 1 is what the worker does around each pass, which a stage does once for all
        its layers.
        """
        stages = self.profile.stages
        return {name: sum(getattr(stage, name) for stage in stages) / getattr(self.whole, name)
                for name in PARTS}


def one_device(stages: int, experiment: Experiment, *, split: bool = False) -> Program:
    """All stages on one device, with the mini-batches and micro-batches of an experiment: of each
    micro-batch the forwards, then the backwards; with `split` in halves, one after the other."""
    pipeline = experiment.pipeline
    stream: list[Instruction] = []
    halves = (Op.I, Op.W) if split else (Op.B,)
    for minibatch in range(pipeline.minibatches):
        first = minibatch * pipeline.microbatches
        for index in range(first, first + pipeline.microbatches):
            stream += [Instruction(k, Op.F, index) for k in range(stages)]
            stream += [Instruction(k, op, index) for k in reversed(range(stages)) for op in halves]
    return Program.from_streams(
        PipelineShape(stages, pipeline.minibatches, pipeline.microbatches, ranks=1), [stream])


def layer_profile(experiment: Experiment, settings: RunSettings, specs: Sequence[DeviceSpec],
                  lanes: Sequence[Lane], effort: Effort = EFFORT,
                  done: Callable[[], None] = lambda: None) -> Layers:
    """Measure every layer of a network on the first of `specs`, and the link to the second if any.

    The experiment gives batch, micro-batches and seed.  [choice] No mitigation: what one adds to a
    pass depends on where the network is cut.  `done` is called after each of
    `turns(effort)` turns.  Raises ConfigurationError, or StageError where a layer fails.
    """
    names = layer_names(settings.model, class_count(settings.data, settings.classes))
    plain = experiment.changed(mitigation="none", backward="graph", dispatch="static")
    made = _Maker(plain, settings, specs[0], lanes[0], len(names))
    rounds = min(effort.rounds, experiment.pipeline.minibatches)
    few, few_split = (made.solo(min(MEMORY_ROUNDS, rounds), split=split)
                      for split in (False, True))
    held = [_both(*each) for each in zip(stage_bytes(few), stage_bytes(few_split), strict=True)]
    solo, halves, whole = made.solo(rounds), made.solo(rounds, split=True), made.whole(rounds)
    apart = lanes[0].device.type != "cpu"
    times, of_whole = StageTimes(told_apart=apart), StageTimes(told_apart=apart)
    with quiet():
        for number in range(effort.passes + 1):  # in turn: all see the same machine
            for each, into in ((solo, times), (halves, times), (whole, of_whole)):
                take_turn(each, into if number else None)
                done()
        again = [recompute_s(solo, k) for k in range(len(names))]
        link = link_times(lanes, effort.trips) if len(lanes) > 1 else None
    sizes = solo.assembly.task.stage_sizes()
    stages = [stage_profile(k, solo.assembly.experiment, times, times, again[k], size, held[k])
              .model_copy(update=_shared(solo.assembly.kit.models[k], size.input_bytes))
              for k, size in enumerate(sizes)]
    alone = stage_profile(0, whole.assembly.experiment, of_whole, of_whole, recompute_s(whole, 0),
                          whole.assembly.task.stage_sizes()[0], stage_bytes(whole)[0])
    pipeline, training = experiment.pipeline, experiment.training
    found = Layers(Profile(
        format="pipestale-profile", version=1, stages=tuple(stages), device=device_name(specs[0]),
        microbatch_size=training.batch_size // pipeline.microbatches,
        boundary_bytes=tuple(float(size.input_bytes) for size in sizes[1:]),
        latency_s=link.latency_s if link else 0.0,
        bandwidth_bytes_per_s=link.bandwidth_bytes_per_s if link else None,
        link=link.samples if link else ()), alone)
    return replace(found, profile=found.profile.model_copy(
        update={"notes": _notes(found, solo, specs, names)}))


def turns(effort: Effort = EFFORT) -> int:
    """How many turns a layer profile takes: layers, their halves and the whole, in every pass."""
    return 3 * (effort.passes + 1)


@dataclass
class _Maker:
    """Makes what is measured: all assemblies of layers share their models, the whole has its own.

    `kept` is what the last of them left."""

    experiment: Experiment
    settings: RunSettings
    spec: DeviceSpec
    lane: Lane
    layers: int
    kept: Assembly | None = None

    def solo(self, minibatches: int, *, split: bool = False) -> Solo:
        """Every layer a stage, all on the device."""
        cut = (1,) * self.layers
        self.kept = self._assemble(minibatches, cut, split, self.kept)
        return Solo(self.kept, [self.lane])

    def whole(self, minibatches: int) -> Solo:
        """The network as one stage."""
        return Solo(self._assemble(minibatches, (self.layers,), False, None), [self.lane])

    def _assemble(self, minibatches: int, cut: tuple[int, ...], split: bool,
                  like: Assembly | None) -> Assembly:
        short = shortened(self.experiment, minibatches)
        program = one_device(len(cut), short, split=split)
        return assemble(reshaped(short, program), replace(self.settings, cut=cut),
                        [self.spec.device], program=program, like=like)


def _both(whole: StageBytes, halves: StageBytes) -> StageBytes:
    """The bytes of a layer whose backward is one pass, with those of the halves where it is two."""
    return replace(whole, workspace_bytes=max(whole.workspace_bytes, halves.workspace_bytes),
                   rise_bytes={**halves.rise_bytes, **whole.rise_bytes})


def _shared(model: TorchStage, input_bytes: int) -> dict[str, dict[str, float]]:
    """What a pass exchanges where several devices share the layer: nothing that is known of one
    whose module does not say how many `all_reduces` it takes each way, each as large as its input.
    """
    number = sum(getattr(unit, "all_reduces", 0) for unit in model.module.children())
    if not number:
        return {}
    return {"all_reduces": dict.fromkeys("FB", float(number)),
            "all_reduce_bytes": dict.fromkeys("FB", float(number * input_bytes))}


def _notes(found: Layers, solo: Solo, specs: Sequence[DeviceSpec], names: Sequence[str]
           ) -> dict[str, Any]:
    assembly, load = solo.assembly, Machine.of(specs).load
    return {"model": assembly.settings.model, "layers": list(names),
            "image_size": int(assembly.task.inputs(0).shape[-1]),
            "devices": [str(specs[0])], "libraries": libraries(),
            "microbatches": assembly.experiment.pipeline.microbatches,
            "graphs": solo.graphs.used, "graphs_why": solo.graphs.why,
            "load_after": load[0] if load else None,
            "times": "medians of all layers one after another on one device",
            "whole": {name: getattr(found.whole, name) for name in PARTS},
            "sum_over_whole": found.sum_over_whole}

"""Making an assembly ready to run: its stages captured where they can be, and what was left out.

What a run has to say of it is one `Graphs`; the stages themselves go on with the captured models.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gpu.capture.captured import CapturedStage, Sample
from gpu.capture.slots import in_flight
from gpu.lanes.recorder import Recorder
from gpu.lanes.streams import Lane
from gpu.runtime.assembly import Assembly
from sim.numerics.stage import Stage

TRIES = 3  # eager passes before a recording: libraries choose their kernels and take their memory


@dataclass(frozen=True)
class Graphs:
    """Whether stages replay recorded graphs, and, where they do not though they might, why."""

    used: bool
    why: str | None = None


def capture(assembly: Assembly, lanes: Mapping[int, Lane]) -> Graphs:
    """Capture the stages that live on `lanes` (by device of the program), if that is asked for.

    All of them or none: where one cannot be captured, all run eagerly and the answer says why.
    Lanes may be used from then on: what made the stages, on other streams, is done.
    """
    for lane in lanes.values():
        lane.settle()
    if assembly.program.several:
        several = "stages with several homes are not captured: they run eagerly"
        return Graphs(False, several if assembly.settings.graphs == "on" else None)
    wish, homes = assembly.settings.graphs, assembly.program.home[0].tolist()
    mine = {k: lanes[d] for k, d in enumerate(homes) if d in lanes}
    recorders = {k: lane.recorder() for k, lane in mine.items()}
    if wish == "off" or None in recorders.values():
        _undo(assembly)
    if wish == "off":
        return Graphs(False)
    if None in recorders.values():
        why = "a CPU has no CUDA graphs: stages run eagerly" if wish == "on" else None
        return Graphs(False, why)
    gc.collect()  # nothing of an earlier run may be freed while a recording is made
    for k, recorder in recorders.items():
        assert recorder is not None
        try:
            _capture(assembly, k, mine[k], recorder)
        except RuntimeError as error:
            _undo(assembly)
            return Graphs(False, f"stage {k} cannot be captured ({_first_line(error)}): all "
                                 "stages run eagerly")
    return Graphs(True)


def _capture(assembly: Assembly, k: int, lane: Lane, recorder: Recorder) -> None:
    stage: Stage[Any] = assembly.stages[k]
    most, model = in_flight(assembly.program, k), stage.model
    if isinstance(model, CapturedStage):
        model.reset()
        if model.enough(most):
            return
        stage.compute_with(model.model)
    with lane.current(), stage.model.as_it_was():
        sample = made_up(assembly, k)
        for _ in range(TRIES):
            _, saved = stage.model.forward(stage.weights, sample.inputs, sample.target)
            if saved is None:
                saved = stage.model.forward_again(stage.weights, sample.inputs, sample.target)
            stage.model.backward(stage.weights, saved, sample.gradient)
        del saved
        lane.rest()
        assembly.kit.computing[k] = CapturedStage(stage.model, recorder, sample, most)
        stage.compute_with(assembly.kit.computing[k])
        lane.rest()


def _undo(assembly: Assembly) -> None:
    assembly.kit.computing = list(assembly.kit.models)
    for stage, model in zip(assembly.stages, assembly.kit.models, strict=True):
        stage.compute_with(model)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def made_up(assembly: Assembly, k: int) -> Sample:
    """A made-up micro-batch for stage `k`, on its device: random numbers in the right shapes."""
    sizes, last = assembly.task.stage_sizes(), assembly.program.shape.stages - 1
    shape = sizes[k + 1].input_shape if k < last else ()
    target = assembly.task.target(0) if k == last else None
    return Sample(_random(assembly, k, sizes[k].input_shape), target,
                  _random(assembly, k, shape) * 1e-3)


def _random(assembly: Assembly, k: int, shape: tuple[int, ...]) -> Tensor:
    live = assembly.task.models[k].live
    numbers = torch.Generator().manual_seed(k)
    return torch.randn(shape, generator=numbers, dtype=live.dtype).to(live.device)

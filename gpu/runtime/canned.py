"""Made-up neighbours: what really crosses the boundaries once, handed out whenever asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gpu.errors import stage_error
from gpu.images.task import TorchTask
from gpu.lanes.streams import Lane
from gpu.model.stage_model import TorchStage
from gpu.runtime.links import Message
from sim.op import Op
from sim.order.program import Program


@dataclass(frozen=True)
class Samples:
    """One message for every boundary: by stage an input (batch, …), and a gradient of its output.

    A gradient has the output's shape; the last stage's is a number.
    """

    inputs: list[Tensor]
    gradients: list[Any]


def samples(task: TorchTask, microbatches: int) -> Samples:
    """What really crosses the boundaries for the first micro-batch; buffers stay as they were.

    Raises StageError naming the stage that could not compute it.
    """
    inputs, saved, weights = [], [], []
    here, last = task.inputs(0), len(task.models) - 1
    for k, model in enumerate(task.models):
        inputs.append(here.to(model.live.device))
        weights.append(model.first_weights())
        with _named(f"{k}F0", k, model), model.again():
            here, kept = model.forward(weights[k], inputs[k], task.target(0) if k == last
                                       else None)
        saved.append(kept)
    gradients: list[Any] = [1.0 / microbatches]
    for k in range(last, 0, -1):
        with _named(f"{k}B0", k, task.models[k]):
            _, passed_on = task.models[k].backward(weights[k], saved[k], gradients[0])
        gradients.insert(0, passed_on.to(task.models[k - 1].live.device))
    return Samples(inputs, gradients)


@contextmanager
def _named(instruction: str, stage: int, model: TorchStage) -> Iterator[None]:
    """Turn what a stage raises into a StageError."""
    try:
        yield
    except Exception as error:
        raise stage_error(stage, instruction, str(model.live.device), error) from error


class Canned:
    """Made-up `Links`: a receive is answered at once with a sample, a send is dropped.

    With `fresh` every answer is memory of its own, as real messages are; a timed pass is spared the
    copies.
    """

    def __init__(self, program: Program, samples: Samples) -> None:
        self.program, self.samples, self.fresh = program, samples, False

    def send(self, row: int, tensors: Sequence[Tensor], lane: Lane) -> None:
        pass

    def receive(self, row: int, lane: Lane) -> Message:
        op, stage, _, count = (int(column[row]) for column in self.program.rows)
        kind = self.samples.inputs if op == Op.RECV_F else self.samples.gradients
        tensors = [kind[stage]] * count
        if self.fresh:
            tensors = [t.clone() if isinstance(t, Tensor) else t for t in tensors]
        return Message(tensors, lane.mark())

    def stop(self) -> None:
        pass

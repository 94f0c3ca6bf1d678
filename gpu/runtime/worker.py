"""A worker: one device stepping its stream of a lowered program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from torch import Tensor

from gpu.errors import StageError, stage_error
from gpu.images.task import TorchTask
from gpu.lanes.streams import Lane, Mark
from gpu.model.stage_model import TorchStage
from gpu.runtime.links import Links, Stopped
from gpu.runtime.losses import Losses
from gpu.runtime.rounds import Rounds
from sim.numerics.stage import Stage
from sim.op import Op
from sim.order.program import Program

Key = tuple[int, int]  # stage, micro-batch


@dataclass(slots=True)
class Span:
    """One executed row: marks on its lane, and the host times between which it was asked for.

    `asked_s` and `left_s` are seconds of the host's clock; `arrived` is the mark of a message.
    """

    row: int
    start: Mark
    end: Mark
    asked_s: float
    left_s: float
    arrived: Mark = None


def instructions(program: Program, rows: range) -> dict[int, tuple[Op, int, int, int]]:
    """Operation, stage, first micro-batch and their number by row: read out of arrays one by one
    while a pipeline runs, they would cost a small stage three hundredths of its time."""
    columns = (column[rows.start : rows.stop].tolist() for column in program.rows)
    return {row: (Op(op), stage, index, count)
            for row, op, stage, index, count in zip(rows, *columns, strict=True)}


def homes_of(program: Program) -> list[list[int]]:
    """The device that does each stage of each micro-batch: by stage, then by micro-batch."""
    copies = program.copies
    found: list[list[int]] = copies.device[copies.of].tolist()
    return found


class Worker:
    """One device of a lowered program at work: it executes its stream of instructions in order.

    `lane` is where it computes, `links` how messages reach it; `finished` lists what it executed,
    in that order.  `rows` are its instructions in the program, all of the device's unless given.
    `stages` are its copies of the stages that live here, and `rounds` is where their gradients meet
    those of other copies, where stages have several.
    """

    def __init__(self, device: int, program: Program, stages: Mapping[int, Stage[TorchStage]],
                 task: TorchTask, lane: Lane, links: Links, *, strict: bool = True,
                 rows: range | None = None, rounds: Rounds | None = None) -> None:
        self.device, self.program, self.lane, self.links = device, program, lane, links
        self.stages, self.task, self.strict, self.rounds = stages, task, strict, rounds
        self.at = homes_of(program) if program.several else None
        self.rows = rows or range(*program.offsets[device : device + 2])
        self.instructions = instructions(program, self.rows)
        self.finished: list[Span] = []
        self.losses = Losses(lane, strict)
        self.stopped = False
        self._activations: dict[Key, Tensor] = {}
        self._gradients: dict[Key, Tensor | float] = {}
        self._outgoing: dict[tuple[Op, int, int], Tensor] = {}
        self._kept: dict[Key, list[Tensor]] = {}

    def run(self) -> None:
        """Execute all instructions of this device.

        Raises StageError with the stage and the instruction that failed, or Stopped where another
        worker did.
        """
        with self.lane.current():
            for row in self.rows:
                if self.stopped:
                    raise Stopped
                self._step(row)

    def _step(self, row: int) -> None:
        op, stage, index, count = self.instructions[row]
        try:
            if op in (Op.RECV_F, Op.RECV_B):
                self._receive(row, op, stage, index, count)
            elif op in (Op.SEND_F, Op.SEND_B):
                self._send(row, op, stage, index, count)
            else:
                self._compute(row, op, stage, index, count)
            self.losses.poll()
        except (Stopped, StageError):
            raise
        except Exception as error:
            name = str(self.program.instruction(row))
            raise stage_error(stage, name, self.lane.name, error) from error

    def _compute(self, row: int, op: Op, stage: int, index: int, count: int) -> None:
        asked, start = perf_counter(), self.lane.mark()
        used = _DO[op](self, stage, index, count)
        end = self.lane.mark()
        self.finished.append(Span(row, start, end, asked, perf_counter()))
        if used:
            self.lane.hold(used, end)

    def _forward(self, k: int, index: int, count: int) -> list[Tensor]:
        inputs = self._activations.pop((k, index)) if k else self._entering(index)
        if k + 1 < self.program.shape.stages:
            self._pass_on(Op.SEND_F, k, k + 1, index, self.stages[k].forward(index, inputs))
        else:
            loss = self.stages[k].forward(index, inputs, self._target(index))
            self.losses.add(k, index, loss)
            shape = self.program.shape
            self._gradients[k, index] = 1.0 / shape.size_of(index // shape.microbatches)
        return self._kept.pop((k, index), []) if self.stages[k].model.copies_inputs else []

    def _entering(self, index: int) -> Tensor:
        """What enters the pipeline; the task has it where the first home of stage 0 is."""
        inputs = self.task.inputs(index)
        return inputs if self.at is None else inputs.to(self.stages[0].model.live.device)

    def _target(self, index: int) -> Tensor:
        """What is compared with; the task has it where the first home of the last stage is."""
        target, last = self.task.target(index), self.program.shape.stages - 1
        return target if self.at is None else target.to(self.stages[last].model.live.device)

    def _backward(self, k: int, index: int, count: int) -> list[Tensor]:
        return self._back(self.stages[k].backward, k, range(index, index + count))

    def _backward_input(self, k: int, index: int, count: int) -> list[Tensor]:
        self._back(self.stages[k].backward_input, k, range(index, index + count), last=False)
        return []

    def _back(self, half: Callable[[int, Any], Any], k: int, indices: range, last: bool = True
              ) -> list[Tensor]:
        """Do a backward of each micro-batch; what it used up, if this is the last of them."""
        used: list[Tensor] = []
        for each in indices:
            passed_on = half(each, self._gradients.pop((k, each)))
            if k:
                self._pass_on(Op.SEND_B, k, k - 1, each, passed_on)
            if last:
                used += self._kept.pop((k, each), [])
        return used

    def _backward_weight(self, k: int, index: int, count: int) -> list[Tensor]:
        used: list[Tensor] = []
        for each in range(index, index + count):
            self.stages[k].backward_weight(each)
            used += self._kept.pop((k, each), [])
        return used

    def _update(self, k: int, index: int, count: int) -> list[Tensor]:
        stage, minibatch = self.stages[k], index // self.program.shape.microbatches
        if self.rounds is None:
            stage.update(minibatch)
        else:
            stage.update(minibatch, self.rounds.gradient(stage.copy, stage.version))
        return []

    def _pass_on(self, op: Op, k: int, to: int, index: int, tensor: Tensor) -> None:
        """Keep for the SEND row, or hand to a stage on this very device."""
        here = to in self.stages if self.at is None else self.at[to][index] == self.device
        if not here:
            self._outgoing[op, k, index] = tensor
        elif op is Op.SEND_F:
            self._activations[to, index] = tensor
        else:
            self._gradients[to, index] = tensor

    def _send(self, row: int, op: Op, stage: int, index: int, count: int) -> None:
        tensors = [self._outgoing.pop((op, stage, i)) for i in range(index, index + count)]
        now, mark = perf_counter(), self.lane.mark()
        self.links.send(row, tensors, self.lane)
        self.finished.append(Span(row, mark, mark, now, now))

    def _receive(self, row: int, op: Op, stage: int, index: int, count: int) -> None:
        message = self.links.receive(row, self.lane)
        self.lane.wait(message.arrived)
        now, mark = perf_counter(), self.lane.mark()
        for i, tensor in enumerate(message.tensors, index):
            if op is Op.RECV_F:
                self._activations[stage, i] = tensor
            else:
                self._gradients[stage, i] = tensor
            self._kept.setdefault((stage, i), []).append(tensor)
        self.finished.append(Span(row, mark, mark, now, now, message.arrived))


# not bound to a worker: it would hold itself and its stages' weights until the next collection
_DO = {Op.F: Worker._forward, Op.B: Worker._backward, Op.I: Worker._backward_input,
       Op.W: Worker._backward_weight, Op.U: Worker._update}

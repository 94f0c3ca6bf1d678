"""A stage whose passes were recorded once, and are replayed for every micro-batch.

The mathematics is the `TorchStage`'s own, recorded on the live buffer: a replay computes with the
weights that are there when it runs, so predictions, stashes and interpolations work as in eager
runs.  A forward's saved activations live in the memory of its recording until its backward has
run, so every micro-batch in flight has a *slot*: recordings of its own of the passes, in a pool of
memory of its own.  What leaves a slot is copied out, so that nobody sees it overwritten.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gpu.capture.slots import InFlight
from gpu.lanes.recorder import Recorder, Replay
from gpu.model.stage_model import Saved, TorchStage


@dataclass(frozen=True)
class Sample:
    """One micro-batch in the shapes a stage will see: inputs (batch, …), labels (batch,) or None,
    and the gradient of its output, in the output's shape (0-d where that is the loss)."""

    inputs: Tensor
    target: Tensor | None
    gradient: Tensor


@dataclass
class Slot:
    """The recorded passes of one micro-batch in flight, and the tensors they read and fill.

    Before a replay of `forward` its `inputs` (batch, …) and `target` (batch,) are filled, before
    one of a backward its `gradient`; `output` is the forward's, `own` and `passed_on` the gradients
    of weights and input.  All but what is filled lives in `pool`.
    """

    inputs: Tensor
    target: Tensor | None
    gradient: Tensor
    forward: Replay
    output: Tensor
    backward: Replay
    weight_half: Replay | None
    own: Tensor
    passed_on: Tensor | None
    pool: Any

    @property
    def filled(self) -> list[Tensor]:
        """What is filled before a replay: inputs and gradient (batch, …), labels (batch,)."""
        return [each for each in (self.inputs, self.target, self.gradient) if each is not None]

    def fill(self, inputs: Tensor, target: Tensor | None) -> None:
        """Bring a micro-batch in: inputs (batch, …), and labels (batch,) if it has any."""
        self.inputs.detach().copy_(inputs)
        if target is not None and self.target is not None:
            self.target.copy_(target)


class CapturedStage:
    """A `sim.numerics.model.StageModel` that replays what a `TorchStage` does.

    `slots` are free ones; a forward takes one and the end of its backward gives it back.  Raises
    RuntimeError where a forward finds none: the program it was made for has fewer in flight.
    """

    copies_inputs = True  # a message may go once its forward has been asked for

    def __init__(self, model: TorchStage, recorder: Recorder, sample: Sample, most: InFlight
                 ) -> None:
        self.model, self.sample, self.most = model, sample, most
        record = _Recording(model, recorder, sample, halves=most.halves > 0)
        if model.recompute:
            self.first = record.first()
            self.all = [record.slot(again=True) for _ in range(max(1, most.halves))]
        else:
            self.all = [record.slot(again=False) for _ in range(most.forward)]
        self.slots = list(self.all)

    def enough(self, most: InFlight) -> bool:
        """Whether there are slots for a program with so many in flight, halves apart or not."""
        if bool(most.halves) is not bool(self.most.halves):
            return False
        return most.halves <= len(self.all) if self.recompute else most.forward <= len(self.all)

    def drop(self, saved: Slot) -> None:
        """Give a forward's slot back without a backward."""
        self.slots.append(saved)

    def reset(self) -> None:
        """Take all slots back, from whoever was stopped between a forward and its backward."""
        self.slots = list(self.all)

    @property
    def live(self) -> Tensor:
        """The weights the recorded passes compute with, (parameters,)."""
        return self.model.live

    @property
    def module(self) -> nn.Module:
        """The module whose passes were recorded."""
        return self.model.module

    @property
    def recompute(self) -> bool:
        """Whether a backward runs its forward again."""
        return self.model.recompute

    def first_weights(self) -> Tensor:
        """A copy of the weights in the live buffer, (parameters,)."""
        return self.model.first_weights()

    def as_it_was(self) -> AbstractContextManager[None]:
        """A context that leaves weights and buffers as it found them."""
        return self.model.as_it_was()

    def forward(self, weights: Tensor, inputs: Tensor, target: Tensor | None = None
                ) -> tuple[Tensor, Slot | None]:
        """Output (batch, …), or with a target the mean loss (0-d), and the slot it is in.

        A stage that recomputes takes none for its first forward.
        """
        if not self.model.recompute:
            slot = self.forward_again(weights, inputs, target)
            return slot.output.clone(), slot
        self.model.load(weights)
        self.first.fill(inputs, target)
        self.first.forward()
        return self.first.output.clone(), None

    def forward_again(self, weights: Tensor, inputs: Tensor, target: Tensor | None = None
                      ) -> Slot:
        """The slot of a forward on weights (parameters,) and inputs (batch, …), for a backward.

        Raises RuntimeError where none is free.
        """
        if not self.slots:
            raise RuntimeError(f"all {len(self.all)} captured copies of this stage are in flight")
        self.model.load(weights)
        slot = self.slots.pop()
        slot.fill(inputs, target)
        slot.forward()
        return slot

    def backward(self, weights: Tensor, saved: Slot, gradient: Tensor | float
                 ) -> tuple[Tensor, Tensor | None]:
        """Weight gradient (parameters,), and input gradient (batch, …), both formed with `weights`.

        `gradient` has the shape of the output, or is a number where that was the loss.
        """
        left, passed_on = self.backward_input(weights, saved, gradient)
        return self.backward_weight(left), passed_on

    def backward_input(self, weights: Tensor, saved: Slot, gradient: Tensor | float
                       ) -> tuple[Slot, Tensor | None]:
        """The input half of a backward, and the input gradient (batch, …); of a backward that was
        recorded whole, all of it."""
        self.model.load(weights)
        if isinstance(gradient, Tensor):
            saved.gradient.copy_(gradient)
        else:
            saved.gradient.fill_(gradient)
        saved.backward()
        return saved, None if saved.passed_on is None else saved.passed_on.clone()

    def backward_weight(self, left: Slot) -> Tensor:
        """Weight gradient (parameters,); the slot is free again."""
        if left.weight_half is not None:
            left.weight_half()
        own = left.own.clone()
        self.slots.append(left)
        return own


class _Recording:
    """Makes the slots of one stage, each in a pool of its own."""

    def __init__(self, model: TorchStage, recorder: Recorder, sample: Sample, *, halves: bool
                 ) -> None:
        self.model, self.recorder, self.sample, self.halves = model, recorder, sample, halves

    def first(self) -> Slot:
        """The first forward of a stage that will recompute: no graph, no backward."""
        inputs, target = self._own_inputs()
        pool = self.recorder.pool()
        replay, output = self.recorder.record(lambda: self._no_graph(inputs, target), pool)
        return Slot(inputs, target, self.sample.gradient, replay, output, _nothing, None, output,
                    None, pool)

    def _no_graph(self, inputs: Tensor, target: Tensor | None) -> Tensor:
        with torch.no_grad():
            return self.model.compute(inputs, target)

    def slot(self, again: bool) -> Slot:
        """The passes of one micro-batch; `again` for a forward that moves no buffer."""
        pool, record = self.recorder.pool(), self.recorder.record
        inputs, target = self._own_inputs()
        gradient = self.sample.gradient.clone()
        forward, saved = record(lambda: self._graph(inputs, target, again), pool)
        output = saved.result.detach()
        if not self.halves:
            backward, (own, passed_on) = record(
                lambda: self.model.gradients(saved, gradient), pool)
            return Slot(inputs, target, gradient, forward, output, backward, None, own, passed_on,
                        pool)
        first_half, (left, passed_on) = record(
            lambda: self.model.first_half(saved, gradient), pool)
        second_half, own = record(lambda: self.model.backward_weight(left), pool)
        return Slot(inputs, target, gradient, forward, output, first_half, second_half, own,
                    passed_on, pool)

    def _own_inputs(self) -> tuple[Tensor, Tensor | None]:
        target = self.sample.target
        return self.sample.inputs.detach().clone(), None if target is None else target.clone()

    def _graph(self, inputs: Tensor, target: Tensor | None, again: bool) -> Saved:
        if not again:
            return self.model.graph(inputs, target)
        with self.model.again():
            return self.model.graph(inputs, target)


def _nothing() -> None:
    pass


"""What workers' copies of one stage give each other, and what they have learnt together."""

from __future__ import annotations

from typing import Any

from tests.oracles.apart.case import Case
from tests.oracles.apart.learner import Learner
from tests.oracles.apart.times import wave_size


class Alone:
    """Nothing is exchanged but gradients, whose mean every worker applies: an all-reduce."""

    def __init__(self, case: Case, copies: list[Learner]) -> None:
        self.case, self.copies = case, copies
        self.means: dict[int, Any] = {}

    def before_forward(self, worker: int, minibatch: int) -> None:
        """Nothing."""

    def update(self, worker: int, minibatch: int) -> None:
        if minibatch not in self.means:
            self.means[minibatch] = sum(each.gradient(minibatch) for each in self.copies
                                        ) / len(self.copies)
        self.copies[worker].update(minibatch, self.means[minibatch])

    def together(self, updates: list[int]) -> Any:
        """What is learnt once each worker has done so many updates."""
        return self.copies[0].updates[updates[0]]


class Blocks(Alone):
    """BMUF: Δ ← μΔ + ζ(mean − start), W ← W + Δ after every block; the next starts at W, or with
    Nesterov's form at W + μΔ."""

    def __init__(self, case: Case, copies: list[Learner]) -> None:
        super().__init__(case, copies)
        first = copies[0].newest
        self.bases = [(first, 0 * first, first)]  # W, Δ, start
        self.block = case.combine.get("block", 5)

    def before_forward(self, worker: int, minibatch: int) -> None:
        number, place = divmod(minibatch, self.block)
        if place or not number:
            return
        if number == len(self.bases):
            ended = [each.updates[minibatch] for each in self.copies]
            self.bases.append(self.filtered(number - 1, ended))
        self.copies[worker].take_over(self.bases[number][2])
        if self.case.combine.get("reset", True):
            self.copies[worker].optimizer = self.copies[worker].fresh_optimizer()

    def filtered(self, number: int, weights: list[Any]) -> tuple[Any, Any, Any]:
        table, (before, moved, start) = self.case.combine, self.bases[number]
        keep = table.get("momentum", 0.0)
        moved = keep * moved + table.get("rate", 1.0) * (sum(weights) / len(weights) - start)
        new = before + moved
        return new, moved, new + keep * moved if table.get("nesterov", False) else new

    def update(self, worker: int, minibatch: int) -> None:
        own = self.copies[worker]
        own.update(minibatch, own.gradient(minibatch))

    def together(self, updates: list[int]) -> Any:
        """The block that the first to begin one is in, ended here; others stand at its start."""
        number = (max(updates) - 1) // self.block
        return self.filtered(number, [
            each.updates[done] if done > number * self.block else self.bases[number][2]
            for each, done in zip(self.copies, updates, strict=True)])[0]


class Waves(Blocks):
    """HetPipe: a server adds up the part of every worker's waves of updates that are pushed; with
    the last forward of wave c a worker has those up to c − D − 1 of all, its own later ones in
    full."""

    def __init__(self, case: Case, copies: list[Learner]) -> None:
        Alone.__init__(self, case, copies)
        self.size = wave_size(case)
        self.part = 1.0 if case.combine.get("combine", "mean") == "sum" else 1 / len(copies)
        self.seen = [0] * len(copies)  # updates of everybody that a worker has pulled

    def before_forward(self, worker: int, minibatch: int) -> None:
        wave, place = divmod(minibatch, self.size)
        upto = (wave - self.case.combine.get("distance", 0)) * self.size
        if place != self.size - 1 or upto <= self.seen[worker] or len(self.copies) == 1:
            return
        own, new = self.copies[worker], range(self.seen[worker], upto)
        pulled = self.part * sum(each.steps[i] for each in self.copies for i in new)
        own.take_over(own.newest + pulled - sum(own.steps[i] for i in new))
        self.seen[worker] = upto

    def together(self, updates: list[int]) -> Any:
        if len(self.copies) == 1:
            return self.copies[0].updates[updates[0]]
        steps = [step for each, done in zip(self.copies, updates, strict=True)
                 for step in each.steps[:done]]
        return self.copies[0].updates[0] + self.part * sum(steps)


RULES = {"all-reduce": Alone, "block-momentum": Blocks, "wave": Waves}

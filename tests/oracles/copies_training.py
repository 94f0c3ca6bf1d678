"""Training in which stages live on several devices, stepped from the devices' streams alone.

Knows no version and no plan: every (device, stage) has weights of its own, a device does the next
instruction of its stream as soon as what that needs is there, and a backward that stashes has the
weights its forward had.  A stage's own mathematics is the task's, as in `plain_training`.

The rule: the u-th update of every device on a stage waits for the micro-batches of the u-th updates
of all devices there, and applies their gradients, added in micro-batch order, divided by the number
of their mini-batches.  `apart`: of its own device's alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Walk:
    """Streams of (operation, stage, micro-batch) by device, `B` for a whole backward, stepped.

    Afterwards `weights[stage][device]` lists that copy's weights by its own updates, `read[stage,
    micro-batch]` is how many of them a forward's had, and `losses` has every mini-batch's.
    """

    def __init__(self, task: Any, streams: list[list[tuple[str, int, int]]], sizes: list[int],
                 n: int, *, rate: float, momentum: float = 0.0, stash: bool = True,
                 apart: bool = False) -> None:
        self.task, self.streams, self.sizes, self.n = task, streams, sizes, n
        self.rate, self.momentum, self.stash, self.apart = rate, momentum, stash, apart
        self.stages = len(task.models)
        self.weights: list[dict[int, list[Any]]] = [{} for _ in range(self.stages)]
        self.rounds: dict[tuple[int, int], list[list[int]]] = {}
        for device, stream in enumerate(streams):
            for op, k, m in stream:
                if op == "F":
                    self.weights[k].setdefault(device, [task.weights[k]])
                if op == "U":
                    mine = [i for o, s, i in stream if (o, s, i // n) == ("F", k, m // n)]
                    self.rounds.setdefault((k, device), []).append(mine)
        self.velocity = {place: np.zeros_like(task.weights[place[0]]) for place in self.rounds}
        self.out: dict[tuple[int, int], Any] = {}
        self.back: dict[tuple[int, int], Any] = {}
        self.kept: dict[tuple[int, int], Any] = {}
        self.gradients: dict[tuple[int, int], Any] = {}
        self.loss: dict[int, float] = {}
        self.read: dict[tuple[int, int], int] = {}

    def go(self) -> Walk:
        heads = [0] * len(self.streams)
        while any(head < len(stream) for head, stream in zip(heads, self.streams, strict=True)):
            moved = False
            for device, stream in enumerate(self.streams):
                while heads[device] < len(stream) and self.step(device, *stream[heads[device]]):
                    heads[device] += 1
                    moved = True
            assert moved, f"everybody waits at {heads}"
        return self

    @property
    def losses(self) -> list[float]:
        """Micro-batches' shares of each mini-batch's mean, added up in their order."""
        found = [0.0] * len(self.sizes)
        for m in sorted(self.loss):
            found[m // self.n] += self.loss[m]
        return found

    def step(self, device: int, op: str, k: int, m: int) -> bool:
        return {"F": self.forward, "B": self.backward, "U": self.update}[op](device, k, m)

    def forward(self, device: int, k: int, m: int) -> bool:
        if k and (k - 1, m) not in self.out:
            return False
        own, last = self.weights[k][device][-1], k == self.stages - 1
        inputs = self.out[k - 1, m] if k else self.task.inputs(m)
        out, saved = self.task.models[k].forward(own, inputs, self.task.target(m) if last else None)
        self.kept[k, m] = own, saved
        self.read[k, m] = len(self.weights[k][device]) - 1
        if last:
            size = self.sizes[m // self.n]
            self.loss[m] = out / size
            self.back[k, m] = 1.0 / size
        else:
            self.out[k, m] = out
        return True

    def backward(self, device: int, k: int, m: int) -> bool:
        if (k, m) not in self.back or (k, m) not in self.kept:
            return False
        used, saved = self.kept.pop((k, m))
        own = used if self.stash else self.weights[k][device][-1]
        self.gradients[k, m], passed = self.task.models[k].backward(own, saved, self.back[k, m])
        if k:
            self.back[k - 1, m] = passed
        return True

    def update(self, device: int, k: int, m: int) -> bool:
        u, n = len(self.weights[k][device]) - 1, self.n
        those = [device] if self.apart else sorted(self.weights[k])
        micros = sorted(i for d in those for i in dict(enumerate(self.rounds[k, d])).get(u, []))
        if any((k, i) not in self.gradients for i in micros):
            return False
        total = self.gradients[k, micros[0]]
        for i in micros[1:]:
            total = total + self.gradients[k, i]
        minibatches = len({i // n for i in micros})
        gradient = total / minibatches if minibatches > 1 else total
        velocity = self.momentum * self.velocity[k, device] + gradient
        self.velocity[k, device] = velocity
        history = self.weights[k][device]
        history.append(history[-1] - self.rate * velocity)
        return True


def streams_of(text: str) -> list[list[tuple[str, int, int]]]:
    """The streams of our text form without messages: `0F1`, `1B0-3`, `0U0-1`, `(0F3;1I1)`.

    The input half of a backward stands for all of it, its weight half for nothing.
    """
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        stream = []
        for cell in line.replace("(", "").replace(")", "").replace(";", ",").split(","):
            name = next(each for each in cell if each.isalpha())
            stage, micros = cell.split(name)
            if name == "W":
                continue
            op = "B" if name == "I" else name
            first, _, last = micros.partition("-")
            for m in range(int(first), int(last or first) + 1 if op != "U" else int(first) + 1):
                stream.append((op, int(stage), m))
        found.append(stream)
    return found

"""One stage of one worker: its weights by version, and what passes compute with."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.oracles.apart.case import Case
from tests.oracles.apart.problems import Problem
from tests.oracles.apart.rules import Optimizer, rate, slowed
from tests.oracles.apart.versions import KEEPS_FORWARD, Versions, predicts, share


class Learner:
    """Micro-batches are the worker's own; `whole` is the same one as the run counts it.

    `updates` are the weights that every update made, `steps` by how much they moved; `distance`
    is relative, by pass and micro-batch, `moved` the RMSE of every update.
    """

    def __init__(self, case: Case, stage: int, problem: Problem, found: Versions) -> None:
        self.case, self.stage, self.problem, self.found = case, stage, problem, found
        self.held = {0: problem.first[stage]}
        self.version = 0
        self.optimizer = self.fresh_optimizer()
        self.saved: dict[int, Any] = {}
        self.read: dict[int, Any] = {}  # by micro-batch: what its forward found, and used
        self.used: dict[tuple[str, int], Any] = {}
        self.gradients: dict[int, Any] = {}
        self.updates: list[Any] = [self.held[0]]
        self.steps: list[Any] = []
        self.distance: dict[tuple[str, int], tuple[float, float]] = {}
        self.moved: list[float] = []

    def fresh_optimizer(self) -> Optimizer:
        return Optimizer(self.case, np.zeros_like(self.problem.first[self.stage]))

    @property
    def newest(self) -> Any:
        return self.held[self.version]

    def take_over(self, weights: Any) -> None:
        """Others' weights in the newest's place; what forwards have found stays theirs."""
        self.held[self.version] = weights

    def forward(self, micro: int, inputs: Any, whole: int) -> Any:
        self.read[micro] = self.held[self.found.read["F", self.stage, micro]]
        used = self.used["F", micro] = self._ahead("F", micro, self.read[micro])
        output, self.saved[micro] = self.problem.forward(self.stage, used, inputs, whole)
        return output

    def backward(self, micro: int, gradient: Any) -> Any:
        used = self.used["B", micro] = self._of_backward(micro)
        saved = self.saved.pop(micro)
        if self.case.backward == "recompute":
            saved = self.problem.again(self.stage, used, saved)
        self.gradients[micro], passed_on = self.problem.backward(
            self.stage, used, saved, gradient)
        return passed_on

    def gradient(self, minibatch: int) -> Any:
        n = self.case.microbatches
        return sum(self.gradients.pop(m) for m in range(minibatch * n, (minibatch + 1) * n))

    def update(self, minibatch: int, gradient: Any) -> None:
        n, fresh = self.case.microbatches, self.newest
        for micro in range(minibatch * n, (minibatch + 1) * n):
            for op in "FB":
                off = np.linalg.norm(self.used.pop((op, micro)) - fresh)
                relative = off / np.linalg.norm(fresh) if off else 0.0  # fresh ones may all be 0
                self.distance[op, micro] = relative, off / len(fresh) ** 0.5
        begun = min(self.found.read["F", self.stage, micro]
                    for micro in range(minibatch * n, (minibatch + 1) * n))
        eta = slowed(self.case, self.stage, self.version - begun, rate(self.case, self.version))
        new = self.optimizer.step(fresh, gradient, eta)
        self.version += 1
        self.held[self.version] = new
        self.updates.append(new)
        self.steps.append(new - fresh)
        self.moved.append(eta * float(np.linalg.norm(self.optimizer.velocity))
                          / len(fresh) ** 0.5)

    def _ahead(self, op: str, micro: int, weights: Any) -> Any:
        """Predicted weights, where the rule predicts: W − s·η·v, or one Nesterov step."""
        steps = predicts(self.case, self.found, op, self.stage, micro)
        if not steps:
            return weights
        eta = rate(self.case, self.version)
        factor = self.case.momentum if self.case.rule == "nwpt" else steps
        return weights - factor * eta * self.optimizer.velocity

    def _of_backward(self, micro: int) -> Any:
        rule, version = self.case.rule, self.found.read["B", self.stage, micro]
        if rule == "spectrain-stashed":
            return self.used["F", micro]
        if rule == "i-timeprest":
            stale = share(self.case, self.version - self.found.read["F", self.stage, micro])
            if stale < 1 or share(self.case, 1):  # else only the latest count: λ = ∞
                return stale * self.read[micro] + (1 - stale) * self.newest
        elif rule in KEEPS_FORWARD:
            return self.read[micro]
        return self._ahead("B", micro, self.held[version])

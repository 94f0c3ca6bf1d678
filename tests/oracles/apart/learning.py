"""Training by dataflow: whatever can run does, in any order the streams allow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.oracles.apart.case import Case, Pass
from tests.oracles.apart.learner import Learner
from tests.oracles.apart.problems import problem
from tests.oracles.apart.times import Times
from tests.oracles.apart.versions import Versions
from tests.oracles.apart.workers import RULES, Alone


@dataclass
class Learnt:
    """`learners` by worker and stage; `loss` of every mini-batch as its forwards saw it; of the
    end and of every point of the curve (mini-batches done: …) loss, validation loss, accuracy."""

    learners: list[list[Learner]]
    loss: list[float]
    final: tuple[float, float | None, float | None] = (0.0, None, None)
    points: dict[int, tuple[float, float | None, float | None]] = field(default_factory=dict)
    diverged_at: int | None = None


def learn(case: Case, found: Versions, times: Times) -> Learnt:
    """Passes run in the order in which `times` came to know them."""
    goal = problem(case)
    crews = [[Learner(case, k, goal, found) for k in range(case.stages)]
             for _ in range(case.count)]
    exchanges = [RULES[case.combine["name"]](case, [crew[k] for crew in crews])
                 for k in range(case.stages)]
    run = _Run(case, crews, exchanges, goal)
    with np.errstate(all="ignore"):
        for worker, each in times.start:
            run.step(worker, each)
        return run.result()


class _Run:
    def __init__(self, case: Case, crews: list[list[Learner]], exchanges: list[Alone],
                 goal: Any) -> None:
        self.case, self.crews, self.exchanges, self.goal = case, crews, exchanges, goal
        self.sent: dict[tuple[str, int, int, int], Any] = {}
        self.loss = [0.0] * case.minibatches

    def step(self, worker: int, each: Pass) -> None:
        if each.op == "U":
            self.exchanges[each.stage].update(worker, each.first // self.case.microbatches)
        does = {"F": self.forward, "B": self.backward}.get(each.kind)
        for micro in each.covers if does else ():
            does(worker, each.stage, micro)

    def forward(self, worker: int, k: int, micro: int) -> None:
        n, whole = self.case.microbatches, self.case.whole(worker, micro)
        if not micro % n:
            self.exchanges[k].before_forward(worker, micro // n)
        inputs = self.sent.pop(("F", worker, k, micro)) if k else self.goal.enters(whole)
        output = self.crews[worker][k].forward(micro, inputs, whole)
        if k + 1 < self.case.stages:
            self.sent["F", worker, k + 1, micro] = output
        else:
            self.loss[whole // n] += float(output) / n
            self.sent["B", worker, k, micro] = 1.0 / n

    def backward(self, worker: int, k: int, micro: int) -> None:
        passed_on = self.crews[worker][k].backward(micro, self.sent.pop(("B", worker, k, micro)))
        if k:
            self.sent["B", worker, k - 1, micro] = passed_on

    def result(self) -> Learnt:
        case = self.case
        found = Learnt(self.crews, self.loss, self.judged(case.minibatches))
        if case.evaluate_every:
            for done in range(case.evaluate_every, case.minibatches + 1, case.evaluate_every):
                found.points[done] = self.judged(done)
        strange = [i for i, loss in enumerate(self.loss, 1) if not np.isfinite(loss)]
        last = [exchange.together([case.own_minibatches] * case.count)
                for exchange in self.exchanges]
        if not all(np.isfinite(np.dot(weights, weights)) for weights in last):
            strange.append(case.minibatches)
        found.diverged_at = strange[0] if strange else None
        return found

    def judged(self, done: int) -> tuple[float, float | None, float | None]:
        """How good the weights are that the first so many mini-batches of the run have made."""
        updates = [len(range(w, done, self.case.count)) for w in range(self.case.count)]
        return self.goal.judge([each.together(updates) for each in self.exchanges])

"""Tasks of one kind stacked on a replica axis: the data and first weights of every replica."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sim.arrays import Floats
from sim.numerics.tasks import Evaluation, Task


class StackedTask:
    """`tasks` side by side as one `Task`, each the task of a replica; one may serve several.

    Arrays are those of a task alone with the replicas as first axis: weights (replicas,
    parameters), inputs (replicas, batch, in).  The models must not depend on the replica.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks
        self.models = tasks[0].models
        self.weights: Sequence[Floats] = [np.stack(each) for each in
                                      zip(*(task.weights for task in tasks), strict=True)]
        self.examples = getattr(tasks[0], "examples", None)
        self._distinct = list({id(task): task for task in tasks}.values())
        places = {id(task): place for place, task in enumerate(self._distinct)}
        self._place = [places[id(task)] for task in tasks]

    def inputs(self, micro_batch: int) -> Any:
        """What stage 0 gets of a micro-batch (from 0) in each replica, (replicas, batch, …)."""
        return self._by_replica([task.inputs(micro_batch) for task in self._distinct])

    def target(self, micro_batch: int) -> Any:
        """What the last stage compares with, (replicas, batch); None where tasks have none."""
        return self._by_replica([task.target(micro_batch) for task in self._distinct])

    def _by_replica(self, values: Sequence[Any]) -> Any:
        """What each distinct task has, to every replica of it; None where they have none."""
        return None if values[0] is None else np.stack([values[place] for place in self._place])

    def evaluate(self, weights: Sequence[Floats]) -> Evaluation:
        """How good each replica's weights are: every field an array (replicas,), or None.

        `weights` has (replicas, parameters) for each stage.
        """
        found = [task.evaluate([stage[row] for stage in weights])
                 for row, task in enumerate(self.tasks)]
        columns: list[Any] = [None if column[0] is None else np.array(column) for column in
                              ([each.final_loss for each in found],
                               [each.validation_loss for each in found],
                               [each.accuracy for each in found])]
        return Evaluation(*columns)

"""Training through a pipeline of stages, and in a straight line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sim.experiment.configuration import make_mitigation, resolve
from sim.experiment.options import Experiment
from sim.experiment.setup import make_stages, make_task
from sim.numerics.tasks import Task
from sim.numerics.training import train
from sim.op import Op
from sim.order.check import execution_order
from sim.schedules import SCHEDULES
from sim.weights.versions import VersionPlan
from tests.bench.measure import Ratio, Sizes, in_turns, same

TRAINED = {"stages": 8, "minibatches": 1000}
CHECKED = {"stages": 8, "minibatches": 50}
TRAINING_REPEATS = 15


def trained(experiment: Experiment, task: Task) -> Callable[[], float]:
    """Program, versions, stages, training, distances where measured.  Gives the final loss."""
    def pipeline() -> float:
        schedule = experiment.pipeline.schedule
        program = SCHEDULES[schedule].program(experiment.shape)
        plan = VersionPlan.of(program, make_mitigation("none"), schedule)
        stages = make_stages(experiment, plan, task)
        result = train(execution_order(program), stages, task, program)
        if experiment.training.distances:
            for stage in stages:
                stage.measures.distances(Op.F), stage.measures.distances(Op.B)
        return result.final.final_loss

    return pipeline


def straight_line(experiment: Experiment, task: Task) -> Callable[[], float]:
    """The same mini-batches through the same layers, SGD with EMA momentum, no pipeline."""
    eta, gamma = experiment.training.learning_rate, experiment.training.momentum
    outputs = [model.sizes[-1] for model in task.models]

    def loop() -> float:
        layers = [(w[:-o].reshape(-1, o).copy(), w[-o:].copy())
                  for w, o in zip(task.weights, outputs, strict=True)]
        velocities = [(np.zeros_like(w), np.zeros_like(b)) for w, b in layers]
        losses = []
        for i in range(experiment.pipeline.minibatches):
            loss, gradients = loss_and_gradients(layers, task.inputs(i), task.target(i))
            losses.append(loss)
            for (w, b), (vw, vb), (gw, gb) in zip(layers, velocities, gradients, strict=True):
                vw *= gamma  # noqa: PLW2901 - in place is the point
                vw += (1 - gamma) * gw  # noqa: PLW2901
                w -= eta * vw  # noqa: PLW2901
                vb *= gamma  # noqa: PLW2901
                vb += (1 - gamma) * gb  # noqa: PLW2901
                b -= eta * vb  # noqa: PLW2901
        return task.evaluate([np.concatenate([w.ravel(), b]) for w, b in layers]).final_loss

    return loop


def loss_and_gradients(layers: list[tuple[Any, Any]], x: Any, target: Any
                       ) -> tuple[float, list[tuple[Any, Any]]]:
    """Mean cross-entropy of a ReLU perceptron and its gradients, layer by layer."""
    rows, inputs = np.arange(len(target)), []
    for number, (w, b) in enumerate(layers, 1):
        inputs.append(x)
        x = x @ w
        x += b
        if number < len(layers):
            np.maximum(x, 0.0, out=x)
    p = np.exp(x - x.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = float(-np.log(p[rows, target]).mean())
    p[rows, target] -= 1.0
    g = p / len(target)
    gradients = []
    for number in range(len(layers) - 1, -1, -1):
        gradients.append((inputs[number].T @ g, g.sum(axis=0)))
        if number:
            g = g @ layers[number][0].T
            g *= inputs[number] > 0
    return loss, gradients[::-1]


def training_ratios() -> list[Ratio]:
    """Seconds of a training through the pipeline over the straight line's, and of distances."""
    def experiment(sizes: Sizes, **keys: Any) -> tuple[Experiment, Task]:
        pipeline = {**sizes, "schedule": keys.pop("schedule", "round-robin")}
        found = resolve({"pipeline": pipeline, "training": keys})
        task = make_task(found)
        assert task is not None
        return found, task

    check = experiment(CHECKED, schedule="sequential")
    same({"pipeline": trained(*check)(), "straight": straight_line(*check)()}, 1e-9)
    off = experiment(TRAINED, distances=False)
    runs = {"off": trained(*off), "straight": straight_line(*off),
            "on": trained(*experiment(TRAINED, distances=True))}
    seconds = in_turns(runs, TRAINING_REPEATS, "training")
    return [Ratio("training_overhead", seconds["off"], seconds["straight"], "s", 1.5, False),
            Ratio("distances_overhead", seconds["on"], seconds["off"], "s", 1.1, False)]

"""Bytes and seconds of a run from its configuration, and the refusal of what does not fit.

The estimate is rough: it is there to tell a mistyped number before minutes have gone and the
memory is full, and to say whether a run takes long enough for a bar.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from sim.errors import ConfigurationError
from sim.experiment.options import Experiment
from sim.free_memory import SMALL, free_bytes
from sim.numerics.tasks import TASKS, Task, TaskOptions
from sim.order.shape import PipelineShape
from sim.weights.versions import VersionPlan

NUMBER = 8  # bytes of a float64
# As measured on runs of 10⁵ to 10⁶ instructions: bytes each takes until its report is made …
ROW_BYTES, EVENT_BYTES, LEARNT_BYTES = 220, 750, 250
# … and seconds on one core, of its times in columns, as an event, and as a pass of a small network
ROW_S, EVENT_S, LEARNT_S = 3e-6, 1.2e-5, 1.5e-5
FLOPS, BYTES_PER_S = 5e9, 4e9  # of one core, multiplying matrices and adding up arrays
COPIES = 4  # arrays as large as the weights that learning has beside versions: velocity, gradient …
EXAMPLES = 1437  # of the largest data set here, which an evaluation goes through at once


class Part(NamedTuple):
    """One part of what a run takes: the keys to lower, what it is, and its bytes."""

    keys: str
    what: str
    size: float


def affordable(experiment: Experiment, rows: int, *, learning: bool, engine: str = "auto") -> None:
    """Refuse an experiment whose program of `rows` instructions, or whose network, is too large.

    With `learning` what it takes to train it counts, else only to draw its first weights.  Raises
    ConfigurationError with what it would take and what there is.
    """
    refuse_beyond([*program_parts(experiment, rows, engine, learning=learning),
                   *network_parts(experiment, learning=learning)])


def refuse_beyond(parts: Iterable[Part]) -> None:
    """Refuse parts that together take more memory than is free.

    Raises ConfigurationError: a line that names the largest, its keys and all numbers.
    """
    ordered = sorted(parts, key=lambda part: -part.size)
    total = sum(part.size for part in ordered)
    if total <= SMALL or total <= (free := free_bytes()):
        return
    inside = ", ".join(f"{part.what} {told(part.size)}" for part in ordered if part.size > SMALL)
    section = ordered[0].keys.partition(".")[0]
    raise ConfigurationError([f"{section}: this run would take about {told(total)} of memory "
                              f"({inside}), and {told(free)} are free; lower {ordered[0].keys}"])


def program_parts(experiment: Experiment, rows: int, engine: str = "auto", *, learning: bool
                  ) -> list[Part]:
    """What a program of `rows` instructions takes, its times and trace included."""
    each = EVENT_BYTES if by_events(experiment, engine) else ROW_BYTES
    if learning and experiment.training.task != "none":
        each += LEARNT_BYTES
    return [Part("pipeline.minibatches, pipeline.stages or pipeline.microbatches",
                 f"{rows:,} instructions", float(each) * rows)]


def network_parts(experiment: Experiment, *, learning: bool) -> list[Part]:
    """What the task takes before the first pass; nothing of a task that does not say its size."""
    weights = parameters(experiment)
    if not weights:
        return []
    training = experiment.training
    if learning and experiment.pipeline.replicas is not None:
        weights = [size * homes for size, homes in
                   zip(weights, experiment.pipeline.replicas, strict=True)]
    copies = experiment.workers.count * (1 + COPIES) + 1 if learning else 1
    examples = experiment.pipeline.minibatches * training.batch_size
    whole = sum(weights) * copies + max(weights)  # the largest is drawn into an array of its own
    wide = 3 * EXAMPLES * training.width if learning and training.task == "digits-mlp" else 0
    return [Part("training.width, training.layers or workers.count",
                 f"{sum(weights):,} weights", float(NUMBER) * (whole + wide)),
            Part("training.batch_size or pipeline.minibatches",
                 f"{examples:,} examples in the order of visits", 2.0 * NUMBER * examples)]


def first_weights(experiments: Sequence[Experiment]) -> Part:
    """What the first weights of experiments take that are drawn before any of them trains."""
    size = sum(part.size for each in experiments for part in network_parts(each, learning=False))
    return Part("training.width, training.layers or the number of seeds",
                f"the networks of {len(experiments)} runs", size)


def learning_parts(experiment: Experiment, plan: VersionPlan, task: Task) -> list[Part]:
    """What training takes in this process once the versions of a worker's program are known.

    Activations are the task's own arrays, whatever bytes are configured for the machine.
    """
    copies = plan.program.copies
    stage = copies.stage.tolist()
    weights = [len(task.weights[k]) for k in stage]
    examples = experiment.training.batch_size // experiment.pipeline.microbatches
    activations = [NUMBER * examples * sum(getattr(task.models[k], "sizes", ())) for k in stage]
    horizon = plan.forward_horizon  # mini-batches between F and U, less one
    ahead = [1 + int(horizon[k][copies.does(copy)].max()) for copy, k in enumerate(stage)]
    of_each = plan.program.shape.microbatches
    own = of_each if plan.mitigation.predicts or plan.mitigation.interpolates else 1
    workers = experiment.workers.count
    held = sum(size * (sets * own + COPIES) for size, sets in zip(weights, ahead, strict=True))
    kept = sum(size * sets * of_each for size, sets in zip(activations, ahead, strict=True))
    return [Part("training.width, training.layers, pipeline.stages or workers.count",
                 f"{sum(weights):,} weights in up to {max(ahead) * own} sets beside what learning "
                 "needs", float(NUMBER) * workers * held),
            Part("training.batch_size or training.width",
                 f"activations of up to {max(ahead) * of_each} micro-batches a stage",
                 workers * float(kept))]


def parameters(experiment: Experiment) -> Sequence[int]:
    """Numbers in the weights of each stage; empty where nothing is learnt or nobody can say."""
    training = experiment.training
    if training.task == "none":
        return ()
    options = TaskOptions(training.batch_size, training.width, training.layers,
                          curvatures=tuple(training.curvatures))
    return _parameters(training.task, experiment.shape, options)


@lru_cache(maxsize=256)  # of many seeds of one network, counted once
def _parameters(task: str, shape: PipelineShape, options: TaskOptions) -> Sequence[int]:
    return TASKS[task].parameters(shape, options)


def by_events(experiment: Experiment, engine: str = "auto") -> bool:
    """Whether times come from the event-driven engine, which keeps an object an instruction."""
    return engine == "simpy" or experiment.pipeline.dispatch != "static"


def setting_up_s(experiment: Experiment, rows: int, engine: str = "auto") -> float:
    """Seconds until a program of `rows` instructions has its times, on one core."""
    return rows * (EVENT_S if by_events(experiment, engine) else ROW_S)


def learning_s(experiment: Experiment, rows: int) -> float:
    """Seconds of the training of a program of `rows` instructions, on one core."""
    training, minibatches = experiment.training, experiment.pipeline.minibatches
    if training.task == "none":
        return 0.0
    weights = sum(parameters(experiment))
    evaluations = 1 + (minibatches // training.evaluate_every if training.evaluate_every else 0)
    flops = weights * (6.0 * training.batch_size * minibatches + 2.0 * EXAMPLES * evaluations)
    moved = 10.0 * NUMBER * weights * minibatches
    return rows * LEARNT_S + flops / FLOPS + moved / BYTES_PER_S


def told(size: float) -> str:
    """Bytes in the unit that suits them: `21 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.0f} TB" if size >= 999.5 else f"{size:.3g} TB"

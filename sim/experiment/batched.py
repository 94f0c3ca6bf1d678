"""Many experiments at once: those that share a program train as replicas on one array axis.

Order decides numerics, so experiments of one program differ only in what their arrays hold:
learning rate, seed, mitigation.  Every replica's numbers are those of a run alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from threadpoolctl import threadpool_limits

from sim.arrays import Floats
from sim.errors import ConfigurationError, DeadlockError
from sim.experiment.configuration import make_combine, make_optimizer
from sim.experiment.options import Experiment
from sim.experiment.recording import record
from sim.experiment.run import Prepared, generate, prepare, run
from sim.experiment.setup import make_rate, make_stages
from sim.numerics.joint import JointStage
from sim.numerics.rate import RateTable
from sim.numerics.stage import Stage
from sim.numerics.tasks import Evaluation, Task
from sim.numerics.tasks.stacked import StackedTask
from sim.numerics.training import TrainingResult, divergence, step_through
from sim.order.check import execution_order
from sim.order.program import Program
from sim.times.engine import Timeline
from sim.trace import Trace
from sim.workers.all_reduce import AllReduce

CACHE_BYTES = 2_000_000  # what one stage of a block may touch: about a core's second-level cache
Outcome = Trace | ConfigurationError | DeadlockError


def run_many(experiments: Sequence[Experiment]) -> Iterator[tuple[int, Outcome]]:
    """The trace of every experiment, or why it is refused, by its place in the list.

    They come as they are done, in an order of their own.
    """
    shared = _Shared()
    groups: dict[Any, list[tuple[int, Prepared]]] = {}
    for place, experiment in enumerate(experiments):
        try:
            if not trains_alone(experiment):
                yield place, run(experiment)
                continue
            ready = shared.prepare(experiment)
        except (ConfigurationError, DeadlockError) as error:
            yield place, error
            continue
        if ready.task is None:
            yield place, record(experiment, ready.timeline, ready.plan, [], None, ready.sizes)
        else:
            groups.setdefault(_alike(ready), []).append((place, ready))
    for group in groups.values():
        yield from _train_group(group)


def trains_alone(experiment: Experiment) -> bool:
    """Whether one worker trains, without an exchange: what can be a replica on an array axis."""
    return experiment.workers.count == 1 and make_combine(experiment.workers.combine) == AllReduce()


def _train_group(group: list[tuple[int, Prepared]]) -> Iterator[tuple[int, Trace]]:
    for chosen in blocks([repr(each.plan.mitigation) for _, each in group],
                         block_size(group[0][1])):
        places, block = zip(*(group[each] for each in chosen), strict=True)
        yield from zip(places, train_block(block), strict=True)


def blocks(mitigations: Sequence[str], size: int) -> Iterator[list[int]]:
    """Places of replicas in blocks of at most `size`, given the mitigation of each.

    A block of one mitigation is quickest, so only leftovers too few for a block of their own
    share one; those under one mitigation stand next to each other.
    """
    leftovers: list[int] = []
    order = sorted(range(len(mitigations)), key=mitigations.__getitem__)
    for _, alike in itertools.groupby(order, key=mitigations.__getitem__):
        places = list(alike)
        parts = -(-len(places) // size)
        for part in range(parts):
            own = places[part * len(places) // parts : (part + 1) * len(places) // parts]
            if len(own) * 4 >= size:
                yield own
            elif len(leftovers) + len(own) <= size:
                leftovers += own
            else:
                yield leftovers
                leftovers = own
    if leftovers:
        yield leftovers


def block_size(ready: Prepared) -> int:
    """Replicas whose largest stage stays in the cache: weights, velocity, gradient, step, and
    what a pass reads and writes."""
    sizes = ready.sizes
    touched = max(5 * sizes.weight_bytes + 3 * sizes.activation_bytes)
    return max(1, int(CACHE_BYTES // max(touched, 1)))


def train_block(block: Sequence[Prepared]) -> list[Trace]:
    """Train replicas that share a program; every one's trace."""
    stages, result = step_block(block)
    measures = zip(*(stage.measures_by_replica for stage in stages), strict=True)
    weights = [stage.learnt for stage in stages]
    return [record(each.experiment, each.timeline, each.plan, [own], _of(result, row, weights),
                   each.sizes)
            for row, (each, own) in enumerate(zip(block, measures, strict=True))]


def step_block(block: Sequence[Prepared]) -> tuple[list[JointStage], TrainingResult]:
    """Joint stages after the training, and its result with the replicas as last axis."""
    program = block[0].plan.program
    members = [_members(list(same)) for _, same in
               itertools.groupby(block, key=lambda each: repr(each.plan.mitigation))]
    stages = [JointStage(each) for each in zip(*members, strict=True)]
    task = StackedTask([_task(each) for each in block])
    with threadpool_limits(1):  # sums in one order whatever the machine's cores
        result = step_through(execution_order(program), stages, task, program,
                              evaluate_every=block[0].experiment.training.evaluate_every)
    return stages, result


def _task(ready: Prepared) -> Task:
    if ready.task is None:
        raise ValueError("an experiment without a task has nothing to train")
    return ready.task


def _members(same: Sequence[Prepared]) -> list[Stage[Any]]:
    """Stages of the replicas under one mitigation, arrays (replicas, parameters)."""
    first = same[0]
    rates = RateTable([make_rate(each.experiment) for each in same],
                      first.plan.program.shape.minibatches)
    return make_stages(first.experiment, first.plan, StackedTask([_task(r) for r in same]), rates)


def _of(result: TrainingResult, row: int, weights: Sequence[Floats]) -> TrainingResult:
    """One replica's result; `weights` are all replicas' last ones, by stage."""
    loss = result.loss[:, row]
    return TrainingResult(loss, _evaluation(result.final, row), result.evaluated,
                          [_evaluation(each, row) for each in result.evaluations],
                          divergence(loss, [stage[row] for stage in weights]),
                          result.examples)


def _evaluation(joint: Evaluation, row: int) -> Evaluation:
    columns: list[Any] = [joint.final_loss, joint.validation_loss, joint.accuracy]
    own: list[Any] = [None if column is None else float(column[row]) for column in columns]
    return Evaluation(*own)


def _alike(ready: Prepared) -> Any:
    """What replicas have in common: the program, and the shapes and rules of their arrays."""
    t = ready.experiment.training
    return (id(ready.plan.program), ready.experiment.pipeline.backward,
            *_data_alike(ready.experiment)[:-1], t.momentum, t.convention,
            repr(make_optimizer(t.optimizer)), t.distances,
            t.evaluate_every)


@dataclass
class _Shared:
    """What experiments of one order have in common, made once."""

    programs: dict[Any, Program] = field(default_factory=dict)
    timelines: dict[Any, Timeline] = field(default_factory=dict)
    tasks: dict[Any, Task | None] = field(default_factory=dict)

    def prepare(self, experiment: Experiment) -> Prepared:
        pipeline = experiment.pipeline
        order = (pipeline.schedule, experiment.shape)
        if order not in self.programs:
            self.programs[order] = generate(experiment)
        times, data = _timed_alike(experiment), (_data_alike(experiment), order)
        ready = prepare(experiment, self.programs[order], timeline=self.timelines.get(times),
                        task=self.tasks.get(data))
        self.timelines[times], self.tasks[data] = ready.timeline, ready.task
        return ready


def _data_alike(experiment: Experiment) -> Any:
    """Everything a task is made from, beside the shape."""
    t = experiment.training
    return t.task, t.batch_size, t.width, t.layers, tuple(t.curvatures), t.seed


def _timed_alike(experiment: Experiment) -> str:
    """Everything times depend on: no mitigation, no rate, and a seed only under jitter."""
    *sizes, seed = _data_alike(experiment)
    document: dict[str, Any] = experiment.model_dump(mode="json", exclude={"training"})
    document["pipeline"].pop("mitigation")
    return repr((document, sizes, seed if experiment.costs.jitter else None))

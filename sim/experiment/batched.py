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
from sim.experiment.demands.estimate import first_weights, refuse_beyond
from sim.experiment.options import Experiment
from sim.experiment.recording import record
from sim.experiment.run import run_setup, settle
from sim.experiment.setup import Setup, Timed, VirtualSetup, generate, make_stages, rows_of
from sim.experiment.tables import alike
from sim.experiment.values.said import Bears
from sim.kernels.pairs import Kernels
from sim.numerics.joint import JointStage
from sim.numerics.rate import RateTable
from sim.numerics.stage import Stage
from sim.numerics.tasks import Evaluation, Task
from sim.numerics.tasks.stacked import StackedTask
from sim.numerics.training import TrainingResult, divergence, step_through
from sim.order.check import execution_order
from sim.order.program import Program
from sim.times.engines import kernels_of
from sim.times.timeline import Timeline
from sim.trace import Trace
from sim.workers.all_reduce import AllReduce

CACHE_BYTES = 2_000_000  # what one stage of a block may touch: about a core's second-level cache
Outcome = Trace | ConfigurationError | DeadlockError


def run_many(experiments: Sequence[Experiment], in_all: int | None = None,
             program: Program | None = None) -> Iterator[tuple[int, Outcome]]:
    """Run many experiments: the place of each in the list, and its trace or why it is refused.

    They come as they are done, in an order of their own.  `in_all` is how many instructions they
    and what is run beside them have together (None: they alone); a `program` stands in for the
    order of their schedules, which is then "file".  Raises ConfigurationError where
    the networks of all do not fit into the memory beside each other.
    """
    refuse_beyond([first_weights(experiments)])
    shared = _Shared(in_all or sum(map(rows_of, experiments)), program)
    groups: dict[Any, list[tuple[int, Timed]]] = {}
    for place, experiment in enumerate(experiments):
        try:
            setup = shared.setup(experiment)
            if not trains_alone(setup):
                yield place, run_setup(setup)
                continue
            timed = shared.settle(setup)
        except (ConfigurationError, DeadlockError) as error:
            yield place, error
            continue
        if setup.task is None:
            yield place, record(timed)
        else:
            groups.setdefault(_in_step(timed), []).append((place, timed))
    for group in groups.values():
        yield from _train_group(group)


def trains_alone(setup: Setup) -> bool:
    """Whether one worker trains without an exchange, so that it can be a replica on an axis."""
    return (setup.shape.workers == 1 and setup.combine == AllReduce()
            and not setup.program.several)


def _train_group(group: list[tuple[int, Timed]]) -> Iterator[tuple[int, Trace]]:
    for chosen in blocks([repr(each.plan.mitigation) for _, each in group],
                         block_size(group[0][1])):
        places, block = zip(*(group[each] for each in chosen), strict=True)
        yield from zip(places, train_block(block), strict=True)


def blocks(mitigations: Sequence[str], size: int) -> Iterator[list[int]]:
    """Which replicas train together: their places, in blocks of at most `size`.

    `mitigations` has that of each.  A block of one mitigation is quickest, so only leftovers too
    few for a block of their own share one; those under one mitigation stand next to each other.
    """
    leftovers: list[int] = []
    order = sorted(range(len(mitigations)), key=mitigations.__getitem__)
    for _, same in itertools.groupby(order, key=mitigations.__getitem__):
        places = list(same)
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


def block_size(timed: Timed) -> int:
    """How many replicas train in one block, so that the largest stage of all stays in the cache:
    weights, velocity, gradient, step, and what a pass reads and writes."""
    sizes = timed.setup.sizes
    touched = max(5 * sizes.weight_bytes + 3 * sizes.activation_bytes)
    return max(1, int(CACHE_BYTES // max(touched, 1)))


def train_block(block: Sequence[Timed]) -> list[Trace]:
    """Train replicas that share a program, and give the trace of each."""
    stages, result = step_block(block)
    measures = zip(*(stage.measures_by_replica for stage in stages), strict=True)
    weights = [stage.learnt for stage in stages]
    return [record(each, [own], _of(result, row, weights))
            for row, (each, own) in enumerate(zip(block, measures, strict=True))]


def step_block(block: Sequence[Timed]) -> tuple[list[JointStage], TrainingResult]:
    """Train replicas that share a program: their joint stages afterwards, and the result.

    Arrays of the result have the replicas as last axis.
    """
    program = block[0].plan.program
    members = [_members(list(same)) for _, same in
               itertools.groupby(block, key=lambda each: repr(each.plan.mitigation))]
    stages = [JointStage(each) for each in zip(*members, strict=True)]
    task = StackedTask([_task(each) for each in block])
    with threadpool_limits(1):  # sums in one order whatever the machine's cores
        result = step_through(execution_order(program), stages, task, program,
                              evaluate_every=block[0].setup.experiment.training.evaluate_every)
    return stages, result


def _task(timed: Timed) -> Task:
    if timed.setup.task is None:
        raise ValueError("an experiment without a task has nothing to train")
    return timed.setup.task


def _members(same: Sequence[Timed]) -> list[Stage[Any]]:
    """Stages of the replicas under one mitigation, arrays (replicas, parameters)."""
    first = same[0]
    rates = RateTable([each.setup.rate for each in same], first.plan.program.shape.minibatches)
    task = StackedTask([_task(each) for each in same])
    return make_stages(first.setup, first.plan, task, rates)


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


def _in_step(timed: Timed) -> Any:
    """What replicas have in common: the program, and the shapes and rules of their arrays."""
    return id(timed.plan.program), alike(timed.setup.experiment, Bears.ARRAYS)


@dataclass
class _Shared:
    """What experiments have in common, made once: each by the keys that bear on it.

    `in_all` is how many instructions all experiments have together, `given` the program that all
    of them run (None: those of their schedules).
    """

    in_all: int
    given: Program | None = None
    programs: dict[Any, Program] = field(default_factory=dict)
    timelines: dict[Any, Timeline] = field(default_factory=dict)
    tasks: dict[Any, Task | None] = field(default_factory=dict)

    def kernels(self, experiment: Experiment) -> Kernels:
        """The make for one of the experiments."""
        return kernels_of("auto", rows_of(experiment), self.in_all)

    def setup(self, experiment: Experiment) -> VirtualSetup:
        order = alike(experiment, Bears.ORDER)
        if order not in self.programs:
            self.programs[order] = self.given or generate(experiment, self.kernels(experiment))
        data = alike(experiment, Bears.ORDER | Bears.DATA)
        setup = VirtualSetup.of(experiment, self.programs[order], task=self.tasks.get(data),
                                kernels=self.kernels(experiment))
        self.tasks[data] = setup.task
        return setup

    def settle(self, setup: VirtualSetup) -> Timed:
        times = _times(setup.experiment)
        timed = settle(setup, timeline=self.timelines.get(times))
        self.timelines[times] = timed.timeline
        return timed


def _times(experiment: Experiment) -> Any:
    """What times depend on; a profile speaks for the keys that were left alone."""
    on = Bears.ORDER | Bears.TIMES | (Bears.JITTER if experiment.costs.jitter else Bears(0))
    return alike(experiment, on, given=experiment.costs.profile is not None)

"""What an experiment says of the machine that an order is looked for on, as plain arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sim.arrays import Floats, Ints
from sim.errors import ConfigurationError
from sim.experiment.checks import FILE
from sim.experiment.machine import load_profile
from sim.experiment.options import Experiment
from sim.experiment.program_file import reshaped
from sim.experiment.run import shared_machine
from sim.experiment.setup import VirtualSetup
from sim.op import Op
from sim.order.instruction import Instruction
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.times.contention import contends
from sim.times.profile import Profile

WHOLE, HALVES = (Op.B,), (Op.I, Op.W)


@dataclass(frozen=True)
class Machine:
    """The arrays of an `analysis.ordering.problem.OrderProblem`, which says what each is: seconds
    and bytes by stage, (stages,), of messages, (2, stages − 1), and by device, (devices,); and the
    experiment in the shape of one mini-batch."""

    experiment: Experiment
    device: Ints
    forward_s: Floats
    backward_s: Floats
    input_s: Floats
    weight_s: Floats
    update_s: Floats
    occupied_s: Floats
    latency_s: Floats
    held_bytes: Floats
    halved_bytes: Floats
    rerun_bytes: Floats
    weight_bytes: Floats
    base_bytes: Floats


def machine_of(experiment: Experiment, device: Sequence[int] | Ints | None = None,
               profile: Profile | None = None, state_copies: float = 0.0) -> Machine:
    """The machine of an experiment, whose schedule says where stages live unless `device`,
    (stages,), does.

    Raises ConfigurationError as `OrderProblem.of` does.
    """
    problems = list(_unfit(experiment))
    if problems:
        raise ConfigurationError(problems)
    shape, home = _placed(experiment, device)
    profile = profile or load_profile(experiment)
    plain = plain_program(shape, home, WHOLE)
    once = reshaped(experiment, plain)
    setup = VirtualSetup.of(once, plain, profile)
    if setup.profile is not None and (shared_machine(setup) or contends(setup.profile)):
        raise ConfigurationError(["costs.profile: its stages share hardware, so what a pass takes "
                                  "depends on what runs beside it; give one of devices alone"])
    halves = setup.over(once, plain_program(shape, home, HALVES))
    seconds = {op: _seconds(each, op) for each in (setup, halves)
               for op in (Op.F, Op.U, *(WHOLE if each is setup else HALVES))}
    occupied, latency = _messages(setup)
    sizes = setup.sizes
    rerun = np.zeros(shape.stages) if sizes.recomputed_bytes is None else sizes.recomputed_bytes
    return Machine(once, home, seconds[Op.F], seconds[Op.B], seconds[Op.I], seconds[Op.W],
                   seconds[Op.U], occupied, latency, sizes.activation_bytes,
                   sizes.activation_bytes + rerun, rerun, sizes.weight_bytes,
                   _base(setup, home, shape.devices, state_copies))


def plain_program(shape: PipelineShape, home: Ints, backward: Sequence[Op]) -> Program:
    """All forwards, stage by stage, then all backwards: an order that any placement can run.

    `home` is the device of each stage, (stages,), and `backward` what a backward is made of.
    """
    def stream(device: int) -> Iterator[Instruction]:
        mine = np.flatnonzero(home == device).tolist()
        for stage in mine:
            yield from (Instruction(stage, Op.F, micro) for micro in range(shape.total))
        for stage in mine[::-1]:
            for op in backward:
                yield from (Instruction(stage, op, micro) for micro in range(shape.total))

    return Program.from_streams(shape, [stream(device) for device in range(shape.devices)])


def _unfit(experiment: Experiment) -> Iterator[str]:
    """What of an experiment makes more of its times than fixed costs, or of its order than one."""
    costs, pipeline = experiment.costs, experiment.pipeline
    if experiment.workers.count > 1:
        yield f"workers.count: an order is that of one worker, got {experiment.workers.count}"
    if pipeline.dispatch != "static":
        yield f"pipeline.dispatch: an order is static, got {pipeline.dispatch}"
    if max(pipeline.replicas or [1]) > 1:
        yield "pipeline.replicas: an order is of stages with one home each"
    for key, given in (("costs.jitter", costs.jitter is not None and costs.jitter.sigma),
                       ("costs.stragglers", costs.stragglers), ("costs.trends", costs.trends)):
        if given:
            yield f"{key}: an order is found for fixed costs"
    if set(costs.microbatch_scale) != {1.0}:
        yield "costs.microbatch_scale: an order is found for micro-batches that are alike"
    if experiment.cluster.tied:
        yield "cluster.tied: an order is found for stages that share no weights"
    if experiment.cluster.activation_limit_bytes is not None:
        yield "cluster.activation_limit_bytes: is that of a run; give --memory-limit"


def _placed(experiment: Experiment, device: Sequence[int] | Ints | None
            ) -> tuple[PipelineShape, Ints]:
    """The shape of one mini-batch, and the device of each stage, (stages,)."""
    pipeline = experiment.pipeline
    one = PipelineShape(pipeline.stages, 1, pipeline.microbatches, pipeline.chunks)
    if device is not None:
        return _given(one, np.asarray(device, dtype=np.int64))
    if pipeline.schedule == FILE:
        if pipeline.ranks is None and one.chunks == 1:
            return one, np.arange(one.stages)
        raise ConfigurationError(["pipeline.schedule: a program that is given says where its "
                                  "stages live; say on which devices the order's are to"])
    named = SCHEDULES[pipeline.schedule]
    if named.has_copies(replace(experiment.shape, workers=1)):
        raise ConfigurationError([f"pipeline.schedule: {named.name} has stages on several devices, "
                                  "and an order is of stages with one home each"])
    if one.chunks == 1:
        return one, np.arange(one.stages)
    home = named.program(replace(experiment.shape, last_microbatches=None)).home[0]
    return one, home.astype(np.int64)


def _given(one: PipelineShape, home: Ints) -> tuple[PipelineShape, Ints]:
    if len(home) != one.stages:
        raise ConfigurationError([f"devices: one for each of {one.stages} stages, got "
                                  f"{len(home)}"])
    count = int(home.max()) + 1
    if home.min() < 0 or len(np.unique(home)) != count:
        raise ConfigurationError([f"devices: numbers from 0 of which each has a stage, got "
                                  f"{home.tolist()}"])
    ranks = None if count == one.stages else count
    return replace(one, chunks=1, ranks=ranks), home


def _seconds(setup: VirtualSetup, op: Op) -> Floats:
    """Seconds of an operation on every stage, (stages,), where it lives."""
    return setup.costs.alone(setup.program, setup.program.row_of(op)[:, 0].astype(np.int64))


def _messages(setup: VirtualSetup) -> tuple[Floats, Floats]:
    """Seconds a message keeps its link, and those until it is there, (2, stages − 1) each."""
    program = setup.program
    ways = [program.row_of(Op.F)[:-1, 0].astype(np.int64),
            program.row_of(Op.B)[1:, 0].astype(np.int64)]
    return (np.array([setup.cluster.transfers_of(program, rows) for rows in ways]),
            np.array([setup.cluster.latencies_of(program, rows) for rows in ways]))


def _base(setup: VirtualSetup, home: Ints, devices: int, state_copies: float) -> Floats:
    """Bytes that each device holds all the time, (devices,)."""
    weights = setup.sizes.weight_bytes * (1 + state_copies)
    room = np.zeros(devices)
    if setup.profile is not None:
        np.maximum.at(room, home, [each.workspace_bytes or 0.0 for each in setup.profile.stages])
    return room + np.bincount(home, weights, minlength=devices)

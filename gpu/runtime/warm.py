"""Warming a worker up: the first of its stream executed once before the clock starts.

Libraries choose kernels when a thread first asks for one, allocators take memory when it is first
needed, and clocks rise when a device is busy; a run that starts cold has a first mini-batch several
times as long as the others.  So the worker's own thread steps the beginning of its stream, up to
the first update of each of its stages, on stages and messages that are made up, and everything is
left as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from torch import Tensor

from gpu.runtime.assembly import Assembly, combining, pipeline_stage
from gpu.runtime.canned import Canned, Samples
from gpu.runtime.ready import made_up
from gpu.runtime.worker import Worker
from sim.op import Op
from sim.order.program import Program


def warm(assembly: Assembly, worker: Worker) -> None:
    """Step the beginning of a worker's stream in this thread, and wait until it is done.

    Neither weights nor buffers nor what the worker has done change by it.  Raises StageError.
    """
    with ExitStack() as stack:
        stack.enter_context(worker.lane.current())
        for stage in worker.stages.values():
            stack.enter_context(stage.model.as_it_was())
        shadow = _shadow(assembly, worker)
        shadow.run()
        for stage in worker.stages.values():
            stage.model.reset()
        worker.lane.rest()


def _shadow(assembly: Assembly, worker: Worker) -> Worker:
    """A worker like this one, with stages of its own around the same models, and a short stream."""
    rounds = combining(assembly.setup, assembly.plan, apart=True)  # nobody else is warming up
    stages = {k: pipeline_stage(assembly.setup, assembly.plan, stage.copy, stage.model, rounds)
              for k, stage in worker.stages.items()}
    return Worker(worker.device, worker.program, stages, worker.task, worker.lane,
                  Canned(worker.program, made_up_samples(assembly, worker.stages)),
                  strict=False, rows=beginning(worker.program, worker.device), rounds=rounds)


def made_up_samples(assembly: Assembly, mine: Mapping[int, object]) -> Samples:
    """Made-up messages for the stages of one device, by stage; nothing for the others."""
    made = {k: made_up(assembly, k) for k in mine}
    nothing = Tensor()
    every = range(assembly.program.shape.stages)
    return Samples([made[k].inputs if k in made else nothing for k in every],
                   [made[k].gradient if k in made else nothing for k in every])


def beginning(program: Program, device: int) -> range:
    """A device's rows up to the first update of each of its stages; all where there is none."""
    first, stop = program.offsets[device : device + 2]
    waiting = set(program.rows.stage[first:stop].tolist())
    for row in range(first, stop):
        if program.rows.op[row] == Op.U:
            waiting.discard(int(program.rows.stage[row]))
            if not waiting:
                return range(first, row + 1)
    return range(first, stop)

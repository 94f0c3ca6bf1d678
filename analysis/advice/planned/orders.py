"""What an order is like whatever its passes take: versions, what devices hold, how much they do."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.advice.candidates import lateness
from analysis.advice.footprint import Holdings, holdings
from analysis.theory.pattern import Pattern, find_pattern
from sim.arrays import Ints
from sim.errors import ConfigurationError
from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment
from sim.experiment.program_file import with_program
from sim.experiment.setup import Setup
from sim.numerics.stage import Backward
from sim.op import Op
from sim.order.program import Program
from sim.rows import Row

FEW, DOUBLINGS = 6, 5  # mini-batches of an order that begins each anew; how often a longer is tried


class Key(NamedTuple):
    """What an order depends on: its schedule, and the shape it is made for; a `warmup` of None is
    the schedule's own."""

    schedule: str
    stages: int
    chunks: int
    microbatches: int
    replicas: tuple[int, ...] | None = None
    warmup: int | None = None


@dataclass(frozen=True, eq=False)
class Known:
    """An order under a mitigation: what its devices hold, and what an advice's row says of it."""

    holdings: Holdings
    row: Row


@dataclass(frozen=True, eq=False)
class Order:
    """An order, so many mini-batches of it as show how it goes on for ever.

    `work` says how often a device does an operation on a stage in a mini-batch, (devices,
    operations, stages), in micro-batches where the operation takes that many times as long.
    `fresh` says that every pass reads the newest weights that there ever are for it: each
    mini-batch begins, on the first stage, after the update of the one before.
    """

    experiment: Experiment
    program: Program
    pattern: Pattern
    work: NDArray[np.float64]
    fresh: bool
    known: dict[str, Known | str] = field(default_factory=dict)

    @cached_property
    def recomputing(self) -> Experiment:
        """Its experiment where backwards run the forward again."""
        return self.experiment.changed(backward="recompute")

    def backwards(self, backward: Backward) -> Experiment:
        """Its experiment where backwards are done as `backward` says."""
        return self.recomputing if backward == "recompute" else self.experiment

    def under(self, mitigation: str) -> Known | str:
        """What a mitigation makes of it, or why there is no such thing."""
        if mitigation not in self.known:
            self.known[mitigation] = _known(self, mitigation)
        return self.known[mitigation]


def order_of(key: Key) -> Order | str:
    """The order of a schedule for a shape, or why it has none."""
    try:
        return _order(*_endless(key))
    except (ConfigurationError, ValueError) as error:
        return _said(error)


def of_program(experiment: Experiment, minibatch: Program) -> Order:
    """The order that does one mini-batch's again and again, on the machine of an experiment.

    Raises ConfigurationError where it does not go with the experiment.
    """
    longer, program = with_program(
        experiment.changed({"pipeline.minibatches": FEW, "pipeline.backward": "graph"}), minibatch)
    program = Setup.of(longer, program).program
    pattern = find_pattern(program)
    if pattern is None:
        raise ConfigurationError(["its order does not repeat"])
    return _order(longer, program, pattern)


def _order(experiment: Experiment, program: Program, pattern: Pattern) -> Order:
    plan = Setup.of(experiment, program).versions(program)
    fresh = bool((plan.forward == plan.applied).all() and (plan.backward == plan.applied).all())
    return Order(experiment, program, pattern, _work(pattern), fresh)


def _endless(key: Key) -> tuple[Experiment, Program, Pattern]:
    """The experiment, order and pattern of what begins every mini-batch anew, from a few of them;
    else from as many more as it takes.  Raises ConfigurationError."""
    minibatches = FEW
    for _ in range(DOUBLINGS):
        experiment = resolve(_document(key, minibatches))
        program = Setup.of(experiment).program
        pattern = None
        if minibatches > FEW or _anew(program):
            pattern = find_pattern(program)
        if pattern is not None:
            return experiment, program, pattern
        minibatches = max(2 * key.stages + FEW, 2 * minibatches)
    raise ConfigurationError([f"its order does not repeat within {minibatches // 2} mini-batches"])


def _anew(program: Program) -> bool:
    """Whether every device does one mini-batch after the other."""
    falls = np.diff(program.minibatch) < 0
    falls[np.array(program.offsets[1:-1], dtype=np.int64) - 1] = False  # the next device begins
    return not falls.any()


def _document(key: Key, minibatches: int) -> Row:
    pipeline: Row = {"schedule": key.schedule, "stages": key.stages, "minibatches": minibatches,
                     "microbatches": key.microbatches, "mitigation": "none"}
    if key.chunks > 1:
        pipeline["chunks"] = key.chunks
    if key.replicas is not None:
        pipeline["replicas"] = list(key.replicas)
    if key.warmup is not None:
        pipeline["warmup"] = key.warmup
    return {"pipeline": pipeline, "training": {"task": "none"}}


def _work(pattern: Pattern) -> NDArray[np.float64]:
    program, rows = pattern.program, pattern.rows
    op, stage, _, count = (column[rows] for column in program.rows)
    work = np.zeros((program.devices, len(Op), program.shape.stages))
    several = np.isin(op, (Op.B, Op.I, Op.W))
    np.add.at(work, (program.device[rows], op, np.maximum(stage, 0)), np.where(several, count, 1))
    work /= pattern.minibatches
    return work


def _known(order: Order, mitigation: str) -> Known | str:
    try:
        asked = order.experiment.changed(mitigation=mitigation)
        plan = Setup.of(asked, order.program).versions(order.program)
    except (ConfigurationError, ValueError) as error:
        return _said(error)
    held: Ints = plan.versions_held
    return Known(holdings(plan).each_once(), {"versions_held": held.tolist(),
                                  **lateness(plan, order.pattern)})


def _said(error: Exception) -> str:
    return "; ".join(error.problems) if isinstance(error, ConfigurationError) else str(error)

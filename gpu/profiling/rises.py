"""What a stage's memory is made of: what is there always, what a micro-batch keeps, what each
instruction needs for a moment.

A worker is stepped one instruction at a time, and the most that each takes above what was held
before it is its *rise*.  So a peak can be put together for any order (`analysis.validation.memory`)
and is not itself what was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from gpu.capture.captured import CapturedStage
from gpu.capture.slots import in_flight
from gpu.profiling.footprint import Gauge, block_bytes, gauge, optimizer_state
from gpu.profiling.pools import Copies, copies_of
from gpu.profiling.solo import Solo
from gpu.runtime.canned import Canned
from gpu.runtime.worker import Worker
from sim.numerics.stage import Stage
from sim.op import Op

IN_FLIGHT = 3  # micro-batches that are kept at once to see what one keeps
ONE_BY_ONE = ("backward", "backward_input", "backward_weight")


@dataclass(frozen=True)
class StageBytes:
    """The memory of one stage in bytes, under the names its `StageProfile` has for it."""

    resident_bytes: float
    workspace_bytes: float
    held_bytes: float
    halved_bytes: float
    slot_bytes: float | None
    rise_bytes: Mapping[str, float]

    @property
    def keys(self) -> dict[str, Any]:
        """All of it as keyword arguments of a `StageProfile`."""
        return dict(vars(self))


def stage_bytes(solo: Solo) -> list[StageBytes]:
    """Bytes of every stage of an assembly, in order, measured where it will run.

    A few mini-batches are enough: what is there in the first one only is left out.
    """
    found: dict[int, StageBytes] = {}
    for device in range(solo.program.devices):
        worker = solo.worker(device)
        with gauge(worker.lane.device) as counted:
            rises = step_by_step(worker, counted)
            for k, stage in worker.stages.items():
                held, halved = _kept(solo, k, counted)
                copies = _copies(stage.model)
                always = block_bytes([stage.model.live, *optimizer_state(stage.optimizer)])
                mine = {op.name: float(most) for (at, op), most in rises.items() if at == k}
                found[k] = StageBytes(
                    always + (copies.once if copies else 0.0), max(mine.values()), held, halved,
                    copies.slot if copies else None, mine)
    return [found[k] for k in sorted(found)]


def _copies(model: Any) -> Copies | None:
    """What a captured model has all the time; None for one whose passes run eagerly."""
    return copies_of(model) if isinstance(model, CapturedStage) else None


def captured_bytes(solo: Solo, k: int) -> float:
    """Bytes that the captured copies of stage `k` take for the program; 0 where it runs eagerly.

    They are there before a run starts, and what lives in a pool is all that the allocator's
    statistics tell of it: so this is added to a measured peak.
    """
    copies, most = _copies(solo.assembly.stages[k].model), in_flight(solo.program, k)
    if copies is None:
        return 0.0
    again = solo.assembly.stages[k].model.recompute
    return copies.once + copies.slot * (max(1, most.halves) if again else most.forward)


@dataclass
class _Rises:
    """The most of every stage's operations above what was held before, in bytes."""

    counted: Gauge
    most: dict[tuple[int, Op], int] = field(default_factory=dict)
    before: int = 0
    counts: bool = True  # not in the first mini-batch: what it makes stays

    def begin(self) -> None:
        self.before = self.counted.begin()

    def note(self, stage: int, op: Op) -> None:
        rise = self.counted.peak - self.before
        if self.counts:
            self.most[stage, op] = max(self.most.get((stage, op), 0), rise)
        self.begin()


class _OneByOne:
    """A stage that notes the rise of every micro-batch of a backward, where one row has several."""

    def __init__(self, stage: Stage[Any], done: Callable[[], None]) -> None:
        self._stage, self._done = stage, done

    def __getattr__(self, name: str) -> Any:
        whole = getattr(self._stage, name)
        if name not in ONE_BY_ONE:
            return whole

        def noted(*given: Any) -> Any:
            result = whole(*given)
            self._done()
            return result

        return noted


def step_by_step(worker: Worker, counted: Gauge) -> dict[tuple[int, Op], int]:
    """The most bytes each operation of a worker's stages takes above what is held before it.

    The worker executes its whole stream, its messages canned; its stages are as they were after it.
    """
    if isinstance(worker.links, Canned):
        worker.links.fresh = True
    rows, own, everything = worker.program.rows, worker.stages, worker.rows
    rises, several = _Rises(counted), worker.program.shape.minibatches > 1
    now: list[Any] = [0, Op.F]
    watched: Any = {k: _OneByOne(stage, lambda: rises.note(*now)) for k, stage in own.items()}
    worker.stages = watched
    try:
        for row in everything:
            now[:] = int(rows.stage[row]), Op(int(rows.op[row]))
            first = rows.index[row] < worker.program.shape.microbatches
            rises.counts = not (several and first)
            worker.rows = range(row, row + 1)
            rises.begin()
            worker.run()
            if now[1] <= Op.U:
                rises.note(*now)
    finally:
        worker.stages, worker.rows = own, everything
    return rises.most


def _kept(solo: Solo, k: int, counted: Gauge) -> tuple[float, float]:
    """Bytes of one micro-batch of stage `k` from its forward to its backward, and from the input
    half of a backward to the weight half, where they are apart."""
    stage, lane, task = solo.stage(k), solo.lanes[solo.home[k]], solo.assembly.task
    passes, last = stage.passes, k == len(solo.home) - 1
    weights, sample = stage.weights, solo.samples.gradients[k]
    flying = in_flight(solo.program, k)
    many = min(IN_FLIGHT, flying.forward)
    begun = min(many, max(1, flying.halves))

    def forward(index: int) -> None:
        inputs = solo.samples.inputs[k].clone() if k else task.inputs(index)
        passes.forward(index, weights, inputs, task.target(index) if last else None)

    with lane.current():
        before = counted.begin()
        for index in range(many):
            forward(index)
        held = (counted.begin() - before) / many
        for index in range(begun):
            passes.backward_input(index, weights, sample.clone() if isinstance(sample, Tensor)
                                  else sample)
        left = counted.begin() - before - (many - begun) * held
    stage.model.reset()
    return held, max(0.0, left / begun)

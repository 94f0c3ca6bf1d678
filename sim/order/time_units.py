"""SpecTrain's time units: wall-clock labels of the asynchronous pipeline, in closed form.

One time unit is one forward and one backward on a GPU.  Stages `k` count from 0, mini-batches `i`
from 1.  Never to be mixed with version counts: see REFERENCE section 2.
Source: Chen et al. 2018 (SpecTrain), Figure 3 and equations 5-6.
"""

from __future__ import annotations

from sim.op import Op
from sim.order.shape import PipelineShape


def time_unit(op: Op, minibatch: int, stage: int, stages: int) -> int:
    """The time unit in which a pass runs; the paper labels the weights of that moment with it."""
    if op is Op.F:
        return minibatch + (stage + 1) // 2
    return minibatch + stages - 1 - stage // 2


def unit_horizon(op: Op, stage: int, stages: int) -> int:
    """SpecTrain's `s`: time units from a pass to unit i+S−1, for which it predicts weights."""
    if op is Op.F:
        return stage // 2 + stages - stage - 1
    return stage // 2


def version_unit(op: Op, minibatch: int, stage: int, stages: int, version: int) -> int:
    """The time unit that labels the version a pass read: its own where that version was still the
    newest, else the last one in which it was.

    Update `j` of a stage ends unit j+S−1−⌊k/2⌋ there, so version `j` is the newest in the next.
    """
    return min(time_unit(op, minibatch, stage, stages), version + stages - stage // 2)


def has_time_units(schedule: str, shape: PipelineShape) -> bool:
    """Whether time units are defined: on one round-robin pipeline, filled, a mini-batch a pass."""
    filled = shape.in_flight is None or shape.in_flight >= shape.stages
    return (schedule == "round-robin" and shape.microbatches == 1 and shape.workers == 1
            and filled and shape.warmup in (None, shape.stages))

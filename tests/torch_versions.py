"""What of torch only tests and the bench use that it does not promise to keep, in one place.

Classes that write, read, lower and run PyTorch's pipelining schedules have no public names.  Seen
in torch 2.13; older ones write other classes' orders differently or not at all, so whoever compares
orders asks `writes_schedules` first.  The packages' own such names are in `gpu/versions.py`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.distributed.pipelining import schedules
from torch.distributed.pipelining._schedule_visualizer import get_schedule_ops
from torch.distributed.pipelining.schedules import (
    _Action,
    _add_reduce_grad,
    _add_send_recv,
    _PipelineScheduleRuntime,
    _simulate_comms_compute,
)

__all__ = ["_Action", "_PipelineScheduleRuntime", "_add_reduce_grad", "_add_send_recv",
           "_simulate_comms_compute", "get_schedule_ops", "one_f_one_b", "rank_order", "version",
           "writes_schedules"]


def version() -> tuple[int, ...]:
    """Major and minor of torch."""
    return tuple(int(part) for part in torch.__version__.split(".")[:2])


def writes_schedules() -> bool:
    """Whether this torch has the classes that write schedules as 2.13 does."""
    return version() >= (2, 13)


def one_f_one_b(stages: int, micro_batches: int) -> dict[int, list[Any]]:
    """PyTorch's own 1F1B by rank, passes alone, its slip mended.

    torch 2.13 numbers its last rank's forwards from 1 in the order it draws (what it runs is
    right); `tests/gpu/test_versions.py` tells when it no longer does.
    """
    order = drawn(stages, micro_batches)
    last = order[stages - 1]
    if slips(last):
        order[stages - 1] = [one_lower(each) for each in last]
    return order


def drawn(stages: int, micro_batches: int) -> dict[int, list[Any]]:
    """PyTorch's own 1F1B by rank, passes alone, as it draws it; no stage has to be there."""
    asked: Any = schedules.Schedule1F1B.__new__(schedules.Schedule1F1B)
    asked._num_stages, asked._n_microbatches = stages, micro_batches
    return {rank: [each for each in actions if each and each.microbatch_index is not None]
            for rank, actions in asked._get_pipeline_order().items()}


def slips(last: list[Any]) -> bool:
    """Whether a last rank's forwards are numbered from 1."""
    return min(each.microbatch_index for each in last
               if each.computation_type is schedules.FORWARD) == 1


def one_lower(action: Any) -> Any:
    if action.computation_type is not schedules.FORWARD:
        return action
    return action._replace(microbatch_index=action.microbatch_index - 1)


def rank_order(name: str, asked: Any, rank: int) -> list[Any]:
    """A rank's actions by one of torch's classes, given only what the class's rule looks at."""
    order: list[Any] = getattr(schedules, name)._calculate_single_rank_operations(asked, rank)
    return order

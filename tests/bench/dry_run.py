"""PyTorch's own dry run of a pipeline: its order, its lowering to sends and receives, its steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.bench.measure import Sizes


def dry_run(sizes: Sizes) -> Callable[[], float] | None:
    """1F1B of these stages and micro-batches; gives the actions simulated.  None without torch."""
    try:
        from torch.distributed.pipelining import schedules
    except ImportError:
        return None
    stages = sizes["stages"]

    def model() -> float:
        asked: Any = schedules.Schedule1F1B.__new__(schedules.Schedule1F1B)
        asked._num_stages, asked._n_microbatches = stages, sizes["minibatches"]
        order = {rank: [each for each in actions if each and each.microbatch_index is not None]
                 for rank, actions in asked._get_pipeline_order().items()}
        order[stages - 1] = [_one_lower(schedules, each) for each in order[stages - 1]]
        whole = schedules._add_send_recv(order, int, stages)
        done = schedules._simulate_comms_compute(whole, int, stages)
        return float(sum(each is not None for actions in done.values() for each in actions))

    return model


def _one_lower(schedules: Any, action: Any) -> Any:
    """PyTorch 2.13 numbers its last rank's forwards from 1: as they would have to be."""
    if action.computation_type is not schedules.FORWARD:
        return action
    return action._replace(microbatch_index=action.microbatch_index - 1)

"""PyTorch's own dry run of a pipeline: its order, its lowering to sends and receives, its steps."""

from __future__ import annotations

from collections.abc import Callable

from tests.bench.measure import Sizes


def dry_run(sizes: Sizes) -> Callable[[], float] | None:
    """1F1B of these stages and micro-batches; gives the actions simulated.  None without torch."""
    try:
        from tests import torch_versions
    except ImportError:
        return None
    stages = sizes["stages"]

    def model() -> float:
        order = torch_versions.one_f_one_b(stages, sizes["minibatches"])
        whole = torch_versions._add_send_recv(order, int, stages)
        done = torch_versions._simulate_comms_compute(whole, int, stages)
        return float(sum(each is not None for actions in done.values() for each in actions))

    return model

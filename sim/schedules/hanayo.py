"""Hanayo: stages lie in waves over the devices, there and back, so no weights are held twice."""

from collections.abc import Iterator
from functools import lru_cache
from heapq import heappop, heappush

import numpy as np

from sim.arrays import Ints
from sim.op import Op
from sim.order.authoring import Part, flushed
from sim.order.columns import Instructions
from sim.order.shape import PipelineShape
from sim.schedules import schedule


def check(shape: PipelineShape) -> None:
    """Raises ValueError for half a wave."""
    if shape.chunks % 2:
        raise ValueError("hanayo has two stages a device in each wave, one there and one back: "
                         f"chunks is even, got {shape.chunks}")


@schedule("hanayo", rule="W = chunks/2 waves of stages over the devices, there and back; backward "
                         "first, the earliest micro-batch first, flush",
          source="Liu et al. 2023 (Hanayo); passes of one slot each give the order whatever the "
                 "costs [choice]", chunks=True, refuse=check)
def hanayo(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does in Hanayo's wave; with two devices, one wave (stages 0 3 | 1 2) and one
    mini-batch of micro-batches A B:

        device 0: 0FA 0FB .   3FA 3BA 3FB 3BB 0BA .   0BB
        device 1: .   1FA 2FA 1FB 2FB 2BA 1BA 2BB 1BB

    Where a wave turns, a stage and the next are on one device and send nothing.  As many
    micro-batches as devices are under way at most.  Where the P devices divide the micro-batches
    and passes take one slot each, 2(P−1) of these are idle.
    """
    def once(n: int) -> Iterator[Part]:
        step, micro = np.divmod(_slot_model(shape.worker_devices, shape.stages, n)[device], n)
        backward = step >= shape.stages
        stage = np.where(backward, 2 * shape.stages - 1 - step, step)
        yield Instructions(backward * Op.B.value, stage, micro, np.ones_like(step))

    yield from flushed(once, shape)


@lru_cache(maxsize=4)
def _slot_model(devices: int, stages: int, microbatches: int) -> list[Ints]:
    """What each device does in turn, numbered step · micro-batches + micro-batch.

    A micro-batch takes the steps 0 … 2·stages − 1: forwards of all stages, then backwards from the
    last one back.  Every step is one slot, in which a device does that of the earliest micro-batch
    that waits for it, a backward before any forward.
    """
    home = [min(s % (2 * devices), 2 * devices - 1 - s % (2 * devices)) for s in range(stages)]
    home += home[::-1]
    done: list[list[int]] = [[] for _ in range(devices)]
    waiting: list[list[tuple[bool, int, int]]] = [[] for _ in range(devices)]
    waiting[home[0]] = [(True, micro, 0) for micro in range(microbatches)]  # is a heap: ascending
    while any(waiting):
        now = [heappop(heap) for heap in waiting if heap]
        for _, micro, step in now:
            done[home[step]].append(step * microbatches + micro)
            if step + 1 < len(home):
                heappush(waiting[home[step + 1]], (step + 1 < stages, micro, step + 1))
    return [np.array(each) for each in done]

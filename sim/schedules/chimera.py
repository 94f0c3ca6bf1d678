"""Chimera: two pipelines over the same devices, one from either end, fill each other's bubbles."""

from collections.abc import Iterator

import numpy as np

from sim.op import Op
from sim.order.authoring import Part, flushed
from sim.order.columns import Instructions
from sim.order.shape import PipelineShape
from sim.schedules import schedule


def check(shape: PipelineShape) -> None:
    """Raises ValueError for what two directions cannot share alike."""
    for name in ("stages", "microbatches"):
        if getattr(shape, name) % 2:
            raise ValueError("chimera has two pipelines in opposite directions, which share stages "
                             f"and micro-batches alike: {name} is even, got {getattr(shape, name)}")


@schedule("chimera", rule="half of the micro-batches down the devices, half up, each stage on two "
                          "of them; 1F1B slots that interlock, units of S micro-batches, flush",
          source="Li and Hoefler 2021 (Chimera), Figure 2; units one after another as in its "
                 "direct concatenation", refuse=check, homes=2)
def chimera(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does under Chimera; with four devices and one mini-batch of micro-batches A B
    that go down (stage k on device k) and Y Z that go up (stage k on device 3−k), whose passes are
    in small letters:

        device 0: 0FA 0FB .   3fy 3by 3fz 3bz 0BA .   0BB
        device 1: .   1FA 2fy 1FB 2fz 2by 1BA 2bz 1BB
        device 2: .   1fy 2FA 1fz 2FB 2BA 1by 2BB 1bz
        device 3: 0fy 0fz .   3FA 3BA 3FB 3BB 0by .   0bz

    Down are the first half of a mini-batch's micro-batches, up the second.  Every device has the
    weights of two stages.  Idle are S−2 slots where both passes take one and S divides the
    micro-batches; a backward of two forwards leaves more gaps, and more with every unit.
    """
    yield from flushed(lambda n: [_once(device, shape.stages, n // 2)], shape)


def _once(device: int, stages: int, half: int) -> Instructions:
    """One mini-batch of a device, `half` of its micro-batches in each direction.

    Forwards enter every second slot, and every stages/2 of them begin a unit 2·stages slots after
    the one before.
    """
    micro = np.arange(half)
    enters = micro // (stages // 2) * 2 * stages + micro % (stages // 2) * 2
    slot, stage, op, index = (np.concatenate(each) for each in zip(*(
        (enters + waits, np.full(half, k), np.full(half, kind), first + micro)
        for k, first in ((device, 0), (stages - 1 - device, half))
        for kind, waits in ((Op.F, k), (Op.B, 2 * stages - 1 - k))), strict=True))
    order = np.argsort(slot)
    return Instructions(op[order], stage[order], index[order], np.ones_like(order))

"""A schedule of one's own: so many mini-batches forward, then their backwards, then the next."""

from collections.abc import Iterator

from sim.op import Op
from sim.order.instruction import Instruction
from sim.order.shape import PipelineShape
from sim.schedules import schedule

GROUP = 3  # mini-batches


@schedule("grouped", rule="three mini-batches forward, then their backwards", source="this example")
def grouped(device: int, shape: PipelineShape) -> Iterator[Instruction]:
    """The instructions of one device, in its order; updates come by themselves."""
    for first in range(0, shape.total, GROUP):
        group = range(first, min(first + GROUP, shape.total))
        yield from (Instruction(device, Op.F, index) for index in group)
        yield from (Instruction(device, Op.B, index) for index in group)

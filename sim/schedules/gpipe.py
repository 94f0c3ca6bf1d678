"""GPipe: all forwards of a mini-batch, then all its backwards, then a flush."""

from collections.abc import Iterator

from sim.order.authoring import Part, backwards, flushed, forwards
from sim.order.shape import PipelineShape
from sim.schedules import schedule


@schedule("gpipe", rule="all forwards of a mini-batch, then all backwards, then update (flush)",
          source="Huang et al. 2019, Figure 2; backwards in micro-batch order as PyTorch runs them")
def gpipe(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does under GPipe; with two stages and one mini-batch of micro-batches A B C:

        stage 0: FA FB FC .  .  BA BB BC
        stage 1: .  FA FB FC BA BB BC .
    """
    yield from flushed(lambda n: [forwards(device, range(n)), backwards(device, range(n))], shape)

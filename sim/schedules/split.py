"""The pipeline of PyTorch's model-parallel tutorial: forwards split by split, one backward."""

from collections.abc import Iterator

from sim.order.authoring import Part, backwards, flushed, forwards
from sim.order.shape import PipelineShape
from sim.schedules import schedule


@schedule("split", rule="all forwards of a mini-batch, then its backwards last split first, flush",
          source="PyTorch model-parallel tutorial, PipelineParallelResNet50; autograd visits the "
                 "newest part of the graph first")
def split(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does in the split-size pipeline, whose loss is that of all splits together.

    With two stages and one mini-batch of splits A B C:

        stage 0: FA FB FC .  .  BC BB BA
        stage 1: .  FA FB FC BC BB BA .
    """
    yield from flushed(lambda n: [forwards(device, range(n)),
                                  backwards(device, range(n - 1, -1, -1))], shape)

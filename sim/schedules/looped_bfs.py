"""Looped breadth-first: every chunk does all micro-batches before the next chunk has its turn."""

from collections.abc import Iterator

from sim.order.authoring import Part, backwards, flushed, forwards
from sim.order.shape import PipelineShape
from sim.schedules import schedule


@schedule("looped-bfs", rule="all forwards chunk by chunk, then all backwards from the last chunk "
                             "and micro-batch on, flush; chunk c of device d is stage "
                             "c·devices + d",
          source="Lamy-Poirier 2023 (Breadth-First Pipeline Parallelism); backwards newest "
                 "micro-batch first as PyTorch's LoopedBFS", chunks=True, like="split")
def looped_bfs(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does breadth first; with two devices of two chunks each (stages 0 2 | 1 3) and
    one mini-batch of micro-batches A B:

        device 0: 0FA 0FB 2FA 2FB .   .   2BB 2BA 0BB 0BA
        device 1: .   1FA 1FB 3FA 3FB 3BB 3BA 1BB 1BA

    A chunk's weights are wanted once in a mini-batch for each direction, which is what makes it
    the order for weights that are sharded over workers.
    """
    stages = range(device, shape.stages, shape.worker_devices)
    yield from flushed(lambda n: [
        *(forwards(stage, range(n)) for stage in stages),
        *(backwards(stage, range(n - 1, -1, -1)) for stage in reversed(stages))], shape)

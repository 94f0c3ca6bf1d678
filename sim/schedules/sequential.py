"""One micro-batch at a time: training on one GPU, or with more stages naive model parallelism."""

from collections.abc import Iterator

from sim.order.authoring import Part, alternate, backwards, forwards
from sim.order.shape import PipelineShape
from sim.schedules import schedule


@schedule("sequential", rule="one micro-batch at a time; update after the mini-batch's last",
          source="single-GPU training; model parallelism without a pipeline")
def sequential(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does without a pipeline; with two stages and one micro-batch per mini-batch:

        stage 0: F1 .  .  B1 F2 .  .  B2
        stage 1: .  F1 B1 .  .  F2 B2 .
    """
    yield alternate(forwards(device, range(shape.total)), backwards(device, range(shape.total)))

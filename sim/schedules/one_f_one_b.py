"""1F1B with flush: GPipe with a backward before the next forward as soon as it can run."""

from collections.abc import Iterator

from sim.order.authoring import Part, alternate, backwards, forwards, join, repeat
from sim.order.shape import PipelineShape
from sim.schedules import schedule


@schedule("1f1b", rule="S-k forwards ahead, then backward and forward in turn, flush, update",
          source="Narayanan et al. 2021 (PipeDream-flush), Figure 4")
def one_f_one_b(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does under 1F1B; with two stages and one mini-batch of micro-batches A B C:

        stage 0: FA FB .  BA FC BB .  BC
        stage 1: .  FA BA FB BB FC BC .
    """
    n = shape.microbatches
    ahead = min(shape.stages - device, n)
    once = join([
        forwards(device, range(ahead)),
        alternate(backwards(device, range(n - ahead)), forwards(device, range(ahead, n))),
        backwards(device, range(n - ahead, n)),
    ])
    yield repeat(once, shape.minibatches, n)

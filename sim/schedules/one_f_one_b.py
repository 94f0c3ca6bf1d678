"""1F1B with flush: GPipe with a backward before the next forward as soon as it can run."""

from collections.abc import Iterator

from sim.order.authoring import Part, backwards, flushed, forwards, one_by_one, warm_up
from sim.order.shape import PipelineShape
from sim.schedules import schedule


@schedule("1f1b", rule="S-k forwards ahead, then backward and forward in turn, flush, update",
          source="Narayanan et al. 2021 (PipeDream-flush), Figure 4", takes=("warmup",))
def one_f_one_b(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does under 1F1B; with two stages and one mini-batch of micro-batches A B C:

        stage 0: FA FB .  BA FC BB .  BC
        stage 1: .  FA BA FB BB FC BC .

    With `warmup` the first stage does so many forwards ahead instead of S, the last one as ever,
    and those between in proportion [choice]: fewer keep fewer activations, more hide latency.
    """
    ahead = warm_up(device, shape.stages, shape.warmup or shape.stages, 1)
    yield from flushed(lambda n: [one_by_one(forwards(device, range(n)),
                                             backwards(device, range(n)), ahead)], shape)

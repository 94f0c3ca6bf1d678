"""Asynchronous 1F1B, never flushed: stages update while later mini-batches are in flight."""

from collections.abc import Iterator

from sim.order.authoring import Part, alternate, backwards, forwards, warm_up
from sim.order.shape import PipelineShape
from sim.schedules import schedule


@schedule("round-robin", rule="S-k forwards ahead, then backward and forward in turn, no flush",
          source="Narayanan et al. 2019 (PipeDream 1F1B); Chen et al. 2018 (SpecTrain), Figure 3",
          in_flight=True, takes=("warmup",))
def round_robin(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does in the asynchronous pipeline; with three stages (a bare number is a
    backward, and each is followed by its update):

        stage 0: 1F 2F 3F .  .  1  4F 2  5F 3
        stage 1: .  1F 2F .  1  3F 2  4F 3  5F
        stage 2: .  .  1F 1  2F 2  3F 3  4F 4

    With `in_flight` mini-batches at most under way, fewer forwards go ahead.  `warmup` is as in
    `1f1b`: more forwards ahead hide latency, and make gradients later.
    """
    total, bound = shape.total, shape.in_flight or shape.total
    ahead = warm_up(device, shape.stages, shape.warmup or shape.stages, 1)
    ahead = min(ahead, bound * shape.microbatches, total)
    yield forwards(device, range(ahead))
    yield alternate(backwards(device, range(total - ahead)),
                    forwards(device, range(ahead, total)))
    yield backwards(device, range(total - ahead, total))

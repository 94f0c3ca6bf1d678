"""Eager 1F1B: twice as many forwards ahead, so that messages travel while stages compute."""

from collections.abc import Iterator

from sim.order.authoring import Part, backwards, flushed, forwards, one_by_one, warm_up
from sim.order.shape import PipelineShape
from sim.schedules import schedule


@schedule("eager-1f1b", rule="2(S-1-k)+1 forwards ahead, then backward and forward in turn, flush, "
                             "update: late messages keep no stage waiting",
          source="Zhuang et al. 2023 (eager 1F1B of cross-mesh resharding), also DAPPLE's deeper "
                 "warm-up (Fan et al. 2021)", takes=("warmup",))
def eager_1f1b(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does under eager 1F1B; with two stages and one mini-batch of micro-batches A B
    C D:

        stage 0: FA FB FC BA FD BB .  BC .  BD
        stage 1: .  FA BA FB BB FC BC FD BD

    1F1B, with one forward fewer ahead for each later stage, is as fast where messages take no
    time; where they take up to half of a forward and a backward, it waits for them in every turn,
    and eager 1F1B only while the pipeline fills and empties.  It keeps almost twice as many
    activations.  `warmup` is as in `1f1b`.
    """
    ahead = warm_up(device, shape.stages, shape.warmup or 2 * shape.stages - 1, 1)
    yield from flushed(lambda n: [one_by_one(forwards(device, range(n)),
                                             backwards(device, range(n)), ahead)], shape)

"""V-Half: two chunks a device in a V, placed to hold about half of the activations of 1F1B."""

from collections.abc import Iterator
from functools import partial

from sim.order.authoring import Part, flushed
from sim.order.shape import PipelineShape
from sim.schedules import schedule
from sim.schedules.zero_bubble import of_slots, two_chunks


@schedule("v-half", rule="two chunks a device in a V; of P devices the k-th does F, F on the way "
                         "back, I and I at slots 2k, 3P-2-k, 3P+x+2k-1, 6P+x-2-k (x = 3 if P is "
                         "even) of every 6, W in the next free one; flush",
          source="Qi et al. 2024 (Pipeline Parallelism with Controllable Memory), V-Half; its "
                 "building blocks as they are, not reordered", chunks=True,
          refuse=partial(two_chunks, "v-half"))
def v_half(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does under V-Half; with two devices (stages 0 3 | 1 2) and one mini-batch of
    micro-batches A B, F, I and W taking a slot each; small letters are the second chunk's passes:

        device 0: FA .  .  Fa FB Ia Wa Fb .  .  IA Ib WA Wb .  IB WB
        device 1: .  FA Fa .  .  FB Fb Ia Wa IA WA .  Ib Wb IB WB .

    P devices hold the activations of P+2 chunks at most where P is even, of P+1 where it is odd;
    1F1B those of 2P.  At equal F, I and W they idle 7P/2-2 slots (P even); the authors move passes
    into free slots as long as the memory stays, and idle less.
    """
    ranks, k = shape.worker_devices, device
    late = 3 * ranks + (3 if ranks % 2 == 0 else 0)
    slots = 2 * k, 3 * ranks - 2 - k, late + 2 * k - 1, late + 3 * ranks - 2 - k
    yield from flushed(partial(of_slots, slots, device, shape), shape)

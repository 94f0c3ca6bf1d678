"""V-Min: two chunks a device in a V, placed to hold about a third of the activations of 1F1B."""

from collections.abc import Iterator
from functools import partial

from sim.order.authoring import Part, flushed
from sim.order.shape import PipelineShape
from sim.schedules import schedule
from sim.schedules.zero_bubble import of_slots, two_chunks


@schedule("v-min", rule="two chunks a device in a V; of P devices the k-th does F, F on the way "
                        "back, I and I at slots k, 2P-1-k, 2P+x+k, 4P+x-1-k (x = 2 if 3 divides "
                        "P) of every 6, W in the next free one; flush",
          source="Qi et al. 2024 (Pipeline Parallelism with Controllable Memory), V-Min; its "
                 "building blocks as they are, not reordered", chunks=True,
          refuse=partial(two_chunks, "v-min"))
def v_min(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does under V-Min; with two devices (stages 0 3 | 1 2) and one mini-batch of
    micro-batches A B C, F, I and W taking a slot each; small letters are the second chunk's passes:

        device 0: FA .  .  Fa Ia Wa FB IA WA Fb Ib Wb FC IB WB Fc Ic Wc .  IC WC
        device 1: .  FA Fa .  .  Ia IA FB Fb Wa WA Ib IB FC Fc Wb WB Ic IC Wc WC

    Activations are held by 4, 6, 8, 12, 24 chunks at most on 4, 6, 8, 16, 32 devices, where 1F1B
    holds twice as many as there are devices.  At equal F, I and W P devices idle 4P-5 slots, two
    more where 3 divides P.
    """
    ranks, k = shape.worker_devices, device
    late = 2 * ranks + (2 if ranks % 3 == 0 else 0)
    slots = k, 2 * ranks - 1 - k, late + k, late + 2 * ranks - 1 - k
    yield from flushed(partial(of_slots, slots, device, shape), shape)

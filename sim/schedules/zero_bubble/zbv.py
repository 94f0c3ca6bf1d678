"""ZB-V: two chunks a device in a V; at equal halves no bubble, at the memory of 1F1B."""

from collections.abc import Iterator
from functools import partial

from sim.order.authoring import (
    Part,
    alternate,
    flushed,
    forwards,
    input_halves,
    join,
    weight_halves,
)
from sim.order.columns import Instructions
from sim.order.shape import PipelineShape
from sim.schedules import schedule
from sim.schedules.zero_bubble import two_chunks


@schedule("zbv", rule="two chunks a device in a V; 2(P-k)-1 forwards of the first ahead, then "
                      "chunks in turn, each backward split at once; weight halves last; flush",
          source="Qi et al. 2023 (Zero Bubble), section 6; order of PyTorch's "
                 "ScheduleZBVZeroBubble", chunks=True, refuse=partial(two_chunks, "zbv"))
def zbv(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does under ZB-V; with two devices (stages 0 3 | 1 2) and one mini-batch of
    micro-batches A B C, F, I and W taking a slot each; small letters are the second chunk's passes:

        device 0: FA FB FC Fa Ia Wa Fb Ib Wb IA WA Fc Ic Wc IB WB IC WC .
        device 1: .  FA Fa FB Fb Ia Wa FC IA WA Fc Ib Wb IB Ic IC WB Wc WC

    Where these take equally long and there are at least 2P-1 micro-batches for P devices, no device
    idles between its first and its last pass; 2P chunks hold activations at most, the bytes of
    1F1B.
    """
    def once(n: int) -> Iterator[Part]:
        enough = _one_mini_batch(device, shape, max(n, 2 * shape.worker_devices - 1))
        real = enough.index < n
        yield Instructions(*(column[real] for column in enough))

    yield from flushed(once, shape)


def _one_mini_batch(device: int, shape: PipelineShape, n: int) -> Instructions:
    """The order of a mini-batch of `n` micro-batches, as many as fill the pipeline or more."""
    ranks, k = shape.worker_devices, device
    first, second = k, shape.stages - 1 - k
    up, rest, done = 2 * (ranks - k) - 1, ranks - k, n - ranks
    steady = n - up - k  # rounds of all six passes; then forwards of the first chunk are over

    def both(start: int, stop: int) -> list[Part]:
        return [*_backward(first, range(start, stop)),
                forwards(second, range(ranks + start, ranks + stop)),
                *_backward(second, range(rest + start, rest + stop))]

    return join([
        forwards(first, range(up)),
        alternate(forwards(second, range(k)), forwards(first, range(up, up + k))),
        alternate(forwards(second, range(k, ranks)), *_backward(second, range(rest))),
        alternate(forwards(first, range(up + k, n)), *both(0, steady)),
        alternate(*both(steady, done)),
        alternate(input_halves(first, range(done, done + k)),
                  input_halves(second, range(n - k, n))),
        alternate(input_halves(first, range(done + k, n)),
                  weight_halves(first, range(done, done + rest))),
        weight_halves(second, range(n - k, n)),
        weight_halves(first, range(done + rest, n)),
    ])


def _backward(stage: int, micro_batches: range) -> list[Part]:
    """Both halves of backwards, one right after the other where they alternate."""
    return [input_halves(stage, micro_batches), weight_halves(stage, micro_batches)]

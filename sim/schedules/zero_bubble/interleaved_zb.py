"""Interleaved zero bubble: ZB-H1 over several chunks of the model on every device."""

from collections.abc import Iterator

import numpy as np

from sim.op import Op
from sim.order.authoring import Part, flushed
from sim.order.columns import Instructions
from sim.order.shape import PipelineShape
from sim.schedules import schedule
from sim.schedules.zero_bubble import put_off


def per_round(shape: PipelineShape) -> int:
    """How many micro-batches a chunk does before it is the next chunk's turn.

    As many as there are devices, a few more where these do not divide the micro-batches, or all
    where those are fewer.  Raises ValueError where micro-batches do not divide into equal rounds.
    """
    n, devices = shape.microbatches, shape.worker_devices
    rounds = max(1, n // devices)
    if n % rounds:
        raise ValueError(f"interleaved-zb takes micro-batches in {rounds} equal rounds on "
                         f"{devices} devices, got {n} micro-batches")
    return n // rounds


@schedule("interleaved-zb", rule="interleaved with V chunks and S-k forwards ahead of the last "
                                 "chunk's first; backwards split, weight halves wait as in zb-h1",
          source="Qi et al. 2023 (Zero Bubble), ZB1P; order and rounds of PyTorch's "
                 "ScheduleInterleavedZeroBubble", chunks=True, refuse=per_round, like="zb-h1")
def interleaved_zb(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does under interleaved zero bubble; with two devices of two chunks each (stages
    0 2 | 1 3) and one mini-batch of micro-batches A B, F, I and W taking a slot each:

        device 0: 0FA 0FB 2FA 2FB .   2IA 2WA 2IB 2WB 0IA 0WA 0IB 0WB
        device 1: .   1FA 1FB 3FA 3IA 3FB 3IB 3WA 1IA 3WB 1IB 1WA 1WB

    With one chunk a device it is `zb-h1`.
    """
    def once(n: int) -> Iterator[Part]:
        one = shape.of_minibatch(n)
        yield put_off(_passes(Op.F, device, one), _passes(Op.I, device, one), pending=device,
                      ahead=(one.chunks - 1) * per_round(one) + one.worker_devices - device)

    yield from flushed(once, shape)


def _passes(op: Op, device: int, shape: PipelineShape) -> Instructions:
    """A mini-batch's forwards or input halves of a device: chunk by chunk within each round."""
    chunks, size = shape.chunks, per_round(shape)
    step = np.arange(shape.microbatches * chunks)
    chunk = step // size % chunks
    if op is Op.I:
        chunk = chunks - 1 - chunk
    micro = step // (size * chunks) * size + step % size
    return Instructions(np.full_like(step, op), chunk * shape.worker_devices + device, micro,
                        np.ones_like(step))

"""Interleaved 1F1B: every device has several chunks of the model, so its bubble is shorter."""

from collections.abc import Iterator

import numpy as np

from sim.arrays import Ints
from sim.op import Op
from sim.order.authoring import Part, alternate, join, repeat
from sim.order.columns import Instructions
from sim.order.shape import PipelineShape
from sim.schedules import schedule


def round_size(shape: PipelineShape) -> int:
    """How many micro-batches a chunk does before it is the next chunk's turn.

    As many as there are devices, a few more where these do not divide the micro-batches, or all
    where those are fewer.  Raises ValueError where micro-batches do not divide into equal rounds.
    """
    n, devices = shape.microbatches, shape.worker_devices
    rounds = max(1, n // devices)
    if n % rounds:
        raise ValueError(f"interleaved takes micro-batches in {rounds} equal rounds on {devices} "
                         f"devices, got {n} micro-batches")
    return n // rounds


@schedule("interleaved", rule="1F1B with flush over V chunks a device, round by round of micro-"
                              "batches; chunk c of device d is stage c·devices + d",
          source="Narayanan et al. 2021 (Megatron-LM), Figure 4; rounds where devices do not "
                 "divide the micro-batches as PyTorch cuts them", chunks=True, refuse=round_size)
def interleaved(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does under interleaved 1F1B; with two devices of two chunks each (stages 0 2 |
    1 3) and one mini-batch of micro-batches A B:

        device 0: 0FA 0FB 2FA 2FB .   2BA .   2BB 0BA 0BB
        device 1: .   1FA 1FB 3FA 3BA 3FB 3BB 1BA 1BB .

    With one chunk a device it is `1f1b`.
    """
    n, chunks, per_round = shape.microbatches, shape.chunks, round_size(shape)
    steps, later = n * chunks, shape.devices - 1 - device
    ahead = min((chunks - 1) * per_round + (2 if chunks > 1 else 1) * later, steps)
    forward, backward = (_passes(op, device, shape, per_round) for op in (Op.F, Op.B))
    once = join([_part(forward, 0, ahead),
                 alternate(_part(forward, ahead, steps), _part(backward, 0, steps - ahead)),
                 _part(backward, steps - ahead, steps)])
    yield repeat(once, shape.minibatches, n)


def _passes(op: Op, device: int, shape: PipelineShape, per_round: int) -> Instructions:
    """One mini-batch's forwards or backwards of a device: chunk by chunk within each round."""
    step = np.arange(shape.microbatches * shape.chunks)
    chunk = step // per_round % shape.chunks
    if op is Op.B:
        chunk = shape.chunks - 1 - chunk
    micro = step // (per_round * shape.chunks) * per_round + step % per_round
    return Instructions(np.full_like(step, op), chunk * shape.devices + device, micro,
                 np.ones_like(step))


def _part(passes: Instructions, first: int, stop: int) -> Instructions:
    columns: list[Ints] = [column[first:stop] for column in passes]
    return Instructions(*columns)

"""Interleaved 1F1B: every device has several chunks of the model, so its bubble is shorter."""

from collections.abc import Iterator

import numpy as np

from sim.op import Op
from sim.order.authoring import Part, flushed, one_by_one, warm_up
from sim.order.columns import Instructions
from sim.order.shape import PipelineShape
from sim.schedules import schedule


def round_size(shape: PipelineShape) -> int:
    """How many micro-batches a chunk does before it is the next chunk's turn.

    Unless the shape says so, the fewest from the number of devices on that leave a last round no
    smaller than that (or none): all where there are fewer micro-batches than devices.  These are
    PyTorch's rounds wherever it has equal ones.
    """
    n, devices = shape.microbatches, shape.worker_devices
    if shape.round_size is not None:
        return min(shape.round_size, n)
    return next(size for size in range(min(devices, n), n + 1) if not _short(n % size, devices))


def check(shape: PipelineShape) -> None:
    """Raises ValueError for rounds shorter than the pipeline, and for warm-ups it cannot have."""
    n, devices, size = shape.microbatches, shape.worker_devices, round_size(shape)
    if size < min(devices, n) or _short(n % size, devices):
        raise ValueError(f"rounds have at least as many micro-batches as there are devices, so "
                         f"{devices}, the last one too; rounds of {size} leave {n % size or size} "
                         f"of {n} micro-batches")
    if shape.warmup is not None:
        _check_warmup(shape, shape.warmup)


def _check_warmup(shape: PipelineShape, warmup: int) -> None:
    """Raises ValueError for a warm-up that leaves no chance to go on."""
    n, size, least = shape.microbatches, round_size(shape), _last(shape)
    if warmup < least:
        raise ValueError(f"the first backward comes after {least} forwards with {shape.chunks} "
                         f"chunks and rounds of {size} micro-batches: warmup is at least that, "
                         f"got {warmup}")
    most = least + size + (n % size or size)  # the later forwards wait for the first backwards
    if shape.worker_devices > 1 and shape.chunks > 1 and n > size and warmup > most:
        raise ValueError(f"after {most} forwards the first device has to go backwards with "
                         f"{shape.chunks} chunks and rounds of {size} micro-batches: warmup is at "
                         f"most that, got {warmup}")


def _short(left: int, devices: int) -> bool:
    return 0 < left < devices


def _last(shape: PipelineShape) -> int:
    """Forwards that the last device does before its first backward."""
    return (shape.chunks - 1) * round_size(shape) + 1


@schedule("interleaved", rule="1F1B with flush over V chunks a device, round by round of micro-"
                              "batches; chunk c of device d is stage c·devices + d",
          source="Narayanan et al. 2021 (Megatron-LM), Figure 4; rounds where devices do not "
                 "divide the micro-batches as PyTorch cuts them, uneven ones as Megatron-LM does",
          chunks=True, refuse=check, takes=("round_size", "warmup"), like="1f1b")
def interleaved(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does under interleaved 1F1B; with two devices of two chunks each (stages 0 2 |
    1 3) and one mini-batch of micro-batches A B:

        device 0: 0FA 0FB 2FA 2FB .   2BA .   2BB 0BA 0BB
        device 1: .   1FA 1FB 3FA 3BA 3FB 3BB 1BA 1BB .

    With one chunk a device it is `1f1b`.  `warmup` is as there.
    """
    def once(n: int) -> Iterator[Part]:
        return _once(device, shape.of_minibatch(n))

    yield from flushed(once, shape)


def _once(device: int, shape: PipelineShape) -> Iterator[Part]:
    """One mini-batch of a device."""
    devices, last = shape.worker_devices, _last(shape)
    first = last + (2 if shape.chunks > 1 else 1) * (devices - 1)
    ahead = warm_up(device, devices, shape.warmup or first, last)
    yield one_by_one(_passes(Op.F, device, shape), _passes(Op.B, device, shape), ahead)


def _passes(op: Op, device: int, shape: PipelineShape) -> Instructions:
    """One mini-batch's forwards or backwards of a device: chunk by chunk within each round."""
    n, chunks, size = shape.microbatches, shape.chunks, round_size(shape)
    step = np.arange(n * chunks)
    turn = step // (size * chunks)
    own = np.minimum(size, n - turn * size)  # micro-batches of the round, the last one's too
    chunk, micro = np.divmod(step - turn * size * chunks, own)
    if op is Op.B:
        chunk = chunks - 1 - chunk
    return Instructions(np.full_like(step, op), chunk * shape.worker_devices + device,
                        turn * size + micro, np.ones_like(step))

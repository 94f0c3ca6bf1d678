"""Zero-bubble orders: a backward in two halves, of which the weights' fills what would be idle.

The input half `I` is what the stage before waits for; nobody but the update waits for the weight
half `W`, so it can be put off.  Every file here is an order; what they share is below.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from sim.arrays import Ints
from sim.op import Op
from sim.order.authoring import Part, join
from sim.order.columns import Instructions
from sim.order.instruction import Instruction
from sim.order.shape import PipelineShape

PERIOD = 6  # slots in which a device of two chunks does all it has to on a micro-batch


def two_chunks(name: str, shape: PipelineShape) -> None:
    """Refuse shapes without two stages on every device, as orders placed in a V have them.

    Raises ValueError.
    """
    if shape.chunks != 2:
        raise ValueError(f"{name} has two stages on every device, the second on the way back: "
                         f"chunks = 2, got {shape.chunks}")


def put_off(forward: Part, backward: Part, ahead: int, pending: int) -> Part:
    """One mini-batch of a device that keeps `pending` weight halves for later.

    `forward` are its forwards and `backward` the input halves of its backwards in their order.
    First come `ahead` forwards; then in turn an input half, the oldest weight half once more than
    `pending` wait, and a forward; last the weight halves that are left.
    """
    forwards, inputs = join([forward]), join([backward])
    weights = Instructions(np.full_like(inputs.op, Op.W), inputs.stage, inputs.index, inputs.count)
    number = np.arange(forwards.size)
    rank = (np.where(number < ahead, -1, 3 * (number - ahead) + 2), 3 * number,
            3 * (number + pending) + 1)
    order = np.argsort(np.concatenate(rank), kind="stable")
    columns: list[Ints] = [np.concatenate(each) for each in zip(
        forwards, inputs, weights, strict=True)]
    return Instructions(*(column[order] for column in columns))


def of_slots(first: Sequence[int], device: int, shape: PipelineShape, n: int
             ) -> Iterator[Instruction]:
    """`n` micro-batches of a device of two chunks whose passes are given by slots of equal length.

    `first` are the slots of the first micro-batch's forward on the way there and on the way back,
    and of its input halves on the way there (of the second chunk) and on the way back; the next
    micro-batch follows `PERIOD` slots later.  Weight halves take the next free slots in the order
    of the input halves.
    """
    there, back = device, shape.stages - 1 - device
    passes = ((Op.F, there), (Op.F, back), (Op.I, back), (Op.I, there))
    at = {start + PERIOD * micro: Instruction(stage, op, micro)
          for start, (op, stage) in zip(first, passes, strict=True) for micro in range(n)}
    waiting: deque[Instruction] = deque()
    for slot in range(max(at) + 1):
        if slot in at:
            yield at[slot]
            if at[slot].op is Op.I:
                waiting.append(replace(at[slot], op=Op.W))
        elif waiting:
            yield waiting.popleft()
    yield from waiting

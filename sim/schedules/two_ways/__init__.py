"""Orders in which a device's two stages lie on two ways through the pipeline.

DualPipe has two directions, its cut in half (DualPipeV) a way there and a way back; what a device
does in turn is the same, and is below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sim.op import Op
from sim.order.authoring import Together
from sim.order.instruction import Instruction

Place = Callable[[int, int], tuple[int, int]]  # way and number of its pass → stage, micro-batch


class _Device:
    """What a device has done on each way: its passes, numbered from 0, and halves that wait."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.forward, self.backward = [0, 0], [0, 0]
        self.waiting: list[Instruction] = []

    def f(self, way: int) -> Instruction:
        """The next forward of a way."""
        self.forward[way] += 1
        return self._pass(Op.F, way, self.forward[way] - 1)

    def b(self, way: int, split: bool = False) -> Instruction:
        """The next backward of a way; the weight half of one that is split waits."""
        self.backward[way] += 1
        if split:
            self.waiting.append(self._pass(Op.W, way, self.backward[way] - 1))
        return self._pass(Op.I if split else Op.B, way, self.backward[way] - 1)

    def w(self) -> list[Instruction]:
        """The oldest weight half that waits, if there is one."""
        return [self.waiting.pop(0)] if self.waiting else []

    def _pass(self, op: Op, way: int, number: int) -> Instruction:
        stage, micro = self.place(way, number)
        return Instruction(stage, op, micro)


def dual_steps(rank: int, ranks: int, count: int, place: Place) -> Iterator[Instruction | Together]:
    """The eight steps of DualPipe on one mini-batch.

    `rank` counts from the outer end of `ranks` devices to the turn of the ways; on each way come
    `count` micro-batches, at least 2·ranks; `place` says which stage and micro-batch the n-th pass
    of a way is.
    """
    device, later = _Device(place), ranks - 1 - rank
    f, b, w = device.f, device.b, device.w
    for _ in range(2 * later):  # 1: forwards of the way there
        yield f(0)
    for _ in range(rank + 1):  # 2: of both
        yield f(0)
        yield f(1)
    for _ in range(later):  # 3: split backwards while the other way's gradients are under way
        yield b(1, split=True)
        yield from w()
        yield f(1)
    for step in range(count - 2 * ranks + rank + 1):  # 4: the main part, in pairs
        if step == 0 and not later:  # apart, so that the bubble is shorter
            yield f(0)
            yield b(1)
        else:
            yield Together(f(0), b(1))
        yield Together(f(1), b(0))
    for _ in range(later):  # 5
        yield b(1)
        yield Together(f(1), b(0))
    for step in range(rank + 1):  # 6: from the middle on split
        yield b(1, split=step >= (rank + 2) // 2)
        yield b(0, split=step >= (rank + 1) // 2)
    for _ in range(later):  # 7
        yield from w()
        yield b(0, split=True)
    for _ in range(rank + 1):  # 8
        yield from w()

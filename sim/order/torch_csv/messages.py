"""SEND and RECV put into a program in the order PyTorch's runtime issues them.

A SEND follows its pass at once, and its receiver's stream gets the RECV at that same moment of a
walk that gives every rank one instruction a turn.  Both ends of a link then issue their messages
in one order, so that none blocks the other where messages queue (NCCL); `Program.lower` receives
just in time instead.

Source: torch 2.13, `torch/distributed/pipelining/schedules.py` (`_add_send_recv`).
"""

from __future__ import annotations

from collections import deque

from sim.order.check import check_order
from sim.order.instruction import Instruction
from sim.order.needs import ELSEWHERE, Need
from sim.order.program import Program


def with_messages(program: Program) -> list[list[Instruction]]:
    """The stream of each device with SEND and RECV in it, in the order PyTorch's runtime has.

    Raises InvalidProgramError where the order cannot be executed.
    """
    check_order(program)
    home = program.home[0].tolist()
    left = [deque(program.stream(device)) for device in range(program.devices)]
    streams: list[list[Instruction]] = [[] for _ in left]
    here: list[set[Instruction]] = [set() for _ in left]

    def put(device: int, each: Instruction) -> None:
        streams[device].append(each)
        here[device].add(each)

    while any(left):
        for device, stream in enumerate(left):
            if stream and _ready(stream[0], here[device], len(home)):
                each = stream.popleft()
                put(device, each)
                for need in ELSEWHERE:
                    target = each.stage - need.step
                    if each.op in need.before and _crosses(each.stage, target, home):
                        put(device, _end(need, 0, each.stage, each.index))
                        put(home[target], _end(need, 1, target, each.index))
    return streams


def _ready(each: Instruction, here: set[Instruction], stages: int) -> bool:
    """Whether what a pass needs of other stages was made on its rank or is received there."""
    for need in ELSEWHERE:
        source = each.stage + need.step
        if each.op in need.after and 0 <= source < stages:
            made = {Instruction(source, op, each.index) for op in need.before}
            if here.isdisjoint(made | {_end(need, 1, each.stage, each.index)}):
                return False
    return True


def _crosses(stage: int, target: int, home: list[int]) -> bool:
    """Whether there is such a target, on another device than the stage."""
    return 0 <= target < len(home) and home[target] != home[stage]


def _end(need: Need, end: int, stage: int, index: int) -> Instruction:
    """The SEND (0) or RECV (1) of what is needed."""
    assert need.ends is not None
    return Instruction(stage, need.ends[end], index)

"""SEND and RECV put into a program in the order PyTorch's runtime issues them.

A SEND follows its pass at once, and its receiver's stream gets the RECV at that same moment of a
walk that gives every rank one instruction a turn.  Both ends of a link then issue their messages
in one order, so that none blocks the other where messages queue (NCCL); `Program.lower` receives
just in time instead.

Source: torch 2.13, `torch/distributed/pipelining/schedules.py` (`_add_send_recv`).
"""

from __future__ import annotations

from collections import deque

from sim.op import Op
from sim.order.check import check_order
from sim.order.instruction import Instruction
from sim.order.program import Program

GRADIENT = (Op.B, Op.I)  # what sends a gradient down


def with_messages(program: Program) -> list[list[Instruction]]:
    """A stream per device.  Raises InvalidProgramError where the order cannot be executed."""
    check_order(program)
    home = program.device[program.row_of(Op.F)[:, 0]].tolist()
    left = [deque(program.stream(device)) for device in range(program.devices)]
    streams: list[list[Instruction]] = [[] for _ in left]
    here: list[set[Instruction]] = [set() for _ in left]

    def put(device: int, each: Instruction) -> None:
        streams[device].append(each)
        here[device].add(each)

    while any(left):
        for device, stream in enumerate(left):
            if stream and _ready(stream[0], here[device], len(home) - 1):
                each = stream.popleft()
                put(device, each)
                target = _target(each, home)
                if target is not None:
                    put(device, _message(each, each.stage, "SEND"))
                    put(home[target], _message(each, target, "RECV"))
    return streams


def _ready(each: Instruction, here: set[Instruction], last: int) -> bool:
    """Whether the input of a pass was made on its rank or is received there already."""
    if each.op is Op.F and each.stage:
        made = {Instruction(each.stage - 1, Op.F, each.index)}
    elif each.op in GRADIENT and each.stage < last:
        made = {Instruction(each.stage + 1, op, each.index) for op in GRADIENT}
    else:
        return True
    return not here.isdisjoint(made | {_message(each, each.stage, "RECV")})


def _target(each: Instruction, home: list[int]) -> int | None:
    """The stage a pass sends to; None where nothing leaves its device."""
    target = each.stage + {Op.F: 1, Op.B: -1, Op.I: -1}.get(each.op, len(home))
    crosses = 0 <= target < len(home) and home[target] != home[each.stage]
    return target if crosses else None


def _message(each: Instruction, stage: int, end: str) -> Instruction:
    return Instruction(stage, Op[f"{end}_{'F' if each.op is Op.F else 'B'}"], each.index)

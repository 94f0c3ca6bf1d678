"""SEND and RECV put into a program in the order PyTorch's runtime issues them.

A SEND follows its pass at once, and its receiver's stream gets the RECV at that same moment of a
walk that gives every rank one instruction a turn.  Both ends of a link then issue their messages
in one order, so that none blocks the other where messages queue (NCCL); `Program.lower` receives
just in time instead.

Source: torch 2.13, `torch/distributed/pipelining/schedules.py` (`_add_send_recv`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from sim.errors import InvalidProgramError
from sim.order.check import check_order
from sim.order.completeness.marked_table import marked_table
from sim.order.instruction import Instruction
from sim.order.needs import ELSEWHERE, Need
from sim.order.program import Program
from sim.order.together import rows_of_pairs

Cell = tuple[Instruction, ...]  # one, or two that are a pair


def with_messages(program: Program) -> list[list[Cell]]:
    """The stream of each device with SEND and RECV in it, in the order PyTorch's runtime has.

    A pair goes when both its passes can, and their messages follow it.  Raises InvalidProgramError
    where the order cannot be executed.
    """
    check_order(program)
    home = program.home[0].tolist()
    left = [deque(cells(program, device)) for device in range(program.devices)]
    streams: list[list[Cell]] = [[] for _ in left]
    here: list[set[Instruction]] = [set() for _ in left]

    def put(device: int, end: Instruction) -> None:
        streams[device].append((end,))
        here[device].add(end)

    while any(left):
        before = sum(map(len, left))
        for device, stream in enumerate(left):
            if stream and all(_ready(each, here[device], len(home)) for each in stream[0]):
                cell = stream.popleft()
                streams[device].append(cell)
                here[device] |= {*cell}
                for each in cell:
                    for need in ELSEWHERE:
                        target = each.stage - need.step
                        if each.op in need.before and _crosses(each.stage, target, home):
                            put(device, _end(need, 0, each.stage, each.index))
                            put(home[target], _end(need, 1, target, each.index))
        if sum(map(len, left)) == before:
            _refuse_waiting(program, left)
    return streams


def cells(program: Program, device: int) -> Iterator[Cell]:
    """The instructions of one device in order, two that are a pair together."""
    first, second = (rows.tolist() for rows in rows_of_pairs(program.tables, program.pairs))
    partner = dict(zip(first, second, strict=True))
    start, stop = program.offsets[device : device + 2]
    passed = set(second)
    for row in range(start, stop):
        if row not in passed:
            both = (row, partner[row]) if row in partner else (row,)
            yield tuple(map(program.instruction, both))


def _refuse_waiting(program: Program, left: list[deque[Cell]]) -> None:
    """Pairs can wait for each other where their passes one after the other would not."""
    heads = [stream[0][0] for stream in left if stream]
    rows = [int(program.row_of(each.op)[each.stage, each.index]) for each in heads]
    raise InvalidProgramError(
        f"the order cannot be executed: {', '.join(map(str, heads))} begin pairs that wait for "
        "each other", marked_table(program, dict(map(program.step, rows))))


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

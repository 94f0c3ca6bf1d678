"""Who waits for whom, written without `Program.dependencies`."""

from __future__ import annotations

from sim.op import Op
from sim.order.instruction import Instruction
from sim.order.program import Program

Key = tuple[str, int, int]


def covered(instruction: Instruction) -> range:
    return range(instruction.index, instruction.index + instruction.count)


def done_by(program: Program) -> dict[Key, Instruction]:
    """(operation, stage, micro-batch) to the instruction that does it; `B` stands for `I` too."""
    table: dict[Key, Instruction] = {}
    for device in range(program.devices):
        for each in program.stream(device):
            name = "B" if each.op is Op.I else each.op.name
            for micro in covered(each):
                assert (name, each.stage, micro) not in table
                table[name, each.stage, micro] = each
    return table


def needs(table: dict[Key, Instruction], each: Instruction, last: int) -> set[Instruction]:
    """What must have ended before `each` starts, in a program of compute instructions."""
    stage = each.stage
    found: list[Key] = []
    for micro in covered(each):
        if each.op is Op.F and stage > 0:
            found.append(("F", stage - 1, micro))
        if each.op in (Op.B, Op.I):
            found.append(("F", stage, micro))
            if stage < last:
                found.append(("B", stage + 1, micro))
        if each.op is Op.W:
            found.append(("B", stage, micro))
        if each.op is Op.U:
            found.append(("B", stage, micro))
            if ("W", stage, micro) in table:
                found.append(("W", stage, micro))
    return {table[key] for key in found}

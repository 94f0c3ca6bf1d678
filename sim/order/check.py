"""Whether an order can be executed: an order of all rows, or what every stream waits for."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from sim.arrays import Ints
from sim.errors import InvalidProgramError
from sim.order.completeness.marked_table import marked_table
from sim.order.needs import dependencies, receivers
from sim.order.streams import CompleteStreams, Edges


def check_order(program: CompleteStreams) -> None:
    """Prove that a program can be executed, by executing it without times.

    Raises InvalidProgramError that says what every stream waits for where it cannot.
    """
    execution_order(program)


def execution_order(program: CompleteStreams) -> list[int]:
    """Every row of a program, in an order that respects every dependency and every stream.

    Messages of its own are posted ahead: what is waited for is there for the pass that needs it,
    and its RECV waits for nothing.  Raises InvalidProgramError where there is none.
    """
    before, after = _needed(program)
    order = _by_arrivals(program, before, after)
    return _by_counting(program, before, after) if order is None else order


def _needed(program: CompleteStreams) -> Edges:
    """Which rows wait for which, with messages of a program's own posted ahead."""
    before, after = dependencies(program)
    if not program.lowered:
        return before, after
    sent, passes = program.arrives_from, receivers(program)
    message = (sent[after] == before) & (passes[after] >= 0)
    return before, np.where(message, passes[after], after)


def _sources(program: CompleteStreams) -> Ints:
    """The row whose message each row waits for, (rows,), −1 for none, messages posted ahead."""
    sent = program.arrives_from
    if not program.lowered:
        return sent
    source, received = np.full_like(sent, -1), np.flatnonzero(sent >= 0)
    source[receivers(program)[received]] = sent[received]
    return source


def _by_arrivals(program: CompleteStreams, before: Ints, after: Ints) -> list[int] | None:
    """Such an order where streams are in order themselves, so that a row can only wait for the one
    message it needs; None elsewhere, and where there is no order."""
    device = program.device
    own = device[before] == device[after]
    if len(program.sync[0]) or (before[own] >= after[own]).any():
        return None
    source, head, ends = _sources(program).tolist(), list(program.offsets), program.offsets[1:]
    done, waiting = bytearray(len(program)), dict[int, int]()
    ready, order = list(range(program.devices)), list[int]()
    while ready:
        d = ready.pop()
        row, stop = head[d], ends[d]
        while row < stop:
            needed = source[row]
            if needed >= 0 and not done[needed]:
                waiting[needed] = d
                break
            done[row] = 1
            order.append(row)
            if row in waiting:
                ready.append(waiting.pop(row))
            row += 1
        head[d] = row
    return order if len(order) == len(program) else None


def _by_counting(program: CompleteStreams, before: Ints, after: Ints) -> list[int]:
    """Such an order of any program, by what each row still waits for.  Raises
    InvalidProgramError."""
    missing = np.bincount(after, minlength=len(program)).tolist()
    frees: defaultdict[int, list[int]] = defaultdict(list)
    for source, target in zip(before.tolist(), after.tolist(), strict=True):
        frees[source].append(target)
    device, head = program.device.tolist(), list(program.offsets[:-1])
    ends = program.offsets[1:]
    ready, order = list(range(program.devices)), list[int]()
    while ready:
        d = ready.pop()
        while head[d] < ends[d] and not missing[head[d]]:
            row = head[d]
            head[d] += 1
            order.append(row)
            for target in frees[row]:
                missing[target] -= 1
                if device[target] != d:
                    ready.append(device[target])
    stuck = {d: head[d] for d in range(program.devices) if head[d] < ends[d]}
    if stuck:
        marked = dict(program.step(row) for row in stuck.values())
        raise InvalidProgramError(
            f"the order cannot be executed: {waiting_heads(program, stuck, head)}",
            marked_table(program, marked))
    return order


def waiting_heads(program: CompleteStreams, heads: dict[int, int], done: list[int]) -> str:
    """A line for an error: which stream waits for which instruction.

    `heads` is the row that each waiting device is at; rows of device `d` from `done[d]` on have
    not been executed.
    """
    before, after = _needed(program)
    sent, said = program.arrives_from, []
    for d, row in heads.items():
        needs = dict.fromkeys([*before[after == row].tolist(), int(sent[row])])
        names = dict.fromkeys(str(program.instruction(b)) for b in needs
                              if b >= 0 and b >= done[int(program.device[b])])
        who = f"device {d}" if d < program.shape.devices else "a link"
        said.append(f"{who} at {program.instruction(row)} waits for "
                    f"{', '.join(names) or 'an earlier instruction'}")
    return "; ".join(said)

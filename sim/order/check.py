"""Whether a program is complete and can be executed, and the marked table when it is not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Ints
from sim.errors import InvalidProgramError
from sim.kernels import compiled
from sim.kernels.arrivals import met
from sim.op import Op
from sim.order.marked_table import marked_table

if TYPE_CHECKING:
    from sim.order.program import Program


def _refuse(program: Program, rule: str, row: int | None = None) -> None:
    marked = {}
    if row is not None:
        device = int(program.device[row])
        marked = {device: row - program.offsets[device]}
    raise InvalidProgramError(rule, marked_table(program, marked))


def check_complete(program: Program) -> None:
    """Every stage does every micro-batch once, on one device, and updates every mini-batch.

    Raises InvalidProgramError with the first offending cell marked.
    """
    if not program.plainly_complete:
        _check_passes(program)
    if program.wide:
        _check_same_ranges(program)
    if program.lowered and not _plainly_met(program):
        _check_messages(program)


def _check_passes(program: Program) -> None:
    """Every row lies within the shape, at home, and every pass and update is there once."""
    shape, (op, stage, index, count) = program.shape, program.rows
    if program.devices != shape.devices:
        _refuse(program, f"a stream per device: the shape has {shape.devices} devices, "
                         f"the program {program.devices} streams")
    if shape.stages * shape.total > len(program):
        _refuse(program, f"each stage does F of every micro-batch: {shape.stages} stages and "
                         f"{shape.total} micro-batches need more than {len(program)} instructions")
    _check_ranges(program, stage >= shape.stages, f"stages are 0…{shape.stages - 1}")
    _check_ranges(program, index + count > shape.total,
                  f"micro-batches are 0…{shape.total - 1}")
    wide = count > 1
    if wide.any():
        _check_wide(program, wide)
    _check_ranges(program, (op == Op.U) & (count != shape.microbatches),
                  f"an update covers its whole mini-batch of {shape.microbatches} micro-batches")
    if not _one_stage_each(program):
        _check_placement(program)
    once = ((Op.F,), (Op.B, Op.I), (Op.B, Op.W), (Op.U,))
    if not _filled_once(program, once):
        for ops in once:
            _check_once(program, ops)


def _check_wide(program: Program, wide: NDArray[np.bool_]) -> None:
    """What covers several micro-batches keeps within a mini-batch, and is no forward."""
    op, _, index, count = program.rows
    n, crosses = program.shape.microbatches, np.zeros(len(program), dtype=bool)
    crosses[wide] = index[wide] // n != (index[wide] + count[wide] - 1) // n
    _check_ranges(program, crosses, f"an instruction stays within one mini-batch of {n}")
    _check_ranges(program, (op == Op.F) & wide, "a forward covers one micro-batch")


def _check_ranges(program: Program, bad: NDArray[np.bool_], rule: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        _refuse(program, f"{rule}: {program.instruction(row)} does not", row)


def _one_stage_each(program: Program) -> bool:
    """Whether every device has one stage, and no two the same: the usual case, told at a glance."""
    heads = program.offsets[:-1]
    if len(program) == 0 or program.shape.chunks > 1 or min(np.diff(program.offsets)) == 0:
        return False
    lowest, highest = (ufunc.reduceat(program.rows.stage, heads)
                       for ufunc in (np.minimum, np.maximum))
    return bool((lowest == highest).all()) and len(set(lowest.tolist())) == len(heads)


def _filled_once(program: Program, complete: Sequence[tuple[Op, ...]]) -> bool:
    """Whether no row repeats another, and each of `complete` is done everywhere: at a glance."""
    singles = sum(int(np.count_nonzero(program.row_of(Op(op)) >= 0)) for op in program.present)
    return singles == int(program.rows.count.sum()) and all(
        bool((program.row_of(*ops) >= 0).all()) and not _overlapping(program, ops)
        for ops in complete)


def _overlapping(program: Program, ops: tuple[Op, ...]) -> bool:
    """Whether two of these operations are both done on a micro-batch."""
    present = [op for op in ops if op in program.present]
    return len(present) > 1 and bool(
        np.logical_and.reduce([program.row_of(op) >= 0 for op in present]).any())


def _check_placement(program: Program) -> None:
    shape = program.shape
    worker = program.rows.index // shape.microbatches % shape.workers
    _check_ranges(program, worker != program.worker,
                  f"the {shape.workers} workers take mini-batches in turn")
    home = np.full((shape.workers, shape.stages), -1, dtype=np.int32)
    home[worker, program.rows.stage] = program.device
    _check_ranges(program, home[worker, program.rows.stage] != program.device,
                  "a stage lives on one device")


def _check_once(program: Program, ops: tuple[Op, ...]) -> None:
    """Every micro-batch of every stage has a row of `ops`, and no two of the same operation."""
    table = program.row_of(*ops)
    name = "/".join(each.name for each in ops)
    rows, micro = program.micro_rows(*ops)
    if len(rows) > np.count_nonzero(table >= 0):
        key = program.rows.stage[rows] * program.shape.total + micro
        twice = int(np.argmax(np.bincount(key) > 1))
        row = int(rows[np.flatnonzero(key == twice)[1]])
        _refuse(program, f"each stage does {name} of a micro-batch once: "
                         f"{program.instruction(row)} is a repetition", row)
    if (table < 0).any():
        stage, index = divmod(int(np.argmax(table < 0)), program.shape.total)
        _refuse(program, f"each stage does {name} of every micro-batch: "
                         f"stage {stage} never does {stage}{ops[0].name}{index}")


def _check_same_ranges(program: Program) -> None:
    """A gradient message is one backward's: neighbours cut a mini-batch at the same places."""
    table = program.row_of(Op.B, Op.I)
    first = program.rows.index[table]
    if (first != first[:1]).any():
        stage, micro = np.argwhere(first != first[:1])[0]
        row = int(table[stage, micro])
        _refuse(program, "all stages cover the same micro-batches in one backward: "
                         f"{program.instruction(row)} differs from stage 0", row)


def _plainly_met(program: Program) -> bool:
    """Whether compiled passes could tell that messages are complete.  False says nothing."""
    if not program.plainly_complete or program.shape.workers > 1:
        return False
    crosses = program.home[0, 1:] != program.home[0, :-1]
    return all(compiled(met)(program.rows.index, program.row_of(*ops), program.row_of(send),
                             program.row_of(receive), crosses, step)
               for ops, send, receive, step in (((Op.F,), Op.SEND_F, Op.RECV_F, 1),
                                                ((Op.B, Op.I), Op.SEND_B, Op.RECV_B, -1)))


def _check_messages(program: Program) -> None:
    """In a lowered program what crosses devices has one SEND and one RECV, cut like its pass."""
    home = np.zeros(program.shape.stages, dtype=np.int64)
    home[program.rows.stage] = program.device % program.shape.worker_devices
    crossing = np.flatnonzero(home[:-1] != home[1:])
    for send, receive, ops, sender in ((Op.SEND_F, Op.RECV_F, (Op.F,), 0),
                                       (Op.SEND_B, Op.RECV_B, (Op.B, Op.I), 1)):
        passes = program.row_of(*ops)
        for end, stages in ((send, crossing + sender), (receive, crossing + 1 - sender)):
            _check_ends(program, end, stages, passes[crossing + sender])


def _check_ends(program: Program, end: Op, stages: Ints, passes: Ints) -> None:
    """One `end` on each of `stages` for each of the `passes` (a row per micro-batch)."""
    rows, micro = program.micro_rows(end)
    table = program.row_of(end)
    if len(rows) > np.count_nonzero(table >= 0):
        key = program.rows.stage[rows] * program.shape.total + micro
        second = np.setdiff1d(np.arange(len(key)), np.unique(key, return_index=True)[1])
        row = int(rows[second[0]])
        _refuse(program, f"each message has one {end.name}: {program.instruction(row)} is a "
                         "repetition", row)
    here = np.zeros(program.shape.stages, dtype=bool)
    here[stages] = True
    elsewhere = ~here[program.rows.stage[rows]]
    if elsewhere.any():
        row = int(rows[np.argmax(elsewhere)])
        _refuse(program, f"{program.instruction(row)}: nothing crosses devices there", row)
    for stage, mine in zip(stages.tolist(), passes, strict=True):
        if (table[stage] < 0).any():
            index = int(np.argmax(table[stage] < 0))
            _refuse(program, f"what crosses devices has one {end.name} each: stage {stage} has "
                             f"none of micro-batch {index}")
        uneven = program.rows.index[table[stage]] != program.rows.index[mine]
        if uneven.any():
            row = int(table[stage][np.argmax(uneven)])
            _refuse(program, f"a message is cut like its pass: {program.instruction(row)} is not "
                             f"({end.name})", row)


def check_order(program: Program) -> None:
    """Execute without times.  Raises InvalidProgramError listing what every stream waits for."""
    execution_order(program)


def execution_order(program: Program) -> list[int]:
    """Rows in an order that respects every dependency and every stream.

    Raises InvalidProgramError where there is none.
    """
    before, after = program.dependencies
    order = _by_arrivals(program, before, after)
    return _by_counting(program, before, after) if order is None else order


def _by_arrivals(program: Program, before: Ints, after: Ints) -> list[int] | None:
    """Such an order where streams are in order themselves, so that a row can only wait for the one
    message it needs; None elsewhere, and where there is no order."""
    device = program.device
    own = device[before] == device[after]
    if len(program.sync[0]) or (before[own] >= after[own]).any():
        return None
    source, head, ends = program.arrives_from.tolist(), list(program.offsets), program.offsets[1:]
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


def _by_counting(program: Program, before: Ints, after: Ints) -> list[int]:
    """The same for any program, by what each row still waits for.  Raises InvalidProgramError."""
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
        marked = {d: row - program.offsets[d] for d, row in stuck.items()}
        raise InvalidProgramError(
            f"the order cannot be executed: {waiting_heads(program, stuck, head)}",
            marked_table(program, marked))
    return order


def waiting_heads(program: Program, heads: dict[int, int], done: list[int]) -> str:
    """Which stream head waits for which instruction, given how far each stream came."""
    before, after = program.dependencies
    said = []
    for d, row in heads.items():
        needs = [int(b) for b in before[after == row] if b >= done[int(program.device[b])]]
        names = ", ".join(str(program.instruction(b)) for b in needs) or "an earlier instruction"
        said.append(f"device {d} at {program.instruction(row)} waits for {names}")
    return "; ".join(said)

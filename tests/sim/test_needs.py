"""The readiness rule, against an oracle of its own, and whatever is made from it or is its twin."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sim.op import Op
from sim.order.authoring import Together
from sim.order.check import execution_order
from sim.order.needs import ELSEWHERE, RULE, dependencies
from sim.order.program import Program
from sim.order.torch_csv.messages import with_messages
from sim.order.torch_csv.reading import without_messages
from sim.schedules import SCHEDULES
from tests.oracles.readiness import done_by, needs
from tests.sim.strategies import made, placed, shapes

FORMS = ["as it is", "halved", "lowered"]
QUIET = settings(deadline=None, max_examples=80)


def edges(program: Program) -> set[tuple[int, int]]:
    return set(zip(*(side.tolist() for side in dependencies(program)), strict=True))


@QUIET
@given(placed(), st.sampled_from(["as it is", "halved"]))
def test_the_rule_is_the_oracles(case, form):
    assume(case[1].workers == 1)
    program = made(case, form)
    table, last = done_by(program), program.shape.stages - 1
    row = {program.instruction(r): r for r in range(len(program))}
    wanted = {(row[before], row[after]) for after in row for before in needs(table, after, last)}
    found, op = edges(program), program.rows.op
    assert found <= wanted
    # an update that waits for a weight half has waited for the input half before it
    assert {(op[a], op[b]) for a, b in wanted - found} <= {(Op.I, Op.U)}


@QUIET
@given(placed(), st.sampled_from(FORMS))
def test_messages_are_the_needs_that_cross_devices(case, form):
    """`sim.kernels.arrivals.SENT` finds them without looking at edges."""
    assume(form == "as it is" or case[1].workers == 1)
    program = made(case, form)
    device, target = program.device, program.messages.target
    sent = {(row, int(target[row])) for row in np.flatnonzero(program.messages.link >= 0).tolist()}
    assert sent == {(a, b) for a, b in edges(program) if device[a] != device[b]}
    assert sent == {(int(source), row) for row, source in enumerate(program.messages.sources())
                    if source >= 0}
    link = program.messages.links[program.messages.link[[a for a, _ in sorted(sent)]]]
    ends = [device[a] * program.devices + device[b] for a, b in sorted(sent)]
    assert link.tolist() == ends
    assert ((target >= 0) == (program.messages.link >= 0)).all()


@QUIET
@given(placed())
def test_a_lowered_program_needs_across_devices_what_its_own_did(case):
    """SEND and RECV only stand between: with them left out, the same needs are left."""
    assume(case[1].workers == 1)
    program = made(case, "as it is")
    lowered = program.lower()
    assert without_messages(lowered) == program
    rows = np.flatnonzero(lowered.rows.op <= Op.U)
    number = {int(row): place for place, row in enumerate(rows)}
    reach, frees = dict[int, set[int]](), dict[int, list[int]]()
    for a, b in edges(lowered):
        frees.setdefault(a, []).append(b)
    for a in rows.tolist():
        reach[a], ahead = set(), [*frees.get(a, [])]
        while ahead:
            b = ahead.pop()
            if b in number:
                reach[a].add(b)
            else:
                ahead += frees.get(b, [])
    assert {(number[a], number[b]) for a, bs in reach.items() for b in bs} == edges(program)


def in_unit_slots(program: Program) -> list[list[int]]:
    """Rows each device takes if every pass lasts one slot and an update none: whatever the rule
    says is ready, a backward before a forward, each in the order of its micro-batches."""
    missing, frees = [0] * len(program), dict[int, list[int]]()
    for a, b in edges(program):
        frees.setdefault(a, []).append(b)
        missing[b] += 1
    op, _, index, _ = (column.tolist() for column in program.rows)
    left = [set(range(a, b)) for a, b in pairwise(program.offsets)]
    taken: list[list[int]] = [[] for _ in left]

    def end(row: int) -> None:
        for after in frees.get(row, []):
            missing[after] -= 1

    while any(left):
        chosen = []
        for device, rows in enumerate(left):
            ready = [row for row in rows if not missing[row] and op[row] != Op.U]
            if ready:
                chosen.append((device, min(ready, key=lambda row: (op[row] == Op.F, index[row]))))
        for device, row in chosen:
            taken[device].append(row)
            left[device].remove(row)
            end(row)
        for device, rows in enumerate(left):
            for row in sorted(row for row in rows if op[row] == Op.U and not missing[row]):
                taken[device].append(row)
                rows.remove(row)
                end(row)
    return taken


@QUIET
@given(shapes(4, 7, (1, 2, 3)))
def test_nf1bs_slot_model_counts_what_the_rule_says(shape):
    program = SCHEDULES["nf1b"].program(shape)
    passes = [[row for row in rows if program.rows.op[row] != Op.U]
              for rows in in_unit_slots(program)]
    assert passes == [sorted(rows) for rows in passes]


@QUIET
@given(placed())
def test_pytorchs_order_of_messages_can_be_executed_and_is_the_same_order(case):
    """A pass is put out once what it needs of other stages was made or received on its rank."""
    schedule, shape = case
    assume(shape.workers == 1)
    program = schedule.program(shape)
    assume(not program.wide)
    whole = Program.from_streams(shape, [
        [each for cell in stream for each in ([Together(*cell)] if len(cell) == 2 else cell)]
        for stream in with_messages(program)])
    assert without_messages(whole) == program
    moment = {whole.instruction(row): at for at, row in enumerate(execution_order(whole))}
    for before, after in zip(*dependencies(program), strict=True):
        assert moment[program.instruction(before)] < moment[program.instruction(after)]


def test_the_rule_names_every_pass_and_no_message():
    named = {op for need in RULE for op in (*need.before, *need.after)}
    assert named == {Op.F, Op.B, Op.I, Op.W, Op.U}
    ends = [op for need in ELSEWHERE for op in need.ends or ()]
    assert ends == [Op.SEND_F, Op.RECV_F, Op.SEND_B, Op.RECV_B]

"""Small shared machines whose times were worked out on paper; all of them whole ticks."""

from __future__ import annotations

import numpy as np
import pytest

from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.times.cluster import Cluster, Link
from sim.times.costs import CostModel
from sim.times.shared.engine import simulate_shared
from sim.times.shared.machine import Hosts, SharedMachine
from tests.sim.strategies import halved

TWO = Program.parse("0F0,0F1,0B0,0U0,0B1,0U1\n1F0,1B0,1U0,1F1,1B1,1U1\n")
PASSES = (Op.F, Op.B)


def every_pair(stages: int, factor: float) -> SharedMachine:
    kinds = [(int(op), k) for op in PASSES for k in range(stages)]
    return SharedMachine(("gpu",) * stages, {(a, b): factor for a in kinds for b in kinds}, None)


def machine_of(stages: int, interpreter, lock_share=1.0, **issue_s) -> SharedMachine:
    seconds = np.zeros((len(Op), stages))
    for name, each in issue_s.items():
        seconds[Op[name]] = each
    apart = tuple(map(str, range(stages)))
    return SharedMachine(apart, {}, Hosts(tuple(interpreter), lock_share, seconds))


def times(program, machine, forward=1.0, backward=1.0, latency=0.0):
    one = np.ones(program.shape.stages)
    costs = CostModel(forward * one, backward * one, 0 * one, 0 * one, True)
    return simulate_shared(program, costs, Cluster(Link(latency), 0 * one[1:], 0 * one),
                           np.random.default_rng(0), machine=machine)


def spans(found, op, stage, names=("start_s", "end_s")):
    rows = np.flatnonzero((found.program.rows.op == op) & (found.program.rows.stage == stage))
    return [tuple(float(getattr(found, name)[row]) for name in names) for row in rows]


def test_who_is_busy_beside_another_takes_twice_as_long_and_alone_does_not():
    found = times(TWO, every_pair(2, 2.0))
    assert spans(found, Op.F, 0) == [(0, 1), (1, 3)]  # the second beside stage 1's first
    assert spans(found, Op.F, 1) == [(1, 3), (4, 6)]
    assert spans(found, Op.B, 1) == [(3, 4), (6, 7)]
    assert spans(found, Op.B, 0) == [(4, 6), (7, 8)]


def test_two_stages_that_are_always_busy_together_have_a_period_as_many_times_as_long():
    program = SCHEDULES["round-robin"].program(PipelineShape(2, 20))
    for factor in (1.0, 1.5, 3.0):
        ends = [end for _, end in spans(times(program, every_pair(2, factor)), Op.B, 1)]
        assert np.diff(ends)[5:-5].tolist() == [2 * factor] * 9


def test_a_pair_slows_the_one_it_names_and_while_the_other_runs():
    """F of stage 0 beside F of stage 1 twice, the other way round 1.5 times; B never."""
    factor = {((0, 0), (0, 1)): 2.0, ((0, 1), (0, 0)): 1.5}
    found = times(TWO, SharedMachine(("gpu", "gpu"), factor, None))
    assert spans(found, Op.F, 1) == [(1, 2.5), (3.5, 4.5)]
    assert spans(found, Op.F, 0) == [(0, 1), (1, 2.75)]  # 3/4 done in 1.5 s, then at full speed
    assert spans(found, Op.B, 0) == [(3.5, 4.5), (5.5, 6.5)]
    apart = times(TWO, SharedMachine(("gpu", "other"), factor, None))
    assert spans(apart, Op.F, 0) == [(0, 1), (1, 2)]


def test_what_two_neighbours_add_adds_up():
    program = SCHEDULES["gpipe"].program(PipelineShape(3, 1, 3))
    found = times(program, every_pair(3, 2.0))
    assert spans(found, Op.F, 0) == [(0, 1), (1, 3), (3, 6)]
    assert spans(found, Op.F, 2)[0] == (3, 6)


def test_neighbours_that_speed_up_do_so_no_more_than_the_best_of_them():
    machine = every_pair(3, 0.25)
    assert machine.slowdown((0, 0), []) == 1.0
    assert machine.slowdown((0, 0), [(0, 1)]) == 0.25
    assert machine.slowdown((0, 0), [(0, 1), (0, 2)]) == 0.25
    assert machine.slowdown((0, 0), [(0, 1), (int(Op.U), 2)]) == 0.25


def test_a_larger_factor_can_end_sooner_so_nothing_promises_that_it_does_not():
    """Slowed, stage 0 no longer runs beside what slows stage 1 more."""
    program = SCHEDULES["round-robin"].program(PipelineShape(2, 4))
    costs = CostModel(np.array([3.0, 4.0]), np.array([1.0, 4.0]), np.zeros(2), np.zeros(2))
    pairs = {((0, 0), (0, 1)): 2.0, ((0, 1), (0, 0)): 3.0}
    ends = [simulate_shared(program, costs, Cluster(Link(), np.zeros(1), np.zeros(2)),
                            np.random.default_rng(0), machine=SharedMachine(
                                ("gpu", "gpu"), {**pairs, ((1, 0), (0, 1)): factor}, None)
                            ).end_s.max() for factor in (1.0, 3.0)]
    assert ends == [48.0, 44.0]


def test_launches_longer_than_the_work_set_the_pace():
    program = SCHEDULES["sequential"].program(PipelineShape(1, 3))
    found = times(program, machine_of(1, "p", F=1.0, B=0.5), 0.25, 0.25)
    assert spans(found, Op.F, 0) == [(0, 1), (1.5, 2.5), (3, 4)]
    assert spans(found, Op.B, 0) == [(1, 1.5), (2.5, 3), (4, 4.5)]
    assert found.start_s.tolist() == found.asked_s.tolist()
    assert found.end_s.tolist() == found.issued_s.tolist()


def test_launches_shorter_than_the_work_hide_behind_it():
    program = SCHEDULES["sequential"].program(PipelineShape(1, 3))
    found = times(program, machine_of(1, "p", F=0.25, B=0.25))
    assert spans(found, Op.F, 0) == [(0, 1), (2, 3), (4, 5)]
    assert spans(found, Op.F, 0, ("asked_s", "issued_s")) == [(0, 0.25), (0.5, 0.75), (1, 1.25)]


def test_a_receiver_is_asked_for_once_its_sender_has_been_and_starts_when_it_is_there():
    found = times(TWO, machine_of(2, "pq", F=1.0), 0.25, 0.25, latency=0.5)
    assert spans(found, Op.F, 0, ("asked_s", "issued_s")) == [(0, 1), (1, 2)]
    assert spans(found, Op.F, 1, ("asked_s", "issued_s")) == [(1, 2), (2, 3)]
    assert spans(found, Op.F, 1) == [(1.5, 2), (2.5, 3)]  # here at 1.5, issued at 2


def test_messages_that_are_instructions_are_asked_for_at_once():
    lowered = times(TWO.lower(), machine_of(2, "pq", F=1.0), 0.25, 0.25, latency=0.5)
    whole = times(TWO, machine_of(2, "pq", F=1.0), 0.25, 0.25, latency=0.5)
    for op in PASSES:
        for stage in (0, 1):
            for names in (("start_s", "end_s"), ("asked_s", "issued_s")):
                assert spans(lowered, op, stage, names) == spans(whole, op, stage, names)


@pytest.mark.parametrize(("interpreter", "share", "second", "third"), [
    ("pq", 1.0, 2.0, 3.0), ("pp", 1.0, 3.0, 4.0), ("pp", 0.5, 2.5, 3.5), ("pp", 0.0, 2.0, 3.0)])
def test_threads_of_one_interpreter_wait_for_its_lock(interpreter, share, second, third):
    program = SCHEDULES["gpipe"].program(PipelineShape(2, 1, 2))
    found = times(program, machine_of(2, interpreter, share, F=1.0), 0.125, 0.125)
    assert spans(found, Op.F, 0, ("asked_s", "issued_s")) == [(0, 1), (1, second)]
    assert spans(found, Op.F, 1, ("asked_s", "issued_s")) == [(1, second), (second, third)]
    assert spans(found, Op.F, 1)[1][1] == third


def test_a_backward_of_several_micro_batches_is_asked_for_as_many_times():
    program = SCHEDULES["nf1b"].program(PipelineShape(1, 1, 4))
    found = times(program, machine_of(1, "p", B=0.5), 0.25, 0.25)
    assert spans(found, Op.B, 0, ("asked_s", "issued_s")) == [(0, 2)]
    assert spans(found, Op.B, 0) == [(1, 2)]


def test_each_half_of_a_wide_backward_is_asked_for_as_many_times():
    program = halved(SCHEDULES["nf1b"].program(PipelineShape(1, 1, 4)))
    found = times(program, machine_of(1, "p", F=0.25, I=0.5, W=1.0), 0.25, 0.25)
    assert spans(found, Op.I, 0, ("asked_s", "issued_s")) == [(1, 3)]
    assert spans(found, Op.W, 0, ("asked_s", "issued_s")) == [(3, 7)]


def test_a_row_that_only_waits_for_its_host_slows_nobody():
    """F of stage 0 is done at once and issued for 4 s; F of stage 1 beside it takes its second."""
    kinds = {((0, 1), (0, 0)): 3.0, ((0, 0), (0, 1)): 3.0}
    issue = np.zeros((len(Op), 2))
    issue[Op.F, 0] = 4.0
    machine = SharedMachine(("gpu", "gpu"), kinds, Hosts(("p", "q"), 1.0, issue))
    found = times(TWO, machine, 1.0, 1.0)
    assert spans(found, Op.F, 0) == [(0, 4), (4, 8)]
    # beside each other: stage 0 has done its second at 7, as has stage 1; then stage 1 goes on
    assert spans(found, Op.F, 1) == [(4, 7), (8, 9)]
    assert spans(found, Op.B, 1) == [(7, 8), (9, 10)]

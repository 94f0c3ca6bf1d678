"""The engine of shared machines against a fluid that was written apart, and what both keep."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.op import Op
from sim.order.program import Program
from sim.times.costs import TICK
from sim.times.engine import simulate
from sim.times.timeline import Timeline
from tests.oracles.fluid import Machine, flow
from tests.sim.times.shared.cases import Case, cases

CLOSE = 1e-6  # seconds: whole ticks at every change add up, and slow-downs stretch what they miss


def oracle(case: Case) -> Machine:
    """The case in the words of the fluid."""
    costs, hosts, cluster = case.costs, case.machine.hosts, case.cluster

    def alone(each):
        half = costs.backward_s[each.stage] / 2
        once = {Op.F: costs.forward_s, Op.B: costs.backward_s, Op.U: costs.update_s,
                Op.I: costs.input_backward_s, Op.W: costs.weight_backward_s}
        if each.op > Op.U:
            return 0.0
        table = once[each.op]
        seconds = half if table is None else table[each.stage]
        times = each.count if costs.per_micro_batch and each.op in (Op.B, Op.I, Op.W) else 1
        return float(seconds * times)

    def message(each):
        boundary = each.stage - (each.op not in (Op.F, Op.SEND_F))
        size = cluster.boundary_bytes[boundary] * each.count
        held = cluster.link.latency_s if cluster.link.held else 0.0
        return float(held + size / cluster.link.bandwidth_bytes_per_s)

    def issue(each):
        times = each.count if each.op in (Op.B, Op.I, Op.W) else 1
        return float(hosts.issue_s[each.op, each.stage] * times)

    def factor(each, other):
        return case.machine.factor.get(((each.op, each.stage), (other.op, other.stage)), 1.0)

    latency = 0.0 if cluster.link.held else cluster.link.latency_s
    apart = {"issue": issue, "asks": lambda k: hosts.interpreter[k],
             "lock_share": hosts.lock_share} if hosts else {}
    return Machine(alone, message, factor, lambda k: case.machine.hardware[k], latency,
                   **apart)


def columns(program: Program, by_instruction) -> np.ndarray:
    return np.array([by_instruction[program.instruction(row)] for row in range(len(program))])


@settings(max_examples=250)
@given(cases())
def test_the_engine_and_the_fluid_agree(case):
    found, flowed = case.times(), flow(case.program, oracle(case))
    for name, expected in (("start_s", flowed.start), ("end_s", flowed.end)):
        assert np.abs(getattr(found, name) - columns(case.program, expected)).max() < CLOSE
    source = case.program.arrives_from
    for row in np.flatnonzero(source >= 0):
        sender = case.program.instruction(int(source[row]))
        assert abs(found.arrived_s[row] - flowed.arrived[sender]) < CLOSE
        assert abs(found.sent_s[row] - flowed.end[sender]) < CLOSE
    assert np.array_equal(np.isnan(found.arrived_s), source < 0)
    if case.machine.hosts is None:
        assert found.asked_s is found.issued_s is None
    else:
        assert np.abs(found.asked_s - columns(case.program, flowed.asked)).max() < CLOSE
        assert np.abs(found.issued_s - columns(case.program, flowed.issued)).max() < CLOSE


def rate_integral(start, end, slowdown) -> np.ndarray:
    """Of each interval the integral of 1/slowdown, given the places of the others beside it."""
    moments = np.unique(np.concatenate((start, end)))
    done = np.zeros(len(start))
    for a, b in itertools.pairwise(moments):
        there = np.flatnonzero((start <= a) & (end >= b))
        for row in there:
            done[row] += (b - a) / slowdown(row, [o for o in there if o != row])
    return done


@settings(max_examples=80)
@given(cases(jitter=True, with_hosts=False), st.booleans())
def test_the_integral_of_every_rows_rate_is_its_seconds_alone(case, greedy):
    case = replace(case, costs=replace(case.costs, stragglers=()))
    found = case.times(dispatch="greedy" if greedy and not case.program.lowered else "static")
    program = found.program
    alone = case.costs.durations(program, np.random.default_rng(7))
    kind = [(int(o), int(k)) for o, k in zip(program.rows.op, program.rows.stage, strict=True)]
    where = [case.machine.hardware[k] for _, k in kind]

    def slowdown(row, others):
        factors = [case.machine.factor.get((kind[row], kind[o]), 1.0) for o in others
                   if where[o] == where[row]]
        return max([1 + sum(f - 1 for f in factors), *([min(factors)] if factors else [])])

    done = rate_integral(found.start_s, found.end_s, slowdown)
    assert np.abs(done - alone).max() < 1000 * TICK


@settings(max_examples=40)
@given(cases(with_hosts=True))
def test_the_integral_of_every_hosts_rate_is_what_asking_takes(case):
    found, hosts = case.times(), case.machine.hosts
    whose = [hosts.interpreter[k] for k in case.program.rows.stage]

    def slowdown(row, others):
        return 1 + hosts.lock_share * sum(whose[o] == whose[row] for o in others)

    done = rate_integral(found.asked_s, found.issued_s, slowdown)
    assert np.abs(done - hosts.seconds(case.program)).max() < 1000 * TICK


@settings(max_examples=60)
@given(cases(jitter=True, least=1.0))
def test_nothing_shared_makes_a_row_earlier_than_alone(case):
    """True of factors from 1 on without windows of slowness, which a late row can miss."""
    case = replace(case, costs=replace(case.costs, stragglers=()))
    alone = simulate(case.program, case.costs, case.cluster, np.random.default_rng(7))
    found = case.times()
    for name in ("start_s", "end_s"):
        assert (getattr(found, name) >= getattr(alone, name)).all()


def later(one: Timeline, other: Timeline) -> bool:
    return all((getattr(one, name) >= getattr(other, name)).all()
               for name in ("start_s", "end_s", "asked_s", "issued_s"))


@settings(max_examples=40)
@given(cases(with_hosts=True), st.floats(1.0, 3.0))
def test_slower_hosts_that_share_no_lock_make_no_row_earlier(case, by):
    """Longest paths through asking and work: of what shares a rate it is not true (below)."""
    hosts = replace(case.machine.hosts, lock_share=0.0)
    slower = replace(hosts, issue_s=hosts.issue_s * by)
    one, other = (case.times(machine=replace(case.machine, factor={}, hosts=h))
                  for h in (slower, hosts))
    assert later(one, other)


@settings(max_examples=30)
@given(cases(jitter=True))
def test_one_case_gives_one_timeline(case):
    one, other = case.times(), case.times()
    for name in ("start_s", "end_s", "sent_s", "arrived_s"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
    assert np.array_equal(one.end_s / TICK, np.round(one.end_s / TICK))

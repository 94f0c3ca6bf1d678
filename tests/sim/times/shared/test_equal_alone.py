"""A shared machine that slows nothing has the times of the other engines, to the last bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from sim.errors import DeadlockError
from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.times.cluster import Cluster, Link
from sim.times.costs import CostModel, Straggler, Trend
from sim.times.engine import simulate
from sim.times.places import COMPUTE
from sim.times.shared.engine import simulate_shared
from sim.times.shared.machine import Hosts, SharedMachine
from tests.sim.fitting import ONE_HOME, fitted
from tests.sim.strategies import made
from tests.sim.times.engines import assert_equal
from tests.sim.times.shared.cases import FORMS, cases


def ones(stages: int) -> SharedMachine:
    """All on the same hardware, every pair named, and no slower for it."""
    kinds = [(int(op), k) for op in COMPUTE for k in range(stages)]
    return SharedMachine(("gpu",) * stages, {(a, b): 1.0 for a in kinds for b in kinds}, None)


def prompt(stages: int) -> Hosts:
    return Hosts(("python",) * stages, 1.0, np.zeros((len(Op), stages)))


def given_costs(stages: int) -> CostModel:
    some = np.linspace(0.3, 1.7, stages)
    return CostModel(some, 2.1 * some[::-1], 0.11 * some, 0.0 * some, True, 0.4,
                     (Straggler(stages - 1, 2.0, 6.0, 3.0),),
                     trends=(Trend(0, 1.0, 9.0, 2.0),))


def given_cluster(stages: int, limit: float = float("inf")) -> Cluster:
    return Cluster(Link(0.2, 50.0), np.full(stages - 1, 20.0), np.ones(stages), limit)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("schedule", ONE_HOME)
def test_every_schedule(schedule, form):
    shape = fitted(schedule, PipelineShape(4, 5, 4, 2 if SCHEDULES[schedule].chunks else 1))
    program = made((SCHEDULES[schedule], shape), form.partition(" ")[0])
    program = program.lower() if "lowered" in form else program
    for limit in (float("inf"), 40.0):
        given_ = program, given_costs(4), given_cluster(4, limit)
        alone = simulate(*given_, np.random.default_rng(3))
        for machine in (ones(4), replace(ones(4), hosts=prompt(4))):
            found = simulate_shared(*given_, np.random.default_rng(3), machine=machine)
            assert_equal(found, alone)
    assert np.array_equal(found.asked_s, found.issued_s)


@pytest.mark.parametrize("limit", [float("inf"), 4.0])
@pytest.mark.parametrize("schedule", ONE_HOME)
def test_every_schedule_dispatched_greedily(schedule, limit):
    program = SCHEDULES[schedule].program(
        fitted(schedule, PipelineShape(4, 5, 4, 2 if SCHEDULES[schedule].chunks else 1)))
    if len(program.pairs):
        with pytest.raises(ValueError, match="this order issues pairs"):
            simulate(program, given_costs(4), given_cluster(4, limit),
                     np.random.default_rng(3), dispatch="greedy")
        return
    fixed = replace(given_costs(4), jitter_sigma=0.0, stragglers=(), trends=())
    for costs in (given_costs(4), fixed):
        times = []
        for run, more in ((simulate, {}), (simulate_shared, {"machine": ones(4)})):
            try:
                times.append(run(program, costs, given_cluster(4, limit),
                                 np.random.default_rng(3), dispatch="greedy", **more))
            except DeadlockError as error:
                times.append(str(error))
        if isinstance(times[0], str):
            assert times[1] == times[0]
        else:
            assert_equal(times[1], times[0])


@settings(max_examples=60)
@given(cases(jitter=True, with_hosts=False))
def test_any_program_and_costs(case):
    machine = replace(case.machine, factor=dict.fromkeys(case.machine.factor, 1.0))
    assert_equal(case.times(machine=machine),
                 simulate(case.program, case.costs, case.cluster, np.random.default_rng(7)))


def test_a_deadlock_is_told_in_the_same_words():
    crossed = Program.parse("0F0,0B0,0F1,0B1\n1F1,1B1,1F0,1B0\n", PipelineShape(2, 2))
    said = []
    for run, more in ((simulate, {}), (simulate_shared, {"machine": ones(2)}), (
            simulate_shared, {"machine": replace(ones(2), hosts=prompt(2))})):
        with pytest.raises(DeadlockError) as caught:
            run(crossed, given_costs(2), given_cluster(2), np.random.default_rng(0), **more)
        said.append(str(caught.value))
    assert len(set(said)) == 1

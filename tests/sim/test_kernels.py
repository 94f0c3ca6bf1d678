"""Every pass over rows in every make (NumPy, plain loops, compiled ones): same bits, whatever it is
asked of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sim.errors import InvalidProgramError
from sim.experiment.making import make_mitigation
from sim.experiment.setup import VirtualSetup
from sim.mitigations import MITIGATIONS
from sim.numerics.tasks import stream
from sim.op import Op
from sim.order.instruction import Instruction
from sim.order.program import Program
from sim.order.replicated import own_program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.times.engine import simulate
from sim.times.exact.timeline import timeline
from sim.times.replicas.replicate import replicate
from sim.weights.columns import version_columns
from sim.weights.versions import VersionPlan
from tests.sim.every_make import PAIRS, EveryMake
from tests.sim.experiments import experiment
from tests.sim.pairs import accepted
from tests.sim.strategies import made, placed, spoilt, timings
from tests.sim.times.engines import assert_equal
from tests.sim.times.test_agreement import trends, windows
from tests.sim.times.test_replicas import replica

QUIET = settings(deadline=None, max_examples=60,
                 suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def go_through_all(case, form, mitigation, keys, kernels, columns=False) -> None:
    """Order, times, versions and replicas of one case."""
    schedule, shape = case
    given_ = experiment(schedule=schedule.name, stages=shape.stages, chunks=shape.chunks,
                        minibatches=shape.minibatches, microbatches=shape.microbatches,
                        task="none", **keys)
    program = made(case, form, kernels)
    setup = VirtualSetup.of(given_)
    costs, cluster = setup.costs, setup.cluster
    found = timeline(program, costs, cluster, stream(0, "jitter"), kernels=kernels)
    assert_equal(found, simulate(program, costs, cluster, stream(0, "jitter")))
    replicate(program, [replica(given_, seed) for seed in range(3)], columns=columns,
              kernels=kernels)
    plan = VersionPlan.of(own_program(program, kernels), make_mitigation(mitigation),
                          schedule.name, kernels)
    plan.held(kernels)
    version_columns(plan, kernels)


FORMS = ["as it is", "halved", "lowered"]
SIZED = {"boundary_bytes": 1000.0, "bandwidth_bytes_per_s": 777.7, "latency_s": 0.3}


@pytest.fixture(scope="module")
def asked():
    """How often each pass was asked in a few runs that ask every one."""
    kernels = EveryMake()
    for form in FORMS:
        for name in ("nf1b", "round-robin"):
            case = SCHEDULES[name], PipelineShape(3, 8, 2 if name == "nf1b" else 1)
            go_through_all(case, form, "i-timeprest", SIZED, kernels)
    return kernels.asked


@pytest.mark.parametrize("name", PAIRS)
def test_every_pair_is_compared(name, asked):
    assert asked[name], f"no case of {name}: have a run of this file ask for it"


@QUIET
@given(placed(), st.sampled_from(FORMS), st.sampled_from(MITIGATIONS.names()), st.booleans(),
       st.data())
def test_all_makes_of_every_pass_give_the_same_bits(case, form, mitigation, columns, data):
    schedule, shape = case
    assume(form == "as it is" or shape.workers == 1)
    assume(accepted(schedule.name, mitigation, shape.stages, shape.microbatches))
    keys = data.draw(timings(shape.stages))
    if data.draw(st.booleans()):
        keys["stragglers"] = data.draw(windows(shape.stages))
        keys["trends"] = data.draw(trends(shape.stages))
    go_through_all(case, form, mitigation, keys, EveryMake(), columns)


def outcome(make) -> str | Program:
    try:
        return make()
    except InvalidProgramError as error:
        return str(error)


@QUIET
@given(placed(), st.sampled_from(FORMS), st.data())
def test_what_is_wrong_is_refused_by_every_make(case, form, data):
    assume(form == "as it is" or case[1].workers == 1)
    program = made(case, form)
    outcome(lambda: Program.of(program.shape, spoilt(program, data), program.offsets,
                               EveryMake()))


@QUIET
@given(st.data())
def test_updates_are_put_in_or_refused_by_every_make(data):
    shape = PipelineShape(2, data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3)))
    few = st.builds(Instruction, st.integers(0, 2), st.sampled_from([Op.F, Op.B, Op.W, Op.U]),
                    st.integers(0, shape.total), st.integers(1, 3))
    streams = data.draw(st.lists(st.lists(few, max_size=12), min_size=1, max_size=3))
    outcome(lambda: Program.from_streams(shape, streams, EveryMake()))


@QUIET
@given(placed(), st.integers(0, 2**32 - 1))
def test_any_versions_read_are_held_and_recorded_alike(case, seed):
    schedule, shape = case
    own, rng = shape.of_worker, np.random.default_rng(seed)
    plan = VersionPlan.of(schedule.program(own), MITIGATIONS["none"]())
    reads = [(share * (newest + 1)).astype(np.int32) for share, newest in
             zip(rng.random((2, own.stages, own.total)),
                 (plan.forward_latest, plan.backward_latest), strict=True)]
    plan = replace(plan, forward=reads[0], backward=reads[1])
    kernels = EveryMake()
    version_columns(plan, kernels)
    copies = plan.program.copies
    assert list(plan.held(kernels)) == [max(map(plan._peak, copies.of_stage(k)))
                                        for k in range(own.stages)]

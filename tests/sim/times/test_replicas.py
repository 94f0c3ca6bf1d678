"""Replicas equal single runs bit for bit, with numba and without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.errors import ConfigurationError, DeadlockError
from sim.experiment.setup import VirtualSetup, generate
from sim.kernels.pairs import NUMBA, NUMPY, installed
from sim.numerics.tasks import stream
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.spread import spread_of
from sim.times.engine import simulate
from sim.times.engines import engine_of
from sim.times.replicas.blocks import Replica
from sim.times.replicas.replicate import replicate
from tests.sim.experiments import experiment
from tests.sim.strategies import names, shapes, timings, unlike

MAKES = [NUMPY, *([NUMBA] if installed() else [])]


def replica(given_, seed=0, scale=1.0):
    setup = VirtualSetup.of(given_)
    costs = replace(setup.costs, forward_s=setup.costs.forward_s * scale)
    return Replica(costs, setup.cluster, stream(seed, "jitter"))


@st.composite
def families(draw):
    """Experiments of one shape, each with costs, links and jitter of its own."""
    shape, name = draw(shapes(4, 8, (1, 2, 3))), draw(names)
    return [experiment(schedule=name, stages=shape.stages, minibatches=shape.minibatches,
                       microbatches=shape.microbatches, task="none",
                       receives=draw(st.sampled_from(["posted", "holding"])),
                       **draw(timings(shape.stages)) | draw(unlike(shape)))
            for _ in range(draw(st.integers(1, 5)))]


@settings(deadline=None)
@given(families(), st.booleans())
def test_each_replica_is_the_single_run(family, lowered):
    program = generate(family[0])
    program = program.lower() if lowered else program
    for kernels in MAKES:
        found = replicate(program, [replica(each, seed) for seed, each in enumerate(family)],
                          columns=True, kernels=kernels)
        brief = replicate(program, [replica(each, seed) for seed, each in enumerate(family)],
                          kernels=kernels)
        for seed, each in enumerate(family):
            alone = engine_of("simpy", "static")(program, *vars(replica(each, seed)).values())
            assert np.array_equal(found.start_s[seed], alone.start_s)
            assert np.array_equal(found.end_s[seed], alone.end_s)
            assert found.makespan_s[seed] == brief.makespan_s[seed] == alone.end_s.max()
    assert np.array_equal(found.throughput_minibatches_per_s,
                          program.shape.minibatches / found.makespan_s)


@pytest.mark.parametrize("kernels", MAKES)
def test_more_replicas_than_a_block_holds_are_all_run(kernels):
    given_ = experiment(stages=3, minibatches=7, task="none", latency_s=0.4)
    program, scales = generate(given_), np.linspace(1, 3, 300)
    found = replicate(program, [replica(given_, scale=s) for s in scales], kernels=kernels)
    alone = [simulate(program, *vars(replica(given_, scale=s)).values()).end_s.max()
             for s in scales]
    assert found.makespan_s.tolist() == alone


@pytest.mark.parametrize("key", ["stragglers", "trends"])
def test_replicas_slowed_in_windows_are_single_runs_too(key):
    given_ = experiment(stages=3, minibatches=9, task="none", jitter={"sigma": 0.3},
                        **{key: [{"stage": 1, "from_s": 3.0, "to_s": 9.0, "factor": 3.0}]})
    program = generate(given_)
    found = replicate(program, [replica(given_, seed) for seed in range(3)], columns=True)
    for seed in range(3):
        alone = simulate(program, *vars(replica(given_, seed)).values())
        assert np.array_equal(found.start_s[seed], alone.start_s)
        assert np.array_equal(found.end_s[seed], alone.end_s)


@pytest.mark.parametrize("stragglers", [[], [{"stage": 1, "from_s": 0.0, "to_s": 1.0,
                                              "factor": 2.0}]])
def test_times_beyond_what_a_float_counts_exactly_are_refused(stragglers):
    given_ = experiment(stages=3, minibatches=9, task="none", forward_s=[1e6, 0.3, 1e6 / 3],
                        jitter={"sigma": 0.1}, stragglers=stragglers)
    with pytest.raises(ConfigurationError, match=r"a run takes .* s; times are counted exactly"):
        replicate(generate(given_), [replica(given_, seed) for seed in range(2)])


def test_what_cannot_run_is_reported_as_a_single_run_reports_it():
    program = Program.parse("0F0,0B0,0F1,0B1\n1F1,1B1,1F0,1B0\n", PipelineShape(2, 2))
    given_ = experiment(stages=2, minibatches=2, task="none")
    with pytest.raises(DeadlockError, match="device 0 at 0B0 waits for 1B0"):
        replicate(program, [replica(given_)])
    with pytest.raises(ValueError, match="at least one"):
        replicate(program, [])


def test_an_interval_holds_the_true_mean_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = [spread_of(rng.normal(3.0, 2.0, 6).tolist()).ci95 for _ in range(2000)]
    share = np.mean([low <= 3.0 <= high for low, high in held])
    assert abs(share - 0.95) < 0.02
    one = spread_of([1.0, 2.0, 3.0, 4.0])
    assert (one.mean, one.sd) == (2.5, pytest.approx(1.2909944487358056))
    assert one.ci95[1] - one.mean == pytest.approx(3.182446305284263 * one.sd / 2)
    assert spread_of([5.0]).ci95 is None
    with pytest.raises(ValueError, match="at least one value"):
        spread_of([])

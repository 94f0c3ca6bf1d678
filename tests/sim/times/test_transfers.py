"""Messages whose seconds were measured by boundary, direction and size."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.theory.steady import steady_state
from sim.experiment.setup import VirtualSetup
from sim.numerics.tasks import stream
from sim.op import Op
from sim.schedules import SCHEDULES
from sim.times.cluster import Cluster, Link, MessageTimes
from sim.times.costs import TICK, CostModel
from sim.times.engine import simulate
from sim.times.exact.timeline import timeline
from sim.times.replicas.blocks import Replica
from sim.times.replicas.replicate import replicate
from tests.sim.experiments import experiment
from tests.sim.strategies import names, shapes
from tests.sim.times.engines import NAMES, assert_equal, times

STAGE = {"forward_s": 0.5, "backward_s": 0.25}


def sample(size, seconds):
    return {"size_bytes": float(size), "seconds": {"median": seconds, "iqr": 0.0, "repeats": 3}}


UP = {"boundary": 0, "direction": "forward",  # not in order of size
      "samples": [sample(400, 0.5), sample(100, 0.125), sample(200, 0.25)]}
DOWN = {"boundary": 0, "direction": "backward", "samples": [sample(100, 2.0), sample(300, 1.0)]}
ALONE = {"boundary": 1, "direction": "forward", "samples": [sample(100, 0.75)]}


def written(tmp_path, boundary_bytes=(100.0, 100.0), **more) -> str:
    path = tmp_path / "profile.json"
    path.write_text(json.dumps({
        "format": "pipestale-profile", "version": 1, "stages": [STAGE] * 3,
        "boundary_bytes": list(boundary_bytes), "latency_s": 0.0625,
        "transfers": [UP, DOWN, ALONE], **more}))
    return str(path)


def took(found, op) -> list[float]:
    """Seconds on the link of the first message of an operation to each stage, first stage first."""
    program, rows = found.program, []
    for stage in range(program.shape.stages):
        rows += np.flatnonzero((program.rows.op == op) & (program.rows.stage == stage)
                               & ~np.isnan(found.sent_s))[:1].tolist()
    return (found.arrived_s - found.sent_s)[rows].tolist()


@pytest.mark.parametrize("engine", ["simpy", *NAMES])
def test_each_boundary_and_direction_takes_its_own_seconds(tmp_path, engine):
    keys = {"stages": 3, "minibatches": 1, "schedule": "sequential"}
    found = times(engine, profile=written(tmp_path), **keys)
    assert took(found, Op.F) == [0.125, 0.75]
    assert took(found, Op.B) == [2.0, 0.0625]  # the second boundary's way back is not measured


@pytest.mark.parametrize(("latency", "apart"), [("pipelined", 0.25), ("held", 0.75)])
def test_what_is_measured_holds_its_link_whatever_latency_does(tmp_path, latency, apart):
    """Backwards end 0.25 s apart; back over the second boundary only latency is known."""
    found = times("auto", stages=3, minibatches=1, microbatches=4, schedule="gpipe",
                  profile=written(tmp_path, latency_s=0.75), latency=latency)
    came = found.arrived_s[found.program.row_of(Op.B)]
    assert np.diff(came[1]).tolist() == [apart] * 3
    assert np.diff(came[0]).tolist() == [2.0] * 3


@pytest.mark.parametrize(("size", "forward", "backward"), [
    (50.0, 0.125, 2.0),        # below the smallest: its seconds
    (150.0, 0.1875, 1.75),     # between two: on the line
    (400.0, 0.5, 1.0),         # the last slope of the way back falls: level instead
    (1000.0, 1.25, 1.0),       # beyond the largest: the last slope
    (0.0, 0.125, 2.0)])
def test_seconds_follow_the_size(tmp_path, size, forward, backward):
    path = written(tmp_path, (size, size))
    found = times("auto", stages=3, minibatches=1, schedule="sequential", profile=path)
    assert took(found, Op.F) == [forward, 0.75]
    assert took(found, Op.B)[0] == backward


def test_a_backward_of_several_micro_batches_sends_as_many_bytes(tmp_path):
    way = {"boundary": 1, "direction": "backward", "samples": [sample(100, 0.5), sample(300, 1.5)]}
    path = written(tmp_path, transfers=[way])
    found = times("auto", stages=3, minibatches=2, microbatches=4, schedule="nf1b", profile=path)
    assert took(found, Op.B)[1] == 2.0


@pytest.mark.parametrize(("key", "value"), [("latency_s", 0.25), ("bandwidth_bytes_per_s", 400.0)])
def test_a_link_of_the_experiment_wins(tmp_path, key, value):
    path = written(tmp_path, **({"latency_s": 0.0} if key != "latency_s" else {}))
    found = times("auto", stages=3, minibatches=1, schedule="sequential", profile=path,
                  **{key: value})
    assert took(found, Op.F) == took(found, Op.B) == [0.25, 0.25]


def test_seconds_are_whole_ticks(tmp_path):
    path = written(tmp_path, (123.0, 77.0))
    found = times("auto", stages=3, minibatches=4, profile=path)
    came = found.arrived_s[~np.isnan(found.arrived_s)] / TICK
    assert np.array_equal(came, np.round(came))


@st.composite
def measured(draw, boundaries):
    """Messages by size over some boundaries and ways."""
    ways = draw(st.sets(st.tuples(st.integers(0, max(boundaries - 1, 0)), st.booleans())))
    found = {}
    for boundary, forward in ways if boundaries else ():
        sizes = sorted(draw(st.sets(st.integers(0, 5000), min_size=1, max_size=4)))
        seconds = draw(st.lists(st.floats(0.0, 3.0), min_size=len(sizes), max_size=len(sizes)))
        found[boundary, forward] = MessageTimes(np.array(sizes, dtype=float), np.array(seconds))
    return found


@st.composite
def systems(draw):
    shape = draw(shapes(4, 30))
    program = SCHEDULES[draw(names)].program(shape)
    stages = shape.stages

    def each(values, size=stages):
        return np.array(draw(st.lists(values, min_size=size, max_size=size)), dtype=float)

    some = st.floats(0.01, 3.0)
    costs = CostModel(each(some), each(some), each(st.just(0.1)), 0 * each(some), True,
                      draw(st.sampled_from([0.0, 0.3])))
    link = Link(draw(st.sampled_from([0.1, 2.0])), 900.0, draw(st.booleans()))
    cluster = Cluster(link, each(st.sampled_from([0.0, 70.0, 2000.0]), stages - 1),
                      np.zeros(stages), measured=draw(measured(stages - 1)))
    return program.lower() if draw(st.booleans()) else program, costs, cluster


@settings(max_examples=60)
@given(systems())
def test_every_engine_agrees_to_the_bit(system):
    alone = simulate(*system, stream(5, "jitter"))
    for method in ("auto", "plain", "periodic"):
        assert_equal(timeline(*system, stream(5, "jitter"), method=method), alone)
    program, costs, cluster = system
    plain = Cluster(Link(0.3), cluster.boundary_bytes, cluster.activation_bytes)
    found = replicate(program, [Replica(costs, each, stream(5, "jitter"))
                                for each in (cluster, plain, cluster)]).makespan_s
    assert found[0] == found[2] == alone.end_s.max()


def test_the_steady_state_is_that_of_the_same_messages(tmp_path):
    path = written(tmp_path, (150.0, 150.0))
    keys = {"stages": 3, "minibatches": 60, "profile": path, "task": "none"}
    setup = VirtualSetup.of(experiment(**keys))
    found = steady_state(setup.program, setup.costs, setup.cluster)
    ends = times("simpy", **keys).end_s[setup.program.row_of(Op.U)[0]]
    assert float(found.period_s) == pytest.approx((ends[50] - ends[30]) / 20, abs=1e-9)
    plain = VirtualSetup.of(experiment(**keys, latency_s=0.0))
    assert found.period_s > steady_state(plain.program, plain.costs, plain.cluster).period_s


def test_samples_are_kept_by_boundary_and_way_in_order_of_size(tmp_path):
    setup = VirtualSetup.of(experiment(stages=3, minibatches=2, task="none",
                                       profile=written(tmp_path)))
    assert setup.cluster.measured[0, True].size_bytes.tolist() == [100.0, 200.0, 400.0]
    assert set(setup.cluster.measured) == {(0, True), (0, False), (1, True)}

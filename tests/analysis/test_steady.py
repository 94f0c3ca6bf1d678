"""The steady-state solver against long simulations, closed forms, and its own cycle."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from unittest import mock

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.__main__ import main
from analysis.metrics.timing import timing
from analysis.theory import howard
from analysis.theory.endless import endless, solve
from analysis.theory.howard import EventGraph, critical_cycle
from analysis.theory.pattern import find_pattern
from analysis.theory.steady import steady_state
from sim.errors import ConfigurationError
from sim.op import Op
from sim.order.instruction import Instruction
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.times.cluster import Cluster, Link
from sim.times.costs import CostModel
from sim.times.engine import simulate
from tests.sim.experiments import experiment
from tests.sim.experiments import simulate as trace_of
from tests.sim.strategies import names, seconds

pytestmark = pytest.mark.filterwarnings("error")  # whatever a door warns of, a user would read

LONGEST = 1500  # mini-batches of a simulation that takes its time to settle


def ahead(deep):
    """1F1B with any number of forwards ahead that does not grow from stage to stage."""
    def make(shape):
        return Program.from_streams(shape, [_turns(k, deep[k], shape.total)
                                            for k in range(shape.stages)])
    return make


def _turns(stage, deep, total):
    deep = min(deep, total)
    yield from (Instruction(stage, Op.F, i) for i in range(deep))
    for i in range(total):
        yield Instruction(stage, Op.B, i)
        if i + deep < total:
            yield Instruction(stage, Op.F, i + deep)


def chunked(shape):
    """Two stages a device, one micro-batch at a time: F and B of one device share a link."""
    shape = PipelineShape(2 * shape.stages, shape.minibatches, shape.microbatches, 2)
    return Program.from_streams(shape, [
        [Instruction(k, op, i) for i in range(shape.total)
         for op, k in ((Op.F, d), (Op.F, d + shape.devices), (Op.B, d + shape.devices), (Op.B, d))]
        for d in range(shape.devices)])


def interleaved(shape):
    """Interleaved 1F1B over two chunks a device, in rounds of as many micro-batches as devices."""
    n = shape.microbatches * shape.stages
    whole = PipelineShape(2 * shape.stages, shape.minibatches, n, 2)
    return SCHEDULES["interleaved"].program(whole)


@st.composite
def orders(draw):
    """A way to make a program of any length, its stages, and its micro-batches."""
    stages, n = draw(st.integers(1, 5)), draw(st.sampled_from([1, 2, 3]))
    kind = draw(st.sampled_from(["schedule", "schedule", "ahead", "chunked", "interleaved",
                                 "lowered"]))
    if kind == "ahead":
        deep = sorted(draw(st.lists(st.integers(1, 7), min_size=stages, max_size=stages)))
        make = ahead(deep[::-1])
    elif kind == "chunked":
        make = chunked
    elif kind == "interleaved":
        make = interleaved
    else:
        schedule = SCHEDULES[draw(names)]
        make = schedule.program if kind == "schedule" else lambda s: schedule.program(s).lower()
    return lambda minibatches: make(PipelineShape(stages, minibatches, n))


@st.composite
def systems(draw):
    order = draw(orders())
    shape = order(4).shape
    stages = shape.stages

    def each(values, size=stages):
        return np.array(draw(st.lists(values, min_size=size, max_size=size)), dtype=float)

    some = draw(st.sampled_from([seconds, st.integers(1, 5)]))
    costs = CostModel(each(some), each(some), each(st.sampled_from([0.0, 0.25])),
                      each(st.sampled_from([0.0, 0.5])), per_micro_batch=draw(st.booleans()))
    late, rates = st.sampled_from([0.0, 0.3, 4.0]), st.sampled_from([np.inf, 1.0, 7.7])
    link = Link(draw(late), draw(rates), draw(st.booleans()))
    if draw(st.booleans()):  # boundaries, micro-batches and devices that are unlike
        link = Link(each(late, stages - 1), each(rates, stages - 1), link.held)
        factors = st.sampled_from([1.0, 4.0, 0.3])
        costs = replace(costs, microbatch_scale=each(factors, draw(st.integers(
            1, shape.microbatches))), slowdown=each(factors, shape.devices))
    return order, costs, Cluster(link, each(st.sampled_from([0.0, 1.0, 9.0]), stages - 1),
                                 np.zeros(stages))


def simulated_period(order, costs, cluster, minibatches):
    """Seconds per mini-batch once all updates repeat exactly, c mini-batches later; else None."""
    program = order(minibatches)
    done = simulate(program, costs, cluster, np.random.default_rng(0)).end_s
    stages = program.shape.stages
    end = done[program.row_of(Op.U)][:, :: program.shape.microbatches]
    end = end[:, minibatches // 2 : minibatches - 4 * stages - 8]
    for c in range(1, 13):
        step = end[:, c:] - end[:, :-c]
        if (step == step[0, 0]).all():
            return float(Fraction(step[0, 0]) / c)
    return None


@given(systems())
@settings(max_examples=150)
def test_period_is_that_of_a_long_simulation(system):
    order, costs, cluster = system
    found = steady_state(order(30), costs, cluster)
    minibatches, period = 100, None
    while minibatches < LONGEST and period != pytest.approx(found.period_s, rel=1e-12, abs=0.0):
        minibatches *= 2
        period = simulated_period(order, costs, cluster, minibatches)
    assert period == pytest.approx(found.period_s, rel=1e-12, abs=0.0)


@given(systems())
def test_the_cycle_takes_the_period_and_is_one_of_instructions_and_links(system):
    order, costs, cluster = system
    found = steady_state(order(30), costs, cluster)
    whole = found.cycle.height * found.pattern.minibatches
    assert sum(each.seconds for each in found.critical) == pytest.approx(
        whole * found.period_s, rel=1e-12)
    assert sum(share for _, share in found.shares()) == pytest.approx(1.0)
    for each in found.critical:
        assert (each.to_device is None) == (not each.name.startswith("link"))
        assert each.to_device != each.device


@given(orders())
def test_a_pattern_seen_early_is_the_one_seen_late(order):
    short, long = find_pattern(order(30)), find_pattern(order(75))
    assert short.minibatches == long.minibatches
    apart = 45 // short.minibatches * short.minibatches

    def texts(pattern, shift):
        n = pattern.program.shape.microbatches
        first = (pattern.first - 1 - shift) * n
        each = [pattern.program.instruction(row) for row in pattern.rows]
        return {(e.stage, e.op, e.index - first, e.count) for e in each}

    assert texts(short, 0) == texts(long, 0)
    assert apart >= 0
    sizes = [np.bincount(p.program.device[p.rows]).tolist() for p in (short, long)]
    assert sizes[0] == sizes[1]


def steady(**keys):
    return endless(experiment(task="none", **keys))


def test_free_links_leave_the_slowest_stage():
    found = steady(stages=4, forward_s=[1.0, 2.0, 3.0, 1.0], backward_s=[2.0, 4.5, 3.0, 1.0],
                   update_s=0.25)
    assert found["period_s"] == 6.75
    assert [e["name"] for e in found["critical_cycle"]] in (
        [["1F", "1B", "1U"], ["1B", "1U", "1F"], ["1U", "1F", "1B"]])
    assert found["speed_up"][0] == {"name": "1B", "share": pytest.approx(4.5 / 6.75)}
    assert found["staleness"] == {"forward": [3, 2, 1, 0], "backward": [0, 0, 0, 0]}


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
@pytest.mark.parametrize(("stages", "n"), [(1, 1), (3, 4), (4, 8)])
def test_a_flush_costs_the_formulas_bubble(schedule, stages, n):
    found = steady(schedule=schedule, stages=stages, microbatches=n, backward_s=2.0)
    assert found["period_s"] == (n + stages - 1) * 3.0
    assert found["bubble_fraction"] == pytest.approx((stages - 1) / (n + stages - 1))


def test_a_slow_link_is_named():
    found = steady(stages=2, schedule="nf1b", microbatches=3, forward_s=0.1, backward_s=0.1,
                   bandwidth_bytes_per_s=1.0, boundary_bytes=5.0)
    assert found["speed_up"][0]["name"] == "link 1→0 (1B)"
    links = [e for e in found["critical_cycle"] if e["kind"] == "link"]
    assert {(e["device"], e["to_device"]) for e in links} == {(0, 1), (1, 0)}


def test_it_is_the_rate_of_a_long_run():
    keys = {"stages": 4, "forward_s": [1.0, 1.3, 0.7, 1.1], "latency_s": 0.4}
    measured = timing(trace_of(task="none", minibatches=400, **keys))
    assert steady(**keys)["throughput_minibatches_per_s"] == pytest.approx(
        measured.steady_throughput_minibatches_per_s, rel=1e-3)


def test_sums_of_ticks_beyond_64_bits_are_exact():
    size, ticks = 3000, 2**53 - 1
    ring = np.arange(size)
    graph = EventGraph.of(size, (ring, (ring + 1) % size, np.full(size, ticks), 1 * (ring == 0)))
    found = critical_cycle(graph)
    assert (found.ratio, found.height, len(found.edges)) == (size * ticks, 1, size)


def test_a_search_without_an_end_says_so():
    with mock.patch.object(howard, "MOST_ROUNDS", 1):
        result = ask("--set", "forward_s=[1.0, 2.0, 1.0]", "--set", "schedule=gpipe",
                     "--set", "microbatches=3")
        assert result.exit_code == 2
        assert "was not found in 1 rounds of policy iteration" in result.output


def test_no_time_at_all_has_no_rate():
    found = steady(forward_s=0.0, backward_s=0.0)
    assert found["period_s"] == 0
    assert found["throughput_minibatches_per_s"] is found["bubble_fraction"] is None


def test_an_order_that_does_not_repeat_has_no_pattern():
    shape = PipelineShape(1, 6)
    order = [Instruction(0, op, i) for i in range(6) for op in (Op.F, Op.B)]
    assert find_pattern(Program.from_streams(shape, [order])) is not None
    ops = [(Op.F, 0), (Op.B, 0), (Op.F, 1), (Op.F, 2), (Op.B, 1), (Op.B, 2), (Op.F, 3), (Op.F, 4),
           (Op.F, 5), (Op.B, 3), (Op.B, 4), (Op.B, 5)]
    mixed = Program.from_streams(shape, [[Instruction(0, op, i) for op, i in ops]])
    assert find_pattern(mixed) is None


def test_a_period_of_several_minibatches_is_found():
    """Forwards of two mini-batches, then their backwards, over and over."""
    shape = PipelineShape(1, 12)
    stream = [Instruction(0, op, i + j) for i in range(0, 12, 2) for op in (Op.F, Op.B)
              for j in range(2)]
    pattern = find_pattern(Program.from_streams(shape, [stream]))
    assert (pattern.minibatches, len(pattern.rows)) == (2, 6)


@pytest.mark.parametrize(("keys", "said"), [
    ({"jitter": {"sigma": 0.1}}, "costs.jitter"), ({"dispatch": "greedy"}, "pipeline.dispatch"),
    ({"stragglers": [{"stage": 0, "from_s": 0.0, "to_s": 9.0, "factor": 2.0}]},
     "costs.stragglers"),
    ({"trends": [{"stage": 0, "from_s": 0.0, "to_s": 9.0, "factor": 2.0}]}, "costs.trends"),
    ({"stages": 4000}, "more than 8000000 instructions"),
    ({"activation_bytes": 2.0, "activation_limit_bytes": 5.0}, "holds up to 6 bytes")])
def test_what_has_no_steady_state_is_refused(keys, said):
    with pytest.raises(ConfigurationError, match=said):
        steady(**keys)


def test_enough_memory_is_enough():
    keys = {"activation_bytes": 2.0, "activation_limit_bytes": 6.0}
    setup, found = solve(experiment(task="none", **keys))
    assert setup.cluster.activation_limit_bytes == 6.0
    assert found.period_s > 0


def ask(*arguments):
    return CliRunner().invoke(main, ["steady", "--set", "training.task=none", *arguments])


def test_the_door_gives_period_and_cycle():
    found = json.loads(ask("--json", "--set", "latency_s=0.5", "--set", "stages=2").stdout)
    assert (found["period_s"], found["throughput_minibatches_per_s"]) == (2.5, 0.4)
    assert [e["name"] for e in found["critical_cycle"]] == [
        "0F", "link 0→1 (0F)", "1F", "1B", "link 1→0 (1B)", "0B", "0U"]
    assert found["critical_minibatches"] == 2
    shown = ask("--set", "latency_s=0.5").output
    assert "what to speed up" in shown
    assert "critical cycle over" in shown


def test_the_door_refuses_in_one_line():
    result = ask("--set", "costs.jitter={sigma=0.1}")
    assert result.exit_code == 2
    assert result.output.count("\n") == 1

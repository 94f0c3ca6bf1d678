"""The event-driven engine equals a longest-path recurrence bit for bit."""

from hypothesis import given
from hypothesis import strategies as st

from sim.op import Op
from sim.order.instruction import Instruction
from tests.oracles.longest_path import start_times
from tests.sim.experiments import TIMES, simulate
from tests.sim.strategies import names, shapes, timings

TICKS_PER_S = 2**30


@st.composite
def cases(draw):
    shape = draw(shapes(5, 5, (1, 2, 4)))
    return draw(names), shape, draw(timings(shape.stages))


def ticks(seconds: float) -> float:
    return round(seconds * TICKS_PER_S) / TICKS_PER_S


@given(cases())
def test_start_times_are_those_of_the_recurrence(case):
    name, shape, keys = case
    trace = simulate(schedule=name, stages=shape.stages, minibatches=shape.minibatches,
                     microbatches=shape.microbatches, **TIMES, **keys)
    rows = {trace.instruction(row): row for row in range(len(trace))}
    seconds = {each: float(trace.end_s[row] - trace.start_s[row]) for each, row in rows.items()}

    def transfer(each: Instruction) -> float:
        rate = keys["bandwidth_bytes_per_s"]
        size = keys["boundary_bytes"] * each.count
        held = keys["latency_s"] if keys["latency"] == "held" else 0.0
        return ticks(held + (size / rate if rate else 0.0))

    after = ticks(keys["latency_s"]) if keys["latency"] == "pipelined" else 0.0
    starts = start_times(trace.program(), seconds, transfer, after)
    assert starts == {each: trace.start_s[row] for each, row in rows.items()}


@given(cases())
def test_without_jitter_durations_are_the_costs_to_the_nearest_tick(case):
    name, shape, keys = case
    keys.pop("jitter", None)
    trace = simulate(schedule=name, stages=shape.stages, minibatches=shape.minibatches,
                     microbatches=shape.microbatches, **TIMES, **keys)
    halves = [seconds / 2 for seconds in keys["backward_s"]]
    of = {Op.F: keys["forward_s"], Op.B: keys["backward_s"], Op.U: keys["update_s"],
          Op.I: halves, Op.W: halves}
    for row in range(len(trace)):
        each = trace.instruction(row)
        assert trace.end_s[row] - trace.start_s[row] == ticks(of[each.op][each.stage])

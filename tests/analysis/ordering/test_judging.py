"""Three judges of an order agree to the bit: the readable one, the loops, and the exact engine."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

import sim
from analysis.ordering.climbing.loops import ALLOWED, CLIMB, JUDGED, NEVER
from analysis.ordering.climbing.tables import Tables
from analysis.ordering.judge import judge
from analysis.ordering.problem import OrderProblem
from analysis.ordering.search import search
from analysis.ordering.starts.greedy import greedy_order, one_at_a_time, tastes
from analysis.ordering.starts.named import named_orders
from analysis.ordering.streams import codes_of, program_of, streams_in, streams_of
from sim.kernels.pairs import NUMBA, NUMPY, installed
from sim.op import Op
from tests.analysis.ordering.problems import uneven, within

CASES = [uneven(0), uneven(1, 2, 5), uneven(2, 6, 4, schedule="interleaved", chunks=2),
         uneven(3, 4, 5, schedule="zbv", chunks=2), uneven(4, 1, 3)]


def plain(column):
    return column.tolist()


def shuffled(problem: OrderProblem, rng: np.random.Generator) -> list[list[tuple[Op, int]]]:
    """An order that can be executed, often a bad one: devices choose at random among what is ready,
    in the order of no clock."""
    done = {op: [0] * problem.stages for op in (Op.F, Op.I, Op.W)}
    streams: list[list[tuple[Op, int]]] = [[] for _ in range(problem.devices)]
    last = problem.stages - 1
    for _ in range(3 * problem.stages * problem.microbatches):
        forwards, inputs, halves = (done[op] for op in (Op.F, Op.I, Op.W))
        ready = [(Op.F, k) for k in range(problem.stages) if forwards[k] < (
            problem.microbatches if k == 0 else forwards[k - 1])]
        ready += [(Op.I, k) for k in range(problem.stages) if inputs[k] < (
            forwards[k] if k == last else min(inputs[k + 1], forwards[k]))]
        ready += [(Op.W, k) for k in range(problem.stages) if halves[k] < inputs[k]]
        op, stage = ready[rng.integers(len(ready))]
        done[op][stage] += 1
        whole = streams[problem.device[stage]]
        if op is Op.W and whole[-1] == (Op.I, stage) and halves[stage] == inputs[stage]:
            whole[-1] = (Op.B, stage)
        else:
            whole.append((op, stage))
    return streams


@pytest.mark.parametrize("case", range(len(CASES)))
def test_every_judge_says_the_same_of_random_orders(case):
    problem, rng = CASES[case], np.random.default_rng(case)
    tables = Tables.of(problem, plain)
    for _ in range(6):
        streams = shuffled(problem, rng)
        judged, codes = judge(problem, streams), codes_of(streams)
        assert JUDGED.loops(tables, codes.tolist()) == judged.makespan_s
        trace = sim.run(problem.experiment, program=program_of(problem, streams))
        assert trace.end_s.max() == judged.makespan_s
        assert streams_of(program_of(problem, streams)) == streams_in(codes, problem) == streams
        if installed():
            assert NUMBA.of(JUDGED)(Tables.of(problem, np.asarray), codes) == judged.makespan_s


@pytest.mark.parametrize("case", range(len(CASES)))
def test_a_device_is_allowed_what_fits_its_memory(case):
    problem, rng = CASES[case], np.random.default_rng(case)
    for _ in range(4):
        streams = shuffled(problem, rng)
        peak = judge(problem, streams).peak_bytes
        codes = codes_of(streams).tolist()
        for limit, device in ((peak.max(), int(peak.argmax())), (peak.min(), int(peak.argmin()))):
            tight = within(problem, limit)
            assert ALLOWED.loops(Tables.of(tight, plain), codes, device)
            less = Tables.of(within(problem, limit * 0.999), plain)
            assert not ALLOWED.loops(less, codes, device)
        assert judge(within(problem, peak.max()), streams).fits(within(problem, peak.max()))


def test_what_can_never_run_never_ends():
    problem = uneven(1, 2, 2)
    streams = [[(Op.I, 0), (Op.F, 0)], [(Op.F, 1)]]
    assert judge(problem, streams).makespan_s == math.inf
    tables = Tables.of(problem, plain)
    rows = 3 * 2 * 2
    codes = [1, 0, *[-1] * (rows // 2 - 2), 4, *[-1] * (rows // 2 - 1)]
    assert JUDGED.loops(tables, codes) == NEVER
    assert not ALLOWED.loops(tables, codes, 0)


def test_memory_of_halves_is_what_the_run_says():
    base = uneven(5)
    again = OrderProblem.of(base.experiment.changed(
        {"pipeline.backward": "recompute", "costs.recompute_s": 0.25}))
    for problem in (base, again):
        for streams in (named_orders(problem)["zb-h1"], named_orders(problem)["1f1b"],
                        one_at_a_time(problem)):
            report = sim.run(problem.experiment, program=program_of(problem, streams))
            judged = judge(problem, streams)
            assert report.end_s.max() == judged.makespan_s


@pytest.mark.parametrize("seed", range(3))
def test_greedy_orders_are_whole_and_fit(seed):
    for problem in (uneven(seed), uneven(seed, 6, 4, schedule="interleaved", chunks=2)):
        least = judge(problem, one_at_a_time(problem)).peak_bytes.max()
        most = judge(problem, greedy_order(problem, next(iter(tastes(problem).values()))))
        for limit in (least, (least + most.peak_bytes.max()) // 2, np.inf):
            tight = within(problem, limit)
            for taste in tastes(tight).values():
                streams = greedy_order(tight, taste)
                assert streams is not None
                assert judge(tight, streams).fits(tight)
                assert sum(map(len, streams)) == 3 * tight.stages * tight.microbatches


def climbed(problem: OrderProblem, climb, view) -> list[list[float]]:
    """All that a climb of 400 moves from a greedy order changes, as lists."""
    streams = greedy_order(problem, next(iter(tastes(problem).values())))
    codes, makespan_s = codes_of(streams), judge(problem, streams).makespan_s
    columns = [view(np.array(each)) for each in (
        codes, codes, [7], [makespan_s] * 50, [makespan_s, makespan_s, 0.0, 0.0])]
    climb(Tables.of(problem, view), *columns, 400)
    assert columns[4][1] < makespan_s
    return [list(column) for column in columns]


def halves_at(share: float) -> OrderProblem:
    """A problem whose whole backwards take a share of what their halves do."""
    problem = within(uneven(6), 400.0)
    return dataclasses.replace(problem, backward_s=problem.backward_s * share)


@pytest.mark.parametrize("share", [1.0, 0.8])
def test_a_climb_keeps_orders_whole_within_memory_and_makes_backwards_whole_where_quicker(share):
    problem = halves_at(share)
    _, best, _, _, found = climbed(problem, CLIMB.loops, plain)
    streams = streams_in(best, problem)
    judged = judge(problem, streams)
    assert judged.makespan_s == found[1]
    assert judged.fits(problem)
    assert any(op is Op.B for stream in streams for op, _ in stream) == (share < 1)
    assert program_of(problem, streams).validate()  # every pass of every stage, once


@pytest.mark.verify  # compiling takes seconds
@pytest.mark.skipif(not installed(), reason="numba (the extra `fast`) is not installed")
@pytest.mark.parametrize("share", [1.0, 0.8])
def test_a_climb_is_the_same_in_python_and_compiled(share):
    problem = halves_at(share)
    assert climbed(problem, CLIMB.loops, plain) == climbed(problem, NUMBA.of(CLIMB), np.array)


@pytest.mark.verify
@pytest.mark.skipif(not installed(), reason="numba (the extra `fast`) is not installed")
def test_a_search_is_the_same_in_python_and_compiled():
    problem = uneven(7, 5, 8)
    one, other = (search(problem, rounds=12_000, seed=1, kernels=kernels)
                  for kernels in (NUMPY, NUMBA))
    assert (one.program, one.makespan_s, one.judged) == (
        other.program, other.makespan_s, other.judged)

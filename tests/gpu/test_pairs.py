"""Slow-downs by pairs, recovered from passes that overlap in every way."""

import numpy as np
import pytest

from gpu.profiling.pairs import factors, lock_share, overlaps, rates
from gpu.profiling.solo import Done
from gpu.profiling.stage_times import StageTimes
from sim.op import Op

F, B, U = Op.F, Op.B, Op.U


def done(stage, op, start, end, count=1):
    return Done(stage, op, 0, count, start, end, start, end)


def test_overlaps_are_seconds_next_to_each_kind():
    own = [done(0, F, 1.0, 3.0), done(0, B, 3.0, 6.0)]
    others = [done(1, F, 0.0, 1.5), done(1, B, 1.5, 4.0), done(1, F, 5.0, 9.0)]
    assert overlaps(own, others) == [{(1, F): 0.5, (1, B): 1.5}, {(1, B): 1.0, (1, F): 1.0}]
    assert overlaps(own, []) == [{}, {}]


def test_several_neighbours_at_once_share_the_time():
    found = overlaps([done(0, F, 0.0, 4.0)], [done(1, F, 0.0, 4.0), done(2, B, 1.0, 2.0)])
    assert found == [{(1, F): 3.5, (2, B): 0.5}]


def run(work, truth, rng, samples=40, late=0):
    """Passes of `work` seconds that meet neighbours for random shares of them."""
    found = []
    for n in range(samples):
        left, parts, taken = work * rng.uniform(0, 0.3), {}, 0.0
        taken += left
        shares = rng.dirichlet(np.ones(len(truth))) * (work - left)
        for (kind, factor), share in zip(truth.items(), shares, strict=True):
            parts[kind] = share * factor
            taken += share * factor
        if n < late:
            next_kind = next(iter(parts))
            parts[next_kind] += 8 * work
            taken += 8 * work
        found.append((taken, parts))
    return found


def test_rates_are_recovered_and_passes_held_up_count_for_little():
    truth = {(1, F): 1.07, (1, B): 1.4}
    for seed in range(5):
        clean = rates(0.01, run(0.01, truth, np.random.default_rng(seed)))
        held = rates(0.01, run(0.01, truth, np.random.default_rng(seed), late=3))
        for kind, factor in truth.items():
            assert 1 / clean[kind] == pytest.approx(factor, rel=0.02)
            assert 1 / held[kind] == pytest.approx(factor, rel=0.06)


def test_what_never_ran_side_by_side_has_no_factor():
    assert rates(0.01, [(0.01, {})]) == {}
    assert rates(0.0, [(0.01, {(1, F): 0.01})]) == {}


def test_only_stages_that_share_hardware_slow_each_other():
    times = StageTimes()
    times.alone[0, F] = [1.0]
    times.beside = [([done(0, F, 0.0, 2.0)], [done(1, B, 0.0, 2.0), done(2, B, 0.0, 2.0)])]
    (pair,) = factors(times, ("a", "a", "b"))
    assert (pair.stage, pair.op, pair.beside_stage, pair.beside_op) == (0, "F", 1, "B")
    assert pair.factor == pytest.approx(2.0, rel=0.01)
    assert factors(times, ("a", "b", "c")) == ()


def test_a_backward_of_several_is_measured_by_its_micro_batches():
    times = StageTimes()
    times.alone[0, B] = [1.0]
    times.beside = [([done(0, B, 0.0, 6.0, count=3)], [done(1, F, 0.0, 6.0)])]
    (pair,) = factors(times, ("a", "a"))
    assert pair.factor == pytest.approx(2.0, rel=0.01)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_share_of_the_lock_is_how_much_longer_asking_takes_beside_others(share):
    times = StageTimes()
    times.issue[0, F] = [1.0]
    taken = 1.0 + share
    times.beside = [([done(0, F, 0.0, taken)], [done(1, F, 0.0, taken)])]
    assert lock_share(times) == pytest.approx(share)
    times.beside = [([done(0, F, 0.0, 1.0)], [])]
    assert lock_share(times) == 0.0

"""nF1B: gaps between the versions of a forward and of its backward, and chains of updates."""

import math

import pytest

from sim.op import Op
from tests.sim.experiments import TIMES, by_pass, simulate

SIZES = [(stages, n) for stages in range(2, 9) for n in range(2, 9)]
EVERY = pytest.mark.parametrize(("stages", "n"), SIZES)
PUBLISHED_FAILS = {(6, 2), (8, 2), (8, 3)}
MINIBATCHES = 26
STEADY = range(17, 23)  # from 1; warm-up is over and the last entrants are still to come


def traced(stages: int, n: int, mitigation: str):
    return simulate(schedule="nf1b", stages=stages, microbatches=n, minibatches=MINIBATCHES,
                    mitigation=mitigation, **TIMES)


def gap(stages: int, n: int, stage: int, micro: int) -> int:
    return max(0, math.ceil((2 * (stages - 1 - stage) - micro) / n))


def version_gaps(stages: int, n: int, mitigation: str) -> dict[tuple[int, int], set[int]]:
    """Updates between the version a forward read and its backward, by (stage, micro-batch)."""
    trace = traced(stages, n, mitigation)
    read = by_pass(trace, "version_read", Op.F)
    at_backward = by_pass(traced(stages, n, "none"), "version_read", Op.B)
    return {(k, j): {int(at_backward[k, (i - 1) * n + j] - read[k, (i - 1) * n + j])
                     for i in STEADY}
            for k in range(stages) for j in range(n)}


@EVERY
@pytest.mark.parametrize("mitigation", ["none", "stash"])
def test_the_gap_with_live_weights_is_the_closed_form(stages, n, mitigation):
    gaps = version_gaps(stages, n, mitigation)
    assert gaps == {(k, j): {gap(stages, n, k, j)} for k in range(stages) for j in range(n)}


@EVERY
@pytest.mark.parametrize("mitigation", ["vertical-sync", "timeprest"])
def test_with_vertical_sync_the_gap_is_stage_0s_on_every_stage(stages, n, mitigation):
    gaps = version_gaps(stages, n, mitigation)
    assert gaps == {(k, j): {gap(stages, n, 0, j)} for k in range(stages) for j in range(n)}


@EVERY
def test_a_stashed_backward_is_stale_by_the_mean_gap_of_its_micro_batches(stages, n):
    trace = traced(stages, n, "stash")
    staleness = by_pass(trace, "staleness", Op.B)
    for k in range(stages):
        mean = sum(gap(stages, n, k, j) for j in range(n)) / n
        for i in STEADY:
            assert staleness[k, (i - 1) * n] == pytest.approx(mean, abs=1e-12)


@EVERY
def test_the_period_is_n_forwards_and_one_backward(stages, n):
    trace = traced(stages, n, "none")
    for op in (Op.F, Op.B):
        start = by_pass(trace, "start_s", op)[:, ::n]
        for i in STEADY:
            assert all(start[:, i] - start[:, i - 1] == n + 1)


def version_difference(stages: int, n: int) -> int:
    """How many updates behind the newest whole-model version is that a backward starts from.

    A version of the whole model is complete when its backward has ended on stage 0; mini-batch
    `i` starts its backward on the last stage, and makes version `i`.
    """
    trace = traced(stages, n, "none")
    start = by_pass(trace, "start_s", Op.B)[-1, ::n]
    end = by_pass(trace, "end_s", Op.B)[0, ::n]
    (difference,) = {i - int((end <= start[i - 1]).sum()) for i in STEADY}
    return difference


@EVERY
def test_there_is_one_chain_of_updates_exactly_up_to_n_plus_1_stages(stages, n):
    assert (version_difference(stages, n) == 1) == (stages <= n + 1)


@EVERY
def test_chains_of_updates_are_the_periods_a_backward_takes_through_the_stages(stages, n):
    assert version_difference(stages, n) == math.ceil(stages / (n + 1))


@EVERY
def test_the_published_version_difference_holds_but_for_three_sizes(stages, n):
    published = (stages + n - 2) // n
    assert (version_difference(stages, n) == published) == ((stages, n) not in PUBLISHED_FAILS)

"""Spread: Student's t against tables and failure rates, ranges that nothing leaves, pairs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from sim.spread import ANY, POSITIVE, SHARE, Paired, Range, p_text, paired, quantile, spread_of

# central 95 %, from printed tables of Student's t
PRINTED = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 9: 2.262, 29: 2.045}
NUMBERS = st.floats(-1e6, 1e6)
SHARES = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1, allow_subnormal=False))
LOSSES = st.one_of(st.just(0.0), st.floats(1e-9, 1e6))


@pytest.mark.parametrize(("freedom", "printed"), PRINTED.items())
def test_quantiles_are_the_printed_ones(freedom, printed):
    assert quantile(freedom) == pytest.approx(printed, abs=6e-4)


def test_a_worked_interval():
    found = spread_of([1.0, 2.0, 3.0, 4.0])
    assert (found.mean, found.sd) == (2.5, pytest.approx(math.sqrt(5 / 3)))
    half = 3.182446 * math.sqrt(5 / 3) / 2
    assert found.ci95 == pytest.approx((2.5 - half, 2.5 + half))


def test_worked_intervals_of_a_loss_and_of_an_accuracy():
    half = 3.182446 * math.sqrt(5 / 3) / 2
    low, high = spread_of([1.0, 2.0, 3.0, 4.0], POSITIVE).ci95
    assert (math.log(low), math.log(high)) == pytest.approx(
        (math.log(2.5) - half / 2.5, math.log(2.5) + half / 2.5))
    low, high = spread_of([0.1, 0.2, 0.3, 0.4], SHARE).ci95
    logits = [math.log(bound / (1 - bound)) for bound in (low, high)]
    step = half / 10 / (0.25 * 0.75)  # a logit grows by 1/(m(1 − m)) for each unit of m
    assert logits == pytest.approx((math.log(1 / 3) - step, math.log(1 / 3) + step), abs=1e-6)


def test_few_seeds_say_no_more_than_they_know():
    assert spread_of([3.0]) == ((3.0,), 3.0, None, None)
    assert spread_of([3.0, 5.0]) == ((3.0, 5.0), 4.0, None, None)
    assert spread_of([3.0, 5.0, 4.0]) == ((3.0, 5.0, 4.0), 4.0, 1.0, None)
    assert spread_of([3.0, 5.0, 4.0, 4.0]).ci95 is not None
    with pytest.raises(ValueError, match="at least one"):
        spread_of([])


def test_how_a_spread_is_written():
    texts = [spread_of(values, POSITIVE).text("{:.1f}".format)
             for values in ([3.0], [3.0, 5.0], [3.0, 5.0, 4.0], [3.0, 5.0, 4.0, 4.0])]
    assert texts == ["3.0", "3.0, 5.0", "4.0 ± 1.0", "4.0 ± 0.8 [2.9, 5.5]"]


@given(NUMBERS, st.integers(4, 9))
def test_equal_values_are_their_own_mean_to_the_last_bit(value, count):
    assert spread_of([value] * count) == ((value,) * count, value, 0.0, (value, value))


@pytest.mark.parametrize(("values", "within"), [
    ([1.0] * 5, SHARE), ([0.0] * 5, SHARE), ([0.0] * 5, POSITIVE)])
def test_values_at_an_end_of_the_range_are_a_point_there(values, within):
    assert spread_of(values, within).ci95 == (values[0], values[0])


@given(st.lists(SHARES, min_size=4, max_size=9))
def test_no_interval_of_shares_leaves_0_to_1_nor_misses_the_mean(values):
    found = spread_of(values, SHARE)
    low, high = found.ci95
    assert 0 <= low <= found.mean * (1 + 1e-12) + 1e-300
    assert found.mean * (1 - 1e-12) <= high <= 1 + 1e-15


@given(st.lists(LOSSES, min_size=4, max_size=9))
def test_no_interval_of_losses_is_below_0_nor_misses_the_mean(values):
    found = spread_of(values, POSITIVE)
    low, high = found.ci95
    assert 0 <= low <= found.mean * (1 + 1e-12) <= high * (1 + 1e-9)
    assert (low > 0) == (found.mean > 0)


def test_what_the_readme_printed_once_is_possible_now():
    low, high = spread_of([0.05, 0.9, 0.95, 0.92], SHARE).ci95  # by a plain t: to 141 %
    assert 0 < low < 0.705 < high < 1
    low, high = spread_of([0.001, 0.002, 0.004, 0.08], POSITIVE).ci95  # by a plain t: from -0.04
    assert 0 < low < 0.02175 < high


def test_a_range_that_the_values_leave_is_not_theirs():
    assert spread_of([-1.0, 2.0, 3.0, 4.0], POSITIVE) == spread_of([-1.0, 2.0, 3.0, 4.0])


@given(st.lists(NUMBERS, min_size=4, max_size=8), st.floats(0.1, 10), NUMBERS)
def test_intervals_move_and_stretch_with_the_values(values, scale, shift):
    one, other = spread_of(values), spread_of([scale * v + shift for v in values])
    size = 1 + max(map(abs, values)) * scale + abs(shift)
    assert other.mean == pytest.approx(scale * one.mean + shift, abs=1e-9 * size)
    assert other.sd == pytest.approx(scale * one.sd, abs=1e-9 * size)
    assert other.ci95 == pytest.approx([scale * v + shift for v in one.ci95], abs=1e-7 * size)


@pytest.mark.parametrize(("within", "draw", "truth", "share"), [
    (ANY, lambda rng: rng.normal(3.0, 2.0, (4000, 5)), 3.0, 0.95),
    (POSITIVE, lambda rng: rng.lognormal(0.0, 0.5, (4000, 5)), math.exp(0.125), 0.94),
    (SHARE, lambda rng: rng.beta(19, 1, (4000, 5)), 0.95, 0.93),
])
def test_the_interval_holds_the_mean_about_as_often_as_it_says(within, draw, truth, share):
    samples = draw(np.random.default_rng(5)).tolist()
    hits = [low <= truth <= high for low, high in (spread_of(s, within).ci95 for s in samples)]
    assert np.mean(hits) == pytest.approx(share, abs=0.015)


def test_values_too_large_to_square_are_no_crash():
    found = spread_of([1e308, -1e308, 1e308, 0.0])
    assert found.ci95 is None
    assert found.sd == math.inf


def test_pairs_of_losses_are_ratios_with_the_p_of_the_paired_test():
    ours, theirs = [0.1, 0.2, 0.15, 0.4, 0.3], [0.2, 0.3, 0.4, 0.5, 0.9]
    found, expected = paired(ours, theirs, POSITIVE), ttest_rel(np.log(ours), np.log(theirs))
    assert found.of == "ratio"
    assert found.values == pytest.approx([0.5, 2 / 3, 0.375, 0.8, 1 / 3])
    assert found.mean == pytest.approx(math.prod(found.values) ** 0.2)
    assert found.p == pytest.approx(expected.pvalue)
    assert np.log(found.ci95) == pytest.approx(list(expected.confidence_interval()))


def test_pairs_of_seconds_are_differences():
    ours, theirs = [10.0, 12.0, 9.0, 14.0], [20.0, 19.0, 23.0, 21.0]
    found, expected = paired(ours, theirs), ttest_rel(ours, theirs)
    assert (found.of, found.mean) == ("difference", -9.5)
    assert found.ci95 == pytest.approx(tuple(expected.confidence_interval()))
    assert found.p == pytest.approx(expected.pvalue)


@given(st.lists(st.tuples(SHARES, SHARES), min_size=4, max_size=9))
def test_no_interval_of_a_difference_of_shares_leaves_minus_1_to_1(pairs):
    found = paired(*zip(*pairs, strict=True), SHARE)
    assert -1 <= found.ci95[0] <= found.mean + 1e-9
    assert found.mean - 1e-9 <= found.ci95[1] <= 1
    assert found.p is None or 0 <= found.p <= 1


def test_pairing_sees_what_the_spread_of_the_seeds_hides():
    seeds = np.random.default_rng(2).lognormal(0, 1, 5)  # between seeds ± 100 %, between methods 10
    better = paired((seeds * 0.9 * [1, 1.02, 0.99, 1.01, 0.98]).tolist(), seeds.tolist(), POSITIVE)
    assert better.p < 0.001
    assert 0.87 < better.ci95[0] < better.ci95[1] < 0.93


def test_a_loss_of_0_has_no_ratio_and_is_compared_by_difference():
    found = paired([0.0, 0.1, 0.2, 0.3], [0.1, 0.1, 0.1, 0.1], POSITIVE)
    assert (found.of, found.mean) == ("difference", pytest.approx(0.05))


def test_differences_that_do_not_vary_have_no_p():
    same = paired([0.9, 0.8, 0.7, 0.6], [0.9, 0.8, 0.7, 0.6], SHARE)
    assert (same.mean, same.ci95, same.p) == (0.0, (0.0, 0.0), None)
    always = paired([0.9, 0.8, 0.7, 0.6], [0.8, 0.7, 0.6, 0.5], SHARE)  # by a tenth, and rounding
    assert always.mean == pytest.approx(0.1)
    assert always.p is None
    rounded = [loss * (1 + 1e-13 * k) for k, loss in enumerate((0.1, 0.3, 0.2, 0.5))]
    assert paired(rounded, [0.1, 0.3, 0.2, 0.5], POSITIVE).p is None


def test_few_pairs_have_neither_interval_nor_p():
    found = paired([1.0, 2.0, 4.0], [2.0, 2.0, 2.0], POSITIVE)
    assert found == ("ratio", (0.5, 1.0, 2.0), pytest.approx(1.0), None, None)
    assert found.text("{:.1f}".format) == "0.5, 1.0, 2.0"
    with pytest.raises(ValueError, match="got 1 and 2"):
        paired([1.0], [1.0, 2.0])


def test_how_pairs_are_written():
    found = Paired("ratio", (0.5,) * 4, 0.5, (0.25, 1.0), 0.0123)
    assert found.text("{:.2f}".format) == "0.50 [0.25, 1.00] p = 0.012"
    assert [p_text(p) for p in (0.0004, 0.04, 0.3333, 0.999)] == [
        "p < 0.001", "p = 0.04", "p = 0.33", "p = 1"]


def test_a_range_with_two_ends_elsewhere():
    low, high = Range(-1.0, 1.0).interval(0.0, 0.5)
    assert (low, high) == pytest.approx((-math.tanh(0.5), math.tanh(0.5)))

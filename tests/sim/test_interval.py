"""Confidence intervals: Student's t against tables, and against how often it should fail."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.interval import mean_of, quantile

# central 95 %, from printed tables of Student's t
PRINTED = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 9: 2.262, 29: 2.045}
NUMBERS = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(("freedom", "printed"), PRINTED.items())
def test_quantiles_are_the_printed_ones(freedom, printed):
    assert quantile(freedom) == pytest.approx(printed, abs=6e-4)


def test_a_worked_interval():
    mean, sd, bounds = mean_of([1.0, 2.0, 3.0, 4.0])
    assert (mean, sd) == (2.5, pytest.approx(math.sqrt(5 / 3)))
    half = 3.182446 * math.sqrt(5 / 3) / 2
    assert bounds == pytest.approx((2.5 - half, 2.5 + half))


def test_one_value_has_no_interval_and_none_no_mean():
    assert mean_of([3.0]) == (3.0, 0.0, None)
    with pytest.raises(ValueError, match="at least one"):
        mean_of([])


@given(NUMBERS, st.integers(2, 9))
def test_equal_values_are_their_own_mean_to_the_last_bit(value, count):
    assert mean_of([value] * count) == (value, 0.0, (value, value))


@given(st.lists(NUMBERS, min_size=2, max_size=8), st.floats(0.1, 10), NUMBERS)
def test_intervals_move_and_stretch_with_the_values(values, scale, shift):
    one, other = mean_of(values), mean_of([scale * v + shift for v in values])
    size = 1 + max(map(abs, values)) * scale + abs(shift)
    assert other.mean == pytest.approx(scale * one.mean + shift, abs=1e-9 * size)
    assert other.sd == pytest.approx(scale * one.sd, abs=1e-9 * size)
    assert other.ci95 == pytest.approx([scale * v + shift for v in one.ci95], abs=1e-7 * size)


def test_the_interval_holds_the_mean_in_95_of_100_samples():
    samples = np.random.default_rng(5).normal(3.0, 2.0, (4000, 5))
    hits = [low <= 3.0 <= high for low, high in (mean_of(row).ci95 for row in samples.tolist())]
    assert np.mean(hits) == pytest.approx(0.95, abs=0.012)


def test_values_too_large_to_square_are_no_crash():
    found = mean_of([1e308, -1e308, 1e308])
    assert found.ci95 is None
    assert found.sd == math.inf

"""Gradients of a mini-batch are added in micro-batch order, whatever order they come in."""

import itertools

import numpy as np
import pytest

from sim.numerics.gradients import GradientSums

GRADIENTS = np.random.default_rng(1).normal(size=(8, 50)) * 10.0 ** np.arange(-4, 4)[:, None]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_sum_has_the_same_bits_in_any_order(order):
    sums = GradientSums(4)
    for index in order:
        sums.add(4 + index, GRADIENTS[4 + index])
    first, second, third, fourth = GRADIENTS[4:]
    assert np.array_equal(sums.take(1), ((first + second) + third) + fourth)


def test_sums_of_several_mini_batches_do_not_mix_and_are_handed_over_once():
    sums = GradientSums(2)
    for index in (2, 0, 3, 1):
        sums.add(index, GRADIENTS[index])
    assert np.array_equal(sums.take(0), GRADIENTS[0] + GRADIENTS[1])
    assert np.array_equal(sums.take(1), GRADIENTS[2] + GRADIENTS[3])
    with pytest.raises(KeyError):
        sums.take(1)


def test_a_whole_mini_batchs_gradient_is_handed_on_as_it_came():
    sums = GradientSums(1)
    gradient = GRADIENTS[0]
    sums.add(5, gradient)
    assert sums.take(5) is gradient
    with pytest.raises(KeyError):
        sums.take(5)


def test_gradients_that_are_handed_in_stay_as_they_are():
    sums, given = GradientSums(4), [each.copy() for each in GRADIENTS[:4]]
    for index, gradient in enumerate(given):
        sums.add(index, gradient)
    assert np.array_equal(sums.take(0), ((GRADIENTS[0] + GRADIENTS[1]) + GRADIENTS[2])
                          + GRADIENTS[3])
    assert np.array_equal(given, GRADIENTS[:4])

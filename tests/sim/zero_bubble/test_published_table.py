"""The table of the zero-bubble authors: idle time and memory beside 1F1B's, at f = i = w.

There B = (p−1)/(m+p−1) is 1F1B's bubble.  Times are compared, not fractions of runs of different
length; a chunk of two takes half of a stage's seconds.
"""

from fractions import Fraction

import pytest

import analysis
from analysis.metrics.report import report
from tests.sim.zero_bubble.timed import CHUNKED, idle, idle_of, ran, shape_of


def beside_1f1b(name: str, devices: int, n: int, span: bool = False) -> tuple[Fraction, Fraction]:
    """Idle seconds and activations as parts of those of 1F1B, whose stages are not cut."""
    cut = name in CHUNKED
    found = idle(name, devices, n, (1, 1, 1))
    one = idle("1f1b", devices, n, (1, 1, 1))
    assert set(one.run) == {3 * (devices - 1)}
    assert max(one.most) == devices
    seconds = max(found.span if span else found.run)
    part = Fraction(int(seconds), int(one.run[0]) * (2 if cut else 1))
    return part, Fraction(max(found.most), devices * (2 if cut else 1))


@pytest.mark.parametrize(("devices", "n"), [(4, 8), (8, 16)])
def test_zb1p_has_a_third_of_the_bubble_at_the_same_memory(devices, n):
    assert beside_1f1b("zb-h1", devices, n) == (Fraction(1, 3), 1)


@pytest.mark.parametrize(("devices", "n"), [(4, 8), (8, 16)])
def test_zb2p_has_none_at_nearly_twice_the_memory(devices, n):
    assert beside_1f1b("zb-h2", devices, n, span=True) == (0, 2 - Fraction(1, devices))


@pytest.mark.parametrize(("devices", "n"), [(4, 8), (8, 16)])
def test_zbv_has_none_at_the_same_memory(devices, n):
    assert beside_1f1b("zbv", devices, n, span=True) == (0, 1)


@pytest.mark.parametrize("devices", [4, 8])
def test_v_half_has_half_of_the_memory_and_its_plain_blocks_more_than_half_of_the_bubble(devices):
    """(7P/2−2)/(6(P−1)) of it, 7/12 of it on many devices; the half that is published comes from
    moving passes within the blocks' memory, which is not part of the order."""
    bubble, memory = beside_1f1b("v-half", devices, 2 * devices)
    assert memory == Fraction(1, 2) + Fraction(1, devices)
    assert bubble == Fraction(7 * devices - 4, 12 * (devices - 1)) > Fraction(1, 2)


@pytest.mark.parametrize(("devices", "memory"), [(4, Fraction(1, 2)), (8, Fraction(1, 2)),
                                                 (16, Fraction(3, 8))])
def test_v_min_has_two_thirds_of_the_bubble_and_goes_to_a_third_of_the_memory(devices, memory):
    """(4P−5)/(6(P−1)), below two thirds and near it on many devices."""
    bubble, held = beside_1f1b("v-min", devices, 2 * devices)
    assert held == memory
    assert bubble == Fraction(4 * devices - 5, 6 * (devices - 1)) < Fraction(2, 3)
    assert Fraction(2, 3) - bubble == Fraction(1, 6 * (devices - 1))


@pytest.mark.parametrize(("name", "chunks"), [
    ("1f1b", 1), ("zb-h1", 1), ("zb-h2", 1), ("interleaved-zb", 2),
    *((each, 2) for each in CHUNKED)])
def test_the_report_says_what_devices_hold(name, chunks):
    trace = ran(name, shape_of(name, 4, 8, chunks), (1, 1, 1), activation_bytes=1.0)
    assert report(trace)["memory"]["peak_device_bytes"] == idle_of(trace, 4).most


@pytest.mark.parametrize(("name", "chunks", "idles"), [
    ("1f1b", 1, 9), ("zb-h1", 1, 3), ("interleaved-zb", 2, 3), ("zb-h2", 1, 0), ("zbv", 2, 0),
    ("v-half", 2, 12), ("v-min", 2, 11)])
def test_one_mini_batch_after_another_idles_as_much_a_step(name, chunks, idles):
    """Stages update by themselves, so with ZB-H2 and ZB-V no device ever idles but at the ends."""
    found = analysis.steady(task="none", schedule=name, stages=4 * chunks, chunks=chunks,
                            microbatches=8, minibatches=12, batch_size=8, forward_s=1.0,
                            backward_s=2.0)
    assert found["period_s"] == 8 * 3 * chunks + idles

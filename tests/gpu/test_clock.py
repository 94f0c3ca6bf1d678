"""Clock alignment against clocks made up with a known offset and drift."""

import pytest

from gpu.lanes.clock import Alignment, Bracket, offset, unaligned


def test_host_times_come_back_from_a_drifting_clock():
    def device(host):  # starts at host 100, runs 10 ppm slow
        return (host - 100.0) * (1 - 1e-5)

    alignment = Alignment(Bracket(99.999, 100.001), Bracket(149.9995, 150.0005), device(150.0))
    for host in (100.0, 120.0, 150.0):
        assert alignment.host_s(device(host)) == pytest.approx(host, abs=1e-9)
    assert alignment.residual_s == pytest.approx(1e-3)
    assert alignment.drift_s == pytest.approx(50 * 1e-5, rel=1e-3)


def test_the_hosts_own_clock_is_itself():
    assert unaligned().host_s(12.5) == 12.5
    assert unaligned().residual_s == 0


def test_offset_lies_in_its_bracket_and_the_quickest_question_counts():
    replies = iter([(0.0, 7.5, 1.0), (2.0, 9.01, 2.02), (3.0, 10.1, 3.5)])
    found = offset(lambda: next(replies), rounds=3)
    assert found.before_s <= 7.0 <= found.after_s
    assert found.half_width_s == pytest.approx(0.01)

"""Stages that share hardware slow each other down by the share of time both are busy."""

import json

import numpy as np
import pytest

from sim.op import Op
from tests.sim.experiments import TIMES, simulate

STAGE = {"forward_s": 1.0, "backward_s": 2.0}


def profiled(tmp_path, factors, placement, stages=None, **keys):
    path = tmp_path / "profile.json"
    path.write_text(json.dumps({
        "format": "pipestale-profile", "version": 1, "placement": placement,
        "stages": [{**STAGE, "contention_factor": f} for f in factors]}))
    return simulate(stages=len(factors), profile=str(path), **{"minibatches": 12, **keys, **TIMES})


def lasting(trace, op, stage):
    return np.unique((trace.end_s - trace.start_s)[(trace.op == op) & (trace.stage == stage)])


def test_stages_that_never_work_at_once_keep_their_speed(tmp_path):
    trace = profiled(tmp_path, [2.0, 2.0], ["cpu", "cpu"], schedule="sequential")
    assert lasting(trace, Op.F, 0).tolist() == [1.0]
    assert lasting(trace, Op.B, 1).tolist() == [2.0]


def test_stages_on_hardware_of_their_own_keep_their_speed(tmp_path):
    trace = profiled(tmp_path, [2.0, 2.0], ["cuda:0", "cuda:1"])
    assert lasting(trace, Op.F, 0).tolist() == [1.0]


def test_the_factor_counts_for_the_share_of_time_both_are_busy(tmp_path):
    trace = profiled(tmp_path, [3.0, 1.0], ["cpu", "cpu"], schedule="round-robin")
    plain = profiled(tmp_path, [1.0, 1.0], ["cpu", "cpu"], schedule="round-robin")
    mine, other = ((plain.stage == k) & (plain.op <= Op.U) for k in (0, 1))
    shared = sum(max(0.0, min(a, b) - max(c, d))
                 for a, c in zip(plain.end_s[mine], plain.start_s[mine], strict=True)
                 for b, d in zip(plain.end_s[other], plain.start_s[other], strict=True))
    share = shared / (plain.end_s - plain.start_s)[mine].sum()
    assert 0.5 < share < 1
    assert lasting(trace, Op.F, 0) == pytest.approx([1 + 2 * share], abs=1e-8)
    assert lasting(trace, Op.B, 0) == pytest.approx([2 * (1 + 2 * share)], abs=1e-8)
    assert lasting(trace, Op.F, 1).tolist() == [1.0]


def test_durations_stay_whole_ticks_and_versions_as_they_were(tmp_path):
    trace = profiled(tmp_path, [1.7, 1.3, 1.1], ["a", "a", "b"], mitigation="stash")
    plain = profiled(tmp_path, [1.0, 1.0, 1.0], ["a", "a", "b"], mitigation="stash")
    assert np.all(trace.end_s * 2**30 == np.floor(trace.end_s * 2**30))
    assert np.array_equal(trace.version_read, plain.version_read)
    assert lasting(trace, Op.F, 2).tolist() == [1.0]
    assert lasting(trace, Op.F, 1) > 1.0

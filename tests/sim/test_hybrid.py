"""PipeDream with replicated stages: order, period, versions by replica, and what it learns."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sim.errors import ConfigurationError
from sim.op import Op
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.schedules.replicas.hybrid import hybrid
from tests.sim.experiments import by_pass, experiment, simulate


def run(replicas, minibatches=12, **keys):
    return simulate(**{"schedule": "hybrid", "replicas": replicas, "stages": len(replicas),
                       "minibatches": minibatches, "task": "none", **keys})


def in_flight(replicas):
    """PipeDream's runtime: (ranks − 1 − those of earlier stages) // replicas, and one."""
    return [(sum(replicas) - 1 - sum(replicas[:k])) // own + 1 for k, own in enumerate(replicas)]


def test_the_picture_in_the_documentation_is_what_runs():
    rows = re.findall(r"^ +stage .*?: +(.*)$", hybrid.__doc__, re.MULTILINE)
    trace = run([2, 1], 8, forward_s=1.0, backward_s=1.0, update_s=0.0)
    for device, row in enumerate(rows):
        drawn = [None if cell == "." else cell for cell in row.split()]
        here = (trace.device == device) & (trace.op != Op.U)
        found = {int(start): f"{index + 1}{'F' if op == Op.F else ''}" for op, start, index in
                 zip(trace.op[here], trace.start_s[here], trace.index[here], strict=True)}
        assert [found.get(slot) for slot in range(len(drawn))] == drawn


@pytest.mark.parametrize("replicas", [[2, 1, 1], [4, 2, 2], [1, 1, 1], [2, 1], [1, 4, 1], [3]])
def test_replicas_take_mini_batches_in_turn_with_the_papers_number_in_flight(replicas):
    program = SCHEDULES["hybrid"].program(PipelineShape(len(replicas), 24,
                                                        replicas=tuple(replicas)))
    starts = np.cumsum([0, *replicas])
    for k, own in enumerate(replicas):
        device = program.device[program.row_of(Op.F)[k]]
        assert device.tolist() == [starts[k] + i % own for i in range(24)]
        for number in range(own):
            passes = [each for each in program.stream(int(starts[k]) + number) if each.op != Op.U]
            change = np.cumsum([1 if each.op == Op.F else -1 for each in passes])
            assert change.max() == min(in_flight(replicas)[k], 24 // own)
            assert [each.index for each in passes if each.op == Op.B] == list(
                range(number, 24, own))
    if replicas == [2, 1, 1]:
        assert in_flight(replicas) == [2, 2, 1]  # the paper's example: a warm-up of 1, 1, 0
    if replicas == [1, 1, 1]:
        plain = SCHEDULES["round-robin"].program(PipelineShape(3, 24))
        assert [list(program.stream(d)) for d in range(3)] == [
            list(plain.stream(d)) for d in range(3)]


def period(replicas, forward, backward, minibatches=180):
    trace = run(replicas, minibatches, forward_s=forward, backward_s=backward, update_s=0.0)
    last = trace.end_s[(trace.stage == len(replicas) - 1) & (trace.op == Op.B)]
    index = trace.index[(trace.stage == len(replicas) - 1) & (trace.op == Op.B)]
    ends = last[np.argsort(index)]
    first, end = minibatches // 3, minibatches * 2 // 3
    return (ends[end] - ends[first]) / (end - first)


@pytest.mark.parametrize(("forward", "backward"), [
    ([1, 1, 1], [2, 2, 2]), ([2, 1, 1], [4, 2, 2]), ([1, 3, 1], [1, 2, 1]), ([1, 1, 1], [1, 1, 4]),
    ([4, 0.5, 0.5], [5, 0.5, 1]), ([0.5, 1, 2], [0.25, 2, 2]), ([3, 1.5, 1], [3, 1.5, 2]),
    ([1, 2, 3], [3, 2, 1])])
@pytest.mark.parametrize("replicas", [[2, 1, 1], [4, 2, 2], [3, 1, 1]])
def test_a_mini_batch_takes_the_slowest_stages_share_of_its_replicas(replicas, forward, backward):
    if replicas == [3, 1, 1]:  # 3 does not divide 2, and still: (2 + 2) // 3 + 1 in flight
        assert in_flight(replicas) == [2, 2, 1]
    wanted = max((f + b) / r for f, b, r in zip(forward, backward, replicas, strict=True))
    assert period(replicas, forward, backward) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(("replicas", "forward", "backward", "wanted"), [
    ([1, 4, 1], [1, 3, 1], [0.5, 3, 2], 3.75),  # not 3: (1+3+3+0.5) / (6·1 − (2−1)·4)
    ([1, 3, 4, 3], [1, 1, 3, 2], [1, 3, 3, 2], 3.0),  # not 2: (1+1+1+3) / (11·1 − (4−1)·3)
])
def test_where_replicas_do_not_divide_the_period_is_that_of_the_tightest_stretch(
        replicas, forward, backward, wanted):
    both, a = np.add(forward, backward), in_flight(replicas)
    stretches = [sum(both[k : end + 1]) / (a[k] * replicas[k] - (a[end] - 1) * replicas[end])
                 for k in range(len(replicas)) for end in range(k, len(replicas))]
    assert max(stretches) == wanted
    assert period(replicas, forward, backward, 240) == pytest.approx(wanted, rel=0.02)


def test_a_replicas_versions_and_staleness_follow_from_the_program():
    """2-1-1: a stage updates once a round, so version counts differ by stage; the replica whose
    update comes after its next backward is one update later than the other."""
    trace = run([2, 1, 1], 16, mitigation="stash")
    late, read = by_pass(trace, "staleness"), by_pass(trace, "version_read")
    assert late[0, 4:].tolist() == [2, 1] * 6
    assert late[1, 1:].tolist() == [1] * 15
    assert late[2].tolist() == [0] * 16
    assert read[2].tolist() == list(range(16))
    assert by_pass(trace, "version_applied")[0].tolist() == [i // 2 for i in range(16)]
    assert trace.header.versions_held == [2, 2, 1]  # the warm-up and one


def test_a_last_round_may_be_smaller():
    trace = run([2, 1], 5, task="quadratic", learning_rate=0.1, momentum=0.0)
    rows = (trace.op == Op.U) & (trace.stage == 0)
    assert sorted(trace.index[rows].tolist()) == [0, 1, 2, 3, 4]
    assert trace.version_applied[rows & (trace.index == 4)].tolist() == [2]


@pytest.mark.parametrize(("keys", "word"), [
    ({"replicas": [2, 1], "microbatches": 2, "batch_size": 8}, "hybrid runs whole mini-batches"),
    ({"replicas": [4, 1], "minibatches": 3}, "each of 4 replicas takes a mini-batch, got 3"),
    ({"replicas": [2, 1, 1], "stages": 2}, "replicas are one number per stage"),
    ({"replicas": [2, 1], "mitigation": "vertical-sync"}, "replicas of a stage count only"),
    ({"replicas": [2, 1], "schedule": "1f1b"}, "1f1b takes no replicas; it is for hybrid"),
])
def test_what_it_has_no_order_for_is_refused_with_the_reason(keys, word):
    with pytest.raises(ConfigurationError, match=word):
        simulate(**{"schedule": "hybrid", "stages": len(keys["replicas"]), "minibatches": 8,
                    "task": "none", **keys})


def test_it_learns_digits_nearly_as_well_as_one_device_does():
    keys = {"stages": 3, "minibatches": 240, "width": 16, "batch_size": 32, "learning_rate": 0.1,
            "momentum": 0.9}
    alone = simulate(**keys, schedule="sequential").header.training
    found = simulate(**keys, schedule="hybrid", replicas=[2, 1, 1], mitigation="stash"
                     ).header.training
    assert found.diverged_at is None
    assert found.accuracy > 0.9
    assert abs(found.accuracy - alone.accuracy) < 0.05


def test_the_configuration_takes_the_replicas():
    assert experiment(schedule="hybrid", stages=2, replicas=[2, 1], task="none",
                      minibatches=4).shape.devices == 3

"""PipeDream with replicated stages: order, period, versions by replica, and what it learns."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.theory.endless import endless
from sim.errors import ConfigurationError
from sim.op import Op
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.schedules.replicas.hybrid import enough, hybrid
from sim.schedules.replicas.hybrid import in_flight as under_way
from tests.sim.experiments import by_pass, experiment, simulate


def run(replicas, minibatches=12, **keys):
    return simulate(**{"schedule": "hybrid", "replicas": replicas, "stages": len(replicas),
                       "minibatches": minibatches, "task": "none", **keys})


def in_flight(replicas):
    """PipeDream's runtime: (ranks − 1 − those of earlier stages) // replicas, and one."""
    return [(sum(replicas) - 1 - sum(replicas[:k])) // own + 1 for k, own in enumerate(replicas)]


PICTURES = [({"replicas": [2, 1], "forward_s": 1.0, "backward_s": 1.0}, slice(0, 3)),
            ({"replicas": [1, 2, 1], "warmup": 5, "forward_s": [1.0, 2.0, 1.0],
              "backward_s": [1.0, 2.0, 1.0]}, slice(3, 7))]


@pytest.mark.parametrize(("keys", "lines"), PICTURES)
def test_the_pictures_in_the_documentation_are_what_runs(keys, lines):
    rows = re.findall(r"^ +stage .*?: +(.*)$", hybrid.__doc__, re.MULTILINE)
    assert len(rows) == 7
    trace = run(minibatches=16, update_s=0.0, **keys)
    for device, row in enumerate(rows[lines]):
        drawn = [None if cell in ".-" else cell for cell in row.split()]
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


def asked(replicas, warmup, stages_s, **keys):
    """An endless run with forwards of a third of each stage's seconds, on free links."""
    third = [each / 3 for each in stages_s]
    return endless(experiment(
        schedule="hybrid", stages=len(replicas), replicas=replicas, warmup=warmup, task="none",
        minibatches=40, forward_s=third, backward_s=[2 * each for each in third], update_s=0.0,
        **keys))


@st.composite
def replicated(draw):
    """Stages with replicas, and whole seconds of each that are a multiple of 3."""
    replicas = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    return replicas, [3.0 * draw(st.integers(1, 9)) for _ in replicas]


@given(replicated())
@settings(max_examples=15, deadline=None)
def test_with_enough_under_way_no_replica_waits_on_any_replicas(case):
    replicas, seconds = case
    wanted = max(t / r for t, r in zip(seconds, replicas, strict=True))
    found = asked(replicas, enough(replicas)[0], seconds)
    assert found["period_s"] == pytest.approx(wanted, rel=1e-12)
    assert asked(replicas, None, seconds)["period_s"] >= found["period_s"] - 1e-12


@given(replicated(), st.integers(1, 16))
@settings(max_examples=15, deadline=None)
def test_the_period_is_that_of_the_tightest_stretch_with_any_warm_up(case, warmup):
    replicas, seconds = case
    a = under_way(replicas, warmup)
    assert (a[0], a[-1]) == (warmup, 1)
    wanted = max(sum(seconds[k:end + 1]) / (a[k] * replicas[k] - (a[end] - 1) * replicas[end])
                 for k in range(len(replicas)) for end in range(k, len(replicas)))
    assert asked(replicas, warmup, seconds)["period_s"] == pytest.approx(wanted, rel=1e-12)


def test_a_warm_up_is_what_a_replica_does_first_and_what_it_holds():
    """Passes until the first backward, versions held and staleness, all as the program has them."""
    assert enough([1, 4, 1]) == [9, 2, 1]
    held = {}
    for warmup, ahead in ((None, [6, 2, 1]), (9, [9, 2, 1]), (17, [17, 3, 1])):
        trace = run([1, 4, 1], 48, mitigation="stash", warmup=warmup)
        for k, device in enumerate((0, 1, 5)):
            first = np.flatnonzero(trace.op[trace.device == device] == Op.B)[0]
            assert first == ahead[k]
        late = by_pass(trace, "staleness")
        held[warmup] = trace.header.versions_held[0]
        assert held[warmup] == ahead[0] == late[0].max() + 1
        assert late[2].tolist() == [0] * 48
    assert held == {None: 6, 9: 9, 17: 17}


@pytest.mark.parametrize("replicas", [[2, 1, 1], [4, 2, 2], [1, 1, 1, 1], [6, 3, 1], [2, 1]])
def test_the_default_is_enough_where_replicas_divide_later_devices(replicas):
    assert enough(replicas) == in_flight(replicas)
    shape = PipelineShape(len(replicas), 36, replicas=tuple(replicas))
    told = PipelineShape(len(replicas), 36, replicas=tuple(replicas), warmup=enough(replicas)[0])
    programs = [SCHEDULES["hybrid"].program(each) for each in (shape, told)]
    for device in range(sum(replicas)):
        assert list(programs[0].stream(device)) == list(programs[1].stream(device))


@pytest.mark.parametrize("warmup", [1, 2, 3, 5, 9, 40])
def test_a_warm_up_of_single_stages_is_that_of_round_robin(warmup):
    programs = [SCHEDULES[name].program(PipelineShape(4, 24, warmup=warmup))
                for name in ("hybrid", "round-robin")]
    for device in range(4):
        assert list(programs[0].stream(device)) == list(programs[1].stream(device))


def test_a_single_stage_does_as_many_ahead_as_it_is_told():
    program = SCHEDULES["hybrid"].program(PipelineShape(1, 24, replicas=(3,), warmup=4))
    for device in range(3):
        assert [each.op for each in program.stream(device)].index(Op.B) == 4


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

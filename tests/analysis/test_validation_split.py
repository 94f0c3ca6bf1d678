"""Where a step goes, and the longest path: on traces whose answer is known, and on any."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.metrics.timing import timing
from analysis.validation.errors import step_s
from analysis.validation.path import critical_path_ratio, critical_path_s
from analysis.validation.split import PARTS, largest_difference, split
from sim.experiment.configuration import resolve
from sim.experiment.machine import cost_model
from sim.experiment.run import run
from sim.op import Op
from sim.times.profile import Beside, Profile, StageProfile
from tests.analysis.recorded import recorded

H100 = Path(__file__).parents[2] / "figures" / "measured" / "h100-halves"


def experiment(schedule="sequential", latency=0.0, **pipeline):
    return resolve({"pipeline": {"stages": 2, "minibatches": 12, "schedule": schedule, **pipeline},
                    "cluster": {"latency_s": latency}, "training": {"task": "none"}})


def alone_s(asked, trace):
    return cost_model(asked, None).nominal(trace.op, trace.stage, trace.count)


def with_host(trace, asked_s, issued_s):
    """A trace that also says when its host asked for each row, and had asked for all of it."""
    trace = copy.copy(trace)
    object.__setattr__(trace, "asked_s", asked_s)
    object.__setattr__(trace, "issued_s", issued_s)
    return trace


def test_a_sequential_run_computes_and_waits_and_nothing_else():
    plain = experiment()
    found = split(trace := run(plain), alone_s(plain, trace))
    assert found.step_s == 4
    assert found.by_device() == 2 * [dict.fromkeys(PARTS, 0.0) | {"compute": 2.0, "waiting": 2.0}]


def test_a_message_under_way_is_transfer_and_not_waiting():
    late = experiment(latency=0.5)
    found = split(trace := run(late), alone_s(late, trace))
    assert found.step_s == 5
    assert found.mean() == pytest.approx(dict(zip(PARTS, (2, 0, 0, 0.5, 2.5), strict=True)))


def test_receives_that_are_rows_of_their_own_are_split_as_any_wait():
    late = experiment(latency=0.5)
    trace = run(late)
    lowered = run(late.changed({"cluster.receives": "holding"}), trace.program().lower())
    before = np.where(np.diff(lowered.device, prepend=-1) == 0, np.roll(lowered.end_s, 1), 0.0)
    waits = np.isin(lowered.op, (Op.RECV_F, Op.RECV_B))
    assert waits.any()
    lasting = replace(lowered, start_s=np.where(waits, before, lowered.start_s))
    assert (lasting.end_s - lasting.start_s)[waits].max() > 1
    for each in (lowered, lasting):
        found = split(each, alone_s(late, each))
        assert found.mean() == pytest.approx(split(trace, alone_s(late, trace)).mean())


def launched(gap, forward, backward, issued_with_start):
    """One device: each forward begins `gap` after the last pass, as it is asked for; passes take
    longer than their second alone, issued at their end or (some forwards) at their start."""
    trace = run(experiment(stages=1, mitigation="none"))
    start, end, at = np.zeros(len(trace)), np.zeros(len(trace)), 0.0
    for row, op in enumerate(trace.op):
        start[row] = at + (gap if op == Op.F else 0.0)
        at = end[row] = start[row] + {Op.F: forward, Op.B: backward, Op.U: 0.0}[Op(op)]
    trace = replace(trace, start_s=start, end_s=end)
    issued = np.where((trace.op == Op.F) & issued_with_start, start, end)
    return with_host(trace, start, issued)


def test_launch_is_the_gap_and_what_a_pass_waits_for_its_own_issue():
    trace = launched(gap=0.25, forward=1.1, backward=1.5, issued_with_start=True)
    found = split(trace, np.where(trace.op == Op.U, 0.0, 1.0)).mean()
    assert found["compute"] == pytest.approx(2)
    assert found["launch"] == pytest.approx(0.25 + 0.5)
    assert found["contention"] == pytest.approx(0.1)
    assert found["waiting"] == found["transfer"] == pytest.approx(0)


def test_without_hosts_the_same_gap_is_waiting_and_the_same_excess_contention():
    trace = launched(gap=0.25, forward=1.1, backward=1.5, issued_with_start=True)
    found = split(with_host(trace, None, None), np.where(trace.op == Op.U, 0.0, 1.0)).mean()
    assert found["launch"] == 0
    assert found["contention"] == pytest.approx(0.6)
    assert found["waiting"] == pytest.approx(0.25)


def test_a_pass_shorter_than_alone_is_negative_contention():
    trace = launched(gap=0.0, forward=0.9, backward=1.0, issued_with_start=False)
    found = split(trace, np.where(trace.op == Op.U, 0.0, 1.0)).mean()
    assert found["contention"] == pytest.approx(-0.1)
    assert found["launch"] == pytest.approx(0)


def of_profile(issue=None, lock=1.0, beside=()):
    """The split of a simulated run whose stages take 1, 2 and 0.1 s alone."""
    stage = StageProfile(forward_s=1.0, backward_s=2.0, update_s=0.1, issue_s=issue or {})
    profile = Profile(format="pipestale-profile", version=1, stages=(stage, stage),
                      placement=("one", "one") if beside else None, beside=beside,
                      interpreter=("one", "one") if issue else None, lock_share=lock)
    made = experiment("round-robin")
    trace = run(made, profile=profile)
    return split(trace, cost_model(made, profile).nominal(trace.op, trace.stage, trace.count))


def test_a_predicted_run_that_hosts_hold_up_is_launch():
    """Both hosts issue 6.5 s of a mini-batch each: side by side, or one after the other."""
    slow = {"F": 3.0, "B": 3.0, "U": 0.5}
    for lock, step in ((0.0, 6.5), (1.0, 13.0)):
        found = of_profile(slow, lock)
        assert found.step_s == pytest.approx(step, abs=1e-6)
        assert found.mean()["launch"] == pytest.approx(step - 3.1, abs=1e-6)
    quick = of_profile({"F": 0.1, "B": 0.1, "U": 0.05})
    assert quick.mean()["launch"] == pytest.approx(0, abs=1e-6)
    assert quick.step_s == pytest.approx(3.1, abs=1e-6)


def test_a_predicted_run_that_neighbours_slow_is_contention():
    pairs = tuple(Beside(stage=k, op=own, beside_stage=1 - k, beside_op=other, factor=1.5)
                  for k in (0, 1) for own in "FB" for other in "FB")
    found = of_profile(beside=pairs)
    assert 4.3 < found.step_s < 4.6  # all but the updates is slowed
    assert found.mean()["contention"] == pytest.approx(found.step_s - 3.1, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["sequential", "round-robin", "gpipe", "1f1b", "nf1b"]), st.integers(1, 4),
       st.integers(3, 12), st.integers(0, 2**32 - 1), st.booleans())
def test_the_parts_of_every_device_add_up_to_the_step(schedule, stages, minibatches, seed, hosts):
    """Of random times: rows that overlap a little, gaps, messages and hosts in any order."""
    micro = {"gpipe": 3, "1f1b": 3, "nf1b": 3}.get(schedule, 1)
    made = experiment(schedule, stages=stages, minibatches=minibatches, microbatches=micro,
                      **({"mitigation": "timeprest"} if schedule == "nf1b" else {}))
    trace, rng = run(made), np.random.default_rng(seed)
    rows = len(trace)
    length, gap = rng.exponential(1.0, (2, rows))
    start = trace.start_s + rng.normal(0, 0.2, rows).clip(-0.1) + np.where(gap > 1, gap, 0)
    start = np.maximum(start, 0)
    end = start + np.where(rng.random(rows) < 0.1, 0.0, length)
    trace = replace(trace, start_s=start, end_s=end, sent_s=start - rng.exponential(1.0, rows),
                    arrived_s=np.where(rng.random(rows) < 0.5, np.nan,
                                       start - rng.normal(0, 0.5, rows)))
    if hosts:
        asked = np.where(rng.random(rows) < 0.2, np.nan, start - rng.normal(0, 0.5, rows))
        trace = with_host(trace, asked, asked + rng.exponential(1.0, rows))
    found = split(trace, rng.exponential(1.0, rows))
    assert found.step_s == pytest.approx(step_s(timing(trace)), rel=1e-12)
    assert found.parts.sum(axis=1) == pytest.approx(found.step_s, rel=1e-9)
    idle = found.parts[:, [PARTS.index(name) for name in ("launch", "transfer", "waiting")]]
    assert (idle >= -1e-12).all()
    if not hosts:
        assert not found.parts[:, PARTS.index("launch")].any()


def test_the_largest_difference_is_named():
    plain = launched(gap=0.0, forward=1.0, backward=1.0, issued_with_start=False)
    alone = np.where(plain.op == Op.U, 0.0, 1.0)
    for gap, forward, issued, name in ((0.25, 1.1, True, "launch"), (0.05, 1.4, True, "contention"),
                                       (0.05, 1.4, False, "launch")):
        other = launched(gap, forward, 1.0, issued)
        assert largest_difference(split(plain, alone), split(other, alone)) == name
        assert largest_difference(split(other, alone), split(plain, alone)) == name


@pytest.mark.parametrize(("schedule", "micro"), [("sequential", 1), ("round-robin", 1),
                                                 ("gpipe", 4), ("nf1b", 4)])
def test_a_simulated_run_is_as_long_as_its_critical_path(schedule, micro):
    trace = run(experiment(schedule, latency=0.25, microbatches=micro,
                           **({"mitigation": "timeprest"} if schedule == "nf1b" else {})))
    assert critical_path_s(trace) == pytest.approx(trace.end_s.max())
    assert critical_path_ratio(trace) == pytest.approx(1)


def test_what_a_runtime_adds_between_its_passes_shows_in_the_ratio():
    trace = run(experiment())
    later = replace(trace, start_s=1.1 * trace.start_s,
                    end_s=1.1 * trace.start_s + (trace.end_s - trace.start_s))
    assert critical_path_s(later) == pytest.approx(trace.end_s.max())
    assert critical_path_ratio(later) == pytest.approx(1.1)


@pytest.mark.parametrize(("folder", "low", "high"), [
    ("validate-resnet50-128px", 1.0, 1.0035), ("validate-resnet50-224px-none", 1.0, 1.0035),
    ("validate-resnet50-224px-stash", 1.0, 1.0035), ("validate-narrow-32px", 1.045, 1.075)])
def test_the_ratios_of_the_measured_gpu_are_those_quoted(folder, low, high):
    for entry, _, measured, _ in recorded(H100 / folder):
        ratio = critical_path_ratio(measured)
        if (entry["schedule"], entry["batch_size"]) == ("gpipe", 64):
            assert ratio == pytest.approx(1.015, abs=5e-4)
        else:
            assert low <= ratio <= high


FOLDERS = {"validate-resnet50-128px": "ResNet-50", "validate-resnet50-224px-none": "ResNet-50",
           "validate-resnet50-224px-stash": "ResNet-50", "validate-narrow-32px": "narrow"}


def lines_of_h100():
    """The lines of the table of splits that the page of the measured GPU has."""
    for folder, network in FOLDERS.items():
        for entry, predicted, measured, alone in recorded(H100 / folder):
            one, other = (split(trace, alone) for trace in (predicted, measured))
            parts = [f"{1e3 * one.mean()[name]:.1f} / {1e3 * other.mean()[name]:.1f}"
                     for name in ("compute", "contention", "waiting")]
            yield (f"| {network}, {entry['label']} | {1e3 * one.step_s:.3g} / "
                   f"{1e3 * other.step_s:.3g} | {' | '.join(parts)} | "
                   f"{critical_path_ratio(measured):.3f} |")


def test_the_page_of_the_measured_gpu_has_the_split_of_its_rows():
    page = (H100 / "README.md").read_text()
    lines = list(lines_of_h100())
    assert len(lines) == 13
    for line in lines:
        assert line in page

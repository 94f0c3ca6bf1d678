"""Profiles of real stages: what is in them, and that the simulator reads them."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from gpu.__main__ import main
from gpu.profiling.footprint import Allocations, peak_bytes, resident
from gpu.profiling.link_times import fit, link_times, quartiles
from gpu.profiling.solo import Solo
from gpu.profiling.stage_times import measure
from sim.experiment.configuration import resolve
from sim.experiment.run import run as simulate
from sim.op import Op
from sim.times.profile import LinkSample, Spread, read_profile, write_profile
from tests.gpu.conftest import cpu_assembly, cpu_lanes

SMALL = ["--set", "minibatches=3", "--set", "batch_size=4"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("profile")
    result = CliRunner().invoke(main, ["profile", *SMALL, "--set", "mitigation=stash", "--out",
                                       str(out)])
    assert result.exit_code == 0, result.output
    return out


def test_a_profile_goes_round_and_through_the_simulator(folder, tmp_path):
    profile = read_profile(folder / "profile.json")
    write_profile(profile, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (folder / "profile.json").read_bytes()
    experiment = {"pipeline": {"stages": 2, "minibatches": 12, "mitigation": "stash"},
                  "training": {"task": "none"}}
    assert len(simulate(resolve({**experiment, "costs": {
        "profile": str(folder / "profile.json")}})))
    alone = profile.model_copy(update={"placement": None})
    trace = simulate(resolve(experiment), profile=alone)
    forward = (trace.op == Op.F) & (trace.stage == 1)
    seconds = (trace.end_s - trace.start_s)[forward]
    assert seconds == pytest.approx(profile.stages[1].forward_s, abs=2.0**-30)
    assert trace.header.sizes.weight_bytes == [s.weight_bytes for s in profile.stages]


def test_everything_measured_is_there_with_its_spread(folder):
    profile = read_profile(folder / "profile.json")
    assert profile.placement == ("cpu", "cpu")
    assert profile.microbatch_size == 4
    assert profile.latency_s > 0
    assert len(profile.link) >= 3
    for stage in profile.stages:
        assert min(stage.forward_s, stage.backward_s, stage.recompute_s, stage.update_s) > 0
        assert stage.contention_factor > 0
        for name in ("forward_s", "backward_s", "update_s", "recompute_s"):
            assert stage.spread[name].median == getattr(stage, name)
            assert stage.spread[name].repeats >= 3
        assert stage.spread["forward_s_beside"].median > 0
    written = json.loads((folder / "profile.json").read_text())
    assert written["notes"]["mitigation"] == "stash"


def test_a_stream_alone_executes_all_of_it_with_its_neighbours_canned():
    solo = Solo(cpu_assembly(minibatches=4, mitigation="spectrain"), cpu_lanes(2))
    for device in range(2):
        own, others = solo.beside(device)
        for found in (solo.alone(device), own):
            rows = [tuple(int(c[r]) for c in solo.program.rows)
                    for r in range(*solo.program.offsets[device : device + 2])
                    if solo.program.rows.op[r] <= Op.U]
            assert [(d.op, d.stage, d.index, d.count) for d in found] == rows
            assert min(d.seconds for d in found) > 0
        assert {done.stage for done in others} == {1 - device}


def test_seconds_of_a_backward_are_per_micro_batch():
    solo = Solo(cpu_assembly(minibatches=3, schedule="nf1b", microbatches=2), cpu_lanes(2))
    times = measure(solo, passes=1)
    alone = times.alone
    assert len(alone[0, Op.F]) == 2 * len(alone[0, Op.B]) == 2 * len(alone[0, Op.U])
    assert alone.keys() == times.slowed().keys() == times.issue.keys()


def test_a_failing_neighbour_is_told():
    solo = Solo(cpu_assembly(minibatches=2), cpu_lanes(2))

    def broken(*_):
        raise ValueError("no stage")

    whole, solo.stage = solo.stage, broken
    with pytest.raises(ValueError, match="no stage"):
        solo.worker(0)
    solo.stage = lambda k: broken() if k else whole(k)
    with pytest.raises(ValueError, match="no stage"):
        solo.beside(0)


def test_a_stage_that_raises_names_itself(monkeypatch, tmp_path):
    def broken(*_):
        raise ValueError("a layer broke")

    monkeypatch.setattr(torch.autograd, "grad", broken)
    result = CliRunner().invoke(main, ["profile", *SMALL, "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert result.stderr == "error: stage 1 failed at 1B0 on cpu: ValueError: a layer broke\n"
    assert list(tmp_path.iterdir()) == []


def test_allocations_are_counted_until_they_die():
    with Allocations() as allocations:
        one = torch.zeros(1000)
        two = one.view(10, 100) + 1
        assert allocations.live == 8000
        del one, two
        assert allocations.live == 0
    assert allocations.peak == 8000


def test_a_stage_without_a_stash_holds_no_old_weights():
    """Else every micro-batch in flight would keep a weight set through its graph."""
    def peak(mitigation, **training):
        assembly = cpu_assembly(stages=4, minibatches=10, mitigation=mitigation,
                                training={"distances": False, **training})
        return [peak_bytes(Solo(assembly, cpu_lanes(4)).worker(d)) for d in range(4)], assembly

    (none, assembly), (stash, _), (measured, _) = (
        peak("none"), peak("stash"), peak("none", distances=True))
    size = [4 * len(stage.weights) for stage in assembly.stages]
    assert stash[0] - none[0] >= 2 * size[0]
    assert measured[0] - none[0] >= 2 * size[0]
    assert abs(stash[3] - none[3]) < size[3]


def test_micro_batches_in_flight_hold_an_input_each():
    """Messages that shared memory would hide all inputs but one of a stage that does not make its
    own."""
    assembly = cpu_assembly(stages=2, minibatches=2, microbatches=4, schedule="gpipe",
                            training={"distances": False, "batch_size": 256})
    solo = Solo(assembly, cpu_lanes(2))
    fresh, shared = solo.worker(1), solo.worker(1)
    with Allocations() as allocations:
        allocations.count(resident(shared))
        allocations.count([solo.samples.inputs[1]])
        shared.run()
    one = solo.samples.inputs[1].untyped_storage().nbytes()
    assert peak_bytes(fresh) - allocations.peak >= 2 * one


def test_a_line_is_fitted_to_the_times_of_messages():
    def sample(size, seconds, iqr=1e-9):
        return LinkSample(size_bytes=size, seconds=Spread(median=seconds, iqr=iqr, repeats=9))

    sizes = (1e3, 1e5, 1e7)
    latency, bandwidth = fit([sample(s, 2e-5 + s / 1e10) for s in sizes])
    assert latency == pytest.approx(2e-5)
    assert bandwidth == pytest.approx(1e10)
    assert fit([sample(s, 3e-5, iqr=1e-6) for s in sizes]) == (3e-5, None)


def test_handing_over_a_tensor_takes_time_whatever_its_size():
    found = link_times(cpu_lanes(2), trips=8, sizes=(1 << 10, 1 << 20))
    assert found.latency_s > 0
    assert [s.seconds.repeats for s in found.samples] == [16, 16]
    assert [s.seconds.repeats for way in found.ways for s in way] == [8, 8, 8, 8]
    ways = found.over([0, 1, 0])
    assert [(w.boundary, w.direction) for w in ways] == [
        (0, "forward"), (0, "backward"), (1, "forward"), (1, "backward")]
    assert ways[0].samples == ways[3].samples == found.ways[0]
    assert found.over([0, 0]) == ()


def test_quartiles_are_median_and_interquartile_range():
    found = quartiles(np.arange(101.0))
    assert (found.median, found.iqr, found.repeats) == (50.0, 50.0, 101)


@pytest.mark.parametrize(("options", "says"), [
    (["--devices", "cuda:7,cuda:8"], "cuda:7 is not there"),
    (["--out", f"{__file__}/x"], "is no folder that can be written to"),
    (["--set", "stages=5"], "needs 5 devices"),
])
def test_a_mistake_is_told_before_anything_is_measured(options, says):
    result = CliRunner().invoke(main, ["profile", *options])
    assert result.exit_code == 2
    assert says in result.stderr

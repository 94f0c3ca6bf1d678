"""Layer profiles: what is in them, that stages cut from them cost what stages cost, the door."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from analysis.__main__ import main as analysis_main
from gpu.__main__ import main
from gpu.lanes.devices import parse_devices
from gpu.model.networks import layer_names
from gpu.profiling.experiment import Effort
from gpu.profiling.layers import layer_profile, one_device, turns
from gpu.runtime.settings import RunSettings
from sim.experiment.configuration import resolve
from sim.experiment.program_file import taken, with_program
from sim.experiment.run import run as simulate
from sim.layouts.layers import cut, layers_in
from sim.op import Op
from sim.times.profile import write_profile
from sim.trace import Trace
from tests.gpu.conftest import cpu_assembly, cpu_lanes

SMALL = ["--set", "minibatches=3", "--set", "batch_size=4"]
EXPERIMENT = {"pipeline": {"minibatches": 3, "microbatches": 2},
              "training": {"batch_size": 4, "seed": 3}}


@pytest.fixture(scope="module")
def measured():
    return layer_profile(resolve(EXPERIMENT), RunSettings(), parse_devices("cpu"), cpu_lanes(1),
                         Effort(passes=1, rounds=2))


def test_every_layer_is_a_stage_with_all_that_a_cut_needs(measured):
    profile = measured.profile
    assert profile.notes["layers"] == layer_names("narrow")
    assert len(profile.stages) == 6
    assert profile.microbatch_size == 2
    assert len(profile.boundary_bytes) == 5
    for layer in profile.stages:
        assert min(layer.forward_s, layer.backward_s, layer.input_backward_s,
                   layer.weight_backward_s, layer.recompute_s, layer.update_s) > 0
        assert min(layer.weight_bytes, layer.activation_bytes, layer.input_bytes,
                   layer.held_bytes, layer.resident_bytes) > 0
        assert {"F", "B", "I", "W", "U"} == set(layer.rise_bytes)
    assert profile.notes["sum_over_whole"] == measured.sum_over_whole
    assert set(measured.sum_over_whole) == {"forward_s", "backward_s", "update_s"}
    assert min(measured.sum_over_whole.values()) > 0


def test_bytes_add_up_to_those_of_the_stages_that_are_cut_from_them(measured):
    """Against sizes of real stages, which know nothing of layers."""
    profile = measured.profile
    stages = cut(profile, [2, 4])
    real = cpu_assembly(settings=RunSettings(cut=(2, 4)),
                        training={"batch_size": 2}).task.stage_sizes()
    for stage, size in zip(stages.stages, real, strict=True):
        assert stage.weight_bytes == size.weight_bytes
        assert stage.input_bytes == size.input_bytes
        # what crosses between two layers of a stage is counted by both, since each keeps it
        assert size.graph_bytes <= stage.activation_bytes <= 1.5 * size.graph_bytes
    assert stages.boundary_bytes == (real[1].input_bytes,)
    assert measured.whole.weight_bytes == sum(s.weight_bytes for s in profile.stages)


def test_a_layer_profile_goes_round_and_its_stages_are_simulated(measured, tmp_path):
    path = tmp_path / "layers.json"
    write_profile(measured.profile, path)
    assert layers_in(path) == measured.profile
    stages = cut(layers_in(path), [3, 3])
    trace = simulate(resolve({"pipeline": {"stages": 2, "minibatches": 4, "microbatches": 2,
                                           "schedule": "zb-h1"}, "training": {"task": "none"}}),
                     profile=stages)
    halves = (trace.op == Op.W) & (trace.stage == 0)
    assert (trace.end_s - trace.start_s)[halves] == pytest.approx(
        sum(s.weight_backward_s for s in measured.profile.stages[:3]), abs=4 * 2.0**-30)


def test_measured_layers_are_cut_ordered_promised_and_run_as_promised(measured, tmp_path):
    """The worked example of analysis/PLANNING.md, small: from layers to a run that is compared."""
    path, out = tmp_path / "layers.json", tmp_path / "plan"
    write_profile(measured.profile, path)
    done = [CliRunner().invoke(analysis_main, words) for words in (
        ["partition", str(path), "--devices", "2", "--objective", "flush", "--microbatches", "2",
         "--out", str(out)],
        ["schedule", str(path), "--plan", str(out / "partition.json"), "--microbatches", "2",
         "--rounds", "20", "--out", str(out / "order.txt")])]
    assert [each.exit_code for each in done] == [0, 0], [each.output for each in done]
    stages = len(json.loads((out / "partition.json").read_text())["stages"])
    result = CliRunner().invoke(main, [
        "run", "--plan", str(out / "partition.json"), "--program", str(out / "order.txt"),
        "--devices", ",".join(["cpu"] * stages), "--set", "minibatches=3", "--set",
        "batch_size=4", "--set", "mitigation=stash", "--out", str(tmp_path / "run.npz")])
    assert result.exit_code == 0, result.output
    run = Trace.load(tmp_path / "run.npz")
    experiment, program = with_program({
        "pipeline": {"minibatches": 3, "mitigation": "stash"}, "training": {"task": "none"},
        "costs": {"profile": str(out / "stages.json")}}, taken(out / "order.txt"))
    promised = simulate(experiment, program)
    assert promised.program() == run.program()
    assert np.array_equal(promised.version_read, run.version_read)
    assert run.header.sizes.weight_bytes == promised.header.sizes.weight_bytes


def test_all_layers_are_on_one_device_one_after_another():
    program = one_device(3, resolve({"pipeline": {"minibatches": 2, "microbatches": 2},
                                     "training": {"batch_size": 4}}), split=True)
    assert program.devices == 1
    text = [str(program.instruction(row)) for row in range(9)]
    assert text == ["0F0", "1F0", "2F0", "2I0", "2W0", "1I0", "1W0", "0I0", "0W0"]


def test_the_transformer_has_layers_that_are_alike():
    effort = Effort(passes=1, rounds=2)
    calls = []
    small = resolve({"pipeline": {"minibatches": 3}, "training": {"batch_size": 1}})
    found = layer_profile(small, RunSettings("transformer", image_size=16), parse_devices("cpu"),
                          cpu_lanes(1), effort, lambda: calls.append(1))
    assert len(calls) == turns(effort)
    blocks = found.profile.stages[1:-1]
    for name in ("weight_bytes", "activation_bytes", "input_bytes", "held_bytes"):
        assert len({getattr(block, name) for block in blocks}) == 1, name
    assert blocks[0].all_reduces == {"F": 2.0, "B": 2.0}  # after attention, after the perceptron
    assert blocks[0].all_reduce_bytes["F"] == 2 * blocks[0].input_bytes
    assert not found.profile.stages[0].all_reduces


def test_the_door_writes_layers_and_names_them(tmp_path):
    result = CliRunner().invoke(main, ["profile", "--layers", *SMALL, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    profile = layers_in(tmp_path / "layers.json")
    assert profile.latency_s > 0
    assert profile.notes["model"] == "narrow"
    for name in profile.notes["layers"]:
        assert result.stdout.count(name) == 2
    assert "one by one, layers take" in result.stdout
    assert json.loads((tmp_path / "layers.json").read_text())["stages"][0]["spread"]


@pytest.mark.parametrize("options", [["--cut", "3,3"], ["--program", "order.txt"]])
def test_layers_take_no_cut_and_no_order(options, tmp_path):
    (tmp_path / "order.txt").write_text("0F0,0B0\n")
    made = [str(tmp_path / each) if each.endswith("txt") else each for each in options]
    result = CliRunner().invoke(main, ["profile", "--layers", *SMALL, *made, "--out",
                                       str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "--layers: measures the layers that stages are cut from" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.verify
@pytest.mark.parametrize("model", ["resnet50", "vgg16"])
def test_the_papers_networks_are_profiled_layer_by_layer(model):
    experiment = resolve({"pipeline": {"minibatches": 3}, "training": {"batch_size": 2}})
    torch.set_num_threads(1)
    found = layer_profile(experiment, RunSettings(model, image_size=64), parse_devices("cpu"),
                          cpu_lanes(1), Effort(passes=1, rounds=2))
    assert len(found.profile.stages) == {"resnet50": 18, "vgg16": 16}[model]
    assert sum(s.weight_bytes for s in found.profile.stages) == 4 * {
        "resnet50": 25_557_032, "vgg16": 138_357_544}[model]

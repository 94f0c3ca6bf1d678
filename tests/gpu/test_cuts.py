"""Cuts of one's own: `--cut`, and a plan as analysis partition prints it, on real stages."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import gpu
from gpu.__main__ import main
from gpu.commands.cuts import asked_cut, planned
from gpu.runtime.run import run
from gpu.runtime.settings import RunSettings
from sim.errors import ConfigurationError
from sim.trace import Trace
from tests.gpu.conftest import cpu_assembly, cpu_lanes

pytestmark = pytest.mark.filterwarnings("error")
SMALL = ["--set", "minibatches=4", "--set", "batch_size=4"]


def plan_file(folder, *stages):
    """A file as `analysis partition --json` prints it."""
    path = folder / "plan.json"
    path.write_text(json.dumps({"stages": [
        {"layers": [first, last], "replicas": replicas, "seconds": 1.0}
        for first, last, replicas in stages], "bottleneck_s": 1.0, "objective_s": 1.0}))
    return path


def command(name, *options):
    return CliRunner().invoke(main, [name, *SMALL, *options])


def test_a_run_has_the_layers_of_the_cut_that_was_given(tmp_path):
    sizes = []
    for cut in ("1,5", "4,2"):
        result = command("run", "--cut", cut, "--out", str(tmp_path / "t.npz"))
        assert result.exit_code == 0, result.output
        trace = Trace.load(tmp_path / "t.npz")
        assert trace.header.gpu.settings["cut"] == [int(each) for each in cut.split(",")]
        sizes.append(trace.header.sizes.weight_bytes)
    assert sum(sizes[0]) == sum(sizes[1])
    assert sizes[0][0] < sizes[1][0]
    command("run", "--out", str(tmp_path / "own.npz"))
    assert "cut" not in Trace.load(tmp_path / "own.npz").header.gpu.settings


def test_what_is_learnt_on_one_device_is_the_same_however_the_network_is_cut():
    found = [run(cpu_assembly(stages=len(cut), schedule="sequential", minibatches=3,
                              settings=RunSettings(cut=cut)), cpu_lanes(len(cut)))
             for cut in ((6,), (1, 5), (2, 2, 2))]
    for each in found[1:]:
        assert np.array_equal(each.curves["minibatch_loss"], found[0].curves["minibatch_loss"])


def test_a_plan_is_run_with_its_replicas(tmp_path):
    path = plan_file(tmp_path, (0, 3, 2), (4, 5, 1))
    result = command("run", "--plan", str(path), "--devices", "cpu,cpu,cpu", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["schedule"], told["stages"]) == ("hybrid", 2)
    assert planned(path).keys == {"stages": 2, "schedule": "hybrid", "replicas": [2, 1]}
    assert planned(plan_file(tmp_path, (0, 5, 1))).keys == {"stages": 1}


def test_a_plan_is_run_with_the_warm_up_that_was_best(tmp_path):
    path = plan_file(tmp_path, (0, 1, 1), (2, 4, 2), (5, 5, 1))
    table = json.loads(path.read_text())
    own, longer = {"schedule": "hybrid", "warmup": None}, {"schedule": "hybrid", "warmup": 5}
    for order, wanted in ((0, {}), (1, {"warmup": 5}), (None, {}), (7, {})):
        path.write_text(json.dumps(table | {"simulated": [own, longer], "order": order}))
        assert planned(path).keys == {"stages": 3, "schedule": "hybrid", "replicas": [1, 2, 1],
                                      **wanted}
    path.write_text(json.dumps(table | {"simulated": [{"warmup": 0}], "order": 0}))
    with pytest.raises(ConfigurationError, match="warmup: at least 1, got 0"):
        planned(path)
    path.write_text(json.dumps(table | {"simulated": [own, longer], "order": 1}))
    result = command("run", "--plan", str(path), "--devices", "cpu,cpu,cpu,cpu", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["stages"] == 3


def test_a_program_gives_the_order_and_the_cut_its_stages(tmp_path):
    order = tmp_path / "order.txt"
    order.write_text("0F0,0B0\n1F0,1B0\n")
    result = command("run", "--program", str(order), "--cut", "1,5", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["schedule"] == "file"
    result = command("run", "--program", str(order), "--cut", "1,3,2")
    assert result.exit_code == 2
    assert "the cut has 3 stages, the program 2" in result.stderr


@pytest.mark.verify
def test_a_profile_is_of_the_cut_that_was_given(tmp_path):
    result = command("profile", "--cut", "1,5", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    stages = json.loads((tmp_path / "profile.json").read_text())["stages"]
    assert stages[0]["weight_bytes"] * 10 < stages[1]["weight_bytes"]


@pytest.mark.verify
def test_a_cut_is_validated(tmp_path):
    result = command("validate", "--cut", "1,5", "--grid", "none", "--repeats", "1", "--out",
                     str(tmp_path / "v"))
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "v/report.json").read_text())["exact"]["passed"]


def test_the_library_takes_a_cut():
    trace = gpu.run(cut=(5, 1), minibatches=3, batch_size=4)
    assert trace.header.gpu.settings["cut"] == [5, 1]
    assert trace.header.shape.stages == 2


@pytest.mark.parametrize(("options", "says"), [
    (["--cut", "2,3"], "the cut has 2 + 3 = 5 layers, narrow 6: stem, layer1_0"),
    (["--cut", "2,0,4"], "--cut: stage 1: layers are a number from 1, got '0'"),
    (["--cut", "x,6"], "stage 0: layers are a number from 1, got 'x'"),
    (["--cut", "3,3", "--plan", "plan.json"], "both cut the network"),
    (["--cut", "2,2,2"], "needs 3 devices, --devices names 2"),
    (["--cut", "3,3", "--set", "stages=1", "--devices", "cpu"],
     "the cut has 2 stages, the program 1"),
])
def test_a_cut_that_is_wrong_is_told(options, says):
    result = command("run", *options)
    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("name", ["profile", "validate"])
def test_a_cut_that_is_wrong_is_told_by_every_command(name):
    result = command(name, "--cut", "2,3")
    assert result.exit_code == 2, result.output
    assert "the cut has 2 + 3 = 5 layers" in result.stderr


@pytest.mark.parametrize(("content", "says"), [
    ("{", "not JSON"),
    ("[1]", "no stages"),
    ('{"stages": []}', "no stages"),
    ('{"stages": [{"layers": [1, 5]}]}', "stages.0.layers: the first and the last layer, from 0"),
    ('{"stages": [{"layers": [0, 2]}, {"layers": [4, 5]}]}', "stages.1.layers"),
    ('{"stages": [{"layers": [0, 5], "replicas": 0}]}', "stages.0.replicas: 1 to 4096, got 0"),
    ('{"stages": [{"layers": [0, true]}]}', "stages.0.layers"),
    ('{"stages": [7]}', "stages.0.layers"),
])
def test_a_plan_that_is_none_is_told(content, says, tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(content)
    result = command("run", "--plan", str(path))
    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert result.stdout == ""


def test_a_plan_that_is_not_there_is_told(tmp_path):
    result = command("run", "--plan", str(tmp_path / "none.json"))
    assert result.exit_code == 2
    assert "none.json: there is no such file" in result.stderr


def test_no_cut_is_the_networks_own():
    assert asked_cut(None, None).layers is None
    assert asked_cut(None, None).keys == {}
    with torch.no_grad():
        assert cpu_assembly(settings=RunSettings()).settings.cut is None

"""The seeds' experiments, tiny: the same weights however it is run, and the files they leave."""

import csv
import json
from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from gpu.__main__ import main
from gpu.lanes.devices import DeviceSpec, parse_devices
from gpu.model.cutter import Network
from gpu.model.networks import NETWORKS
from gpu.runtime.assembly import assemble
from gpu.runtime.run import run
from gpu.studies.tutorial import look_ahead
from gpu.studies.tutorial.look_ahead import LEARNING_RATE, METHODS, Course
from gpu.studies.tutorial.performance import Asked, Tutorial
from gpu.studies.tutorial.published import TUTORIAL
from gpu.studies.tutorial.report import by_mode, ratios
from gpu.studies.tutorial.single import Single
from gpu.studies.tutorial.split_sizes import (
    FULL,
    Mode,
    Places,
    SplitStudy,
    column,
    measure,
    modes,
    rounds,
    whole,
)
from sim.errors import ConfigurationError
from tests.gpu.conftest import cpu_lanes
from tests.gpu.test_data import make_cifar


def plain(classes=3):
    """Convolutions and linear layers without BatchNorm, in five units."""
    units = (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()),
             nn.Sequential(nn.Conv2d(4, 5, 3, stride=2), nn.ReLU(), nn.Flatten(1)),
             nn.Sequential(nn.Linear(45, 16), nn.ReLU()), nn.Linear(16, 8),
             nn.Linear(8, classes))
    return Network("plain", tuple((f"unit{i}", unit) for i, unit in enumerate(units)), classes, 8)


@pytest.fixture
def setting(monkeypatch):
    monkeypatch.setitem(NETWORKS, "plain", plain)
    return SplitStudy("plain", 8, 3, batch_size=12, repeats=2, splits=(1, 4, 6), shown=4,
                   learning_rate=0.1, dtype="float64")


def weights(mode, setting, stages=2):
    experiment, lanes = mode.experiment(setting, stages), cpu_lanes(stages)
    if mode.kind == "single":
        single = Single(experiment, setting.settings, lanes[0])
        first = single.weights.clone()
        single.train()
        assert (single.weights - first).abs().max() > 1e-4
        return single.weights
    assembly = assemble(experiment, setting.settings, [lane.device for lane in lanes])
    run(assembly, lanes, strict=False, evaluate=False)
    return torch.cat([stage.weights for stage in assembly.stages])


@pytest.mark.parametrize("stages", [2, 4])
@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_every_split_gives_the_weights_of_plain_torch_training(setting, stages, loss):
    setting = replace(setting, loss=loss)
    alone = weights(Mode("single"), setting)
    for mode in modes(setting)[1:]:
        difference = (weights(mode, setting, stages) - alone).abs().max()
        assert difference <= 1e-12, mode


def test_momentum_is_torchs_too(setting):
    training = {"momentum": 0.9}
    mode = Mode("model parallel")
    experiment = mode.experiment(setting, 2)
    experiment = experiment.changed({"training": training})
    single = Single(experiment, setting.settings, cpu_lanes(1)[0])
    single.train()
    assembly = assemble(experiment, setting.settings, [torch.device("cpu")] * 2)
    run(assembly, cpu_lanes(2), evaluate=False)
    ours = torch.cat([stage.weights for stage in assembly.stages])
    assert (ours - single.weights).abs().max() <= 1e-12
    assert (ours - weights(mode, setting)).abs().max() > 1e-6


def test_batchnorm_makes_the_split_another_training():
    setting = SplitStudy("narrow", 32, 3, batch_size=8, splits=(4,), dtype="float64",
                      learning_rate=0.1)
    alone = weights(Mode("single"), setting)
    assert (weights(Mode("model parallel"), setting) - alone).abs().max() <= 1e-10
    assert (weights(Mode("pipelined", 4), setting) - alone).abs().max() > 1e-6


def test_modes_are_programs():
    pipeline = Mode("pipelined", 20).experiment(FULL, 2).pipeline
    assert (pipeline.schedule, pipeline.microbatches, pipeline.minibatches) == ("gpipe", 6, 3)
    assert Mode("model parallel").experiment(FULL, 2).pipeline.schedule == "sequential"
    assert [mode.split for mode in modes(FULL)] == [None, None, 1, 3, 5, 8, 10, 12, 20, 40, 60]
    with pytest.raises(ConfigurationError, match="divides the batch of 120, got 7"):
        replace(FULL, splits=(7,))


@pytest.mark.verify
def test_every_mode_is_timed_as_often(setting):
    calls = []
    rows = measure(setting, Places.of(parse_devices("cpu,cpu")), lambda: calls.append(1))
    assert len(calls) == rounds(setting) == 3 * 5
    assert len(rows) == 2 * 5
    assert all(row["seconds"] > 0 for row in rows)
    assert len(list(column(rows, "seconds", "pipelined", 4))) == 2
    found = by_mode(rows, "seconds", setting.splits)
    assert list(found["pipelined"]) == ["1", "4", "6"]
    assert {row["graphs"] for row in rows} == {False}


def test_the_single_device_is_a_whole_gpu():
    half, other = parse_devices("cuda:1/2")
    assert whole(half) == whole(other) == DeviceSpec("cuda", 1)
    assert str(whole(half)) == "cuda:1"
    assert whole(DeviceSpec("cpu")) == DeviceSpec("cpu")


@pytest.mark.verify
def test_no_repeat_is_begun_that_would_not_be_done_in_time(setting):
    calls = []
    rows = measure(replace(setting, repeats=9), Places.of(parse_devices("cpu,cpu")),
                   lambda: calls.append(1), within_s=1e-3)
    assert len(calls) == 2 * len(modes(setting))  # one that warms up, one that counts
    assert {row["repeat"] for row in rows} == {1}


def test_no_seed_is_begun_that_would_not_be_done_in_time(setting, monkeypatch):
    monkeypatch.setattr(look_ahead, "TRAINING", 8)  # one mini-batch an epoch
    course = Course(setting.settings, 2, range(5), batch_size=8)
    curves, totals = look_ahead.compare(course, parse_devices("cpu,cpu"), within_s=1e-3)
    assert {row["seed"] for row in totals} == {0}
    assert {row["epoch"] for row in curves} == {1, 2}
    assert {row["method"] for row in curves} == {method.label for method in METHODS}


def test_ratios_are_of_medians():
    def timing(*seconds):
        return {"median": sorted(seconds)[1]}

    found = ratios({"single": timing(2, 2, 9), "model_parallel": timing(3, 3, 3),
                    "pipelined": {"4": timing(1, 1, 8), "6": timing(2, 2, 2)}})
    assert found == {"model_parallel_over_single": 1.5, "best_split": 4,
                     "pipelined_over_single": {"4": 0.5, "6": 1.0}}


def test_what_is_asked_for_changes_the_setting(tmp_path):
    full = Asked("cpu,cpu", tmp_path, full=True).setting()
    assert full == FULL
    small = Asked("cpu,cpu", tmp_path, batch_size=24, repeats=2).setting()
    assert (small.model, small.batch_size, small.splits) == ("narrow", 24, (1, 3, 8, 12))
    assert small.shown == 3
    course = Course(small.settings, 1, (0,))
    for free in ({"repeats": 2}, {"splits": (12, 20), "shown": 20}, {"graphs": "off"}):
        assert not Tutorial(replace(FULL, **free), course, ()).reduced, free
    assert Tutorial(replace(FULL, image_size=64), course, ()).reduced
    assert Tutorial(small, course, ()).reduced


def test_epochs_visit_every_image(tmp_path):
    settings = Asked("cpu,cpu", tmp_path, data=str(make_cifar(tmp_path / "c", "bin")))
    course = settings.course(settings.setting())
    assert course.minibatches_per_epoch() == 2  # 20 images, 16 at a time
    assert course.learning_rate == LEARNING_RATE
    base = course.base(2)
    assert (base.pipeline.minibatches, base.training.evaluate_every) == (12, 2)
    assert Course(replace(course.settings, data=None), 3, (0,)).base(2).pipeline.minibatches == 48


@pytest.mark.verify
def test_the_command_writes_its_files(tmp_path):
    result = CliRunner().invoke(main, [
        "tutorial", "--image-size", "64", "--batch-size", "8", "--splits", "2,4", "--repeats", "2",
        "--epochs", "1", "--seeds", "2", "--learning-rate", "0.02", "--graphs", "off", "--out",
        str(tmp_path)])
    assert result.exit_code == 0, result.output
    figures = {f"{n}.{e}" for n in ("split_sizes", "look_ahead", "look_ahead_time")
               for e in ("png", "svg", "pdf", "csv")}
    assert {p.name for p in tmp_path.iterdir()} == figures | {"tutorial.json", "tutorial.md"}
    told = json.loads((tmp_path / "tutorial.json").read_text())
    assert told["reduced"] is True
    assert (told["single_device"], told["setting"]["graphs"]) == ("cpu", "off")
    assert told["captured"] == {"runs": 0, "of": 6}
    assert told["look_ahead"]["setting"]["learning_rate"] == 0.02
    assert told["look_ahead"]["setting"]["seeds_done"] == [0, 1]
    assert set(told["timing_s"]) == {"single", "model_parallel", "pipelined"}
    assert set(told["timing_s"]["pipelined"]) == {"2", "4"}
    assert len(told["timing_s"]["single"]["values"]) == 2
    assert told["published"] == TUTORIAL
    assert "other hardware" in told["published"]["label"]
    assert set(told["look_ahead"]["methods"]) == {method.label for method in METHODS}
    for found in told["look_ahead"]["methods"].values():
        assert {"total_s", "training_loss", "validation_accuracy"} <= set(found)
        assert len(found["total_s"]["values"]) == 2
    rows = list(csv.DictReader((tmp_path / "look_ahead.csv").open()))
    assert {row["quantity"] for row in rows} == {
        "training_loss", "validation_loss", "training_accuracy", "validation_accuracy",
        "epoch_loss"}
    assert {row["epoch"] for row in rows} == {"1"}
    text = (tmp_path / "tutorial.md").read_text()
    assert "Reduced" in text
    assert "The single device is cpu." in text
    assert "published, other hardware" in text


@pytest.mark.parametrize(("options", "says"), [
    (["--devices", "cpu"], "at least two devices"),
    (["--splits", "7"], "divides the batch of 120, got 7"),
    (["--splits", "a"], "numbers separated by commas, got 'a'"),
    (["--model", "alexnet"], "choose from narrow, resnet50, vgg16"),
    (["--data", "/nowhere/at/all"], "there is no such directory"),
    (["--devices", "cuda:77,cuda:78"], "cuda:77 is not there"),
    (["--program", "p.csv"], "the tutorial goes through the orders of PyTorch's own"),
    (["--graphs", "sometimes"], "'sometimes' is not one of 'auto', 'on', 'off'"),
    (["--learning-rate", "0"], "'--learning-rate'"),
    (["--within", "-1"], "'--within'"),
    (["--out", f"{__file__}/x"], "is no folder that can be written to"),
])
def test_a_mistake_is_one_clear_line(options, says):
    result = CliRunner().invoke(main, ["tutorial", *options])
    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.verify
def test_a_resnet50_step_of_every_mode():
    setting = SplitStudy("resnet50", 64, 1000, batch_size=4, minibatches=1, repeats=1, splits=(2,))
    assert len(measure(setting, Places.of(parse_devices("cpu,cpu")))) == 3

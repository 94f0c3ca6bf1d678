"""Images from folders and CIFAR files made here, and what is said of broken ones."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from gpu.images.datasets import load, scan
from gpu.images.labelled import DataError, prepared
from gpu.images.synthetic import synthetic
from gpu.runtime.run import run
from gpu.runtime.settings import RunSettings
from sim.errors import ConfigurationError
from tests.gpu.conftest import cpu_assembly, cpu_lanes

COLOURS = {"green": (0, 255, 0), "red": (255, 0, 0)}


def make_folder(path, count=10, size=(12, 8)):
    for name, colour in COLOURS.items():
        (path / name).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", size, colour).save(path / name / f"{i}.png")
    return path


def cifar_arrays(images, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.integers(0, 256, (images, 3072), dtype=np.uint8),
            rng.integers(0, 10, images, dtype=np.uint8))


def make_cifar(path, form, images=10):
    path.mkdir(parents=True)
    for seed, name in enumerate(("data_batch_1", "data_batch_2", "test_batch")):
        pixels, labels = cifar_arrays(images, seed)
        if form == "bin":
            (path / f"{name}.bin").write_bytes(np.column_stack([labels, pixels]).tobytes())
        else:
            batch = {b"data": pixels, b"labels": labels.tolist(), b"batch_label": b"one of three"}
            (path / name).write_bytes(pickle.dumps(batch, protocol=2))
    return path


def test_an_image_folder_is_split_and_labelled_by_subfolder(tmp_path):
    images = load(make_folder(tmp_path / "d"), 8)
    assert images.classes == ("green", "red")
    assert (images.training, images.validation) == (16, 4)
    assert images.pixels.shape == (20, 3, 8, 8)
    assert images.pixels.dtype == torch.uint8
    brightest = images.pixels.float().mean((2, 3)).argmax(1)  # channel 0 is red, 1 green
    assert torch.equal(brightest == 0, images.labels == 1)
    assert torch.equal(images.labels, load.__wrapped__(tmp_path / "d", 8).labels)


def test_train_and_val_folders_are_taken_as_they_are(tmp_path):
    make_folder(tmp_path / "train", 3)
    make_folder(tmp_path / "val", 2)
    images = load(tmp_path, 8)
    assert (images.training, images.validation) == (6, 4)
    (tmp_path / "val" / "blue").mkdir()
    scan.cache_clear()
    with pytest.raises(DataError, match="class 'blue' is in no training folder"):
        load(tmp_path, 9)


def test_a_picture_is_cut_square_in_its_middle(tmp_path):
    make_folder(tmp_path, 1, size=(16, 8))
    picture = np.zeros((8, 24, 3), np.uint8)
    picture[:, 8:16] = 255
    for name in COLOURS:
        Image.fromarray(picture).save(tmp_path / name / "0.png")
        Image.fromarray(picture).save(tmp_path / name / "1.png")
    assert (load(tmp_path, 8).pixels == 255).all()


@pytest.mark.parametrize("form", ["bin", "pickle"])
@pytest.mark.parametrize("inside", ["", "cifar-10-batches-bin", "cifar-10-batches-py"])
def test_cifar_files_of_both_forms(tmp_path, form, inside):
    make_cifar(tmp_path / "c" / inside, form)
    images = load(tmp_path / "c", 32)
    assert (images.training, images.validation) == (20, 10)
    pixels, labels = cifar_arrays(10, seed=1)
    assert np.array_equal(images.pixels[10:20].reshape(10, -1).numpy(), pixels)
    assert np.array_equal(images.labels[10:20].numpy(), labels)
    assert len(images.classes) == 10


def test_a_limit_keeps_a_quarter_as_many_to_validate(tmp_path):
    images = load(make_cifar(tmp_path / "c", "bin"), 32, 8)
    assert (images.training, images.validation) == (8, 2)
    images = load(make_folder(tmp_path / "d"), 8, 4)
    assert (images.training, images.validation, len(images.pixels)) == (4, 1, 5)


class Evil:
    def __reduce__(self):
        return (print, ("this must not run",))


@pytest.mark.parametrize(("make", "says"), [
    (lambda p: None, "there is no such directory"),
    (lambda p: p.mkdir(), "an empty directory"),
    (lambda p: p.write_text("x"), "not a directory"),
    (lambda p: (p / "one").mkdir(parents=True), "at least two classes, found 1"),
    (lambda p: [(p / n).mkdir(parents=True) for n in "ab"], "no image in it"),
    (lambda p: make_folder(p, 1), "too few images"),
    (lambda p: (make_folder(p) / "red" / "0.png").write_bytes(b"no"), "not a readable image"),
    (lambda p: (make_cifar(p, "bin") / "test_batch.bin").unlink(), "without test_batch"),
    (lambda p: (make_cifar(p, "bin") / "data_batch_1.bin").write_bytes(b"short"),
     "no whole number"),
    (lambda p: (make_cifar(p, "pickle") / "data_batch_1").write_bytes(b"no"),
     "not a CIFAR-10 batch"),
    (lambda p: (make_cifar(p, "pickle") / "data_batch_1").write_bytes(pickle.dumps(Evil())),
     "has no place in it"),
    (lambda p: (make_cifar(p, "bin") / "test_batch.bin").write_bytes(b"\xff" * 3073), "0 to 9"),
])
def test_what_cannot_be_read_is_one_clear_line(tmp_path, capsys, make, says):
    make(tmp_path / "d")
    with pytest.raises(DataError, match=says) as error:
        load(tmp_path / "d", 8)
    assert "\n" not in str(error.value)
    assert str(tmp_path / "d") in str(error.value)
    assert capsys.readouterr().out == ""


def test_bytes_are_scaled_and_sizes_brought_to_the_networks():
    pixels = torch.full((2, 3, 4, 4), 255, dtype=torch.uint8)
    there = prepared(pixels, 8, torch.float64)
    assert there.shape == (2, 3, 8, 8)
    assert there.dtype == torch.float64
    assert torch.allclose(there, torch.tensor(2.0, dtype=torch.float64))
    assert prepared(there, 8, torch.float64) is there


def test_synthetic_images_depend_on_the_seed_alone():
    one, two, other = (synthetic(4, 8, seed, 0.5) for seed in (1, 1, 2))
    assert torch.equal(one.pixels, two.pixels)
    assert torch.equal(one.labels, two.labels)
    assert not torch.equal(one.pixels, other.pixels)
    assert (one.training, one.validation, len(one.classes)) == (256, 64, 4)


def test_a_pipeline_learns_two_colours_from_grainy_files(tmp_path):
    rng = np.random.default_rng(0)
    for file in sorted(make_folder(tmp_path / "d", 20).rglob("*.png")):
        grain = rng.integers(0, 128, (16, 16, 3), dtype=np.uint8)
        grain[..., file.parent.name == "green"] += 64
        Image.fromarray(grain).save(file)
    settings = RunSettings(data=str(tmp_path / "d"), image_size=16)
    assembly = cpu_assembly(minibatches=40, settings=settings, training={"batch_size": 16})
    trace = run(assembly, cpu_lanes(2))
    assert trace.header.training.accuracy == 1.0
    assert trace.header.gpu.settings["data"] == settings.data
    final = assembly.task.evaluate([stage.weights for stage in assembly.stages])
    assert final.training_accuracy == 1.0


def test_mistakes_about_data_are_configuration_errors(tmp_path):
    with pytest.raises(ConfigurationError, match="there is no such directory"):
        cpu_assembly(settings=RunSettings(data=str(tmp_path / "nowhere")))
    make_cifar(tmp_path / "c", "bin")
    with pytest.raises(ConfigurationError, match="10 classes, asked for 3"):
        cpu_assembly(settings=RunSettings(data=str(tmp_path / "c"), classes=3))
    with pytest.raises(ConfigurationError, match="at least 1, got 0"):
        cpu_assembly(settings=RunSettings(data=str(tmp_path / "c"), limit=0))


def test_enlarged_cifar_goes_through_a_network_of_another_size(tmp_path):
    settings = RunSettings(data=str(make_cifar(tmp_path / "c", "bin")), image_size=48)
    assembly = cpu_assembly(minibatches=2, settings=settings)
    assert assembly.task.inputs(0).shape == (4, 3, 48, 48)
    run(assembly, cpu_lanes(2))


def test_evaluation_goes_by_running_statistics():
    assembly = cpu_assembly(minibatches=3)
    run(assembly, cpu_lanes(2))
    weights = [stage.weights for stage in assembly.stages]
    before = assembly.task.evaluate(weights)
    assert before == assembly.task.evaluate(weights)
    for model in assembly.task.models:
        for name, buffer in model.module.named_buffers():
            if name.endswith("running_var"):
                buffer.mul_(4)
    after = assembly.task.evaluate(weights)
    assert before.final_loss != after.final_loss

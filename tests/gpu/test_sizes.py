"""Bytes worked out without computing, against what a CPU really keeps."""

import pytest

from gpu.profiling.rises import stage_bytes
from gpu.profiling.solo import Solo
from gpu.runtime.settings import RunSettings
from tests.gpu.conftest import cpu_assembly, cpu_lanes


@pytest.mark.parametrize("backward", ["graph", "recompute"])
@pytest.mark.parametrize("settings", [
    pytest.param(RunSettings(), id="narrow"), pytest.param(RunSettings(loss="mse"), id="mse"),
    pytest.param(RunSettings(model="vgg16", image_size=32, classes=10), id="vgg16",
                 marks=pytest.mark.verify)])
def test_sizes_are_those_of_a_real_forward(settings, backward):
    assembly = cpu_assembly(stages=3, minibatches=2, settings=settings, backward=backward)
    task, solo = assembly.task, Solo(assembly, cpu_lanes(3))
    for k, (sizes, real) in enumerate(zip(task.stage_sizes(), stage_bytes(solo), strict=True)):
        here = solo.samples.inputs[k]
        assert sizes.input_shape == tuple(here.shape)
        assert sizes.input_bytes == here.numel() * 4
        assert sizes.weight_bytes == len(task.models[k].live) * 4
        assert sizes.activation_bytes == pytest.approx(real.held_bytes, rel=0.005)


def test_a_recomputing_stage_keeps_its_input_and_labels_alone():
    *others, last = cpu_assembly(stages=3, backward="recompute").task.stage_sizes()
    for sizes in others:
        assert sizes.activation_bytes == sizes.input_bytes < sizes.graph_bytes
    assert last.activation_bytes == last.input_bytes + 4 * 8 < last.graph_bytes

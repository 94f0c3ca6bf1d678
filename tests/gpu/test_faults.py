"""Whatever goes wrong: one message that names the stage, all workers stopped."""

import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest
import torch

from gpu.errors import DeviceError, NonFiniteError, StageError, StageMemoryError
from gpu.lanes.devices import check_devices, parse_devices
from gpu.runtime.run import run
from tests.gpu.conftest import cpu_assembly, cpu_lanes


def failing_at(assembly, stage, call, failure):
    """The forward of micro-batch `call` of `stage` does `failure` instead."""
    failing = assembly.stages[stage]
    whole = failing.forward

    def forward(index, *args):
        return failure() if index == call else whole(index, *args)

    failing.forward = forward
    return assembly


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_stage_that_raises_names_itself(stage):
    def broken():
        raise ValueError("a layer\nbroke")

    assembly = failing_at(cpu_assembly(stages=3), stage, 3, broken)
    with pytest.raises(StageError, match=f"stage {stage} failed at {stage}F3 on cpu#{stage}: "
                                         "ValueError: a layer broke") as caught:
        run(assembly, cpu_lanes(3))
    assert caught.value.stage == stage
    assert caught.value.instruction == f"{stage}F3"
    assert type(caught.value)(*caught.value.args).args == caught.value.args


def test_out_of_memory_says_what_to_do():
    assembly = failing_at(cpu_assembly(), 1, 2, lambda: torch.empty(10**14))
    with pytest.raises(StageMemoryError, match=r"stage 1 ran out of memory at 1F2.*smaller batch"):
        run(assembly, cpu_lanes(2))


def test_divergence_stops_the_run_and_names_the_stage():
    assembly = cpu_assembly(training={"learning_rate": 1e30})
    with pytest.raises(NonFiniteError, match=r"stage 1 is no longer finite at 1F\d"):
        run(assembly, cpu_lanes(2))


def test_divergence_can_be_recorded_instead():
    assembly = cpu_assembly(training={"learning_rate": 1e30})
    trace = run(assembly, cpu_lanes(2), strict=False, evaluate=False)
    assert trace.header.training.diverged_at == 2


def test_weights_that_are_not_finite_at_the_end_are_found():
    assembly = cpu_assembly(minibatches=1)
    stage, whole = assembly.stages[0], assembly.stages[0].optimizer
    stage.optimizer = SimpleNamespace(
        momentum=whole.momentum, velocity=whole.velocity,
        step=lambda *arguments: whole.step(*arguments).mul_(float("nan")))
    with pytest.raises(NonFiniteError, match=r"stage 0 .* its weights are not finite"):
        run(assembly, cpu_lanes(2))


def test_interruption_stops_all_workers():
    assembly = failing_at(cpu_assembly(), 1, 2, lambda: time.sleep(1.0))
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run(assembly, cpu_lanes(2))
    timer.join()


@pytest.mark.parametrize(("text", "names"), [
    ("cpu,cpu", ["cpu", "cpu"]), ("cuda:0, cuda:1", ["cuda:0", "cuda:1"]),
    ("cuda:0/2", ["cuda:0/2#0", "cuda:0/2#1"]), ("cuda:1/3", [f"cuda:1/3#{i}" for i in range(3)]),
])
def test_devices_are_read(text, names):
    assert [str(spec) for spec in parse_devices(text)] == names


@pytest.mark.parametrize("text", ["", "gpu", "cuda", "cuda:0/0", "cpu,,cpu", "cuda:-1"])
def test_what_is_no_device_is_refused(text):
    said = r"is not a device( \(did you mean .*\))?; write e\.g\. cpu,cpu"
    with pytest.raises(DeviceError, match=said):
        parse_devices(text)


def test_devices_that_do_not_fit():
    with pytest.raises(DeviceError, match="needs 3 devices, --devices names 2"):
        check_devices(parse_devices("cpu,cpu"), 3)
    with pytest.raises(DeviceError, match="cuda:99 is not there: this machine has"):
        check_devices(parse_devices("cuda:99,cuda:98"), 2)

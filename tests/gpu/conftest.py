"""One thread before any worker starts: sums of several threads are not bit-equal."""

import pytest
import torch

from gpu.lanes.streams import CpuLane
from gpu.runtime.assembly import Assembly, assemble
from gpu.runtime.settings import RunSettings
from sim.experiment.configuration import resolve

torch.set_num_threads(1)


def cpu_assembly(stages=2, minibatches=6, settings=None, program=None, training=None,
                 **pipeline) -> Assembly:
    experiment = resolve({
        "pipeline": {"stages": stages, "minibatches": minibatches, **pipeline},
        "training": {"batch_size": 4, "seed": 3, **(training or {})}})
    devices = [torch.device("cpu")] * (program or experiment.shape).devices
    return assemble(experiment, settings or RunSettings(), devices, program=program)


def cpu_lanes(number):
    return [CpuLane(f"cpu#{d}") for d in range(number)]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    import threading

    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before

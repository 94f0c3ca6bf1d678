"""CUDA lanes: the order of streams and events on a stand-in; the real thing where there is one."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from gpu.lanes import cuda
from gpu.lanes.devices import open_lanes, parse_devices
from gpu.runtime.run import run
from sim.numerics.training import train
from sim.order.check import execution_order


class FakeCuda:
    """Streams and events that write down what they are told; `log` is the order."""

    def __init__(self):
        self.log, self.current, fake = [], {}, self

        class Stream:
            def __init__(self, device):
                self.device, self.name = device, f"s{len(fake.log)}@{device}"
                fake.log.append(("stream", self.name))

            def wait_event(self, event):
                fake.log.append(("wait", self.name, event))

        class Event:
            def __init__(self, enable_timing=False):
                self.passed = False

            def record(self, stream):
                fake.log.append(("record", stream.name, self))

            def query(self):
                return self.passed

        self.Stream, self.Event = Stream, Event

    @contextmanager
    def stream(self, stream):
        before = self.current.get(stream.device)
        self.current[stream.device] = stream
        yield
        self.current[stream.device] = before

    @contextmanager
    def device(self, device):
        yield


class FakeTensor:
    def __init__(self, fake):
        self.fake = fake

    def to(self, device, non_blocking):
        assert non_blocking
        self.fake.log.append(("copy", {str(d): s and s.name for d, s in
                                       self.fake.current.items()}))
        return "there"

    def clone(self):
        return self.to(None, True)


@pytest.fixture
def fake(monkeypatch):
    stand_in = FakeCuda()
    monkeypatch.setattr(cuda, "torch", SimpleNamespace(cuda=stand_in))
    return stand_in


def test_a_cross_device_copy_has_the_copy_streams_current_on_both_devices(fake):
    source, target = cuda.CudaLane("a", "cuda:0"), cuda.CudaLane("b", "cuda:1")
    fake.log.clear()
    tensor = FakeTensor(fake)
    there, arrived = source.send([tensor], False, target)
    kinds = [entry[0] for entry in fake.log]
    assert kinds == ["record", "wait", "copy", "record", "record"]
    ready, waits, copy, came, left = fake.log
    assert ready[1] == source.compute.name
    assert waits[1:] == (source.copies[0].name, ready[2])
    assert copy[1] == {"cuda:0": source.copies[0].name, "cuda:1": target.copies[0].name}
    assert came[1:] == (target.copies[0].name, arrived)
    assert left[1] == source.copies[0].name
    assert source.held == [([tensor], left[2])]
    assert there == ["there"]
    assert not any(fake.current.values())


def test_on_one_device_a_copy_takes_the_senders_copy_stream_and_directions_their_own(fake):
    source, target = cuda.CudaLane("a", "cuda:0"), cuda.CudaLane("b", "cuda:0")
    fake.log.clear()
    _, arrived = source.send([FakeTensor(fake)], True, target)
    assert fake.log[2][1] == {"cuda:0": source.copies[1].name}
    assert fake.log[3][1:] == (source.copies[1].name, arrived)


def test_tensors_are_held_until_their_event_has_passed(fake):
    lane, first, second = cuda.CudaLane("a", "cuda:0"), fake.Event(), fake.Event()
    lane.hold(["x"], first)
    lane.hold(["y"], second)
    assert [kept for kept, _ in lane.held] == [["x"], ["y"]]
    first.passed = True
    lane.hold(["z"], second)
    assert [kept for kept, _ in lane.held] == [["y"], ["z"]]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("mitigation", ["none", "stash", "spectrain"])
def test_one_gpu_as_two_gives_the_simulators_weights(mitigation):
    from gpu.determinism import exact
    from gpu.runtime.assembly import assemble
    from gpu.runtime.settings import RunSettings
    from sim.experiment.configuration import resolve

    exact()
    specs = parse_devices("cuda:0/2")
    experiment = resolve({"pipeline": {"stages": 2, "minibatches": 10, "mitigation": mitigation}})
    driven, threaded = (assemble(experiment, RunSettings(), [s.device for s in specs])
                        for _ in range(2))
    train(execution_order(driven.program), driven.stages, driven.task, driven.program)
    trace = run(threaded, open_lanes(specs))
    for one, two in zip(driven.stages, threaded.stages, strict=True):
        assert (one.weights - two.weights).norm() <= 1e-5 * one.weights.norm()
    assert (trace.end_s >= trace.start_s).all()

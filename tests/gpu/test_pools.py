"""What the allocator's lists and statistics are made into, on lists made up in its form."""

import pytest
import torch

from gpu.profiling import footprint
from gpu.profiling.footprint import CudaGauge, block_bytes, gauge
from gpu.profiling.pools import cublas_bytes, pool_bytes
from gpu.profiling.rises import captured_bytes, stage_bytes
from gpu.profiling.solo import Solo
from tests.gpu.conftest import cpu_lanes
from tests.gpu.footprints import small
from tests.gpu.tape import Tape, tape_lanes

MIB = 1 << 20

SEGMENTS = [
    {"segment_pool_id": (0, 0), "total_size": 1 << 20, "allocated_size": 512},
    {"segment_pool_id": (0, 7), "total_size": 2 << 20, "allocated_size": 0},
    {"segment_pool_id": (0, 7), "total_size": 20 << 20, "allocated_size": 1024},
    {"segment_pool_id": [0, 8], "total_size": 4 << 20, "allocated_size": 0}]


def test_a_pool_is_all_its_segments_whatever_lives_in_them():
    assert pool_bytes([(0, 7), (0, 8), (0, 9)], SEGMENTS) == [22 << 20, 4 << 20, 0]


class NamedPool(tuple):
    """A pool of the tape's recordings that has a name as those of CUDA have."""

    def __new__(cls, number):
        made = super().__new__(cls, (0, number))
        made.recorded = []
        return made

    def append(self, recording):
        self.recorded.append(recording)

    def __len__(self):
        return len(self.recorded)

    def __getitem__(self, place):
        return self.recorded[place]

    def __iter__(self):
        return iter(self.recorded)


@pytest.mark.parametrize("backward", ["graph", "recompute"])
def test_a_captured_stage_is_its_pools_and_what_they_are_filled_through(backward, monkeypatch):
    """Recorded on the tape; the allocator's list says 1 MiB of every pool."""
    names = []

    def named(_):
        names.append(NamedPool(len(names)))
        return names[-1]

    monkeypatch.setattr(Tape, "pool", named)
    monkeypatch.setattr(torch.cuda, "memory_snapshot", lambda: [
        {"segment_pool_id": (0, number), "total_size": MIB} for number in range(len(names))])
    assembly = small(schedule="gpipe", microbatches=4, backward=backward)
    solo = Solo(assembly, tape_lanes(2))
    assert solo.graphs.used
    sizes = assembly.task.stage_sizes()
    first, last = stage_bytes(solo)
    output, labels = sizes[1].input_bytes, 2 * 8
    assert first.slot_bytes == MIB + sizes[0].input_bytes + output
    assert last.slot_bytes == MIB + sizes[1].input_bytes + labels + 4
    always = 2 * sizes[0].weight_bytes
    if backward == "graph":
        assert (first.held_bytes, last.held_bytes) == (0, 0)
        assert first.resident_bytes == always
        assert captured_bytes(solo, 0) == 4 * first.slot_bytes
    else:
        assert first.held_bytes == sizes[0].input_bytes
        once = MIB + sizes[0].input_bytes + output
        assert first.resident_bytes == always + once
        assert captured_bytes(solo, 0) == once + first.slot_bytes


def test_an_eager_stage_has_no_pools():
    solo = Solo(small(), cpu_lanes(2))
    assert captured_bytes(solo, 0) == 0
    assert [each.slot_bytes for each in stage_bytes(solo)] == [None, None]


@pytest.mark.parametrize(("setting", "size"), [
    (":4096:8", 8 * 4096 * 1024), (":16:8", 8 * 16 * 1024),
    (":4096:2:16:8", 2 * 4096 * 1024 + 8 * 16 * 1024)])
def test_what_cublas_takes_goes_by_its_setting(setting, size):
    assert cublas_bytes(setting) == size


def test_blocks_on_cuda_are_whole():
    class There:
        def __init__(self, size):
            self.device, self.size = torch.device("cuda", 0), size

        def untyped_storage(self):
            return self

        def nbytes(self):
            return self.size

        @property
        def _cdata(self):
            return id(self)

    assert block_bytes([There(1), There(512), There(513)]) == 512 + 512 + 1024
    assert block_bytes([torch.zeros(1), torch.zeros(2)]) == 4 + 8


def test_a_gauge_of_cuda_asks_its_allocator(monkeypatch):
    """A stand-in for the allocator's statistics: they are what it says they are."""
    said = {"now": 700, "most": 900, "waited": 0}

    def reset(_):
        said["most"] = said["now"]

    def wait(_):
        said["waited"] += 1

    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: said["now"])
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: said["most"])
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", reset)
    monkeypatch.setattr(torch.cuda, "synchronize", wait)
    with gauge(torch.device("cuda", 0)) as counted:
        assert isinstance(counted, CudaGauge)
        assert counted.begin() == counted.peak == 700
        said.update(now=800, most=1300)
        assert (counted.live, counted.peak) == (800, 1300)
    assert said["waited"] == 2
    assert isinstance(footprint.gauge(torch.device("cpu")), footprint.Allocations)

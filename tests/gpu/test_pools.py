"""What the allocator's lists and statistics are made into, on lists made up in its form."""

import pytest
import torch

from gpu.profiling import footprint
from gpu.profiling.footprint import CudaGauge, block_bytes, gauge
from gpu.profiling.pools import cublas_bytes, pool_bytes, slot_bytes

SEGMENTS = [
    {"segment_pool_id": (0, 0), "total_size": 1 << 20, "allocated_size": 512},
    {"segment_pool_id": (0, 7), "total_size": 2 << 20, "allocated_size": 0},
    {"segment_pool_id": (0, 7), "total_size": 20 << 20, "allocated_size": 1024},
    {"segment_pool_id": [0, 8], "total_size": 4 << 20, "allocated_size": 0}]


def test_a_pool_is_all_its_segments_whatever_lives_in_them():
    assert pool_bytes([(0, 7), (0, 8), (0, 9)], SEGMENTS) == [22 << 20, 4 << 20, 0]


def test_the_allocator_is_asked_where_no_list_is_given(monkeypatch):
    monkeypatch.setattr(torch.cuda, "memory_snapshot", lambda: SEGMENTS)
    assert pool_bytes([(0, 8)]) == [4 << 20]


def test_a_slot_is_its_pool_and_what_it_is_filled_through():
    outside = [torch.zeros(100), torch.zeros(3, dtype=torch.long)]
    assert slot_bytes([(0, 7), (0, 8)], [*outside, outside[0].view(10, 10)], SEGMENTS) == (
        (26 << 20) + 400 + 24) / 2


@pytest.mark.parametrize(("setting", "size"), [
    (":4096:8", 8 * 4096 * 1024), (":16:8", 8 * 16 * 1024),
    (":4096:2:16:8", 2 * 4096 * 1024 + 8 * 16 * 1024)])
def test_what_cublas_takes_goes_by_its_setting(setting, size):
    assert cublas_bytes(setting) == size


def test_blocks_on_cuda_are_whole(monkeypatch):
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

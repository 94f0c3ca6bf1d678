"""One GPU as two, on a driver made up to answer as CUDA's does."""

from enum import IntEnum
from types import SimpleNamespace

import pytest

from gpu.lanes import partition
from gpu.lanes.partition import DriverError, part_stream, split


class Result(IntEnum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_NOT_SUPPORTED = 801


class Driver:
    """132 multiprocessors in groups that grow by 8, as an H100 or H200 has them."""

    CUresult = Result
    CUdevResourceType = SimpleNamespace(CU_DEV_RESOURCE_TYPE_SM=1)
    CUgreenCtxCreate_flags = SimpleNamespace(CU_GREEN_CTX_DEFAULT_STREAM=1)
    CUstream_flags = SimpleNamespace(CU_STREAM_NON_BLOCKING=1)

    def __init__(self, makes=None, status=Result.CUDA_SUCCESS):
        self.makes, self.status, self.asked = makes, status, []

    def cuDeviceGet(self, index):
        return Result.CUDA_SUCCESS, index

    def cuDeviceGetDevResource(self, device, kind):
        sm = SimpleNamespace(smCount=132, smCoscheduledAlignment=8)
        return self.status, SimpleNamespace(sm=sm)

    def cuDevSmResourceSplitByCount(self, parts, whole, flags, least):
        self.asked.append((parts, least))
        made = self.makes or parts
        return Result.CUDA_SUCCESS, [f"group{i}" for i in range(parts)], made, "rest"

    def cuDevResourceGenerateDesc(self, groups, count):
        return Result.CUDA_SUCCESS, f"description of {groups[0]}"

    def cuGreenCtxCreate(self, description, device, flags):
        return Result.CUDA_SUCCESS, f"context of {description}"

    def cuGreenCtxStreamCreate(self, context, flags, priority):
        return Result.CUDA_SUCCESS, int(context[-1]) + 100


def test_halves_are_64_multiprocessors_each_and_made_by_one_split():
    driver = Driver()
    assert split(driver, 0, 2) == [100, 101]
    assert driver.asked == [(2, 64)]


def test_a_driver_that_cannot_says_why():
    with pytest.raises(DriverError, match="CUDA_ERROR_NOT_SUPPORTED"):
        split(Driver(status=Result.CUDA_ERROR_NOT_SUPPORTED), 0, 2)
    with pytest.raises(DriverError, match="makes 1 groups of 64"):
        split(Driver(makes=1), 0, 2)


def test_where_it_cannot_be_split_a_warning_and_plain_streams(monkeypatch, caplog):
    def refuses(index, parts):
        raise DriverError("CUDA_ERROR_NOT_SUPPORTED")

    monkeypatch.setattr(partition, "_streams", refuses)
    assert part_stream(0, 1, 2) is None
    assert "cuda:0 cannot be split in 2: CUDA_ERROR_NOT_SUPPORTED" in caplog.text

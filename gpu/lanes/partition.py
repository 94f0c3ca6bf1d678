"""One GPU as several: streams on disjoint multiprocessors, through the CUDA driver.

The GPU is split once per process into equal groups of multiprocessors, since contexts made one by
one can be given the same ones.  Memory, its bandwidth and the L2 cache stay shared, so only
compute-bound kernels keep their speed.
Source: CUDA Driver API, green contexts (cuDevSmResourceSplitByCount, cuGreenCtxStreamCreate).
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

import torch

ALIGNMENT = 8  # multiprocessors a group grows by, where the driver does not say
log = logging.getLogger(__name__)


class DriverError(RuntimeError):
    """The CUDA driver cannot split this GPU, for the reason given."""


def part_stream(index: int, part: int, parts: int) -> Any:
    """A stream on part `part` of GPU `index`, one of `parts`; None where it cannot be split.

    Why it cannot is logged as a warning.
    """
    try:
        return _streams(index, parts)[part]
    except (ImportError, AttributeError, RuntimeError) as error:
        log.warning("cuda:%d cannot be split in %d: %s; plain streams share all of it", index,
                    parts, error)
        return None


@lru_cache(maxsize=8)
def _streams(index: int, parts: int) -> list[Any]:
    from cuda.bindings import driver

    torch.cuda.init()
    with torch.cuda.device(index):
        torch.empty(1, device=f"cuda:{index}")  # the primary context exists before green ones
        handles = split(driver, index, parts)
    return [torch.cuda.ExternalStream(handle, device=torch.device("cuda", index))
            for handle in handles]


def split(driver: Any, index: int, parts: int) -> list[int]:
    """Stream handles, one on each of `parts` disjoint equal groups of multiprocessors.

    Raises DriverError, also where the driver hands out fewer groups than asked for.
    """
    device = _call(driver, driver.cuDeviceGet(index))
    kind = driver.CUdevResourceType.CU_DEV_RESOURCE_TYPE_SM
    whole = _call(driver, driver.cuDeviceGetDevResource(device, kind))
    step = getattr(whole.sm, "smCoscheduledAlignment", 0) or ALIGNMENT
    each = whole.sm.smCount // parts // step * step
    groups, made, _ = _call(driver, driver.cuDevSmResourceSplitByCount(parts, whole, 0, each))
    if made < parts:
        raise DriverError(f"the driver makes {made} groups of {each} multiprocessors")
    return [_stream(driver, device, group) for group in groups[:parts]]


def _stream(driver: Any, device: Any, group: Any) -> int:
    description = _call(driver, driver.cuDevResourceGenerateDesc([group], 1))
    flags = driver.CUgreenCtxCreate_flags.CU_GREEN_CTX_DEFAULT_STREAM
    context = _call(driver, driver.cuGreenCtxCreate(description, device, flags))
    own_pace = driver.CUstream_flags.CU_STREAM_NON_BLOCKING
    return int(_call(driver, driver.cuGreenCtxStreamCreate(context, own_pace, 0)))


def _call(driver: Any, answer: Any) -> Any:
    """The result of a driver call.  Raises DriverError with the driver's own name for it."""
    status, *results = answer
    if status != driver.CUresult.CUDA_SUCCESS:
        raise DriverError(getattr(status, "name", str(status)))
    return results[0] if len(results) == 1 else tuple(results)

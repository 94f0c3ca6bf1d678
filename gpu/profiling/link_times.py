"""Latency and bandwidth of a link: messages of several sizes sent back and forth, and a line."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gpu.lanes.streams import Lane, Mark
from gpu.runtime.links import Mailboxes
from gpu.versions import hold_up
from sim.arrays import Floats
from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.times.profile import LinkSample, Spread

SIZES = (1 << 10, 1 << 14, 1 << 17, 1 << 20, 1 << 23)  # bytes
AHEAD_CYCLES = 40_000_000  # some 20 ms in which a host gets ahead of its GPU


class LinkTimes(NamedTuple):
    """A link as fitted: latency in seconds, bandwidth in bytes a second, and the samples of both.

    The bandwidth is None where size made no difference beyond the samples' own scatter.
    """

    latency_s: float
    bandwidth_bytes_per_s: float | None
    samples: tuple[LinkSample, ...]


def link_times(lanes: Sequence[Lane], trips: int = 40, sizes: Sequence[int] = SIZES) -> LinkTimes:
    """Time the link between the first two lanes, one message each way at a time, and fit it.

    `trips` there and back for each of `sizes` (bytes); a message's seconds are half a trip's.
    """
    found = []
    for size in sizes:
        tensor = torch.zeros(size, dtype=torch.uint8, device=lanes[0].device)
        times = round_trips(lanes, tensor, trips) / 2
        found.append(LinkSample(size_bytes=float(size), seconds=quartiles(times)))
    return LinkTimes(*fit(found), tuple(found))


def quartiles(values: Floats) -> Spread:
    """Median, interquartile range and number of repeated measurements (repeats,)."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return Spread(median=float(middle), iqr=float(high - low), repeats=len(values))


def fit(samples: Sequence[LinkSample]) -> tuple[float, float | None]:
    """Latency (s) and bandwidth (bytes/s; None: no limit seen) of a link from its samples.

    Least squares of relative errors over the medians of sizes in ascending order.
    """
    size = np.array([s.size_bytes for s in samples])
    seconds = np.array([s.seconds.median for s in samples])
    small, large = samples[0].seconds, samples[-1].seconds
    if large.median - small.median <= max(small.iqr, large.iqr):
        return float(np.median(seconds)), None
    rows = np.stack([1 / seconds, size / seconds], axis=1)
    latency, per_byte = np.linalg.lstsq(rows, np.ones(len(samples)), rcond=None)[0]
    if latency < 0:
        latency, per_byte = 0.0, float(np.median(seconds / size))
    return float(latency), float(1 / per_byte) if per_byte > 0 else None


def round_trips(lanes: Sequence[Lane], tensor: Tensor, trips: int) -> Floats:
    """Seconds of each trip of `tensor` there and back, (trips,), after some to warm up."""
    first, warm = lanes[0], max(2, trips // 4)
    for lane in lanes[:2]:
        lane.begin()
    walk = _by_one_host if first.device.type == "cuda" else _by_two_threads
    marks = walk(lanes[:2], tensor, warm + trips)
    for lane in lanes[:2]:
        lane.finish()
    return np.diff([first.seconds(mark) for mark in marks])[warm:]


def _by_one_host(lanes: Sequence[Lane], tensor: Tensor, trips: int) -> list[Mark]:
    """CUDA: the host asks for all copies while the GPU is still held up."""
    here, there = lanes
    with here.current():
        hold_up(AHEAD_CYCLES)
        marks = [here.mark()]
        for _ in range(trips):
            sent, arrived = here.send([tensor], False, there)
            there.wait(arrived)
            back, arrived = there.send(sent, True, here)
            here.wait(arrived)
            here.hold(back, here.mark())
            marks.append(here.mark())
    return marks


def _by_two_threads(lanes: Sequence[Lane], tensor: Tensor, trips: int) -> list[Mark]:
    """CPU: a message is handed over by reference, so its time is that of waking a thread."""
    program = SCHEDULES["sequential"].program(PipelineShape(2, trips)).lower()
    links = Mailboxes(program, lanes)
    other = threading.Thread(target=_walk, args=(program, links, lanes[1], 1, tensor), daemon=True)
    other.start()
    marks = _walk(program, links, lanes[0], 0, tensor)
    other.join()
    return marks


def _walk(program: Program, links: Mailboxes, lane: Lane, device: int, tensor: Tensor
          ) -> list[Mark]:
    """Do the messages of one device's stream, and nothing else; a mark before every SEND_F."""
    marks = []
    for row in range(*program.offsets[device : device + 2]):
        op = program.rows.op[row]
        if op in (Op.SEND_F, Op.SEND_B):
            marks.append(lane.mark())
            links.send(row, [tensor], lane)
        elif op in (Op.RECV_F, Op.RECV_B):
            links.receive(row, lane)
    return [*marks, lane.mark()]

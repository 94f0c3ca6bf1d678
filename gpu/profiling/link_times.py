"""Latency and bandwidth of a link: messages of several sizes sent back and forth, and a line."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gpu.lanes.streams import Lane, Mark
from gpu.runtime.links import Mailboxes
from sim.arrays import Floats
from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.times.costs import TICK
from sim.times.profile import LinkSample, Spread, TransferProfile

SIZES = (1 << 10, 1 << 14, 1 << 17, 1 << 20, 1 << 23, 1 << 25)  # bytes
AHEAD_S = 2e-2  # in which a host gets ahead of its GPU


class LinkTimes(NamedTuple):
    """A link as fitted: latency in seconds, bandwidth in bytes a second, and the samples of both.

    The bandwidth is None where size made no difference beyond the samples' own scatter.  `ways`
    are the samples of messages from the first device to the second, and back.
    """

    latency_s: float
    bandwidth_bytes_per_s: float | None
    samples: tuple[LinkSample, ...]
    ways: tuple[tuple[LinkSample, ...], tuple[LinkSample, ...]]

    def over(self, home: Sequence[int]) -> tuple[TransferProfile, ...]:
        """What messages take over each boundary between stages, both ways; `home` is their device.

        [choice] Every two devices have the link of the first two; what goes to a device of a higher
        number takes the time of there, what goes to one of a lower number that of back.
        """
        found = []
        for boundary, (one, two) in enumerate(pairwise(home)):
            if one != two:
                there, back = self.ways if one < two else reversed(self.ways)
                found += [
                    TransferProfile(boundary=boundary, direction="forward", samples=there),
                    TransferProfile(boundary=boundary, direction="backward", samples=back)]
        return tuple(found)


def link_times(lanes: Sequence[Lane], trips: int = 40, sizes: Sequence[int] = SIZES) -> LinkTimes:
    """Time the link between the first two lanes, one message each way at a time, and fit it.

    `trips` of each kind for each of `sizes` (bytes, ascending).  A message of a size goes one way
    and one of the smallest size comes back; what that one takes, half a trip of two of them
    [choice: both ways alike], is taken off, so no two devices' clocks are compared.
    """
    smallest = _tensor(lanes[0], sizes[0])
    least = round_trips(lanes, smallest, smallest, trips) / 2
    ways: tuple[list[LinkSample], list[LinkSample]] = ([], [])
    for size in sizes:
        tensor = _tensor(lanes[0], size)
        for way, trip in zip(ways, ((tensor, smallest), (smallest, tensor)), strict=True):
            times = least if size == sizes[0] else np.maximum(
                round_trips(lanes, *trip, trips) - np.median(least), TICK)
            way.append(LinkSample(size_bytes=float(size), seconds=quartiles(times)))
    both = tuple(LinkSample(size_bytes=one.size_bytes, seconds=_between(one.seconds, two.seconds))
                 for one, two in zip(*ways, strict=True))
    return LinkTimes(*fit(both), both, (tuple(ways[0]), tuple(ways[1])))


def _tensor(lane: Lane, size: int) -> Tensor:
    return torch.zeros(size, dtype=torch.uint8, device=lane.device)


def _between(one: Spread, two: Spread) -> Spread:
    """The mean of what both ways take."""
    return Spread(median=(one.median + two.median) / 2, iqr=max(one.iqr, two.iqr),
                  repeats=one.repeats + two.repeats)


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


def round_trips(lanes: Sequence[Lane], down: Tensor, up: Tensor, trips: int) -> Floats:
    """Seconds of each trip, `down` to the second lane and `up` back, (trips,), after some to warm
    up."""
    first, warm = lanes[0], max(2, trips // 4)
    for lane in lanes[:2]:
        lane.begin()
    walk = _by_one_host if first.device.type == "cuda" else _by_two_threads
    marks = walk(lanes[:2], down, up, warm + trips)
    for lane in lanes[:2]:
        lane.finish()
    return np.diff([first.seconds(mark) for mark in marks])[warm:]


def _by_one_host(lanes: Sequence[Lane], down: Tensor, up: Tensor, trips: int) -> list[Mark]:
    """CUDA: the host asks for all copies while the GPU is still held up."""
    here, there = lanes
    up_there = up.to(there.device)
    with here.current():
        here.hold_up(AHEAD_S)
        marks = [here.mark()]
        for _ in range(trips):
            sent, arrived = here.send([down], False, there)
            there.wait(arrived)
            there.hold(sent, there.mark())
            back, arrived = there.send([up_there], True, here)
            here.wait(arrived)
            here.hold(back, here.mark())
            marks.append(here.mark())
    return marks


def _by_two_threads(lanes: Sequence[Lane], down: Tensor, up: Tensor, trips: int) -> list[Mark]:
    """CPU: a message is handed over by reference, so its time is that of waking a thread."""
    program = SCHEDULES["sequential"].program(PipelineShape(2, trips)).lower()
    links = Mailboxes(program, lanes)
    other = threading.Thread(target=_walk, args=(program, links, lanes[1], 1, up), daemon=True)
    other.start()
    marks = _walk(program, links, lanes[0], 0, down)
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

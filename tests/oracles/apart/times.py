"""When everything runs, in whole ticks: one pass of longest paths over all workers' streams.

    start(x) = max(end of what is before x in its stream, arrivals of what x needs, its exchange)
    arrival  = max(end of the sender, when the message before let go of the link) + on the link
               + latency, which is part of the time on the link where that is held
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.oracles.apart.case import Case, Pass, Refused, per, ticks
from tests.oracles.apart.orders import Streams

Row = tuple[int, Pass]  # worker and what it does
Seconds = Callable[[int, Pass], int]  # ticks alone


@dataclass
class Times:
    """By worker and pass, in ticks; `arrived` is when the message it needs was here.

    Rows stand in an order in which each comes after all it waits for.
    """

    start: dict[Row, int] = field(default_factory=dict)
    end: dict[Row, int] = field(default_factory=dict)
    arrived: dict[Row, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Wait:
    """Whatever `op` of a mini-batch waits until all workers have ended another one of its own,
    and until the exchange that then begins is over."""

    op: str  # the first forward, or the update, of a mini-batch
    minibatch: int
    awaits: tuple[str, int]  # the last backward, or the update, of a mini-batch


def nominal(case: Case, worker: int, each: Pass) -> int:
    """Ticks an instruction takes alone: without jitter and drift."""
    k, heavy = each.stage, 1.0 * each.count if each.op == "U" else case.weight(each)
    name = {"F": "forward_s", "U": "update_s"}.get(each.op, "backward_s")
    whole = case.measured(k, name, 0.0 if case.profile else per(getattr(case, name), k))
    half = {"I": "input_backward_s", "W": "weight_backward_s"}.get(each.op)
    seconds = whole if half is None else case.measured(k, half, whole / 2)
    if half is not None and getattr(case, half) is not None:
        seconds = per(getattr(case, half), k)
    many = case.profile is not None and each.op not in "UF"
    seconds *= heavy if many else heavy / each.count
    if each.kind == "B" and case.backward == "recompute":
        again = case.measured(k, "forward_s", per(case.forward_s, k))
        again = case.measured(k, "recompute_s", again) if case.recompute_s is None else (
            per(case.recompute_s, k))
        seconds += again * heavy
    slow = per(case.slowdown, worker) * per(case.device_factor, case.home(k))
    return ticks(seconds * slow)


def message(case: Case, stage: int, target: int, count: int) -> tuple[int, int]:
    """Ticks a message of so many micro-batches holds its link, and those until it arrives."""
    size = boundary_bytes(case)[min(stage, target)] * count
    way = {"boundary": min(stage, target),
           "direction": "forward" if stage < target else "backward"}
    if case.latency_s is None and case.bandwidth_bytes_per_s is None and case.profile:
        for samples in case.profile.get("transfers", []):
            if way.items() <= samples.items():
                return ticks(_measured(samples["samples"], size)), 0
    rate = case.of_link("bandwidth_bytes_per_s", None, way["boundary"])
    latency = case.of_link("latency_s", 0.0, way["boundary"])
    on_link = size / rate if rate else 0.0
    if case.latency == "held":
        return ticks(latency + on_link), 0
    return ticks(on_link), ticks(latency)


def _measured(samples: list[dict[str, Any]], size: float) -> float:
    """Seconds of a message: straight lines between the samples, level before the first, as steep
    as before it beyond the last, but never falling."""
    points = sorted((each["size_bytes"], each["seconds"]["median"]) for each in samples)
    if size <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if size <= x1:
            return y0 + (y1 - y0) * (size - x0) / (x1 - x0)
    slope = 0.0 if len(points) == 1 else max(
        0.0, (points[-1][1] - points[-2][1]) / (points[-1][0] - points[-2][0]))
    return points[-1][1] + slope * (size - points[-1][0])


def stretched(case: Case, each: Pass, start: int, alone: int) -> int:
    """Ticks it takes from where it starts: windows in which its stage is slow, and
    trends it has come along."""
    seconds = alone * 2.0**-30
    for window in case.stragglers:
        begins, ends = (window[name] * 2.0**30 for name in ("from_s", "to_s"))
        if window["stage"] == each.stage and begins <= start < ends:
            seconds *= window["factor"]
    for trend in case.trends:
        begins, ends = (trend[name] * 2.0**30 for name in ("from_s", "to_s"))
        if trend["stage"] == each.stage and start >= begins:
            seconds *= trend["factor"] if start >= ends else (
                1 + (trend["factor"] - 1) * ((start - begins) / (ends - begins)))
    return ticks(seconds)


def boundary_bytes(case: Case) -> list[float]:
    """Bytes a micro-batch sends over each boundary: as given, else the perceptron's outputs."""
    number = case.stages - 1
    if case.boundary_bytes is not None:
        return [per(case.boundary_bytes, k) for k in range(number)]
    if case.profile and case.profile.get("boundary_bytes"):
        return [float(size) for size in case.profile["boundary_bytes"]]
    if case.task != "digits-mlp":
        return [0.0] * number
    return [8.0 * case.examples * case.sizes[k][-1] for k in range(number)]


def weight_bytes(case: Case) -> list[float]:
    return [case.measured(k, "weight_bytes", 8.0 * _weights(case, k)) for k in range(case.stages)]


def _weights(case: Case, stage: int) -> int:
    if case.task == "quadratic":
        return len(case.curvatures)
    if case.task == "none":
        return 0
    return sum((a + 1) * b for a, b in itertools.pairwise(case.sizes[stage]))


def waits(case: Case) -> list[Wait]:
    """By what the workers wait for each other, on every stage alike."""
    own, name = case.own_minibatches, case.combine["name"]
    if case.count == 1 and name != "block-momentum":
        return []
    if name == "all-reduce":
        return [Wait("U", i, ("B", i)) for i in range(own)]
    if name == "block-momentum":
        block = case.combine.get("block", 5)
        return [Wait("F", i, ("U", i - 1)) for i in range(block, own, block)]
    size, distance = wave_size(case), case.combine.get("distance", 0)
    return [Wait("F", i, ("U", (i // size - distance) * size - 1)) for i in range(own)
            if i % size == size - 1 and i // size > distance]


def wave_size(case: Case) -> int:
    return min(case.in_flight or case.stages, case.own_minibatches)


def exchange_ticks(case: Case, stage: int) -> int:
    """A ring all-reduce of the stage's weights, or a push and a pull of them."""
    latency = case.of_link("latency_s", 0.0) if case.sync_latency_s is None else (
        case.sync_latency_s)
    rate = case.of_link("bandwidth_bytes_per_s", None) if (
        case.sync_bandwidth_bytes_per_s is None) else case.sync_bandwidth_bytes_per_s
    size, workers = weight_bytes(case)[stage], case.count
    part, trips = (size, 2) if case.combine["name"] == "wave" else (
        size / workers, 2 * (workers - 1))
    return ticks(trips * (latency + (part / rate if rate else 0.0)))


def run(case: Case, order: Streams, seconds: Seconds) -> Times:
    """Raises Refused where the order cannot be executed."""
    return _Run(case, order, seconds).through()


class _Run:
    def __init__(self, case: Case, order: Streams, seconds: Seconds) -> None:
        self.case, self.order, self.seconds = case, order, seconds
        self.home = {each.stage: d for d, stream in enumerate(order) for each in stream}
        self.does = {(each.kind, each.stage, m): each for stream in order for each in stream
                     for m in each.covers}
        self.times = Times()
        self.link: dict[tuple[int, int, int], int] = {}
        self.came: dict[Row, int] = {}  # by sender
        n = case.microbatches
        self.waits = {}
        for wait in waits(case):
            op, minibatch = wait.awaits
            for k in range(case.stages):
                ends = [each for stream in order for each in stream if each.stage == k
                        and each.op == op and each.first // n == minibatch]
                self.waits[wait.op, k, wait.minibatch * n] = ends[-1]

    def through(self) -> Times:
        clock = {(w, d): 0 for w in range(self.case.count) for d in range(len(self.order))}
        place = dict.fromkeys(clock, 0)
        moved = True
        while moved:
            moved = False
            for (worker, device), at in place.items():
                for each in self.order[device][at:]:
                    begins = self.begins(worker, each)
                    if begins is None:
                        break
                    start = max(clock[worker, device], begins)
                    end = start + stretched(self.case, each, start, self.seconds(worker, each))
                    self.times.start[worker, each], self.times.end[worker, each] = start, end
                    clock[worker, device] = end
                    self.send(worker, each)
                    place[worker, device] += 1
                    moved = True
        if any(at < len(self.order[device]) for (_, device), at in place.items()):
            raise Refused("some wait for each other for ever")
        return self.times

    def begins(self, worker: int, each: Pass) -> int | None:
        """The earliest tick it can start at, its device apart; None: not known yet."""
        moments = [0]
        for op, stage, micro in self.needs(each):
            source = worker, self.does[op, stage, micro]
            if source not in self.times.end:
                return None
            if self.home[stage] == self.home[each.stage]:
                moments.append(self.times.end[source])
            else:
                moments.append(self.came[source])
                self.times.arrived[worker, each] = max(
                    self.times.arrived.get((worker, each), 0), self.came[source])
        awaited = self.waits.get((each.op, each.stage, each.first))
        if awaited is not None:
            ends = [self.times.end.get((w, awaited)) for w in range(self.case.count)]
            known = [end for end in ends if end is not None]
            if len(known) < len(ends):
                return None
            moments.append(max(known) + exchange_ticks(self.case, each.stage))
        return max(moments)

    def needs(self, each: Pass) -> list[tuple[str, int, int]]:
        found = []
        for m in each.covers:
            if each.op == "F" and each.stage:
                found.append(("F", each.stage - 1, m))
            if each.kind == "B":
                found.append(("F", each.stage, m))
                if each.stage + 1 < self.case.stages:
                    found.append(("B", each.stage + 1, m))
            if each.op in "WU":
                found.append(("B", each.stage, m))
            if each.op == "U" and ("W", each.stage, m) in self.does:
                found.append(("W", each.stage, m))
        return found

    def send(self, worker: int, each: Pass) -> None:
        target = each.stage + {"F": 1, "B": -1}.get(each.kind, 0)
        if target == each.stage or not 0 <= target < self.case.stages or (
                self.home[target] == self.home[each.stage]):
            return
        way = worker, self.home[each.stage], self.home[target]
        on_link, after = message(self.case, each.stage, target, each.count)
        self.link[way] = max(self.times.end[worker, each], self.link.get(way, 0)) + on_link
        self.came[worker, each] = self.link[way] + after

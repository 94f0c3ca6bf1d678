"""Cuts of small networks by looking at every one: nothing here is the product's.

A network is a list of layers (dictionaries of floats: `t` seconds of both passes, `w` bytes of
weights, `a` bytes kept, `sent` bytes to the next layer) and the places it may be cut after.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

Layer = Mapping[str, float]


@dataclass(frozen=True)
class Asked:
    """What is asked of a network; `levels` are (parts, bytes/s, latency s), lowest first."""

    layers: Sequence[Layer]
    places: Sequence[int]
    levels: Sequence[tuple[int, float, float]]
    flush: bool
    microbatches: int = 1
    replicas: bool = False
    limit: float = math.inf
    mitigation: str = "stash"
    order: str = "1f1b"
    copies: float = 2.0
    messages: bool = False


def runs(places: Sequence[int], first: int, last: int) -> Iterator[list[tuple[int, int]]]:
    """Every way to cut the layers from `first` to `last` into consecutive runs."""
    inside = [p for p in places if first <= p < last]
    for many in range(len(inside) + 1):
        for ends in combinations(inside, many):
            starts = [first, *(e + 1 for e in ends)]
            yield list(zip(starts, [*ends, last], strict=True))


def total(asked: Asked, key: str, first: int, last: int) -> float:
    return sum(layer[key] for layer in asked.layers[first:last + 1])


def shares(stages: int, devices: int, replicas: bool) -> Iterator[tuple[int, ...]]:
    """How many devices each stage may have, together at most `devices`."""
    most = devices - stages + 1 if replicas else 1
    return (each for each in product(range(1, most + 1), repeat=stages) if sum(each) <= devices)


def flushed(asked: Asked) -> dict[int, float]:
    """The least seconds of a flushed mini-batch by number of stages."""
    devices = math.prod(level[0] for level in asked.levels)
    best: dict[int, float] = {}
    for cut in runs(asked.places, 0, len(asked.layers) - 1):
        for each in shares(len(cut), devices, asked.replicas):
            if asked.replicas and sum(each) < devices:
                continue
            best[len(cut)] = min(best.get(len(cut), math.inf), flushed_of(asked, cut, each))
    return {stages: found for stages, found in best.items() if found < math.inf}


def flushed_of(asked: Asked, cut: Sequence[tuple[int, int]], each: Sequence[int]) -> float:
    """Seconds of a flushed mini-batch on this cut; infinite where a stage does not fit."""
    if any(not flushed_fits(asked, run, m, len(cut) - k)
           for k, (run, m) in enumerate(zip(cut, each, strict=True))):
        return math.inf
    seconds = [flushed_stage(asked, run, m) for run, m in zip(cut, each, strict=True)]
    slowest, together = max(seconds), sum(seconds)
    if asked.messages:
        into = [2 * asked.layers[run[0] - 1]["sent"] / (asked.levels[-1][1] * m)
                for run, m in zip(cut[1:], each[1:], strict=True)]
        slowest, together = max([slowest, *into]), together + sum(into)
    return together + (asked.microbatches - 1) * slowest


def flushed_stage(asked: Asked, run: tuple[int, int], m: int) -> float:
    """Its share of the passes, and a ring over the lowest level that has room for so many."""
    below = [math.prod(parts for parts, _, _ in asked.levels[:k + 1])
             for k in range(len(asked.levels))]
    _, bandwidth, latency = next(level for level, room in zip(asked.levels, below, strict=True)
                                 if m <= room)
    ring = 2 * (m - 1) * (latency + total(asked, "w", *run) / m / bandwidth)
    return total(asked, "t", *run) / m + ring / asked.microbatches


def flushed_fits(asked: Asked, run: tuple[int, int], m: int, depth: int) -> bool:
    weights, kept = total(asked, "w", *run), total(asked, "a", *run)
    flying = {"1f1b": min(asked.microbatches, depth), "gpipe": asked.microbatches,
              "eager-1f1b": min(asked.microbatches, 2 * depth - 1)}[asked.order]
    return (1 + asked.copies) * weights + flying * kept / m <= asked.limit


def endless(asked: Asked) -> dict[int, float]:
    """The least seconds of the slowest stage or message, by number of stages at the top level."""
    return _endless(asked, len(asked.levels) - 1, 0, len(asked.layers) - 1, 0.0)


def _endless(asked: Asked, level: int, first: int, last: int, beyond: float) -> dict[int, float]:
    """The same of a run of layers on one part of the level above; `beyond` parts of this level
    come after it, to each of its own."""
    best: dict[int, float] = {}
    for cut in runs(asked.places, first, last):
        for each in shares(len(cut), asked.levels[level][0], asked.replicas):
            found = endless_of(asked, cut, each, level, beyond)
            best[len(cut)] = min(best.get(len(cut), math.inf), found)
    return {stages: found for stages, found in best.items() if found < math.inf}


def endless_of(asked: Asked, cut: Sequence[tuple[int, int]], each: Sequence[int], level: int = 0,
               beyond: float = 0.0) -> float:
    """Seconds of the slowest stage or message of this cut on parts of a level."""
    _, bandwidth, latency = asked.levels[level]
    slowest, after = 0.0, sum(each)
    for k, (run, m) in enumerate(zip(cut, each, strict=True)):
        after -= m
        behind = (after + beyond) / m
        if level:
            inner = _endless(asked, level - 1, *run, behind * asked.levels[level - 1][0])
            one = min(inner.values(), default=math.inf)
        elif endless_fits(asked, run, 1 + math.ceil(behind - 1e-9)):
            one = total(asked, "t", *run)
        else:
            one = math.inf
        shared = 4 * (m - 1) * total(asked, "w", *run) / (bandwidth * m) + 2 * (m - 1) * latency
        slowest = max(slowest, (one + shared / asked.microbatches) / m)
        if k:
            slowest = max(slowest, 2 * asked.layers[run[0] - 1]["sent"] / (bandwidth * m))
    return slowest


def endless_fits(asked: Asked, run: tuple[int, int], depth: int) -> bool:
    weights, kept = total(asked, "w", *run), total(asked, "a", *run)
    stashed = math.ceil((depth - 1) / asked.microbatches) if asked.mitigation == "stash" else 0
    return (1 + stashed + asked.copies) * weights + depth * kept <= asked.limit

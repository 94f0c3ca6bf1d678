"""Random orders that can be executed: nobody's schedule, but each pass after what it needs."""

from __future__ import annotations

from random import Random

from tests.oracles.apart.case import Pass

Order = tuple[tuple[Pass, ...], ...]


def shuffled(r: Random, devices: int, chunks: int, minibatches: int, microbatches: int,
             halves: bool) -> Order:
    """Any device does any of what could run, until all is done; stages are spread at random."""
    stages, total = devices * chunks, minibatches * microbatches
    homes = [d for d in range(devices) for _ in range(chunks)]
    r.shuffle(homes)
    if r.random() < 0.5:
        homes = [k % devices for k in range(stages)]
    back = "I" if halves else "B"
    left = {Pass(op, k, m, 1) for op in "F" + back + "W" * halves
            for k in range(stages) for m in range(total)}
    left |= {Pass("U", k, i * microbatches, microbatches)
             for k in range(stages) for i in range(minibatches)}
    eager = r.random()  # how much an update or a backward is taken before a forward
    streams: list[list[Pass]] = [[] for _ in range(devices)]
    while left:
        ready = sorted(each for each in left if not any(
            need in left for need in _needs(each, stages, microbatches, back, halves)))
        later = [each for each in ready if each.op != "F"]
        one = r.choice(later if later and r.random() < eager else ready)
        left.remove(one)
        streams[homes[one.stage]].append(one)
    return tuple(map(tuple, streams))


def _needs(each: Pass, stages: int, microbatches: int, back: str, halves: bool) -> list[Pass]:
    k, m = each.stage, each.first
    if each.op == "F":
        return [Pass("F", k - 1, m, 1)] * (k > 0)
    if each.op == back:
        return [Pass("F", k, m, 1)] + [Pass(back, k + 1, m, 1)] * (k + 1 < stages)
    if each.op == "W":
        return [Pass("I", k, m, 1)]
    last = "W" if halves else "B"
    return [Pass(last, k, micro, 1) for micro in each.covers]


def text(order: Order, minibatches: int, microbatches: int, chunks: int) -> str:
    """As a program's file has it."""
    head = (f"# pipestale program: stages={len(order) * chunks} minibatches={minibatches} "
            f"microbatches={microbatches} chunks={chunks}\n")
    return head + "".join(",".join(map(_cell, stream)) + "\n" for stream in order)


def _cell(each: Pass) -> str:
    last = each.first + each.count - 1
    return f"{each.stage}{each.op}{each.first}" + (f"-{last}" if each.count > 1 else "")

"""Orders of passes as text, golden or a schedule's own, and their times by a walk of their own.

A token is as in tests/golden/orders: `2F0`, `(0F3;7B3)` for a pair, and `3Fu0` where a stage has
two homes: down (`d`) or up (`u`), micro-batches counted in each direction.  Updates are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from sim.op import Op
from sim.order.authoring import columns, pairs_in, parts_of
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES

FOLDER = Path(__file__).parents[1] / "golden/orders"
PASS = re.compile(r"(\d+)([FBIW])([du]?)(\d+)")
Pass = tuple[int, str, int]  # stage, operation, micro-batch of the run
Seconds = Callable[[str], float]


def golden(name: str) -> list[list[str]]:
    """The tokens of each device of a golden order."""
    return [line.split() for line in (FOLDER / f"{name}.txt").read_text("utf-8").splitlines()]


def tokens(schedule: str, shape: PipelineShape, two_ways: bool = False) -> list[list[str]]:
    """The tokens of each device, straight from the schedule's generator."""
    return [_tokens(SCHEDULES[schedule].generate(device, shape), shape, two_ways)
            for device in range(shape.worker_devices)]


def _tokens(stream: Iterable, shape: PipelineShape, two_ways: bool) -> list[str]:
    parts = parts_of(stream)
    half = shape.microbatches // 2

    def token(op: int, stage: int, index: int) -> str:
        direction = "du"[index >= half] if two_ways else ""
        return f"{stage}{Op(op).name}{direction}{index - half * (direction == 'u')}"

    second = {tuple(pair[0]): tuple(pair[1]) for pair in pairs_in(parts).tolist()}
    made, skip = [], None
    for op, stage, index, _ in zip(*(column.tolist() for column in columns(parts)), strict=True):
        me = op, stage, index
        if me == skip:
            skip = None
        elif me in second:
            skip = second[me]
            made.append(f"({token(*me)};{token(*skip)})")
        elif op != Op.U:
            made.append(token(*me))
    return made


def passes(token: str, half: int = 0) -> list[Pass]:
    """What a token does: one pass, or the two of a pair."""
    return [(int(stage), op, int(micro) + half * (way == "u"))
            for stage, op, way, micro in PASS.findall(token)]


def walk(streams: list[list[str]], seconds: Seconds, link: float = 0.0, half: int = 0
         ) -> list[list[tuple[float, float]]]:
    """When each token of each device starts and ends, where a message takes `link` seconds.

    A token starts once its device is free and all that its passes need is there: of a forward the
    stage before, of a backward (or its input half) the stage after and its own forward, of a weight
    half the input half.  `seconds` is of an operation; a pair takes the sum.
    """
    last = max(stage for stream in streams for token in stream for stage, *_ in passes(token))
    done: dict[Pass, tuple[float, int]] = {}
    times: list[list[tuple[float, float]]] = [[] for _ in streams]
    while any(len(when) < len(stream) for when, stream in zip(times, streams, strict=True)):
        before = len(done)
        for device, stream in enumerate(streams):
            while len(times[device]) < len(stream):
                mine = passes(stream[len(times[device])], half)
                needed = [need for each in mine for need in _needs(each, last, done)]
                if any(need not in done for need in needed):
                    break
                start = max([times[device][-1][1] if times[device] else 0.0,
                             *(end + link * (home != device)
                               for end, home in map(done.__getitem__, needed))])
                end = start + sum(seconds(op) for _, op, _ in mine)
                done |= {each: (end, device) for each in mine}
                times[device].append((start, end))
        assert len(done) > before, "the order cannot be executed"
    return times


def _needs(each: Pass, last: int, done: dict[Pass, tuple[float, int]]) -> list[Pass]:
    stage, op, micro = each
    if op == "F":
        return [(stage - 1, "F", micro)] if stage else []
    if op == "W":
        return [(stage, "I", micro)]
    own = [(stage, "F", micro)]
    if stage == last:
        return own
    later = "I" if (stage + 1, "I", micro) in done else "B"
    return [*own, (stage + 1, later, micro)]


def makespan(times: list[list[tuple[float, float]]]) -> float:
    return max(each[-1][1] for each in times)


def idle(streams: list[list[str]], seconds: Seconds, link: float = 0.0, half: int = 0
         ) -> list[float]:
    """Seconds each device does nothing, from 0 to the end of the last."""
    times = walk(streams, seconds, link, half)
    return [makespan(times) - sum(end - start for start, end in each) for each in times]


def peaks(streams: list[list[str]]) -> list[int]:
    """The most micro-batches, of all its stages together, that each device keeps at once: from
    their forward to their backward, or its weight half."""
    found = []
    for stream in streams:
        held = most = 0
        for token in stream:
            ops = [op for _, op, _ in passes(token)]
            held += ops.count("F")
            most = max(most, held)
            held -= ops.count("B") + ops.count("W")
        found.append(most)
    return found


def picture(schedule: str) -> list[list[str]]:
    """The cells of the picture in a schedule's documentation, a row for each device."""
    rows = re.findall(r"^ +(?:stage|device) (\d+): (.*)$",
                      SCHEDULES[schedule].generate.__doc__ or "", re.M)
    assert [int(number) for number, _ in rows] == list(range(len(rows)))
    return [re.sub(r"[ .]*$", "", cells).split() for _, cells in rows]


def slots(streams: list[list[str]], half: int = 0) -> list[list[str | None]]:
    """What each device does in each slot, where every pass takes one."""
    times = walk(streams, lambda op: 1.0, half=half)
    return [[{start: token for token, (start, _) in zip(stream, when, strict=True)}.get(slot)
             for slot in range(int(when[-1][1]))]
            for stream, when in zip(streams, times, strict=True)]

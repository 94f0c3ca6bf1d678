"""Pictures of orders as their documentation has them: a column for each slot of F, I or W."""

from __future__ import annotations

from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from tests.sim.orders import makespan, passes, tokens, walk

SLOTS = {"F": 1.0, "B": 2.0, "I": 1.0, "W": 1.0}
WAYS = "dualpipe"  # two homes a stage
NAMED = "interleaved-zb"  # drawn with the numbers of its stages


def in_documentation(name: str) -> list[str]:
    """The lines of the picture in a schedule's documentation."""
    lines = (SCHEDULES[name].generate.__doc__ or "").splitlines()
    return [line.strip() for line in lines if line.strip().startswith("device ")]


def drawn(name: str, shape: PipelineShape) -> list[str]:
    """The lines as they have to be; a B takes two slots and a pair three."""
    two_ways = name == WAYS
    streams = tokens(name, shape, two_ways)
    when = walk(streams, SLOTS.__getitem__, half=shape.microbatches // 2)
    width, end = 4 if name == NAMED else 3, int(makespan(when))
    lines = []
    for device, (stream, times) in enumerate(zip(streams, when, strict=True)):
        line, clock = "", 0
        for token, (start, stop) in zip(stream, times, strict=True):
            line += ".".ljust(width) * (int(start) - clock)
            line += _cell(name, token, shape.worker_devices).ljust(width * int(stop - start))
            clock = int(stop)
        line += ".".ljust(width) * (end - clock)
        lines.append(f"device {device}: {line.rstrip()}")
    return lines


def _cell(name: str, token: str, devices: int) -> str:
    """`FA` is the forward of the first micro-batch; small letters are the other way's."""
    each = []
    for (stage, op, micro), part in zip(passes(token), token.split(";"), strict=True):
        letter = "ABCDEFGHIJ"[micro]
        small = "u" in part if name == WAYS else stage >= devices
        if name == NAMED:
            each.append(f"{stage}{op}{letter}")
        else:
            each.append(op + (letter.lower() if small else letter))
    return each[0] if len(each) == 1 else f"({';'.join(each)})"

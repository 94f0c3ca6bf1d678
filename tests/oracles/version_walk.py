"""Versions by walking streams with a counter per stage, and each mitigation's rule by hand."""

from __future__ import annotations

from collections import Counter

from sim.op import Op
from sim.order.program import Program
from tests.oracles.readiness import covered

Seen = dict[tuple[str, int, int], int]


def updates_seen(program: Program) -> Seen:
    """(operation, stage, micro-batch) to the updates of that stage before it in its stream."""
    seen: Seen = {}
    for device in range(program.devices):
        done: Counter[int] = Counter()
        for each in program.stream(device):
            name = "B" if each.op is Op.I else each.op.name
            for micro in covered(each):
                seen[name, each.stage, micro] = done[each.stage]
            done[each.stage] += each.op is Op.U
    return seen


def versions_read(mitigation: str, seen: Seen, stage: int, micro: int) -> tuple[int, int]:
    """The versions the forward and the backward read, by the rule of the mitigation."""
    latest = seen["F", stage, micro], seen["B", stage, micro]
    entry = seen["F", 0, micro]
    return {
        "none": latest,
        "nwpt": latest,
        "spectrain": latest,
        "v-timeprest": latest,
        "stash": (latest[0], latest[0]),
        "i-timeprest": (latest[0], latest[0]),
        "spectrain-stashed": (latest[0], latest[0]),
        "vertical-sync": (entry, entry),
        "timeprest": (entry, latest[1]),
    }[mitigation]


def most_held(program: Program, stage: int, reads: dict[int, tuple[int, int]]) -> int:
    """Most versions of `stage` that are newest or still to be read, after any instruction."""
    stream = [each for d in range(program.devices) for each in program.stream(d)]
    own = [each for each in stream if each.stage == stage]
    newest, most = 0, 1
    for place, each in enumerate(own):
        newest += each.op is Op.U
        wanted = {newest}
        for later in own[place + 1 :]:
            if later.op is Op.F:
                wanted.add(reads[later.index][0])
            if later.op in (Op.B, Op.I):
                wanted.update(reads[micro][1] for micro in covered(later))
        most = max(most, sum(version <= newest for version in wanted))
    return most

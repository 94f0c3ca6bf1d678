"""Which version every pass reads: updates counted along the streams, and each mitigation's rule."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tests.oracles.apart.case import Case, Refused
from tests.oracles.apart.orders import Streams

Key = tuple[str, int, int]  # F or B, stage, micro-batch
ON_NF1B = ("timeprest", "v-timeprest")
KEEPS_FORWARD = ("stash", "2bw", "spectrain-stashed", "i-timeprest", "delay-adaptive")


@dataclass
class Versions:
    """`newest` before each pass (U: before the update) and `read` by it; `applied` is the one
    before a micro-batch's own update."""

    newest: dict[Key, int]
    read: dict[Key, int]

    def applied(self, stage: int, micro: int) -> int:
        return self.newest["U", stage, micro]

    def ahead(self, op: str, stage: int, micro: int) -> int:
        """Updates from the newest weights a pass finds to its mini-batch's own."""
        return self.applied(stage, micro) - self.newest[op, stage, micro]


def versions(case: Case, order: Streams) -> Versions:
    """Raises Refused where the rule is not defined on the order, or a version cannot exist."""
    _check(case)
    newest: dict[Key, int] = {}
    for stream in order:
        done = [0] * case.stages
        for each in stream:
            for micro in each.covers:
                newest[each.kind, each.stage, micro] = done[each.stage]
            done[each.stage] += each.op == "U"
    found = Versions(newest, {})
    for stage in range(case.stages):
        for micro in range(case.own_total):
            reads = _reads(case, newest, stage, micro)
            for op, version in zip("FB", reads, strict=True):
                if version > newest[op, stage, micro]:
                    raise Refused(f"version {version} of stage {stage} is not there yet")
                found.read[op, stage, micro] = version
    return found


def _check(case: Case) -> None:
    n, rule = case.microbatches, case.rule
    if rule in ON_NF1B and case.schedule != "nf1b":
        raise Refused(f"{rule} is defined on nf1b")
    if rule == "v-timeprest" and case.stages > n + 1:
        raise Refused("more than one chain of updates")
    if rule == "2bw" and (case.schedule == "nf1b" or n < case.stages):
        raise Refused("2bw needs as many micro-batches as stages")
    if case.mitigation.get("horizon") == "time-unit" and not case.has_time_units():
        raise Refused("no time units here")


def _reads(case: Case, newest: dict[Key, int], stage: int, micro: int) -> tuple[int, int]:
    """What forward and backward read."""
    forward, backward = newest["F", stage, micro], newest["B", stage, micro]
    entry = newest["F", 0, micro]
    if case.rule == "vertical-sync":
        return entry, entry
    if case.rule == "timeprest":
        return entry, backward
    if case.rule == "2bw":
        before = max(micro // case.microbatches - 1, 0)
        return before, before
    if case.rule == "i-timeprest" and not share(case, backward - forward):
        return forward, backward
    return forward, forward if case.rule in KEEPS_FORWARD else backward


def share(case: Case, gap: int) -> float:
    """Of the stale weights in an interpolation; what has none is not read."""
    table = case.mitigation
    if not gap:
        return 1.0
    if table.get("weighting", "exponential") == "reciprocal":
        return 1 / (1 + gap)
    return math.exp(-table.get("decay", 1.0) * gap)


def predicts(case: Case, found: Versions, op: str, stage: int, micro: int) -> int:
    """How many updates ahead of the newest weights a pass of a prediction looks (SpecTrain's s,
    one Nesterov step); 0 where it computes with the version itself."""
    if case.rule == "nwpt":
        return 1
    if case.rule not in ("spectrain", "spectrain-stashed"):
        return 0
    otherwise = "update" if case.rule == "spectrain-stashed" or not case.has_time_units() else (
        "time-unit")
    if case.mitigation.get("horizon", otherwise) == "update":
        return found.ahead(op, stage, micro)
    return stage // 2 + (case.stages - stage - 1 if op == "F" else 0)

"""What every stage holds while each instruction of its device runs.

What an instruction takes is there from its start, what it gives back or makes is gone or there
from its end on.  So the most that is held follows from the order alone, whatever the times.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.oracles.apart.case import Case, Pass, per
from tests.oracles.apart.orders import Streams
from tests.oracles.apart.times import boundary_bytes, weight_bytes
from tests.oracles.apart.versions import Versions, predicts, share


@dataclass
class Held:
    """Of one stage, by instruction of its device: weight versions and stashed predictions, copies
    that the instruction computes with, bytes of activations, and bytes of it all."""

    versions: list[int]
    copies: list[int]
    activations: list[float]
    total: list[float]


def held(case: Case, order: Streams, found: Versions) -> list[Held]:
    """By stage."""
    stages: dict[int, Held] = {}
    for stream in order:
        for k in sorted({each.stage for each in stream}):
            versions, copies = _versions(case, stream, k, found), _copies(case, stream, k, found)
            activations, size = _activations(case, stream, k), weight_bytes(case)[k]
            stages[k] = Held(versions, copies, activations, [
                (v + c) * size + a
                for v, c, a in zip(versions, copies, activations, strict=True)])
    return [stages[k] for k in range(case.stages)]


def device_peaks(case: Case, order: Streams, stages: list[Held]) -> list[float]:
    """The most bytes of all of a device's stages together."""
    return [max(map(sum, zip(*(stages[k].total for k in {each.stage for each in stream}),
                             strict=True))) for stream in order]


def most_activations(case: Case, order: Streams) -> float:
    """The most bytes of activations on any device."""
    return max(max(map(sum, zip(*(_activations(case, stream, k)
                                  for k in {each.stage for each in stream}), strict=True)))
               for stream in order)


def _versions(case: Case, stream: list[Pass], k: int, found: Versions) -> list[int]:
    """The newest and what is read there now or later; stashed predictions from their forward to
    their backward."""
    stashes = case.rule == "spectrain-stashed"
    last: dict[int, int] = {}  # by version: the last instruction that reads it
    forward: dict[int, int] = {}
    spans = []
    for row, each in enumerate(stream):
        if each.stage != k or each.op in "UW":
            continue
        for m in each.covers:
            if each.op == "F":
                forward[m] = row
            elif stashes and predicts(case, found, "F", k, m):
                spans.append(range(forward[m], row + 1))
            if each.op == "F" or not stashes:
                last[found.read[each.kind, k, m]] = row
    counts, newest = [], 0
    for row, each in enumerate(stream):
        counts.append(1 + sum(last.get(v, -1) >= row for v in range(newest))
                      + sum(row in span for span in spans))
        newest += each.op == "U" and each.stage == k
    return counts


def _copies(case: Case, stream: list[Pass], k: int, found: Versions) -> list[int]:
    """1 where a pass computes with weights that are held nowhere else."""
    def own(op: str, m: int) -> bool:
        if case.rule == "i-timeprest":
            gap = found.newest[op, k, m] - found.read[op, k, m]
            return op == "B" and 0 < share(case, gap) < 1
        return case.rule != "spectrain-stashed" and predicts(case, found, op, k, m) > 0

    return [int(each.stage == k and each.op not in "UW"
                and any(own(each.kind, m) for m in each.covers)) for each in stream]


def _activations(case: Case, stream: list[Pass], k: int) -> list[float]:
    """Bytes kept from forward to backward; under `recompute` the inputs, and while a backward
    runs what it makes again of one micro-batch (of halves, until the second has run)."""
    kept, again = _kept_bytes(case, k)
    most, now = [], 0.0
    for each in stream:
        op = each.op if each.stage == k else ""
        now += {"F": kept, "I": again}.get(op, 0.0)
        most.append(now + (again if op == "B" else 0.0))
        now -= {"B": kept * each.count, "W": kept + again}.get(op, 0.0)
    return most


def _kept_bytes(case: Case, k: int) -> tuple[float, float]:
    """Of a micro-batch: kept until its backward, made again for it.  Activations that are given
    or measured are all of them, or under `recompute` those made again, beside an input as large
    as measured, as the task's, or as the message that brings it."""
    units = case.sizes[k] if case.task == "digits-mlp" else (0,)
    sizes = [8.0 * case.examples * each for each in units]
    again = case.backward == "recompute"
    full = case.measured(k, "activation_bytes", sum(sizes[again:]))
    if case.activation_bytes is not None:
        full = per(case.activation_bytes, k)
    if not again:
        return full, 0.0
    entry = sizes[0] if case.task != "none" else [0.0, *boundary_bytes(case)][k]
    return case.measured(k, "input_bytes", entry), full

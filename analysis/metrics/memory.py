"""What every stage holds over time: weight versions, stash, copies and activations, in bytes.

A stage that lives on several devices holds all of this on each: there it is by copy of the stage.

Everything is taken as an instruction starts or given back as one ends, so changes go by the rows of
the device; what is there for the moment of an instruction that takes no time counts too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Floats, Ints
from sim.op import Op, among
from sim.trace import Trace
from sim.weights.versions import VersionPlan


@dataclass(frozen=True)
class Held:
    """How much is held over time, as a step function: `value[i]` from `time_s[i]` to the next.

    Both have shape (moments,), times in seconds ascending.  Where several are equal, one change
    came after another, and it is the last value that stays.
    """

    time_s: Floats
    value: Floats

    @property
    def peak(self) -> float:
        """The most that is ever held; 0 where nothing is."""
        return float(self.value.max(initial=0.0))


@dataclass(frozen=True)
class StageMemory:
    """What one copy of a stage holds over time: weight versions (a count), and bytes.

    `stage` and `device` are its own.  `weight_bytes` is one weight set; `stash_bytes` are the
    versions beside the newest one and stashed predictions, `copy_bytes` what a pass computes with
    that is neither, `activation_bytes` what is kept of micro-batches and made again, and
    `total_bytes` all of it together, made of `changes`.
    """

    stage: int
    device: int
    versions: Held
    weight_bytes: float
    stash_bytes: Held
    copy_bytes: Held
    activation_bytes: Held
    total_bytes: Held
    changes: Changes


class Changes(NamedTuple):
    """Changes of what is held, (changes,) each: when (s), at which end of which row, and by how
    much.

    The end of a row is `2·row` for its start and `2·row + 1` for its end; −1 is before the run.
    """

    time_s: Floats
    end: Ints
    by: Floats

    def times(self, size: float) -> Changes:
        """Changes of one thing as those of bytes, of which it has `size`."""
        return self._replace(by=self.by * size)

    @classmethod
    def together(cls, parts: Sequence[Changes]) -> Self:
        """All changes of the parts."""
        return cls(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    @classmethod
    def at(cls, trace: Trace, taken: Ints, given: Ints, more: Floats, fewer: Floats) -> Self:
        """Changes as the rows `taken` start, up by `more`, and as the rows `given` end, down by
        `fewer`: shapes (rows taken,) and (rows given,), two each."""
        return cls(np.concatenate((trace.start_s[taken], trace.end_s[given])),
                   np.concatenate((2 * taken, 2 * given + 1)), np.concatenate((more, -fewer)))


def steps(changes: Changes) -> Held:
    """The step function of changes in any order: those at one end of one row come at once."""
    order, first = _moments(changes)
    sums = np.add.reduceat(changes.by[order], first) if len(first) else changes.by
    return Held(changes.time_s[order[first]], np.cumsum(sums))


def _moments(changes: Changes) -> tuple[Ints, Ints]:
    """The order of changes by time and row, and where in it each moment begins."""
    order = np.lexsort((changes.end, changes.time_s))
    time_s, end = changes.time_s[order], changes.end[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (time_s[1:] != time_s[:-1]) | (end[1:] != end[:-1])
    return order, np.flatnonzero(new)


def device_peaks(trace: Trace, held: Sequence[StageMemory]) -> list[float]:
    """The most bytes each device holds at once, of all copies on it; 0 where none is."""
    peaks = []
    for device in range(trace.shape.devices):
        mine = [each for each in held if each.device == device]
        peaks.append(0.0 if not mine else mine[0].total_bytes.peak if len(mine) == 1 else
                     steps(Changes.together([each.changes for each in mine])).peak)
    return peaks


def memory(trace: Trace, plan: VersionPlan) -> list[StageMemory]:
    """What each copy of a stage held over time, in a run of one worker; its sizes in bytes come
    from the trace's header.

    An entry per stage where every stage lives on one device.
    """
    return [_copy(trace, plan, copy) for copy in range(len(plan.program.copies))]


def _copy(trace: Trace, plan: VersionPlan, copy: int) -> StageMemory:
    copies = plan.program.copies
    stage, device = int(copies.stage[copy]), int(copies.device[copy])
    weights = trace.header.sizes.weight_bytes[stage]
    of = byte_changes(trace, plan, copy)
    whole, sets = Changes.together(list(of.values())), steps(of["weights"])
    return StageMemory(stage, device, steps(version_changes(trace, plan, copy)), weights,
                       Held(sets.time_s, sets.value - weights), steps(of["copies"]),
                       steps(of["activations"]), steps(whole), whole)


def by_stage(held: Sequence[StageMemory], of: Callable[[StageMemory], float]) -> list[float]:
    """A number of every stage: the most of any of its copies."""
    most: dict[int, float] = {}
    for each in held:
        most[each.stage] = max(of(each), most.get(each.stage, 0.0))
    return [most[stage] for stage in sorted(most)]


def rows_of_copy(trace: Trace, plan: VersionPlan, copy: int) -> NDArray[np.bool_]:
    """Which rows of a trace are a copy's, a mask (rows,)."""
    copies = plan.program.copies
    mine: NDArray[np.bool_] = trace.stage == copies.stage[copy]
    return mine & (trace.device == copies.device[copy]) if plan.program.several else mine


def byte_changes(trace: Trace, plan: VersionPlan, copy: int) -> dict[str, Changes]:
    """How the bytes of each kind that a copy holds change: `weights` (the newest set and every
    version and stashed prediction beside it), `copies` and `activations`."""
    sizes, k = trace.header.sizes, int(plan.program.copies.stage[copy])
    weights, mine = sizes.weight_bytes[k], rows_of_copy(trace, plan, copy)
    activations = activation_changes(trace, mine).times(sizes.activation_bytes[k])
    if sizes.recomputed_bytes:
        activations = Changes.together([activations, recomputed_changes(trace, mine).times(
            sizes.recomputed_bytes[k])])
    return {"weights": version_changes(trace, plan, copy).times(weights),
            "copies": copy_changes(trace, plan, copy).times(weights), "activations": activations}


def over_time(trace: Trace, plan: VersionPlan, copies: Sequence[int]
              ) -> tuple[Floats, dict[str, Floats]]:
    """What some copies hold together, by kind: when it changes, and how many bytes from then on.

    The first has shape (moments,), seconds ascending; the others, `weights` (one set of each
    copy), `stash`, `copies` and `activations`, have the same.  Moments may be equal in time: what
    is held for no time counts too, so the largest sum is the peak of `memory`.
    """
    parts = [byte_changes(trace, plan, copy) for copy in copies]
    kinds = {kind: Changes.together([part[kind] for part in parts]) for kind in parts[0]}
    every = Changes.together(list(kinds.values()))
    order, first = _moments(every)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(order))))
    ends = np.cumsum([0, *(len(each.by) for each in kinds.values())])
    place = place.ravel()
    held = {kind: np.cumsum(np.bincount(place[start:stop], each.by, len(first)))
            for (kind, each), start, stop in zip(kinds.items(), ends, ends[1:], strict=False)}
    stages = plan.program.copies.stage
    one = float(sum(trace.header.sizes.weight_bytes[stages[copy]] for copy in copies))
    return every.time_s[order[first]], {
        "weights": np.full(len(first), one), "stash": held["weights"] - one,
        "copies": held["copies"], "activations": held["activations"]}


def version_changes(trace: Trace, plan: VersionPlan, copy: int) -> Changes:
    """How a copy's number of weight sets changes, those for one pass aside."""
    born, dropped, predicted = plan.holdings(copy)
    ends = np.concatenate(([0.0], trace.end_s))
    early = predicted == 1
    kept = dropped[dropped < len(trace)]
    times = np.where(early, trace.start_s[np.clip(born, 0, None)], ends[born + 1])
    return Changes(np.concatenate((times, trace.end_s[kept])),
                   np.concatenate((np.where(early, 2 * born, 2 * born + 1), 2 * kept + 1)),
                   np.repeat([1.0, -1.0], [len(born), len(kept)]))


def copy_changes(trace: Trace, plan: VersionPlan, copy: int) -> Changes:
    """How the number of weight sets changes that a copy's passes compute with and never hold."""
    rows = plan.passing(copy)
    one = np.ones(len(rows))
    return Changes.at(trace, rows, rows, one, one)


def activation_changes(trace: Trace, rows: NDArray[np.bool_]) -> Changes:
    """How the number of micro-batches in flight changes, of those among `rows`, a mask (rows,).

    More as a forward starts, fewer as its backward ends.
    """
    forward = np.flatnonzero(rows & (trace.op == Op.F))
    backward = np.flatnonzero(rows & among(trace.op, (Op.B, Op.W)))
    return Changes.at(trace, forward, backward, trace.count[forward].astype(float),
                      trace.count[backward].astype(float))


def recomputed_changes(trace: Trace, rows: NDArray[np.bool_]) -> Changes:
    """How the number of micro-batches whose activations are there again changes.

    Of those among `rows`, a mask (rows,): one while a backward runs, which does its micro-batches
    one after another; where it is split, those of its input half until its weight half has ended.
    """
    start = np.flatnonzero(rows & among(trace.op, (Op.B, Op.I)))
    end = np.flatnonzero(rows & among(trace.op, (Op.B, Op.W)))
    amount = np.where(trace.op == Op.B, 1.0, trace.count)
    return Changes.at(trace, start, end, amount[start], amount[end])

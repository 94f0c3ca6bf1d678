"""Why devices stood idle: what each stretch of waiting was for, and what ran elsewhere meanwhile.

A device is idle from the end of what it computes to the start of the next.  That one waited for
whatever it needs that came last: a message, which its sender may have sent late or the link have
held up; workers, or copies of a stage, that exchange gradients; or something no order knows of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise, starmap

import numpy as np

from analysis.metrics.chain import Chains
from sim.arrays import Floats, Ints
from sim.op import Op
from sim.trace import Trace

KINDS = ("sender", "message", "exchange", "other", "done")
MOST = 24  # stretches that are explained, the largest first
MOST_STEPS = 10_000  # of one chain that is followed back


@dataclass(frozen=True)
class Meanwhile:
    """What decided a stretch of waiting, followed back from its end to its beginning.

    `rows` of the trace ran one after another elsewhere, (instructions,), each when the one before
    it let it.  Of the stretch they took `passes_s` seconds, messages `message_s` on their way
    between them, of which `queued_s` behind other messages on their links [choice: what a message
    took longer than the quickest of its size over its boundary], workers or copies of a stage
    exchanged gradients for `exchange_s`, and `other_s` is none of these.
    """

    rows: Ints
    passes_s: float
    message_s: float
    queued_s: float
    exchange_s: float
    other_s: float


@dataclass(frozen=True)
class Stretch:
    """One stretch in which a device stood idle, and what it waited for.

    `row` is the trace's row of what began at its end, None where the device had nothing left to do.
    `kind` is what most of it went to: "sender", what it needs had not been sent yet, "message", it
    was under way, "exchange" of workers or of copies of a stage, "done", nothing was left, or
    "other".  `sender` is the row of what it waited for, None where nothing did; `sent_s` and
    `arrived_s` are when that was sent and was there, None where it is no message.
    """

    device: int
    from_s: float
    to_s: float
    kind: str
    row: int | None = None
    sender: int | None = None
    sent_s: float | None = None
    arrived_s: float | None = None
    meanwhile: Meanwhile | None = None

    @property
    def seconds(self) -> float:
        """How long the device stood idle."""
        return self.to_s - self.from_s


@dataclass(frozen=True)
class Alike:
    """Stretches of waiting of one kind on one device, for the same stage's pass of one sort.

    They came so many `times` and took `seconds` in all; `longest` is explained.
    """

    longest: Stretch
    times: int
    seconds: float


@dataclass(frozen=True)
class Idle:
    """Where the idle time of a run went.

    `by_device` are seconds of each device by kind, (devices, kinds of `KINDS`); they add up to all
    that it does not compute.  `largest` are the stretches, those alike together, the most idle
    seconds first.
    """

    by_device: Floats
    largest: list[Alike] = field(default_factory=list)


@dataclass(frozen=True)
class _Gaps:
    """All gaps of a run before what is computed, in columns of shape (gaps,).

    `row` is what begins at their end, `heard` the row by which its message came (−1: none), both of
    the program; `parts`, (gaps, 4), are the seconds by the first four of `KINDS`.
    """

    row: Ints
    heard: Ints
    from_s: Floats
    parts: Floats


def idle(trace: Trace, chains: Chains | None = None, most: int = MOST) -> Idle:
    """Where the idle time of a run went, and what the largest stretches waited for.

    `chains` are the trace's, where they have been made already.
    Raises InvalidProgramError where the rows are no complete program.
    """
    chains = chains or Chains(trace)
    gaps, last_s = _gaps(chains)
    end, device = float(chains.end_s.max()), chains.program.device
    by_device = np.zeros((chains.program.devices, len(KINDS)))
    np.add.at(by_device[:, :4], device[gaps.row], gaps.parts)
    by_device[:, 4] = end - last_s
    quickest = _quickest(chains)
    found = [*_alike(chains, gaps), *(
        Alike(Stretch(d, float(at), end, "done"), 1, end - float(at))
        for d, at in enumerate(last_s) if at < end)]
    found.sort(key=lambda each: (-each.seconds, each.longest.device, each.longest.from_s))
    return Idle(by_device, [Alike(_explained(chains, each.longest, quickest), each.times,
                                  each.seconds) for each in found[:most]])


def _gaps(chains: Chains) -> tuple[_Gaps, Floats]:
    """The gaps of a run, and when each device computed last, (devices,)."""
    program = chains.program
    row = np.flatnonzero(program.rows.op <= Op.U)
    device = program.device[row]
    first = np.ones(len(row), dtype=bool)
    first[1:] = device[1:] != device[:-1]
    done = np.zeros(len(row))
    last_s = np.zeros(program.devices)
    bounds = np.searchsorted(device, np.arange(program.devices + 1, dtype=device.dtype)).tolist()
    for d, mine in enumerate(starmap(slice, pairwise(bounds))):
        if mine.start == mine.stop:
            continue
        until = np.maximum.accumulate(chains.end_s[row[mine]])
        done[mine] = np.concatenate(([0.0], until[:-1]))
        last_s[d] = until[-1]
    begin = np.where(first, np.array(program.offsets)[device],
                     np.concatenate(([0], row[:-1] + 1)))
    start = chains.start_s[row]
    heard = _heard(chains, begin, row)
    waits = np.flatnonzero(start > done)
    row, heard, done, start = row[waits], heard[waits], done[waits], start[waits]
    told = heard >= 0
    sent = np.where(told, chains.end_s[chains.sender[heard]], done)
    there = np.where(told, sent + chains.message_s[heard], done)
    late = np.clip(np.minimum(sent, start) - done, 0.0, None)
    under_way = np.clip(np.minimum(there, start) - np.maximum(done, sent), 0.0, None)
    rest = start - done - late - under_way
    joint = np.isin(row, chains.joint)
    parts = np.stack((late, under_way, np.where(joint, rest, 0.0), np.where(joint, 0.0, rest)), 1)
    return _Gaps(row, heard, done, parts), last_s


def _heard(chains: Chains, begin: Ints, row: Ints) -> Ints:
    """The row by which the last message came to each instruction, from `begin` on; −1 for none.

    In a program with messages as instructions that is a RECV before it.
    """
    arrived = np.where(chains.sender >= 0,
                       chains.end_s[chains.sender] + chains.message_s, -1.0)
    if not chains.program.lowered:
        return np.where(arrived[row] >= 0, row, -1)
    heard = np.full(len(row), -1, dtype=np.int64)
    for place, (first, last) in enumerate(zip(begin.tolist(), row.tolist(), strict=True)):
        best = first + int(np.argmax(arrived[first:last + 1]))
        heard[place] = best if arrived[best] >= 0 else -1
    return heard


def _alike(chains: Chains, gaps: _Gaps) -> Iterator[Alike]:
    """The gaps of a run, those alike together."""
    rows, seconds = chains.program.rows, gaps.parts.sum(1)
    alike = (rows.op[gaps.row], rows.stage[gaps.row], gaps.parts.argmax(1),
             chains.program.device[gaps.row])
    order = np.lexsort((gaps.from_s, -seconds, *alike))
    new = np.ones(len(order), dtype=bool)
    new[1:] = np.any([column[order][1:] != column[order][:-1] for column in alike], axis=0)
    first = np.flatnonzero(new)
    if not len(first):
        return
    times, whole = np.diff(first, append=len(order)), np.add.reduceat(seconds[order], first)
    for place, count, total in zip(order[first].tolist(), times.tolist(), whole.tolist(),
                                   strict=True):
        yield Alike(_stretch(chains, gaps, place), count, total)


def _stretch(chains: Chains, gaps: _Gaps, place: int) -> Stretch:
    """One of the gaps, not yet explained."""
    row, heard = int(gaps.row[place]), int(gaps.heard[place])
    sent = there = None
    sender = int(chains.sender[heard]) if heard >= 0 else -1
    if sender >= 0:
        sent = float(chains.end_s[sender])
        there = sent + float(chains.message_s[heard])
    kind = KINDS[int(gaps.parts[place].argmax())]
    if kind in ("exchange", "other"):
        cause = chains.cause(row)
        sender, sent, there = (cause.row if kind == "exchange" else -1), None, None
    return Stretch(int(chains.program.device[row]), float(gaps.from_s[place]),
                   float(chains.start_s[row]), kind, row, sender if sender >= 0 else None, sent,
                   there)


def _explained(chains: Chains, each: Stretch, quickest: Floats) -> Stretch:
    """A stretch with what ran meanwhile, and its rows as the trace numbers them."""
    if each.row is None:
        return each
    row, chain = each.row, list[int]()
    passes = message = queued = exchange = 0.0
    for _ in range(MOST_STEPS):
        cause = chains.cause(row)
        gone = float(chains.end_s[cause.row]) if cause.row >= 0 else 0.0
        there = gone + cause.message_s
        if chains.waits_jointly(row):
            exchange += float(chains.start_s[row]) - max(there, each.from_s)
        if there <= each.from_s:
            break
        message += there - max(gone, each.from_s)
        queued += max(0.0, cause.message_s - float(quickest[row])) if cause.message_s else 0.0
        row = cause.row
        if gone <= each.from_s:
            break
        passes += gone - max(each.from_s, float(chains.start_s[row]))
        chain.append(row)
        if chains.start_s[row] <= each.from_s:
            break
    ran = np.array(chain[::-1], dtype=np.int64)
    ran = ran[chains.program.rows.op[ran] <= Op.U]
    other, order = max(0.0, each.seconds - passes - message - exchange), chains.order
    return replace(each, row=int(order[each.row]),
                   sender=None if each.sender is None else int(order[each.sender]),
                   meanwhile=Meanwhile(order[ran], passes, message, min(queued, message), exchange,
                                       other))


def _quickest(chains: Chains) -> Floats:
    """Seconds of the quickest message like that of each row: as large, over the same boundary and
    the same way; shape (rows,), and of a row that no message comes to nothing is meant."""
    rows, heard = chains.program.rows, np.flatnonzero(chains.sender >= 0)
    op, stage, count = (column[chains.sender[heard]].astype(np.int64)
                        for column in (rows.op, rows.stage, rows.count))
    kind = (op * chains.program.shape.stages + stage) * (int(rows.count.max()) + 1) + count
    least = np.full(int(kind.max(initial=-1)) + 1, np.inf)
    np.minimum.at(least, kind, chains.message_s[heard])
    found = np.zeros(len(chains.order))
    found[heard] = least[kind]
    return found

"""A problem and its orders as flat tables of numbers: what compiled loops take, and plain ones.

A pass of a stage has a *code*, 4·stage + kind, with the kinds F, I, W, B.  An order is a column of
codes, the devices' one after another, with an empty place beside each backward that is not split.
Which micro-batch a pass is of follows from how many came before: micro-batches are all alike, so
they may as well go through every stage in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from analysis.ordering.problem import OrderProblem
from sim.arrays import Floats, Ints
from sim.kernels.recurrence import Column
from sim.op import Op
from sim.times.costs import TICK

View = Callable[[Any], Any]

KINDS = (Op.F, Op.I, Op.W, Op.B)
EMPTY = -1  # the code of an empty place
F, I, W, B = range(len(KINDS))  # noqa: E741 - the field's own name for half a backward
ROUNDED_S = 2 * TICK  # by which halves may differ from the whole as each is rounded


class Passes(NamedTuple):
    """What passes need, take and make, by code, (4·stages,) each.

    How many were done is counted: `counter` and `second` are the places of the counts that a pass
    adds to, the first of which says which micro-batch it is of; that must be smaller than the
    counts at `behind` and `inside`, of passes on its own device.  `comes` and `goes` are the places
    of the first micro-batch's message among arrivals (−1: none comes, none goes), `receiver` is the
    device it goes to and `link` the number of the link it takes.  `other` is what an input half or
    a whole backward may be made instead (−1: nothing).  `seconds` are its own, `occupied` those for
    which its message keeps the link and `latency` those until it is there; `taken` and `given` are
    the bytes that it takes as it starts and gives back as it ends.
    """

    counter: Column[int]
    second: Column[int]
    behind: Column[int]
    inside: Column[int]
    comes: Column[int]
    goes: Column[int]
    receiver: Column[int]
    link: Column[int]
    other: Column[int]
    seconds: Column[float]
    occupied: Column[float]
    latency: Column[float]
    taken: Column[float]
    given: Column[float]


class Places(NamedTuple):
    """Where in an order the devices' parts are.

    Device `d` has the rows `offset[d] … offset[d+1] - 1`, `update[d]` seconds of updates after
    them, and `room[d]` bytes for micro-batches in flight; `owner` is the device by row.
    """

    offset: Column[int]
    owner: Column[int]
    update: Column[float]
    room: Column[float]


class Paper(NamedTuple):
    """Room to work an order out in.

    By device: `head`, the row it is at, `clock`, its seconds, and the message it is `waiting` for;
    `stack` has room for all devices.  By link: when it is `free`, in seconds, and the row that sent
    the `last` message on it.  `done` are counts of passes.  By message and micro-batch: when it
    `arrived`, in seconds (−1: not sent), and its `sender`, a row.  By row: its `cause`, the row
    that it waited for (−1: none), and the row whose message its own is `queued` behind (−1: none).
    Of rows on the longest path that wait for nothing but their device: `critical`, the rows, and
    `block`, the first of the rows that follow one another there.
    """

    head: Column[int]
    clock: Column[float]
    waiting: Column[int]
    stack: Column[int]
    free: Column[float]
    last: Column[int]
    done: Column[int]
    arrived: Column[float]
    sender: Column[int]
    cause: Column[int]
    queued: Column[int]
    critical: Column[int]
    block: Column[int]


class Tables(NamedTuple):
    """All that compiled loops are told of a problem, and room to work in."""

    passes: Passes
    places: Places
    paper: Paper

    @classmethod
    def of(cls, problem: OrderProblem, view: View) -> Tables:
        """The tables of a problem, every column seen through `view`."""
        return cls(Passes(*map(view, _passes(problem))), Places(*map(view, _places(problem))),
                   Paper(*map(view, _paper(problem))))


def _passes(problem: OrderProblem) -> Passes:
    stages, none = problem.stages, np.zeros(problem.stages)
    held, halved, rerun = problem.held_bytes, problem.halved_bytes, problem.rerun_bytes
    quicker = problem.backward_s < problem.input_s + problem.weight_s - ROUNDED_S
    first = 4 * np.arange(stages)  # of a stage's four counts: F, backwards, input halves, W
    enough, nowhere = np.full(stages, 4 * stages), np.full(stages, 4 * stages + 1)
    here = problem.device[:-1] == problem.device[1:]
    before = np.insert(np.where(here, first[:-1], 4 * stages), 0, 4 * stages)
    after = np.append(np.where(here, first[1:] + 1, 4 * stages), 4 * stages)
    onward, back = (_messages(problem, way) for way in range(2))
    never = np.full(stages, -1)
    nothing = _Messages(never, never, never, never, none, none)
    sent = _Messages(*(_by_code(*each) for each in zip(onward, back, nothing, back, strict=True)))
    return Passes(
        _by_code(first, first + 1, first + 3, first + 1),
        _by_code(nowhere, first + 2, nowhere, nowhere),
        _by_code(enough, first, first + 2, first),
        _by_code(before, after, enough, after), *sent[:4],
        _by_code(never, np.where(quicker, first + B, -1), never, np.where(quicker, first + I, -1)),
        _by_code(problem.forward_s, problem.input_s, problem.weight_s, problem.backward_s),
        *sent[4:], _by_code(held, rerun, none, rerun),
        _by_code(none, held + rerun - halved, halved, held + rerun))


def _by_code(*kinds: Any) -> Any:
    """Columns of the four kinds, (stages,) each, as one by code."""
    return np.stack(kinds, axis=1).ravel()


class _Messages(NamedTuple):
    """The columns of `Passes` about messages, of one kind of pass, (stages,) each."""

    comes: Ints
    goes: Ints
    receiver: Ints
    link: Ints
    occupied: Floats
    latency: Floats


def _messages(problem: OrderProblem, way: int) -> _Messages:
    """What passes that go on to the next stage (`way` 0), or back (1), need and send."""
    stages, micro, step = problem.stages, problem.microbatches, 1 - 2 * way
    device, stage = problem.device, np.arange(problem.stages)
    sends = stage[:-1] if way == 0 else stage[1:]
    crosses = device[sends] != device[sends + step]
    comes, goes, receiver, link = np.full((4, stages), -1)
    occupied, latency = np.zeros((2, stages))
    goes[sends] = np.where(crosses, (2 * sends + way) * micro, -1)
    comes[sends + step] = goes[sends]
    receiver[sends] = device[sends + step]
    link[sends] = np.where(crosses, _links(problem)[way], -1)
    occupied[sends], latency[sends] = problem.occupied_s[way], problem.latency_s[way]
    return _Messages(comes, goes, receiver, link, occupied, latency)


def _links(problem: OrderProblem) -> Ints:
    """Number of the link over each boundary each way, (2, stages − 1)."""
    one, other = problem.device[:-1], problem.device[1:]
    both = np.stack((one * problem.devices + other, other * problem.devices + one))
    return np.unique(both, return_inverse=True)[1].reshape(both.shape)


def _places(problem: OrderProblem) -> Places:
    devices = problem.devices
    rows = 3 * problem.microbatches * np.bincount(problem.device, minlength=devices)
    return Places(np.concatenate(([0], np.cumsum(rows))), np.repeat(np.arange(devices), rows),
                  np.bincount(problem.device, problem.update_s, devices), problem.room_bytes)


def _paper(problem: OrderProblem) -> Paper:
    stages, devices, micro = problem.stages, problem.devices, problem.microbatches
    rows, messages, counts = 3 * micro * stages, 2 * stages * micro, 4 * stages + 2

    def whole(size: int) -> Ints:
        return np.zeros(size, dtype=np.int64)

    return Paper(whole(devices), np.zeros(devices), whole(devices), whole(devices),
                 np.zeros(2 * stages), whole(2 * stages), whole(counts), np.zeros(messages),
                 whole(messages), whole(rows), whole(rows), whole(rows), whole(rows))

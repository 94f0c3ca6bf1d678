"""A problem and its orders as flat tables of numbers: what compiled loops take, and plain ones.

A pass of a stage has a *code*, 4·stage + kind, with the kinds F, I, W, B.  An order is a column of
codes, the devices' one after another.  Which micro-batch a pass is of follows from how often its
code came before: micro-batches are all alike, so they may as well go through every stage in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from analysis.ordering.problem import OrderProblem
from sim.arrays import Floats, Ints
from sim.kernels.recurrence import Column

View = Callable[[Any], Any]


class Tables(NamedTuple):
    """What the passes of a problem cost, in flat columns.

    By code, (4·stages,): `seconds`, and bytes that are `taken` as a pass starts and `given` back as
    it ends.  By stage its `device`.  By message, 2·stage that sends it and one more for what goes
    back, (2·stages,): `link`, the number of the link it takes (−1: it stays on the device), for how
    many seconds that is `occupied` and how many more it is under way (`latency`).  By device:
    `update`, seconds of its stages' updates, `room`, bytes that it has for activations, and
    `offset`, where its part of an order begins, (devices + 1,).  By row of an order its `owner`,
    the device.  `counts` are stages, devices, micro-batches, and whether a whole backward may be
    quicker than its halves.
    """

    seconds: Column[float]
    taken: Column[float]
    given: Column[float]
    device: Column[int]
    link: Column[int]
    occupied: Column[float]
    latency: Column[float]
    update: Column[float]
    room: Column[float]
    offset: Column[int]
    owner: Column[int]
    counts: Column[int]


class Paper(NamedTuple):
    """Room to work an order out in.

    By device: `head`, the row it is at, `clock`, its seconds, and the message it is `waiting` for;
    `stack` has room for all devices.  By link: when it is `free`, in seconds, and the row that sent
    the `last` message on it.  By code how many are `done`.  By message and micro-batch: when it
    `arrived`, in seconds (−1: not sent), and its `sender`, a row.  By row: when it was to `start`,
    in seconds, its `cause`, the row that it waited for (−1: none), the row whose message its own is
    `queued` behind (−1: none).  Of rows on the longest path that wait for nothing but their device:
    `critical`, the rows, and `block`, the first of the rows that follow one another there.
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
    start: Column[float]
    cause: Column[int]
    queued: Column[int]
    critical: Column[int]
    block: Column[int]


def tables_of(problem: OrderProblem, view: View) -> Tables:
    """The tables of a problem, every column seen through `view`."""
    stages, devices = problem.stages, problem.devices
    held, halved, rerun = problem.held_bytes, problem.halved_bytes, problem.rerun_bytes
    none = np.zeros(stages)
    by_code = [np.stack(each, axis=1).ravel() for each in (
        (problem.forward_s, problem.input_s, problem.weight_s, problem.backward_s),
        (held, rerun, none, rerun), (none, held + rerun - halved, halved, held + rerun))]
    rows = 3 * problem.microbatches * np.bincount(problem.device, minlength=devices)
    whole = bool((problem.backward_s < problem.input_s + problem.weight_s).any())
    return Tables(*map(view, (
        *by_code, problem.device.astype(np.int64), *_messages(problem),
        np.bincount(problem.device, problem.update_s, devices),
        problem.limit_bytes - problem.base_bytes, np.concatenate(([0], np.cumsum(rows))),
        np.repeat(np.arange(devices), rows),
        np.array([stages, devices, problem.microbatches, whole], dtype=np.int64))))


def _messages(problem: OrderProblem) -> tuple[Ints, Floats, Floats]:
    """Link of each message, seconds on it and seconds after it, (2·stages,) each."""
    stages, way = problem.stages, np.full((problem.stages, 2), -1)
    occupied_s, latency_s = np.zeros((2, stages, 2))
    for back, senders in enumerate((np.arange(stages - 1), np.arange(1, stages))):
        here, there = problem.device[senders], problem.device[senders + 1 - 2 * back]
        way[senders, back] = np.where(here != there, here * problem.devices + there, -1)
        occupied_s[senders, back] = problem.occupied_s[back]
        latency_s[senders, back] = problem.latency_s[back]
    number = np.where(way >= 0, np.searchsorted(np.unique(way[way >= 0]), way), -1)
    return number.ravel(), occupied_s.ravel(), latency_s.ravel()


def paper_for(problem: OrderProblem, view: View) -> Paper:
    """Paper for the orders of a problem, every column seen through `view`."""
    stages, devices = problem.stages, problem.devices
    micro, rows = problem.microbatches, 3 * problem.microbatches * stages

    def whole(size: int) -> Any:
        return view(np.zeros(size, dtype=np.int64))

    def seconds(size: int) -> Any:
        return view(np.zeros(size))

    links = 2 * stages
    return Paper(whole(devices), seconds(devices), whole(devices), whole(2 * devices),
                 seconds(links), whole(links), whole(4 * stages), seconds(2 * stages * micro),
                 whole(2 * stages * micro), seconds(rows), whole(rows), whole(rows), whole(rows),
                 whole(rows))

"""The machine under the pipeline: links between devices and activation memory on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Floats, Ints
from sim.kernels.pairs import NUMPY, Kernels
from sim.kernels.seconds import TRANSFERS_OF_ROWS
from sim.op import Op, among
from sim.order.program import Program
from sim.times.costs import quantize


@dataclass(frozen=True)
class Link:
    """A one-way connection between two devices: one message at a time, first come first served.

    A message holds the link for as long as its bytes take at `bandwidth_bytes_per_s`, in bytes per
    second, and arrives `latency_s`, in seconds, after it has let go: the next one may follow while
    it is under way.  A link that is `held` is not free before the message has arrived.  Either is a
    number, or one for each of some messages: for a whole pipeline one per boundary, (boundaries,).
    """

    latency_s: float | Floats = 0.0
    bandwidth_bytes_per_s: float | Floats = float("inf")
    held: bool = False

    @property
    def alike(self) -> bool:
        """Whether it treats all messages alike."""
        return np.ndim(self.latency_s) == np.ndim(self.bandwidth_bytes_per_s) == 0

    def over(self, boundary: Ints) -> Link:
        """The link as the messages over these boundaries find it, (messages,).

        Over boundaries that a pipeline does not have, where nothing is sent, it is a perfect one.
        """
        return replace(self, latency_s=_each(self.latency_s, boundary, 0.0),
                       bandwidth_bytes_per_s=_each(self.bandwidth_bytes_per_s, boundary, np.inf))

    def slowest(self) -> Link:
        """A link with the highest latency and the lowest bandwidth of all its boundaries'."""
        return replace(self, latency_s=float(np.max(self.latency_s, initial=0.0)),
                       bandwidth_bytes_per_s=float(np.min(self.bandwidth_bytes_per_s,
                                                          initial=np.inf)))

    def transfer_s(self, size_bytes: Floats) -> Floats:
        """Seconds a message of so many bytes takes to arrive over a free link; result and sizes
        have one shape."""
        return np.asarray(self.latency_s + size_bytes / self.bandwidth_bytes_per_s)

    def occupied_s(self, size_bytes: Floats) -> Floats:
        """Seconds for which a message of so many bytes keeps others off the link; result and sizes
        have one shape."""
        if self.held:
            return self.transfer_s(size_bytes)
        return np.asarray(size_bytes / self.bandwidth_bytes_per_s)

    @property
    def after_s(self) -> float | Floats:
        """Seconds from when a message has let go of the link to its arrival; a number, or where
        messages are unlike one each, (messages,)."""
        return 0.0 if self.held else self.latency_s


def _each(value: float | Floats, boundary: Ints, beyond: float) -> float | Floats:
    """A number as it is; of one per boundary, those of these, and `beyond` where there is none."""
    if np.ndim(value) == 0:
        return value
    each: Floats = np.concatenate(([beyond], np.asarray(value), [beyond]))[boundary + 1]
    return each


@dataclass(frozen=True)
class MessageTimes:
    """Measured seconds of messages by their size in bytes.

    `size_bytes`, ascending, and `seconds` of each have shape (samples,).
    """

    size_bytes: Floats
    seconds: Floats

    def transfer_s(self, size_bytes: Floats) -> Floats:
        """Seconds messages of such sizes in bytes take; result and sizes have one shape.

        Linear between the samples, constant below the smallest; beyond the largest it goes on with
        the slope before it, or level where that would fall [choice].
        """
        inside: Floats = np.interp(size_bytes, self.size_bytes, self.seconds)
        if len(self.size_bytes) == 1:
            return inside
        (x0, x1), (y0, y1) = self.size_bytes[-2:], self.seconds[-2:]
        slope = max(0.0, float((y1 - y0) / (x1 - x0)))
        return np.asarray(inside + slope * np.maximum(size_bytes - x1, 0.0))


@dataclass(frozen=True)
class Tied:
    """Two stages that share weights: an update of either waits for the gradients of both on its
    mini-batch, and then for the `seconds` in which their devices exchange those."""

    stages: tuple[int, int]
    seconds: float


@dataclass(frozen=True)
class Cluster:
    """The machine: links, equal each way, between devices, sizes of messages, memory on devices.

    `boundary_bytes[k]` are the bytes one micro-batch sends from stage k to k+1, and back as its
    gradient (shape (stages-1,)); `activation_bytes[k]` those stage k keeps of a micro-batch from
    the start of its forward to the end of its backward (shape (stages,)), of which a device has
    room for `activation_limit_bytes`; `recomputed_bytes[k]` those of the activations that its
    backward makes again and has besides (shape (stages,); None: it makes none).  `sync_s[k]` is how
    many seconds workers take to exchange stage k's weights or gradients once all are ready (shape
    (stages,)).  `measured` are the messages over a boundary, by its number and whether they go
    forward, whose seconds are known by size; all others take what the link says.  [choice] What is
    measured holds its link all the time: how much of it was latency, a measured message does not
    say.

    The rest is told to engines by `sim.times.expanded`, and means nothing without: how a program's
    own messages are received and sent (`receives`: "posted" ahead, "holding" the device until they
    are there, or "in-order"; `sends`: "buffered" or "rendezvous"), stages that are `tied`, and
    whether exchanges run `beside` computing, on a link of each device's.
    """

    link: Link
    boundary_bytes: Floats
    activation_bytes: Floats
    activation_limit_bytes: float = float("inf")
    sync_s: Floats | None = None
    measured: Mapping[tuple[int, bool], MessageTimes] = field(default_factory=dict)
    recomputed_bytes: Floats | None = None
    receives: str = "holding"
    sends: str = "buffered"
    tied: tuple[Tied, ...] = ()
    beside: bool = False

    def transfers(self, program: Program, kernels: Kernels = NUMPY) -> Floats:
        """Seconds each row's message occupies its link, shape (rows,).

        Of a row that sends nothing the value means nothing.
        """
        if self._all_alike:
            return np.broadcast_to(self._empty_s, len(program))  # in the room of one
        (op, stage, _, count), link = program.rows, program.messages.link
        kinds = _kinds(program)
        single = self._seconds(*kinds, np.ones_like(kinds[0])).reshape(len(Op), -1)
        seconds: Floats = kernels.of(TRANSFERS_OF_ROWS)(op, stage, link, single)
        if program.wide:
            rows = np.flatnonzero((link >= 0) & (count > 1))
            seconds[rows] = self.transfers_of(program, rows)
        return seconds

    def transfers_of(self, program: Program, rows: Ints) -> Floats:
        """Seconds the messages of some rows, all of which send, occupy their links.

        `rows` and the result have shape (rows asked for,).
        """
        if self._all_alike:
            return np.full(len(rows), self._empty_s)
        op, stage, _, count = program.rows
        return self._seconds(op[rows], stage[rows], count[rows])

    def arrivals_of(self, op: Ints, stage: Ints, count: Ints) -> Floats:
        """Seconds what such instructions send takes to arrive over a free link.

        They are given as columns; all have shape (rows,).  Of what sends nothing the value means
        nothing.
        """
        return self._seconds(op, stage, count) + self._latencies(op, stage)

    def _seconds(self, op: Ints, stage: Ints, count: Ints) -> Floats:
        """Seconds a link is occupied by what such instructions send."""
        bytes_of = np.concatenate(([0.0], self.boundary_bytes, [0.0]))
        boundary = _boundary(op, stage)
        size_bytes: Floats = bytes_of[boundary + 1] * count
        seconds = self.link.over(boundary).occupied_s(size_bytes)
        for its, samples in self._measured(op, stage):
            seconds[its] = samples.transfer_s(size_bytes[its])
        return quantize(seconds)

    def _measured(self, op: Ints, stage: Ints) -> Iterator[tuple[NDArray[np.bool_], MessageTimes]]:
        """Which of the instructions send what is measured, and how long it takes."""
        boundary, forward = _boundary(op, stage), _onward(op)
        for (number, onward), samples in self.measured.items():
            yield (boundary == number) & (forward == onward), samples

    @property
    def late(self) -> bool:
        """Whether some message arrives later than it lets go of its link."""
        return bool(np.any(quantize(np.asarray(self.link.after_s))))

    def latencies(self, program: Program, kernels: Kernels = NUMPY) -> Floats:
        """Seconds from when each row's message has let go of its link to its arrival.

        Shape (rows,), or (0,) where every message is there at once.  Of a row that sends nothing
        the value means nothing.
        """
        if not self.late:
            return np.zeros(0)
        if self.link.alike and not self.measured:
            after: Floats = quantize(np.asarray(self.link.after_s))
            return np.broadcast_to(after, len(program))  # in the room of one
        (op, stage, _, _), link = program.rows, program.messages.link
        single = self._latencies(*_kinds(program)).reshape(len(Op), -1)
        seconds: Floats = kernels.of(TRANSFERS_OF_ROWS)(op, stage, link, single)
        return seconds

    def latencies_of(self, program: Program, rows: Ints) -> Floats:
        """Seconds the messages of some rows, all of which send, take from letting go of their
        links to their arrival.

        `rows` and the result have shape (rows asked for,).
        """
        return self._latencies(program.rows.op[rows], program.rows.stage[rows])

    def _latencies(self, op: Ints, stage: Ints) -> Floats:
        """Seconds that what such instructions send is under way after its link."""
        after = quantize(np.asarray(self.link.over(_boundary(op, stage)).after_s))
        seconds: Floats = np.broadcast_to(after, len(op)).copy()
        for its, _ in self._measured(op, stage):
            seconds[its] = 0.0
        return seconds

    @property
    def _all_alike(self) -> bool:
        """Whether every message takes as long as one of no size."""
        return self.link.alike and not (self.measured or self.boundary_bytes.any())

    @property
    def _empty_s(self) -> Floats:
        """Seconds a message of no size takes its link."""
        return quantize(self.link.occupied_s(np.zeros(())))

    def exchange_s(self, program: Program) -> Floats:
        """Seconds the exchange before each row takes, shape (rows,).

        It begins when the last of the rows has ended for which the row waits by `sync`.
        """
        if self.sync_s is None:
            return np.zeros(len(program))
        return quantize(self.sync_s)[program.rows.stage]

    def links(self, program: Program) -> Ints:
        """Number of the link each row's message takes, shape (rows,); 0 too where none is sent.

        A link's number is from·devices + to.
        """
        number: Ints = np.append(program.messages.links, 0)[program.messages.link]
        return number


def _kinds(program: Program) -> tuple[Ints, Ints]:
    """Operation and stage of every pair of them that a program can have."""
    stages = program.shape.stages
    return np.divmod(np.arange(len(Op) * stages), stages)


def _onward(op: Ints) -> NDArray[np.bool_]:
    """Whether what such operations send goes on to the next stage, not back."""
    return among(op, (Op.F, Op.SEND_F))


def _boundary(op: Ints, stage: Ints) -> Ints:
    """Number of the boundary that what such instructions send goes over."""
    return stage - 1 + _onward(op)

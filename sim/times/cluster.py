"""The machine under the pipeline: links between devices and activation memory on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Floats, Ints
from sim.kernels import compiled
from sim.kernels.arrivals import taken
from sim.op import Op, among
from sim.order.program import Program
from sim.times.costs import quantize


@dataclass(frozen=True)
class Link:
    """A directed connection carrying one transfer at a time, first come first served."""

    latency_s: float = 0.0
    bandwidth_bytes_per_s: float = float("inf")

    def transfer_s(self, size_bytes: Floats) -> Floats:
        """Seconds the link is taken by a message of this size."""
        return np.asarray(self.latency_s + size_bytes / self.bandwidth_bytes_per_s)


@dataclass(frozen=True)
class Cluster:
    """Equal links each way between devices, sizes of messages, and memory for activations.

    `boundary_bytes[k]` is what one micro-batch sends from stage k to k+1, and back as its
    gradient (shape (stages-1,)); `activation_bytes[k]` what stage k keeps of a micro-batch from
    the start of its forward to the end of its backward (shape (stages,)).  `sync_s[k]` is how
    long workers take to exchange stage k's weights or gradients once all are ready.
    """

    link: Link
    boundary_bytes: Floats
    activation_bytes: Floats
    activation_limit_bytes: float = float("inf")
    sync_s: Floats | None = None

    def message_bytes(self, program: Program) -> Floats:
        """Bytes each row sends to another device (0: none)."""
        size = np.zeros(len(program))
        rows = np.flatnonzero(program.sends)
        size[rows] = self._bytes(*program.rows_at(rows))
        return size

    def _bytes(self, op: Ints, stage: Ints, count: Ints) -> Floats:
        boundary = np.concatenate(([0.0], self.boundary_bytes, [0.0]))
        return boundary[stage + among(op, (Op.F, Op.SEND_F))] * count

    def sends(self, program: Program) -> NDArray[np.bool_]:
        """Whether each row sends a message to another device."""
        return program.sends

    def transfers(self, program: Program) -> Floats:
        """Seconds each row's message takes its link; of rows that send none it says nothing."""
        if not self.boundary_bytes.any():
            return np.broadcast_to(self._empty_s, len(program))  # in the room of one
        if program.compiled:
            return self._taken(program)
        rows = np.flatnonzero(program.sends)
        seconds = np.zeros(len(program))
        seconds[rows] = self.transfers_of(program, rows)
        return seconds

    def _taken(self, program: Program) -> Floats:
        """The same by a compiled pass, after it what covers several micro-batches."""
        op, stage, _, count = program.rows
        kinds = np.divmod(np.arange(len(Op) * program.shape.stages), program.shape.stages)
        single = quantize(self.link.transfer_s(self._bytes(*kinds, np.ones_like(kinds[0]))))
        seconds: Floats = compiled(taken)(
            op, stage, program.messages.link, single.reshape(len(Op), -1))
        if program.wide:
            rows = np.flatnonzero(program.sends & (count > 1))
            seconds[rows] = self.transfers_of(program, rows)
        return seconds

    def transfers_of(self, program: Program, rows: Ints) -> Floats:
        """The same of some rows, all of which send."""
        if not self.boundary_bytes.any():
            return np.full(len(rows), self._empty_s)
        return quantize(self.link.transfer_s(self._bytes(*program.rows_at(rows))))

    @property
    def _empty_s(self) -> Floats:
        """Seconds a message of no size takes its link."""
        return quantize(self.link.transfer_s(np.zeros(())))

    def exchange_s(self, program: Program) -> Floats:
        """Seconds between the last row a row waits for by `sync` and its start, for each row."""
        if self.sync_s is None:
            return np.zeros(len(program))
        return quantize(self.sync_s)[program.rows.stage]

    def links(self, program: Program) -> Ints:
        """Number of the link each row's message takes: one per (from device, to device)."""
        number: Ints = np.append(program.messages.links, 0)[program.messages.link]
        return number

"""The machine under the pipeline: links between devices and activation memory on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.costs import Floats, quantize
from sim.instruction import Ints, Op
from sim.program import Program


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
        op, stage, _, count = program.rows
        boundary = np.concatenate(([0.0], self.boundary_bytes, [0.0]))
        forward = np.isin(op, (Op.F, Op.SEND_F))
        size = np.where(forward, boundary[stage + 1], boundary[stage]) * count
        return np.where(self.sends(program), size, 0.0)

    def sends(self, program: Program) -> NDArray[np.bool_]:
        """Whether each row sends a message to another device."""
        sending = np.zeros(len(program), dtype=bool)
        source = program.arrives_from
        sending[source[source >= 0]] = True
        return sending

    def transfers(self, program: Program) -> Floats:
        """Seconds each row's message takes its link."""
        seconds = quantize(self.link.transfer_s(self.message_bytes(program)))
        return np.where(self.sends(program), seconds, 0.0)

    def exchange_s(self, program: Program) -> Floats:
        """Seconds between the last row a row waits for by `sync` and its start, for each row."""
        if self.sync_s is None:
            return np.zeros(len(program))
        return quantize(self.sync_s)[program.rows.stage]

    def links(self, program: Program) -> Ints:
        """Number of the link each row's message takes: one per (from device, to device)."""
        number = np.zeros(len(program), dtype=np.int64)
        target = np.flatnonzero(program.arrives_from >= 0)
        source = program.arrives_from[target]
        number[source] = program.device[source] * program.devices + program.device[target]
        return number

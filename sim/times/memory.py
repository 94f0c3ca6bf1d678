"""Activation memory of devices: claimed when a forward starts, given back by its backward."""

from __future__ import annotations

import numpy as np

from sim.op import Op, among
from sim.order.program import Program
from sim.times.cluster import Cluster


class ActivationMemory:
    """Bytes each device holds while a program is executed, against the cluster's limit.

    A forward takes what its stage keeps of the micro-batches it covers; their backward gives it
    back (its weight half, where it is split).
    """

    def __init__(self, program: Program, cluster: Cluster) -> None:
        op, stage, _, count = program.rows
        self.program, self.limit = program, cluster.activation_limit_bytes
        self.limited = self.limit < float("inf")
        self.size: list[float] = (cluster.activation_bytes[stage] * count).tolist()
        self.takes: list[bool] = (op == Op.F).tolist()
        self.gives: list[bool] = among(op, (Op.B, Op.W)).tolist()
        self.device: list[int] = program.device.tolist()
        self.held = [0.0] * program.devices

    def fits(self, row: int) -> bool:
        """Whether a row's device has room for the activations it has to keep."""
        return not self.takes[row] or self.held[self.device[row]] + self.size[row] <= self.limit

    def take(self, row: int) -> bool:
        """Claim the memory a row needs when it starts; False where there is no room."""
        if not self.fits(row):
            return False
        if self.takes[row]:
            self.held[self.device[row]] += self.size[row]
        return True

    def give(self, row: int) -> None:
        """Give back the memory that a row, now ended, was the last to need."""
        if self.gives[row]:
            self.held[self.device[row]] -= self.size[row]

    def describe(self, row: int) -> str:
        """A line for an error: what a forward that does not fit waits for, in bytes."""
        device = self.device[row]
        return (f"device {device} at {self.program.instruction(row)} waits for activation memory "
                f"({self.size[row]:g} bytes beside {self.held[device]:g} held, limit "
                f"{self.limit:g})")


def stays_within_limit(program: Program, cluster: Cluster) -> bool:
    """Whether no device ever keeps more activations than the limit, whatever times rows run at."""
    if np.isinf(cluster.activation_limit_bytes):
        return True
    op, stage, _, count = program.rows
    size = cluster.activation_bytes[stage] * count
    takes, gives = op == Op.F, among(op, (Op.B, Op.W))
    change = np.where(takes, size, np.where(gives, -size, 0.0))
    return all((np.cumsum(change[a:b])[takes[a:b]] <= cluster.activation_limit_bytes).all()
               for a, b in zip(program.offsets, program.offsets[1:], strict=False))
